"""Bit allocation by hand: what a learned policy has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from semcom.dmic.units import UNIT, Map, grid
from semcom.image_coders.regions import any_in_blocks

Rule: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.floating], float], Map]
"""Image ``[H, W]``, what a segmenter finds in it ``[H, W]``, and base QP, to offsets."""

BACKGROUND = 9
_MARGIN = 8


def anchor(image: NDArray[np.float32], found: NDArray[np.floating], base_qp: float) -> Map:
    """One QP everywhere.

    >>> int(anchor(np.zeros((64, 64), np.float32), np.zeros((64, 64)), 37).max())
    0
    """
    return np.zeros(grid(*image.shape), np.int64)


def two_levels(image: NDArray[np.float32], found: NDArray[np.floating], base_qp: float) -> Map:
    """Units that hold nothing of what the segmenter finds, 9 QPs coarser.

    The best such rule on 16 angiograms of the training set, by diagnostic Dice: units 8 pixels
    around held fine as well, and 8 QPs, save 20.0 % of the bytes, 4 around 21.4 %, none 22.9 %; 9
    QPs 24.1 %, 6 and 10 less.

    >>> spot = np.zeros((96, 96))
    >>> spot[10, 10] = 1
    >>> two_levels(np.zeros((96, 96), np.float32), spot, 37).tolist()
    [[0, 9, 9], [9, 9, 9], [9, 9, 9]]
    """
    return np.where(any_in_blocks(found > 0.5, UNIT), 0, BACKGROUND).astype(np.int64)


def surroundings(found: NDArray[np.floating | np.bool_]) -> NDArray[np.bool_]:
    """What a segmenter finds and 8 pixels around it, bool ``[H, W]``.

    >>> spot = np.zeros((32, 32))
    >>> spot[10, 10] = 1
    >>> int(surroundings(spot)[10].sum())
    17
    """
    mask: NDArray[np.bool_] = found > 0.5
    return binary_dilation(mask, iterations=_MARGIN) if mask.any() else mask


RULES: dict[str, Rule] = {"anchor": anchor, "two levels": two_levels}
