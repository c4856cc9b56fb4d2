"""The squares of an image that a bit allocation gives a quantisation offset each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from semcom.image_coders import hevc

UNIT = 32
"""Side in pixels. Halves of a coding tree unit of HEVC: rules save 3 to 5 points more of the rate
with them than with whole ones, and nothing more with quarters."""

OFFSETS = (-6, -3, 0, 3, 6, 9, 12, 15, 18)
"""QPs that a unit may be given on top of the base QP; coarser ones reach farther than finer ones,
since bits are saved where no diagnosis looks."""

BASE_QPS = (28, 31, 34, 37, 40, 43, 46, 49)
"""Where the mean diagnostic Dice of angiograms falls from one to the next: .98 to .71."""

Map = NDArray[np.int64]
"""QP offsets ``[rows, columns]``, one for each unit."""

Before: TypeAlias = Callable[[NDArray[np.float32], NDArray[np.floating]], NDArray[np.float32]]
"""Image ``[H, W]`` and what a segmenter finds in it, to what is coded in its place."""


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of units; those at the right and lower edge may stick out.

    >>> grid(512, 500)
    (16, 16)
    """
    return math.ceil(height / UNIT), math.ceil(width / UNIT)


def encode(
    image: NDArray[np.float32],
    qp: float,
    offsets: Map | None = None,
    preset: str = hevc.PRESET,
    bit_depth: int = 10,
) -> bytes:
    """Code an image with an offset for each unit.

    Args:
        image: float32 ``[H, W]`` in [0, 1].
        qp: base QP, 0 to 51; between two whole ones as :func:`semcom.image_coders.hevc.encode`.
        offsets: what each unit adds to it; ``None``: nothing, the anchor.
        preset: of x265.
        bit_depth: bits a sample is coded with: 8, 10 or 12.

    Returns:
        The stream of :func:`semcom.image_coders.hevc.encode`.

    Raises:
        InputError: if the offsets have another shape than the grid.

    >>> image = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> len(encode(image, 20, np.full((2, 2), 18))) < len(encode(image, 20))
    True
    """
    if offsets is None:
        return hevc.encode(image, qp, bit_depth, preset=preset)
    height, width = image.shape
    if offsets.shape != grid(height, width):
        raise InputError(
            f"offsets must be {list(grid(height, width))}, one for each {UNIT} x {UNIT} pixels, "
            f"got {list(offsets.shape)}"
        )
    times = UNIT // hevc.UNIT
    fine = offsets.repeat(times, 0).repeat(times, 1)
    rows, columns = math.ceil(height / hevc.UNIT), math.ceil(width / hevc.UNIT)
    fine = fine[:rows, :columns]
    return hevc.encode(image, qp, bit_depth, qp_offsets=fine, preset=preset)


def summed(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sums over the pixels of each unit.

    Args:
        values: ``[..., H, W]``.

    Returns:
        float64 ``[..., rows, columns]``.

    >>> summed(np.ones((40, 64))).tolist()
    [[1024.0, 1024.0], [256.0, 256.0]]
    """
    height, width = values.shape[-2:]
    rows, columns = grid(height, width)
    edges = ((0, 0),) * (values.ndim - 2)
    wide = np.pad(values, (*edges, (0, rows * UNIT - height), (0, columns * UNIT - width)))
    blocks = wide.reshape(*values.shape[:-2], rows, UNIT, columns, UNIT)
    total: NDArray[np.float64] = blocks.sum((-3, -1), dtype=np.float64)
    return total
