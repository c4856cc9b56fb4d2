"""Images that the tests of the image coders share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semcom.image_coders.scale import ImageArray


def textured(height: int, width: int, seed: int = 0) -> ImageArray:
    """Smooth structure, an edge and grain: neither flat nor noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    image = 0.5 + 0.3 * np.sin(9 * x + 4 * y) * np.cos(5 * y) + 0.15 * (x > 0.5)
    image = image + 0.02 * rng.standard_normal((height, width))
    result: ImageArray = np.clip(image, 0, 1).astype(np.float32)
    return result


def coloured(height: int, width: int) -> ImageArray:
    """RGB with a common structure and tints of its own in each channel."""
    grey = textured(height, width)
    tints = np.linspace(-0.2, 0.2, width, dtype=np.float32)
    rgb = np.stack([grey + tints, grey, grey[::-1] * 0.5 - tints])
    return np.clip(rgb, 0, 1).astype(np.float32)


def psnr(a: ImageArray, b: ImageArray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


def framed(image: Tensor, lines: tuple[int, int, int, int], level: int) -> Tensor:
    """``[..., H, W]`` with so many lines of one level left, right, above and below, in 255ths."""
    left, right, top, bottom = lines
    height, width = image.shape[-2:]
    out = torch.full_like(image, level / 255)
    inside = (..., slice(top, height - bottom), slice(left, width - right))
    out[inside] = image[inside]
    return out
