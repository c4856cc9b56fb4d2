"""A very coarse analogue picture in a fixed layout: what is left when a header is lost."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

_GAIN = 2.8
_PRIOR = 1 / 16
"""Variance of a coarse pixel around mid-grey that the receiver reckons with."""


def grid(height: int, width: int, uses: int) -> tuple[int, int]:
    """Rows and columns of the coarse picture, two numbers to a channel use.

    >>> grid(256, 512, 64)
    (8, 16)
    """
    rows = max(1, math.floor(math.sqrt(2 * uses * height / width)))
    return rows, max(1, 2 * uses // rows)


def send(images: Tensor, uses: int) -> Tensor:
    """Real numbers ``[batch, 2 uses]`` of about unit power per pair, for centred pictures."""
    height, width = images.shape[-2:]
    coarse = F.adaptive_avg_pool2d(images, grid(height, width, uses)).flatten(1)
    return F.pad(_GAIN / math.sqrt(2) * coarse, (0, 2 * uses - coarse.shape[1]))


def receive(numbers: Tensor, noise_var: Tensor, shape: tuple[int, int]) -> Tensor:
    """The picture, centred on zero, from noisy numbers.

    Args:
        numbers: float ``[batch, 2 uses]``.
        noise_var: their error variances.
        shape: ``(H, W)``.

    Returns:
        float32 ``[batch, 1, H, W]``.
    """
    rows, columns = grid(*shape, numbers.shape[1] // 2)
    gain = _GAIN / math.sqrt(2)
    estimate = numbers / gain * _PRIOR / (_PRIOR + noise_var / gain**2)
    coarse = estimate[:, : rows * columns].reshape(-1, 1, rows, columns)
    return F.interpolate(coarse, shape, mode="bicubic", align_corners=False)
