"""A biorthogonal wavelet over six levels, in lifting steps that can be trained from the 9/7's.

Filters of Cohen, Daubechies and Feauveau in the lifting steps of JPEG 2000 (ITU-T T.800 annex F),
scaled so that an error in any band costs about the same in the image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 6
BLOCK = 16
"""Side in pixels of the blocks that have a quantisation step of their own."""

_TAPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_SCALE = 2**0.5 / 1.230174104914001

Bands = list[Tensor]
"""Approximation ``[batch, 1, h, w]`` of the coarsest level, then details ``[batch, 3, h, w]`` from
the coarsest level to the finest, ``[batch, 3, H/2, W/2]``."""


class Wavelet(nn.Module):
    """Images to bands and back, each level with four taps of its own.

    Whatever the taps are, lifting steps undo each other: :meth:`synthesise` inverts
    :meth:`analyse`.

    >>> wavelet = Wavelet()
    >>> image = torch.rand(1, 1, 48, 80)
    >>> bands = wavelet.analyse(image)
    >>> [tuple(band.shape[1:]) for band in bands][:3]
    [(1, 1, 2), (3, 1, 2), (3, 2, 3)]
    >>> bool(torch.allclose(wavelet.synthesise(bands), image, atol=1e-5))
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.tensor(_TAPS).repeat(LEVELS, 1))
        """``[level, 4]``, the coarsest level first."""

    def analyse(self, images: Tensor) -> Bands:
        """Bands of float images ``[batch, 1, H, W]``, H and W multiples of 16.

        Sides that are odd at a coarse level are continued by a line.
        """
        details = []
        for taps in self._taps_of(images).flip(0):
            images, bands = split(even(images), taps)
            details.append(bands)
        return [images, *reversed(details)]

    def synthesise(self, bands: Bands) -> Tensor:
        """Undo :meth:`analyse`; of the coarsest bands alone it makes an approximation."""
        images = bands[0]
        for details, taps in zip(bands[1:], self._taps_of(images), strict=False):
            images = merge(images[..., : details.shape[-2], : details.shape[-1]], details, taps)
        return images

    def synthesise_from(self, bands: Bands) -> Tensor:
        """Undo the finest levels of :meth:`analyse`, from an approximation at their size."""
        images = bands[0]
        for details, taps in zip(bands[1:], self._taps_of(images)[1 - len(bands) :], strict=True):
            images = merge(images[..., : details.shape[-2], : details.shape[-1]], details, taps)
        return images

    def _taps_of(self, like: Tensor) -> Tensor:
        return self.taps.to(like.dtype)


def even(maps: Tensor) -> Tensor:
    """Repeat the last row and column where there is an odd number of them.

    >>> even(torch.ones(1, 1, 3, 4)).shape
    torch.Size([1, 1, 4, 4])
    """
    rows, columns = maps.shape[-2] % 2, maps.shape[-1] % 2
    return F.pad(maps, (0, columns, 0, rows), mode="replicate") if rows or columns else maps


def split(images: Tensor, taps: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One level of :meth:`Wavelet.analyse`.

    Args:
        images: ``[batch, 1, 2 h, 2 w]``.
        taps: the four lifting taps, by default those of the 9/7 wavelet.

    Returns:
        Approximation ``[batch, 1, h, w]`` and details ``[batch, 3, h, w]``: low-high, high-low,
        high-high.

    >>> [tuple(part.shape) for part in split(torch.ones(1, 1, 8, 8))]
    [(1, 1, 4, 4), (1, 3, 4, 4)]
    """
    low, high = _split(images, taps)
    (low_low, low_high), (high_low, high_high) = _split_rows(low, taps), _split_rows(high, taps)
    return low_low, torch.cat([low_high, high_low, high_high], dim=1)


def merge(approximation: Tensor, details: Tensor, taps: Tensor | None = None) -> Tensor:
    """Undo :func:`split`.

    >>> merge(torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4)).shape
    torch.Size([1, 1, 8, 8])
    """
    low_high, high_low, high_high = torch.split(details, 1, dim=1)
    low, high = _merge_rows(approximation, low_high, taps), _merge_rows(high_low, high_high, taps)
    return _merge(low, high, taps)


def _next(values: Tensor) -> Tensor:
    return torch.cat([values[..., 1:], values[..., -1:]], dim=-1)


def _previous(values: Tensor) -> Tensor:
    return torch.cat([values[..., :1], values[..., :-1]], dim=-1)


def _split(values: Tensor, taps: Tensor | None) -> tuple[Tensor, Tensor]:
    """Low and high frequencies along the last axis."""
    a, b, c, d = _TAPS if taps is None else taps
    even, odd = values[..., ::2], values[..., 1::2]
    odd = odd + a * (even + _next(even))
    even = even + b * (odd + _previous(odd))
    odd = odd + c * (even + _next(even))
    even = even + d * (odd + _previous(odd))
    return even * _SCALE, odd / -_SCALE


def _merge(low: Tensor, high: Tensor, taps: Tensor | None) -> Tensor:
    a, b, c, d = _TAPS if taps is None else taps
    even, odd = low / _SCALE, high * -_SCALE
    even = even - d * (odd + _previous(odd))
    odd = odd - c * (even + _next(even))
    even = even - b * (odd + _previous(odd))
    odd = odd - a * (even + _next(even))
    return torch.stack([even, odd], dim=-1).flatten(-2)


def _split_rows(values: Tensor, taps: Tensor | None) -> tuple[Tensor, Tensor]:
    low, high = _split(values.transpose(-1, -2), taps)
    return low.transpose(-1, -2), high.transpose(-1, -2)


def _merge_rows(low: Tensor, high: Tensor, taps: Tensor | None) -> Tensor:
    return _merge(low.transpose(-1, -2), high.transpose(-1, -2), taps).transpose(-1, -2)
