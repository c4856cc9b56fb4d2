"""Attention over features: maps are scaled by a gate that knows their means and the SNR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_OPEN = 2.0


class AttentionFeature(nn.Module):
    """The attention feature (AF) module of ADJSCC.

    After Xu et al., "Wireless image transmission using deep source channel coding with attention
    modules", IEEE TCSVT 2022: the mean of every map and the SNR go through two dense layers to a
    sigmoid, which scales the map. The inner layer has a sixteenth of the features, but not fewer
    than 8, and gates begin nearly open: the published networks are wider.

    Args:
        features: number of maps.

    >>> AttentionFeature(32)(torch.ones(3, 32, 4, 4), torch.tensor([0.0, 5.0, 10.0])).shape
    torch.Size([3, 32, 4, 4])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        hidden = max(8, features // 16)
        self.squeeze = nn.Linear(features + 1, hidden)
        self.gate = nn.Linear(hidden, features)
        nn.init.constant_(self.gate.bias, _OPEN)

    def forward(self, maps: Tensor, snr_db: Tensor) -> Tensor:
        """Scale ``[batch, features, H, W]`` for links of ``[batch]`` dB."""
        known = torch.cat([maps.mean((2, 3)), snr_db[:, None].clamp(-10, 30) / 20], dim=1)
        gate = torch.sigmoid(self.gate(torch.relu(self.squeeze(known))))
        return maps * gate[:, :, None, None]
