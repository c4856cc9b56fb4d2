"""The learned part of the synthesis: corrections to wavelet bands, guided by the region.

It starts as the plain wavelet, since corrections start at zero, and training only adds to it.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.medjscc.adaptive import ChannelAdaptiveUnit
from semcom.medjscc.source.levels import clamp_and_scale
from semcom.medjscc.source.wavelet import Bands, Wavelet

_COARSE = 3
"""Bands that make the approximation at 1/16."""


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside an identity.

    Args:
        features: number of feature maps.

    >>> Residual(4)(torch.ones(1, 4, 8, 8)).shape
    torch.Size([1, 4, 8, 8])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        last = nn.Conv2d(features, features, 3, padding=1)
        with torch.no_grad():
            last.weight.mul_(0.1)
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.125), last
        )

    def forward(self, maps: Tensor) -> Tensor:
        """``[batch, features, H, W]`` to the same."""
        changed: Tensor = maps + self.body(maps)
        return changed


class MaskGuide(nn.Module):
    """Treats the region of interest apart: two branches, each sees its part of the features.

    The region gets two full convolutions, what is outside one of one weight map per feature.

    >>> MaskGuide(8)(torch.ones(1, 8, 4, 4), torch.ones(1, 1, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        half = features // 2
        last = nn.Conv2d(half, features, 3, padding=1)
        outside = nn.Conv2d(features, features, 1)
        with torch.no_grad():
            last.weight.mul_(0.1)
            outside.weight.mul_(0.1)
        self.inside = nn.Sequential(
            nn.Conv2d(features, half, 3, padding=1), nn.LeakyReLU(0.125), last
        )
        self.outside = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, groups=features), outside
        )

    def forward(self, maps: Tensor, roi: Tensor) -> Tensor:
        """``[batch, features, H, W]`` with a soft mask ``[batch, 1, H, W]`` to the same."""
        roi = roi.to(maps.dtype)
        guided: Tensor = maps + self.inside(maps * roi)
        guided += self.outside(maps * (1 - roi))
        return guided


