"""Shrinking a picture and enlarging it again."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

Picture = NDArray[np.float32]


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Resample bicubically, with an anti-aliasing filter where it shrinks.

    Args:
        picture: float32 ``[H, W]`` in [0, 1].
        height: new H.
        width: new W.

    Returns:
        float32 ``[height, width]`` in [0, 1].

    >>> resize(np.full((64, 64), 0.5, np.float32), 32, 32).shape
    (32, 32)
    """
    image = torch.from_numpy(np.ascontiguousarray(picture))[None, None]
    resized = interpolate(image, (height, width), mode="bicubic", antialias=True)[0, 0]
    result: Picture = resized.clamp(0, 1).numpy()
    return result
