"""The channel adaptive unit: features recalibrated with what is known of the channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelAdaptiveUnit(nn.Module):
    """Scales each feature map by a gate computed from its mean and the link's condition.

    After the attention feature module of Xu et al., "Wireless image transmission using deep source
    channel coding with attention modules" (ADJSCC), IEEE TCSVT 2022. Gates lie in (0.5, 1.5): a
    gate that can close shuts features off for good.

    Args:
        features: number of feature maps.
        conditions: length of the condition vector, here SNR and rate.

    >>> unit = ChannelAdaptiveUnit(8, 2)
    >>> unit(torch.ones(3, 8, 4, 4), torch.zeros(3, 2)).shape
    torch.Size([3, 8, 4, 4])
    """

    def __init__(self, features: int, conditions: int) -> None:
        super().__init__()
        hidden = max(8, features // 4)
        self.norm = nn.LayerNorm(features)
        self.gate = nn.Sequential(
            nn.Linear(features + conditions, hidden), nn.ReLU(), nn.Linear(hidden, features)
        )

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Recalibrate ``[batch, features, H, W]`` with a condition ``[batch, conditions]``."""
        summary = torch.cat([self.norm(maps.mean((2, 3))), condition], dim=1)
        return maps * (1 + 0.5 * torch.tanh(self.gate(summary)))[:, :, None, None]
