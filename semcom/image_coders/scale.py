"""Shrinking an image and enlarging it again, blurring and softening it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from channels.renamed import renamed

ImageArray = NDArray[np.float32]
"""float32 in [0, 1], grey ``[H, W]`` or RGB ``[3, H, W]``."""

__getattr__ = renamed(__name__, Picture="ImageArray")

BLURS = 16
SOFTENINGS = 256
_WIDEST_BLUR = 128.0


def resize(image: ImageArray, height: int, width: int) -> ImageArray:
    """Resample bicubically, with an anti-aliasing filter where it shrinks.

    Args:
        image: float32 ``[..., H, W]`` in [0, 1].
        height: new H.
        width: new W.

    Returns:
        float32 ``[..., height, width]`` in [0, 1].

    >>> resize(np.full((64, 64), 0.5, np.float32), 32, 32).shape
    (32, 32)
    """
    planes = torch.from_numpy(np.ascontiguousarray(image)).reshape(1, -1, *image.shape[-2:])
    resized = interpolate(planes, (height, width), mode="bicubic", antialias=True)
    result: ImageArray = resized.clamp(0, 1).reshape(*image.shape[:-2], height, width).numpy()
    return result


def blur(image: ImageArray, step: int) -> ImageArray:
    """Smooth an image ``[..., H, W]``: step 0 with sigma 128, each further one with 0.71 of that.

    >>> edge = np.repeat(np.float32([[0, 1]]), 32, axis=1).repeat(64, axis=0)
    >>> round(float(np.ptp(blur(edge, 0))), 2)
    0.19
    """
    from scipy.ndimage import gaussian_filter

    sigma = _WIDEST_BLUR * 2 ** (-step / 2)
    blurred = gaussian_filter(image, sigma, mode="nearest", axes=(-2, -1))
    result: ImageArray = np.clip(blurred, 0, 1)
    return result


def soften(image: ImageArray, number: int) -> ImageArray:
    """Mix ``number`` / 1024 of its mean over 3 x 3 pixels into an image ``[..., H, W]``.

    It takes fewer bytes, the more the softer: a dial between two steps of a coder's own.

    >>> dot = np.zeros((5, 5), np.float32)
    >>> dot[2, 2] = 0.9
    >>> round(float(soften(dot, 256)[2, 2]), 4)
    0.7
    """
    from scipy.ndimage import uniform_filter

    mean = uniform_filter(image, 3, mode="nearest", axes=(-2, -1))
    result: ImageArray = np.clip(image + np.float32(number / 1024) * (mean - image), 0, 1)
    return result
