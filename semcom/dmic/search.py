"""A search over real encodes: about the least that a picture costs, found with the answer at hand.

No codec: the encoder codes a picture over a hundred times and asks the very observers that judge it
each time, so that part of what it finds is luck with these. An upper curve for rules and policies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, uniform_filter

from channels import InputError
from channels.errors import check_seed, check_whole
from semcom.dmic.episode import Coded, Exchange, Scene
from semcom.dmic.rules import surroundings, two_levels
from semcom.dmic.units import OFFSETS, UNIT, Map, grid
from semcom.image_coders import hevc
from semcom.image_coders.regions import any_in_blocks

ENCODES = 130
"""After which little more is found in pictures of 512 x 512."""

_INSIDE = (0, -3, -6)
_STEPS = (3, 6, 9, 12)
_MOVES = (1, 2, -1, -2)
_FIRST_SHARE = 16
_PATIENCE = 6
_TRIES = 50
_NEAR = np.ones((3, 3), bool)


def cost(coded: Coded, exchange: Exchange) -> float:
    """What a coded picture costs, ``J = bits + slope * loss``, in bits.

    The sum of :meth:`semcom.dmic.episode.Exchange.credits` is the J of the anchor less this, in
    mean units of the anchor.

    >>> image = np.zeros((32, 64), np.float16)
    >>> cost(Coded(1, np.full((1, 2), 4.0), 0.2, image, image), Exchange(16.0, 100.0))
    28.0
    """
    return float(coded.bits.sum() + exchange.slope * coded.loss)


def best_uniform(scene: Scene, base_qp: int, exchange: Exchange) -> Map:
    """The one offset for all units that costs least: a QP chosen for each picture.

    What it saves is choice between pictures; only what a map saves beyond it is bit allocation.

    Args:
        scene: the picture and who looks at it.
        base_qp: 0 to 51.
        exchange: what losses cost there.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> scene = Scene(ramp, [lambda images: images], "ultrafast")
    >>> best_uniform(scene, 30, Exchange(1000.0, 0.0)).tolist()
    [[18, 18], [18, 18]]
    """
    maps = _uniform(scene, _levels(base_qp))
    return min(maps, key=lambda offsets: cost(scene.coded(base_qp, offsets), exchange))


def search(
    scene: Scene,
    base_qp: int,
    exchange: Exchange,
    encodes: int = ENCODES,
    seed: int = 0,
    starts: Sequence[Map] = (),
) -> Map:
    """The cheapest map that so many encodes find, by :func:`cost`.

    It begins with the anchor, ``starts``, the rule "two levels", all uniform maps, two-level maps
    around the best of these, and the map that takes for each unit the offset at which the uniform
    streams say that it and its neighbours cost least. From the cheapest, groups of units whose
    credits promise a gain, and their neighbours, are moved by one or two steps of
    :data:`semcom.dmic.units.OFFSETS`; what costs less is kept, and the credits are corrected by
    what was measured. The same seed finds the same map.

    Args:
        scene: the picture and who looks at it.
        base_qp: 0 to 51.
        exchange: what losses cost there.
        encodes: how often the picture may be coded, from 1 on; 0.1 to 0.3 s each at 512 x 512.
        seed: of the proposals.
        starts: further maps ``[rows, columns]``, e.g. what a policy chose.

    Returns:
        Offsets ``[rows, columns]``, never costlier than anything that was coded on the way.

    Raises:
        InputError: on other numbers, or starts of another shape.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> scene = Scene(ramp, [lambda images: images], "ultrafast")
    >>> int(search(scene, 30, Exchange(1000.0, 0.0), encodes=12).min()) >= 15
    True
    """
    encodes, seed = check_whole("encodes", encodes, 1), check_seed(seed)
    levels = _levels(base_qp)
    uniform = _uniform(scene, levels)
    anchor = np.zeros(grid(*scene.image.shape), np.int64)
    trials = _Trials(scene, base_qp, exchange, encodes)
    trials.code([anchor, *starts, two_levels(scene.image, scene.found[0], base_qp), *uniform])
    if not trials.left:
        return trials.best
    streams = [trials.done[flat.tobytes()] for flat in uniform]
    credits = _Credits(levels, streams, exchange)
    start = int(levels[np.argmin([cost(stream, exchange) for stream in streams])])
    trials.code([*_two_level_maps(scene, start), credits.cheapest()])
    draws = np.random.default_rng(seed)
    size, in_vain = max(anchor.size // _FIRST_SHARE, 1), 0
    for _ in range(_TRIES * encodes):
        if not trials.left:
            break
        offsets, promised = credits.proposal(trials.best, size, draws)
        if offsets.tobytes() in trials.done:
            continue
        before, origin = trials.least, trials.best
        measured = before - trials.code([offsets])
        credits.correct(origin, offsets, promised - measured)
        in_vain = 0 if measured > 0 else in_vain + 1
        if in_vain == _PATIENCE:
            size, in_vain = max(size // 2, 1), 0
    return trials.best


class _Trials:
    """What has been coded, the cheapest of it, and how many encodes are left."""

    def __init__(self, scene: Scene, base_qp: int, exchange: Exchange, encodes: int) -> None:
        self._scene, self._base_qp, self._exchange = scene, base_qp, exchange
        self.left, self.least = encodes, np.inf
        self.done: dict[bytes, Coded] = {}

    def code(self, maps: Iterable[Map]) -> float:
        """Code maps that are new while encodes are left; the cost of the last."""
        now = np.inf
        for offsets in maps:
            if not self.left or offsets.tobytes() in self.done:
                continue
            coded = self._scene.coded(self._base_qp, offsets)
            self.done[offsets.tobytes()] = coded
            self.left -= 1
            now = cost(coded, self._exchange)
            if now < self.least:
                self.least, self.best = now, offsets
        return now


class _Credits:
    """What each unit is held to cost at each offset, bits, ``[levels, rows, columns]``.

    At first what it costs in uniform streams, its losses the mean of its own and its neighbours'.
    """

    def __init__(
        self, levels: NDArray[np.int64], streams: Sequence[Coded], exchange: Exchange
    ) -> None:
        self._levels = levels
        anchor = streams[int(np.abs(levels).argmin())]
        self._costs = np.stack(
            [
                coded.bits
                + exchange.slope * uniform_filter(coded.losses(anchor), 3, mode="nearest")
                for coded in streams
            ]
        )

    def cheapest(self) -> Map:
        """The level of least cost of each unit."""
        found: Map = self._levels[self._costs.argmin(0)]
        return found

    def proposal(self, offsets: Map, size: int, draws: np.random.Generator) -> tuple[Map, float]:
        """Another map, and by how many bits it should be cheaper.

        So many units that gain most, by credits and chance, and neighbours that gain move alike.
        """
        here = self._places(offsets)
        there = np.clip(here + draws.choice(_MOVES), 0, len(self._levels) - 1)
        gain = self._at(here) - self._at(there)
        able = there != here
        noise = draws.gumbel(size=gain.shape) * (gain[able].std() if able.any() else 0.0)
        score = np.where(able, gain + noise, -np.inf)
        seeds = score >= np.sort(score, None)[-min(size, score.size)]
        group = able & (seeds | (binary_dilation(seeds, _NEAR) & (gain > 0)))
        return np.where(group, self._levels[there], offsets), float(gain[group].sum())

    def correct(self, origin: Map, offsets: Map, excess: float) -> None:
        """Share what a proposal gained less than was promised among the units that it moved."""
        moved = origin != offsets
        row, column = np.nonzero(moved)
        self._costs[self._places(offsets)[moved], row, column] += excess / len(row)

    def _places(self, offsets: Map) -> NDArray[np.int64]:
        nearest: NDArray[np.int64] = np.abs(self._levels[:, None, None] - offsets).argmin(0)
        return nearest

    def _at(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        costs: NDArray[np.float64] = np.take_along_axis(self._costs, places[None], 0)[0]
        return costs


def _levels(base_qp: int) -> NDArray[np.int64]:
    """The offsets that lead from a base QP to a QP that there is.

    >>> _levels(45).tolist()
    [-6, -3, 0, 3, 6]
    """
    if check_whole("base_qp", base_qp, 0) > hevc.QP_MAX:
        raise InputError(f"base_qp must be at most {hevc.QP_MAX}, got {base_qp}")
    return np.array([k for k in OFFSETS if 0 <= base_qp + k <= hevc.QP_MAX])


def _uniform(scene: Scene, levels: NDArray[np.int64]) -> list[Map]:
    return [np.full(grid(*scene.image.shape), level) for level in levels]


def _two_level_maps(scene: Scene, start: int) -> Iterator[Map]:
    """Maps with one offset near what the first observer finds, and a coarser one elsewhere."""
    near = any_in_blocks(surroundings(scene.found[0]), UNIT)
    for inside in _INSIDE:
        for step in _STEPS:
            levels = np.clip([start + inside, start + inside + step], OFFSETS[0], OFFSETS[-1])
            yield np.where(near, *levels)
