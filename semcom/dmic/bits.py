"""Which bits of a stream each unit takes: x265 tells none, so what its samples weigh tells it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from semcom.dmic.units import UNIT, Map, grid

_BLOCK = 8
_CHANGE = 2.5
"""Bits for each pair of neighbours whose QPs differ."""

_MOST_TOLD = 0.5


def step_size(qp: NDArray[np.integer] | int) -> NDArray[np.float64]:
    """HEVC's quantisation step in [0, 1] samples, ``2^((QP - 4) / 6) / 255`` (H.265 clause 8.6.3).

    >>> float(step_size(28) * 255)
    16.0
    """
    return np.asarray(2.0 ** ((np.asarray(qp) - 4) / 6) / 255)


class BitShares:
    """How many of an image's bits each unit takes at any QPs.

    ::

        weight_u = 1 + sum over 8 x 8 DCT coefficients of log2(1 + (c / step_u)^2)

    correlates by about 0.9 with what a stream loses when one unit is coded at QP 51, up to QP 34,
    and by 0.4 to 0.6 at QP 40. QPs that change take bits of their own, 2.5 for each pair of
    neighbours that differ, half to each: about what random groups of units cost more than that.
    All add up to the stream, whose length is measured.

    Args:
        image: float32 ``[H, W]`` in [0, 1].

    >>> shares = BitShares(np.full((64, 64), 0.5, np.float32))
    >>> shares(np.full((2, 2), 30), 40).tolist()
    [[10.0, 10.0], [10.0, 10.0]]
    >>> shares(np.array([[30, 30], [30, 36]]), 40).tolist()
    [[8.75, 10.0], [10.0, 11.25]]
    """

    def __init__(self, image: NDArray[np.float32]) -> None:
        rows, columns = grid(*image.shape)
        bottom, right = rows * UNIT - image.shape[0], columns * UNIT - image.shape[1]
        whole = np.pad(image, ((0, bottom), (0, right)), mode="edge")
        times = UNIT // _BLOCK
        blocks = whole.reshape(rows, times, _BLOCK, columns, times, _BLOCK)
        spectrum = dctn(blocks, axes=(2, 5), norm="ortho")
        spectrum[:, :, 0, :, :, 0] = 0  # predicted from its neighbours
        self._power = np.moveaxis(spectrum, 3, 1).reshape(rows, columns, -1) ** 2

    def __call__(self, qps: Map, total: float) -> NDArray[np.float64]:
        """Bits ``[rows, columns]``, where each unit has such a QP and the stream ``total`` bits."""
        steps = step_size(qps)[..., None]
        weights = 1 + np.log2(1 + self._power / steps**2).sum(-1)
        told = _telling(qps)
        told *= min(1.0, _MOST_TOLD * total / max(told.sum(), 1.0))
        bits: NDArray[np.float64] = told + (total - told.sum()) * weights / weights.sum()
        return bits


def _telling(qps: Map) -> NDArray[np.float64]:
    """Bits that say where QPs change, ``[rows, columns]``."""
    bits = np.zeros(qps.shape)
    for axis in (0, 1):
        differ = np.diff(qps, axis=axis) != 0
        before, after = ((0, 1), (1, 0))
        edges = [(0, 0), (0, 0)]
        for side in (before, after):
            edges[axis] = side
            bits += np.pad(differ, edges) * (_CHANGE / 2)
    return bits
