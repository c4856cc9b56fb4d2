"""Search over real encodes: cheaper than where it began, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from semcom.dmic.episode import Coded, Exchange, Scene, exchanges
from semcom.dmic.rules import two_levels
from semcom.dmic.search import best_uniform, cost, search
from semcom.dmic.units import BASE_QPS, OFFSETS, Map
from tests.refusals import refused
from tests.semcom.dmic.test_dmic import bright, picture

QP = 37


class Counted(Scene):
    """A scene that counts its encodes."""

    encodes = 0

    def coded(self, base_qp: int, offsets: Map, by: int | None = None) -> Coded:
        self.encodes += 1
        return super().coded(base_qp, offsets, by)


@pytest.fixture(scope="module")
def scene() -> Counted:
    return Counted(picture(), [bright], "ultrafast")


@pytest.fixture(scope="module")
def exchange(scene: Counted) -> Exchange:
    return exchanges([scene], BASE_QPS)[QP]


def test_a_search_is_cheaper_than_where_it_began(scene: Counted, exchange: Exchange) -> None:
    def j(offsets: Map) -> float:
        return cost(scene.coded(QP, offsets), exchange)

    flat = np.zeros((4, 4), np.int64)
    uniform = best_uniform(scene, QP, exchange)
    assert j(uniform) == min(j(flat + k) for k in OFFSETS if QP + k <= 51)
    before = scene.encodes
    found = search(scene, QP, exchange, encodes=50)
    assert scene.encodes - before == 50
    rule = two_levels(scene.image, scene.found[0], QP)
    assert j(found) < 0.99 * min(j(uniform), j(rule))
    assert j(found) < j(flat)
    gained = exchange.credits(scene.coded(QP, found), scene.anchor(QP)).mean()
    assert gained == pytest.approx((j(flat) - j(found)) / exchange.bits)
    np.testing.assert_array_equal(search(scene, QP, exchange, encodes=50), found)
    assert j(search(scene, QP, exchange, encodes=3, starts=[found])) <= j(found)


def test_a_search_stops_where_it_must(scene: Counted, exchange: Exchange) -> None:
    assert not search(scene, QP, exchange, encodes=1).any()
    small = Scene(scene.image[:32, :32], [bright], "ultrafast")
    coarsest = search(small, 49, Exchange(1000.0, 0.0), encodes=60)
    assert coarsest.shape == (1, 1), "one unit at three levels: all is known before 60 encodes"
    refused(lambda: search(scene, QP, exchange, encodes=0), "encodes")
    refused(lambda: search(scene, 60, exchange), "base_qp must be at most 51")
    refused(lambda: search(scene, QP, exchange, starts=[np.zeros((2, 2), int)]), "offsets must be")
