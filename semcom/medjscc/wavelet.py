"""The biorthogonal 9/7 wavelet over four levels: pictures to bands at 1/2 … 1/16, and back.

Filters of Cohen, Daubechies and Feauveau in the lifting steps of JPEG 2000 (ITU-T T.800 annex F),
scaled so that an error in any band costs about the same in the picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 4
STRIDE = 2**LEVELS
_STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_SCALE = 2**0.5 / 1.230174104914001

Bands = list[Tensor]
"""Approximation ``[batch, 1, H/16, W/16]``, then details ``[batch, 3, H/16, W/16]`` … ``H/2``."""


def analyse(images: Tensor) -> Bands:
    """Bands of pictures.

    Args:
        images: float ``[batch, 1, H, W]``, H and W multiples of 16.

    Returns:
        The approximation, then the details from the coarsest on, each with the bands of low-high,
        high-low and high-high frequencies.

    >>> [tuple(band.shape) for band in analyse(torch.zeros(1, 1, 32, 32))]
    [(1, 1, 2, 2), (1, 3, 2, 2), (1, 3, 4, 4), (1, 3, 8, 8), (1, 3, 16, 16)]
    """
    details = []
    for _ in range(LEVELS):
        low, high = _split(images)
        (images, low_high), (high_low, high_high) = _split_rows(low), _split_rows(high)
        details.append(torch.cat([low_high, high_low, high_high], dim=1))
    return [images, *reversed(details)]


def synthesise(bands: Bands) -> Tensor:
    """Undo :func:`analyse`.

    >>> picture = torch.rand(1, 1, 48, 32)
    >>> bool(torch.allclose(synthesise(analyse(picture)), picture, atol=1e-5))
    True
    """
    images = bands[0]
    for details in bands[1:]:
        images = merge(images, details)
    return images


def merge(approximation: Tensor, details: Tensor) -> Tensor:
    """One level of :func:`synthesise`: ``[batch, 1, h, w]`` and ``[batch, 3, h, w]`` to twice it.

    >>> merge(torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4)).shape
    torch.Size([1, 1, 8, 8])
    """
    low_high, high_low, high_high = torch.split(details, 1, dim=1)
    return _merge(_merge_rows(approximation, low_high), _merge_rows(high_low, high_high))


def _next(values: Tensor) -> Tensor:
    return torch.cat([values[..., 1:], values[..., -1:]], dim=-1)


def _previous(values: Tensor) -> Tensor:
    return torch.cat([values[..., :1], values[..., :-1]], dim=-1)


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high frequencies along the last axis."""
    a, b, c, d = _STEPS
    even, odd = values[..., ::2], values[..., 1::2]
    odd = odd + a * (even + _next(even))
    even = even + b * (odd + _previous(odd))
    odd = odd + c * (even + _next(even))
    even = even + d * (odd + _previous(odd))
    return even * _SCALE, odd / -_SCALE


def _merge(low: Tensor, high: Tensor) -> Tensor:
    a, b, c, d = _STEPS
    even, odd = low / _SCALE, high * -_SCALE
    even = even - d * (odd + _previous(odd))
    odd = odd - c * (even + _next(even))
    even = even - b * (odd + _previous(odd))
    odd = odd - a * (even + _next(even))
    return torch.stack([even, odd], dim=-1).flatten(-2)


def _split_rows(values: Tensor) -> tuple[Tensor, Tensor]:
    low, high = _split(values.transpose(-1, -2))
    return low.transpose(-1, -2), high.transpose(-1, -2)


def _merge_rows(low: Tensor, high: Tensor) -> Tensor:
    return _merge(low.transpose(-1, -2), high.transpose(-1, -2)).transpose(-1, -2)
