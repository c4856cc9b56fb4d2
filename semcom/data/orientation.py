"""Pixels turned upright as a file's orientation tag says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ORIENTATION = 274
"""The tag, of Exif and of TIFF alike."""


def upright(samples: NDArray[Any], orientation: object) -> NDArray[Any]:
    """Turn and mirror ``[H, W, …]``; an orientation other than 2…8 leaves it as it is.

    >>> upright(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    if not isinstance(orientation, int) or not 2 <= orientation <= 8:
        return samples
    if orientation >= 5:
        samples = np.swapaxes(samples, 0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return np.ascontiguousarray(samples)
