"""From latents to the real numbers that are sent and back, at a rate of each cell's own.

A cell of a lower rate sends the first of the numbers that one of a higher rate sends, and a token
tells the networks which it is. The published code has a linear map for each rate; sharing one
learns several times as fast.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.attention import AttentionFeature
from semcom.ntscc.allocation import RATES
from semcom.ntscc.transforms import UNIT, Residual, keep_variance

MOST = int(RATES[-1])
_MANY_BITS = 4.0


class Encoder(nn.Module):
    """The joint source-channel encoder f_e.

    Args:
        latents: maps of latents.
        width: inner features.

    >>> latents, levels = torch.zeros(1, 8, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)
    >>> Encoder(8, 16)(latents, latents, levels, torch.zeros(1)).shape
    torch.Size([1, 4, 128])
    """

    def __init__(self, latents: int, width: int) -> None:
        super().__init__()
        self.entry = nn.Conv2d(3 * latents, width, 1)
        self.tokens = nn.Embedding(len(RATES), width)
        self.attention = nn.ModuleList([AttentionFeature(width), AttentionFeature(width)])
        self.blocks = nn.ModuleList([Residual(width), Residual(width)])
        self.exits = nn.Linear(width, MOST)
        keep_variance(self)

    def forward(self, latents: Tensor, bits: Tensor, levels: Tensor, snr_db: Tensor) -> Tensor:
        """Numbers ``[batch, cells, MOST]`` of latents and their bits ``[batch, n, h, w]``.

        Args:
            latents: in quantisation steps.
            bits: what the entropy model says of each.
            levels: int64 ``[batch, h, w]``, the rate of each cell.
            snr_db: float ``[batch]``.
        """
        seen = [latents / UNIT, torch.asinh(latents), bits / _MANY_BITS - 1]
        maps = self.entry(torch.cat(seen, dim=1))
        maps = maps + self.tokens(levels).permute(0, 3, 1, 2)
        for attention, block in zip(self.attention, self.blocks, strict=True):
            maps = block(attention(maps, snr_db))
        numbers: Tensor = self.exits(maps.flatten(2).transpose(1, 2))
        return numbers


class Decoder(nn.Module):
    """The joint source-channel decoder f_d.

    Args:
        latents: maps of latents.
        width: inner features.

    >>> levels = torch.zeros(1, 2, 2, dtype=torch.int64)
    >>> Decoder(8, 16)(torch.zeros(1, 4, MOST), levels, torch.zeros(1)).shape
    torch.Size([1, 8, 2, 2])
    """

    def __init__(self, latents: int, width: int) -> None:
        super().__init__()
        self.entries = nn.Linear(MOST, width)
        self.tokens = nn.Embedding(len(RATES), width)
        self.attention = nn.ModuleList([AttentionFeature(width), AttentionFeature(width)])
        self.blocks = nn.ModuleList([Residual(width), Residual(width)])
        self.exit = nn.Conv2d(width, latents, 1)
        keep_variance(self)

    def forward(self, numbers: Tensor, levels: Tensor, snr_db: Tensor) -> Tensor:
        """Latents ``[batch, n, h, w]`` of numbers ``[batch, cells, MOST]``, zero where none came.

        Args:
            numbers: as received.
            levels: int64 ``[batch, h, w]``, the rate of each cell.
            snr_db: float ``[batch]``.
        """
        maps = self.entries(numbers).transpose(1, 2)
        maps = maps.reshape(*maps.shape[:2], *levels.shape[1:]) + self.tokens(levels).permute(
            0, 3, 1, 2
        )
        for attention, block in zip(self.attention, self.blocks, strict=True):
            maps = block(attention(maps, snr_db))
        latents: Tensor = self.exit(maps) * UNIT
        return latents
