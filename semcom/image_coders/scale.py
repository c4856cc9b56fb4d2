"""Shrinking a picture and enlarging it again, blurring and softening it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from torch.nn.functional import interpolate

Picture = NDArray[np.float32]
"""float32 in [0, 1], grey ``[H, W]`` or RGB ``[3, H, W]``."""

BLURS = 16
SOFTENINGS = 256
_WIDEST_BLUR = 128.0


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Resample bicubically, with an anti-aliasing filter where it shrinks.

    Args:
        picture: float32 ``[..., H, W]`` in [0, 1].
        height: new H.
        width: new W.

    Returns:
        float32 ``[..., height, width]`` in [0, 1].

    >>> resize(np.full((64, 64), 0.5, np.float32), 32, 32).shape
    (32, 32)
    """
    planes = torch.from_numpy(np.ascontiguousarray(picture)).reshape(1, -1, *picture.shape[-2:])
    resized = interpolate(planes, (height, width), mode="bicubic", antialias=True)
    result: Picture = resized.clamp(0, 1).reshape(*picture.shape[:-2], height, width).numpy()
    return result


def blur(picture: Picture, step: int) -> Picture:
    """Smooth a picture ``[..., H, W]``: step 0 with sigma 128, each further one with 0.71 of that.

    >>> edge = np.repeat(np.float32([[0, 1]]), 32, axis=1).repeat(64, axis=0)
    >>> round(float(np.ptp(blur(edge, 0))), 2)
    0.19
    """
    sigma = _WIDEST_BLUR * 2 ** (-step / 2)
    blurred = gaussian_filter(picture, sigma, mode="nearest", axes=(-2, -1))
    result: Picture = np.clip(blurred, 0, 1)
    return result


def soften(picture: Picture, number: int) -> Picture:
    """Mix ``number`` / 1024 of its mean over 3 x 3 pixels into a picture ``[..., H, W]``.

    It takes fewer bytes, the more the softer: a dial between two steps of a coder's own.

    >>> dot = np.zeros((5, 5), np.float32)
    >>> dot[2, 2] = 0.9
    >>> round(float(soften(dot, 256)[2, 2]), 4)
    0.7
    """
    mean = uniform_filter(picture, 3, mode="nearest", axes=(-2, -1))
    result: Picture = np.clip(picture + np.float32(number / 1024) * (mean - picture), 0, 1)
    return result
