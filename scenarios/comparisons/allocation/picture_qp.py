"""Extension: how fine each picture has to be, beside where in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scenarios.comparisons.allocation.coding import Job
from semcom.image_coders import hevc

_STEP = 3
_REACH = 9
_LOG_SLOPES, _HALVINGS = (-3.0, 12.0), 50
_ROUNDING = 1e-12
_OF_OBSERVERS = ("diagnostic", "soft", "cldice", "dice")
_ALONE = ("num_bytes", "psnr_db", "roi_psnr_db")


def wider(base_qps: Sequence[int]) -> tuple[int, ...]:
    """Base QPs, and those beyond either end that a picture may move to.

    >>> wider([31, 40, 49])
    (22, 25, 28, 31, 40, 49, 51)
    """
    first, last = base_qps[0], base_qps[-1]
    finer = [qp for qp in range(first - _REACH, first, _STEP) if qp >= 0]
    coarser = [min(qp, hevc.QP_MAX) for qp in range(last + _STEP, last + _REACH + 1, _STEP)]
    return tuple(sorted({*base_qps, *finer, *coarser}))


def extended(
    jobs: Sequence[tuple[int, Job]], found: Sequence[dict[str, Any]], base_qps: Sequence[int]
) -> list[dict[str, dict[str, Any]]]:
    """What came of each picture at the base QPs, by label, extensions among them.

    Args:
        jobs: picture by picture, in each the same ways, with the picture's place.
        found: what came of them.
        base_qps: that are asked for.
    """
    ways, qps = [job.way for place, job in jobs if place == 0], wider(base_qps)
    asked = [qps.index(qp) for qp in base_qps]
    by_label, extensions = {}, {}
    for at, way in enumerate(ways):
        own = list(found[at :: len(ways)])
        if way.picture_qp:
            extensions[way.extended] = chosen(own, qps, base_qps)
            own = [_at(one, asked, qps, base_qps) for one in own]
        by_label[way.label] = own
    by_label |= extensions
    return [dict(zip(by_label, each, strict=True)) for each in zip(*by_label.values(), strict=True)]


def chosen(
    found: Sequence[dict[str, Any]], qps: Sequence[int], base_qps: Sequence[int]
) -> list[dict[str, Any]]:
    """What comes of each picture if its base QP is the one that is worth most.

    ::

        bytes + slope (1 - (diagnostic Dice + soft Dice) / 2)

    of the first observer is least there. The slope is one for all pictures: the smallest at which
    they lose no more in the mean than all of them at the base QP asked for.

    Args:
        found: of every picture coded in one way at ``qps``, as
            :data:`~scenarios.comparisons.allocation.coding.MEASURED` says.
        qps: of :func:`wider`.
        base_qps: that are asked for.

    >>> easy = {"num_bytes": [90.0, 60.0, 30.0], "diagnostic": [[0.9, 0.89, 0.88]]}
    >>> hard = {"num_bytes": [90.0, 85.0, 80.0], "diagnostic": [[0.9, 0.5, 0.1]]}
    >>> rest = {name: [[1] * 3] for name in ("soft", "cldice", "dice")}
    >>> rest |= {name: [1] * 3 for name in ("psnr_db", "roi_psnr_db")}
    >>> rest |= {"header_bytes": 80, "qp_offsets": [[[0]]] * 3}
    >>> [one["num_bytes"] for one in chosen([easy | rest, hard | rest], [30, 35, 40], [30, 35])]
    [[90.0, 30.0], [90.0, 90.0]]
    """
    sizes = np.array([one["num_bytes"] for one in found])
    kept = np.array([one["diagnostic"][0] for one in found])
    lost = 1 - (kept + np.array([one["soft"][0] for one in found])) / 2
    each = np.arange(len(found))
    places = np.empty((len(found), len(base_qps)), int)
    for at, qp in enumerate(base_qps):
        allowed = lost[:, list(qps).index(qp)].mean() + _ROUNDING
        least, most = _LOG_SLOPES
        for _ in range(_HALVINGS):
            middle = (least + most) / 2
            own = (sizes + 10.0**middle * lost).argmin(1)
            if lost[each, own].mean() > allowed:
                least = middle
            else:
                most = middle
        places[:, at] = (sizes + 10.0**most * lost).argmin(1)
    return [_at(one, own, qps, base_qps) for one, own in zip(found, places.tolist(), strict=True)]


def _at(
    one: dict[str, Any], places: Sequence[int], qps: Sequence[int], base_qps: Sequence[int]
) -> dict[str, Any]:
    """A picture at other base QPs."""
    moved: dict[str, Any] = {"header_bytes": one["header_bytes"]}
    moved |= {name: [one[name][place] for place in places] for name in _ALONE}
    moved |= {
        name: [[its[place] for place in places] for its in one[name]] for name in _OF_OBSERVERS
    }
    moved["qp_offsets"] = [
        (np.array(one["qp_offsets"][place]) + qps[place] - qp).tolist()
        for place, qp in zip(places, base_qps, strict=True)
    ]
    return moved
