"""Analysis and synthesis: a picture and its mask to latents at 1/16, and back.

Each transform is the 16 x 16 block cosine transform plus a network that starts at zero: the codec
begins as an analogue transform scheme and training only adds to it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from semcom.medjscc.adaptive import ChannelAdaptiveUnit

STRIDE = 16
CONDITIONS = 2


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, features: int) -> None:
        super().__init__()
        last = nn.Conv2d(features, features, 3, padding=1)
        with torch.no_grad():
            last.weight.mul_(0.1)
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.1), last
        )

    def forward(self, maps: Tensor) -> Tensor:
        """``[batch, features, H, W]`` to the same."""
        changed: Tensor = maps + self.body(maps)
        return changed


class AdaptiveStage(nn.Module):
    """Residual blocks followed by a channel adaptive unit."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[ResidualBlock(features) for _ in range(blocks)])
        self.unit = ChannelAdaptiveUnit(features, CONDITIONS)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """``[batch, features, H, W]`` to the same."""
        adapted: Tensor = self.unit(self.blocks(maps), condition)
        return adapted


class Analysis(nn.Module):
    """Picture and mask ``[batch, 1, H, W]`` to latents ``[batch, latents, H/16, W/16]``."""

    cosine: Tensor

    def __init__(self, latents: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        low, mid, high = widths
        self.register_buffer("cosine", cosine_basis(latents), persistent=False)
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(32, low, 3, padding=1))
        self.stage4 = AdaptiveStage(low, 1)
        self.down8 = nn.Conv2d(low, mid, 2, 2)
        self.stage8 = AdaptiveStage(mid, 2)
        self.down16 = nn.Conv2d(mid, high, 2, 2)
        self.stage16 = AdaptiveStage(high, 2)
        self.head = nn.Conv2d(high, latents, 1)
        self.scale = nn.Parameter(torch.ones(latents))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor, roi: Tensor, condition: Tensor) -> Tensor:
        """Latents of pictures centred on zero."""
        maps = self.stage4(self.stem(torch.cat([images, roi], dim=1)), condition)
        maps = self.stage8(self.down8(maps), condition)
        maps = self.stage16(self.down16(maps), condition)
        latents: Tensor = self.linear(images) + self.scale[:, None, None] * self.head(maps)
        return latents

    def linear(self, images: Tensor) -> Tensor:
        """Cosine coefficients ``[batch, latents, H/16, W/16]``."""
        return nn.functional.conv2d(images, self.cosine, stride=STRIDE)


class Synthesis(nn.Module):
    """Latents ``[batch, latents, H/16, W/16]`` to pictures ``[batch, 1, H, W]``."""

    cosine: Tensor

    def __init__(self, latents: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        low, mid, high = widths
        self.register_buffer("cosine", cosine_basis(latents), persistent=False)
        self.stem = nn.Conv2d(latents, high, 3, padding=1)
        self.stage16 = AdaptiveStage(high, 2)
        self.up8 = nn.Sequential(nn.Conv2d(high, 4 * mid, 1), nn.PixelShuffle(2))
        self.stage8 = AdaptiveStage(mid, 2)
        self.up4 = nn.Sequential(nn.Conv2d(mid, 4 * low, 1), nn.PixelShuffle(2))
        self.join = nn.Conv2d(low + 16, low, 3, padding=1)
        self.stage4 = AdaptiveStage(low, 1)
        self.head = nn.Sequential(nn.Conv2d(low, 16, 3, padding=1), nn.PixelShuffle(4))
        self.scale = nn.Parameter(torch.ones(latents))
        nn.init.zeros_(self.head[0].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.head[0].bias)  # type: ignore[arg-type]

    def forward(self, latents: Tensor, condition: Tensor) -> Tensor:
        """Pictures centred on zero."""
        linear = nn.functional.conv_transpose2d(latents, self.cosine, stride=STRIDE)
        maps = self.stage16(self.stem(latents * self.scale[:, None, None]), condition)
        maps = self.stage8(self.up8(maps), condition)
        blocky = nn.functional.pixel_unshuffle(linear, 4)
        maps = self.stage4(self.join(torch.cat([self.up4(maps), blocky], dim=1)), condition)
        images: Tensor = linear + self.head(maps)
        return images


def cosine_matrix(size: int) -> Tensor:
    """The orthonormal DCT-II of a length: float32 ``[frequency, place]``.

    >>> bool(torch.allclose(cosine_matrix(4) @ cosine_matrix(4).T, torch.eye(4), atol=1e-6))
    True
    """
    place = (torch.arange(size) + 0.5) * math.pi / size
    matrix = torch.stack([torch.cos(k * place) for k in range(size)]) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix


def cosine_basis(latents: int) -> Tensor:
    """The lowest 2-D cosine functions of a 16 x 16 block, orthonormal: ``[latents, 1, 16, 16]``.

    >>> cosine_basis(64).shape
    torch.Size([64, 1, 16, 16])
    """
    one = cosine_matrix(STRIDE)
    order = sorted(
        ((i, j) for i in range(STRIDE) for j in range(STRIDE)),
        key=lambda ij: (ij[0] ** 2 + ij[1] ** 2, ij),
    )
    return torch.stack([torch.outer(one[i], one[j]) for i, j in order[:latents]])[:, None]