class Stage(nn.Module):
    """A residual block, the mask's guidance, and a channel adaptive unit.

    Args:
        features: number of feature maps.

    >>> Stage(8)(torch.ones(1, 8, 4, 4), torch.ones(1, 1, 4, 4), torch.zeros(1, 3)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.block = Residual(features)
        self.guide = MaskGuide(features)
        self.unit = ChannelAdaptiveUnit(features)

    def forward(self, maps: Tensor, roi: Tensor, condition: Tensor | None) -> Tensor:
        """``[batch, features, H, W]`` to the same."""
        adapted: Tensor = self.unit(self.guide(self.block(maps), roi), condition)
        return adapted


class Synthesis(nn.Module):
    """Corrections to received wavelet bands, from bands at all scales.

    The three coarsest bands are taken as one approximation at 1/16.

    Args:
        widths: features at 1/4, 1/8 and 1/16.

    >>> from semcom.medjscc.source.wavelet import Wavelet
    >>> image, network, wavelet = torch.rand(1, 1, 64, 64), Synthesis((8, 8, 8)), Wavelet()
    >>> bands = wavelet.analyse(image)
    >>> bands, deviations = at_sixteenth(bands, bands, wavelet)
    >>> roi, steps = torch.zeros_like(image), torch.zeros(1, 1, 4, 4)
    >>> corrections = network(bands, deviations, image, roi, steps, torch.zeros(1, 3))
    >>> [tuple(band.shape) for band in corrections][-1]
    (1, 3, 32, 32)
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        at4, at8, at16 = widths
        self.enter4 = nn.Conv2d(2 * 15 + 18, at4, 3, padding=1)
        self.down4 = Stage(at4)
        self.enter8 = nn.Conv2d(4 * at4 + 6, at8, 1)
        self.down8 = Stage(at8)
        self.enter16 = nn.Conv2d(4 * at8 + 8, at16, 1)
        self.bottom = Stage(at16)
        self.leave16 = nn.Conv2d(at16, 4 * at8, 1)
        self.up8 = Stage(at8)
        self.leave8 = nn.Conv2d(at8, 4 * at4, 1)
        self.up4 = Stage(at4)
        sizes = ((at16, 1), (at16, 3), (at8, 3), (at4, 3), (at4, 12))
        heads = [nn.Conv2d(features, bands, 3, padding=1) for features, bands in sizes]
        for head in heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]
        self.heads = nn.ModuleList(heads)

    def forward(
        self,
        bands: Bands,
        deviations: Bands,
        image: Tensor,
        roi: Tensor,
        log_step: Tensor,
        condition: Tensor | None,
    ) -> Bands:
        """Corrections in units of the local step.

        Args:
            bands: approximation and details at 1/16, then details at 1/8, 1/4 and 1/2, in that
                unit.
            deviations: standard deviations of their errors, by which corrections are scaled.
            image: what they show, float ``[batch, 1, H, W]``, centred on zero.
            roi: soft mask of the same shape.
            log_step: log2 of the local step, ``[batch, 1, H/16, W/16]``.
            condition: ``[batch, 3]``, see :func:`semcom.medjscc.adaptive.condition`; without it
                channel adaptive units pass features on as they are.
        """
        deviations = [d.clamp(2**-12, 4) for d in deviations]
        known = [bands, [4 * (torch.log2(d) + 3) for d in deviations]]

        def at(level: int, scale: float = 1) -> Tensor:
            return torch.cat([clamp_and_scale(part[level] / scale) for part in known], dim=1)

        masks = [F.avg_pool2d(roi, side) for side in (4, 8, 16)]
        steps = F.interpolate(log_step, scale_factor=4, mode="nearest")
        fine, rough = F.pixel_unshuffle(at(4), 2), 4 * F.pixel_unshuffle(image, 4)
        entered = self.enter4(torch.cat([fine, at(3), rough, masks[0], steps], dim=1))
        del fine, rough
        down4 = self.down4(entered, masks[0], condition)
        entered = self.enter8(torch.cat([F.pixel_unshuffle(down4, 2), at(2)], dim=1))
        down8 = self.down8(entered, masks[1], condition)
        entered = self.enter16(torch.cat([F.pixel_unshuffle(down8, 2), at(1), at(0, 4)], dim=1))
        bottom = self.bottom(entered, masks[2], condition)
        up8 = self.up8(down8 + F.pixel_shuffle(self.leave16(bottom), 2), masks[1], condition)
        up4 = self.up4(down4 + F.pixel_shuffle(self.leave8(up8), 2), masks[0], condition)
        maps = (bottom, bottom, up8, up4, up4)
        corrections = [head(m) for head, m in zip(self.heads, maps, strict=True)]
        corrections[-1] = F.pixel_shuffle(corrections[-1], 2)
        return [f * d for f, d in zip(corrections, deviations, strict=True)]


def at_sixteenth(bands: Bands, deviations: Bands, wavelet: Wavelet) -> tuple[Bands, Bands]:
    """The three coarsest bands as one approximation at 1/16, with the deviations of its errors.

    A deviation is the root of the mean variance of the coefficients that make a value.

    Args:
        bands: all bands, in one unit everywhere.
        deviations: standard deviations of their errors, in any unit.
        wavelet: whose bands they are.

    >>> wavelet = Wavelet()
    >>> bands = wavelet.analyse(torch.rand(1, 1, 80, 64))
    >>> [tuple(band.shape[1:]) for band in at_sixteenth(bands, bands, wavelet)[0]][:2]
    [(1, 5, 4), (3, 5, 4)]
    """
    variance = deviations[0].square()
    for details, finer in pairwise(deviations[1 : _COARSE + 1]):
        mixed = (variance + details.square().sum(1, keepdim=True)) / 4
        height, width = finer.shape[-2:]
        variance = F.interpolate(mixed, scale_factor=2, mode="nearest")[..., :height, :width]
    approximation = wavelet.synthesise(bands[:_COARSE])
    height, width = bands[_COARSE].shape[-2:]
    return (
        [approximation[..., :height, :width], *bands[_COARSE:]],
        [variance.sqrt(), *deviations[_COARSE:]],
    )
