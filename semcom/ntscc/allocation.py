"""How many real numbers each cell gets: ``k = Q(eta * bits)``, and a rule for what is left."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.int64]

RATES = np.array([0, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 104, 128])
"""Real numbers that a cell may get."""

TOP = len(RATES) - 1
_BETWEEN = (RATES[1:] + RATES[:-1]) / 2


class Allocation(NamedTuple):
    """The rates of an image's cells, int64 ``[cells]`` in raster order.

    Args:
        levels: index into ``RATES``.
        sizes: real numbers; less than the level's in at most one cell.
    """

    levels: Levels
    sizes: Levels


def wanted(bits: NDArray[np.float64], counts: NDArray[np.int64] | int, budget: int) -> Levels:
    """The levels ``Q(eta * bits)`` of the greatest ``eta`` that keeps a budget.

    Args:
        bits: of each cell, or the mean over each block of cells.
        counts: cells of each block.
        budget: real numbers in all.

    >>> wanted(np.array([1.0, 2.0, 8.0]), 1, 44).tolist()
    [2, 4, 9]
    """

    def levels(eta: float) -> Levels:
        return np.searchsorted(_BETWEEN, eta * bits, side="right")

    low, high = 0.0, 1.0
    while (counts * RATES[levels(high)]).sum() <= budget and not (levels(high) == TOP).all():
        high *= 2
        if high > 1e9:
            break
    for _ in range(40):
        middle = (low + high) / 2
        within = (counts * RATES[levels(middle)]).sum() <= budget
        low, high = (middle, high) if within else (low, middle)
    return levels(low)


def blockwise(bits: NDArray[np.float64], side: int, budget: int) -> Levels:
    """The levels of square blocks of cells, by the mean bits of their cells.

    Args:
        bits: of each cell, ``[rows, columns]``.
        side: of a block, in cells.
        budget: real numbers in all.

    >>> blockwise(np.ones((3, 4)), 2, 48).shape
    (2, 2)
    """
    counts = _block_sums(np.ones_like(bits), side)
    return wanted(_block_sums(bits, side) / counts, counts.astype(np.int64), budget)


def spread(levels: Levels, side: int, shape: tuple[int, ...]) -> Levels:
    """The level of each block as that of its cells, ``[rows, columns]``.

    >>> spread(np.array([[1, 2]]), 2, (1, 3)).tolist()
    [[1, 1, 2]]
    """
    return levels.repeat(side, 0).repeat(side, 1)[: shape[0], : shape[1]]


def _block_sums(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    rows, columns = values.shape
    padded = np.pad(values, ((0, -rows % side), (0, -columns % side)))
    blocks = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side)
    sums: NDArray[np.float64] = blocks.sum((1, 3))
    return sums


def filled(levels: Levels, budget: int) -> Allocation:
    """Spend what levels leave of a budget: in a fixed order cells rise by one level each.

    The last that rises gets only what is still there. Both ends do this alike.

    Args:
        levels: int64 ``[cells]``.
        budget: real numbers in all, an even number.

    >>> filled(np.array([1, 1, 1]), 12).sizes.tolist()
    [4, 4, 4]
    >>> int(filled(np.full(4, 9), 142).sizes.sum())
    142
    """
    levels, sizes = levels.copy(), RATES[levels]
    left = budget - int(sizes.sum())
    order = np.argsort(np.arange(len(levels), dtype=np.uint64) * 2654435761 % 2**32)
    while left > 0:
        rising = order[levels[order] < TOP]
        if not len(rising):
            break
        steps = RATES[levels[rising] + 1] - RATES[levels[rising]]
        starts = np.cumsum(steps) - steps
        gains = np.minimum(steps, np.maximum(left - starts, 0))
        levels[rising] += gains > 0
        sizes[rising] += gains
        left -= int(gains.sum())
    return Allocation(levels, sizes)
