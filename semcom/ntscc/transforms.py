"""From images to latents at 1/16 and back: convolutions with residual blocks."""

from __future__ import annotations

from torch import Tensor, nn

STRIDE = 16
UNIT = 8.0
"""Latents, in units of their quantisation step, are so much larger than what networks like."""

_SLOPE = 0.2

Widths = tuple[int, int, int, int]
"""Features at 1/2, 1/4, 1/8 and 1/16."""


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut.

    Args:
        features: number of maps.

    >>> import torch
    >>> Residual(8)(torch.ones(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, 1, 1)
        self.activation = nn.LeakyReLU(_SLOPE)
        self.second = nn.Conv2d(features, features, 3, 1, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        summed: Tensor = maps + self.second(self.activation(self.first(maps)))
        return summed


def keep_variance(module: nn.Module) -> None:
    """Let convolutions begin with weights that keep the variance of what passes through.

    Else latents begin far below their quantisation step, and the price of bits keeps them there.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and bool(part.weight.any()):
            nn.init.kaiming_normal_(part.weight, _SLOPE)


def _down(inputs: int, outputs: int, kernel: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2), nn.LeakyReLU(_SLOPE))


def _up(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2), nn.LeakyReLU(_SLOPE)
    )


class Analysis(nn.Module):
    """Latents of images.

    Args:
        widths: features at 1/2, 1/4, 1/8 and 1/16.
        latents: maps that come out.

    >>> import torch
    >>> Analysis((4, 8, 8, 8), 16)(torch.zeros(1, 1, 64, 48)).shape
    torch.Size([1, 16, 4, 3])
    """

    def __init__(self, widths: Widths, latents: int) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.layers = nn.Sequential(
            _down(1, half, 5),
            _down(half, quarter, 3),
            Residual(quarter),
            _down(quarter, eighth, 3),
            Residual(eighth),
            _down(eighth, sixteenth, 3),
            Residual(sixteenth),
            Residual(sixteenth),
            nn.Conv2d(sixteenth, latents, 1),
        )
        keep_variance(self)

    def forward(self, images: Tensor) -> Tensor:
        """``[batch, 1, H, W]`` around zero to ``[batch, latents, H/16, W/16]``."""
        latents: Tensor = self.layers(images) * UNIT
        return latents


class Synthesis(nn.Module):
    """Images of latents.

    Args:
        widths: features at 1/2, 1/4, 1/8 and 1/16.
        latents: maps that come in.

    >>> import torch
    >>> Synthesis((4, 8, 8, 8), 16)(torch.zeros(1, 16, 4, 3)).shape
    torch.Size([1, 1, 64, 48])
    """

    def __init__(self, widths: Widths, latents: int) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.layers = nn.Sequential(
            nn.Conv2d(latents, sixteenth, 1),
            Residual(sixteenth),
            Residual(sixteenth),
            _up(sixteenth, eighth),
            Residual(eighth),
            _up(eighth, quarter),
            Residual(quarter),
            _up(quarter, half),
            nn.Conv2d(half, 4, 3, 1, 1),
            nn.PixelShuffle(2),
        )
        keep_variance(self)

    def forward(self, latents: Tensor) -> Tensor:
        """``[batch, latents, h, w]`` to ``[batch, 1, 16 h, 16 w]`` around zero."""
        images: Tensor = self.layers(latents / UNIT)
        return images
