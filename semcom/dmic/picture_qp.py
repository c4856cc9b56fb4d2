"""Extension: a QP for each image, chosen by coding it at several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semcom.dmic.episode import Coded, Exchange, Scene
from semcom.dmic.rules import Rule
from semcom.dmic.search import cost
from semcom.dmic.units import Map
from semcom.image_coders import hevc

_STEP = 3
_REACH = 9


class PictureQP:
    """A rule's map at the QP that costs the image least, ``bits + slope * loss``.

    A rule chooses where within an image; how fine the whole of it has to be is another question,
    for which images that lose little are coarser than those that lose much. The encoder codes the
    image at seven base QPs around the one asked for, lets the segmenter look at each, and takes the
    cheapest: seven times the cost, and part of the gain is luck with this very segmenter.

    Args:
        rule: where within the image.
        scene: the image and who looks at it, for this image alone.
        exchanges: what losses cost at each base QP that is asked for.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> scene = Scene(ramp, [lambda images: images], "ultrafast")
    >>> flat = lambda image, found, qp: np.zeros((2, 2), np.int64)
    >>> PictureQP(flat, scene, {30: Exchange(1000.0, 0.0)})(ramp, ramp, 30).tolist()
    [[9, 9], [9, 9]]
    """

    def __init__(self, rule: Rule, scene: Scene, exchanges: dict[int, Exchange]) -> None:
        self._rule, self._scene, self._exchanges = rule, scene, exchanges
        self._coded: dict[int, tuple[Map, Coded]] = {}

    def __call__(
        self, image: NDArray[np.float32], found: NDArray[np.floating], base_qp: float
    ) -> Map:
        """Offsets of units, the change of base QP included."""
        asked = int(base_qp)
        near = range(max(asked - _REACH, 0), min(asked + _REACH, hevc.QP_MAX) + 1, _STEP)
        worth = self._exchanges[asked]
        best = min(near, key=lambda qp: cost(self._at(qp, image, found)[1], worth))
        return self._at(best, image, found)[0] + best - asked

    def _at(
        self, qp: int, image: NDArray[np.float32], found: NDArray[np.floating]
    ) -> tuple[Map, Coded]:
        if qp not in self._coded:
            offsets = self._rule(image, found, qp)
            self._coded[qp] = offsets, self._scene.coded(qp, offsets)
        return self._coded[qp]
