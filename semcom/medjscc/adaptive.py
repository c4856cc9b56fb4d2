"""The channel adaptive unit: features recalibrated with what is known of the channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CONDITIONS = 3


def condition(snr_db: Tensor, cbr: float, log_deviation: Tensor) -> Tensor:
    """SNR, rate and how reliable the coefficients are, each scaled to about -1…1.

    Args:
        snr_db: float ``[batch]``.
        cbr: complex channel uses per pixel.
        log_deviation: log2 of the errors' deviation in the image, ``[batch]``.

    Returns:
        float ``[batch, 3]``.

    >>> condition(torch.tensor([8.0]), 1 / 32, torch.tensor([-5.0])).tolist()
    [[0.0, 0.0, 0.0]]
    """
    scaled = (snr_db.clamp(-10, 30) - 8) / 10
    rate = torch.log2(torch.full_like(scaled, cbr).clamp(2**-10, 1))
    return torch.stack([scaled, (rate + 5) / 2, (log_deviation + 5) / 2], dim=1)


class ChannelAdaptiveUnit(nn.Module):
    """Scales each feature map by a gate computed from its mean and the link's condition.

    After the attention feature module of Xu et al., "Wireless image transmission using deep source
    channel coding with attention modules" (ADJSCC), IEEE TCSVT 2022. Gates lie in (0.5, 1.5): a
    gate that can close shuts features off for good.

    Args:
        features: number of feature maps.

    >>> unit = ChannelAdaptiveUnit(8)
    >>> unit(torch.ones(3, 8, 4, 4), torch.zeros(3, 3)).shape
    torch.Size([3, 8, 4, 4])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        hidden = max(8, features // 4)
        self.norm = nn.LayerNorm(features)
        self.gate = nn.Sequential(
            nn.Linear(features + CONDITIONS, hidden), nn.ReLU(), nn.Linear(hidden, features)
        )

    def forward(self, maps: Tensor, condition: Tensor | None) -> Tensor:
        """Recalibrate ``[batch, features, H, W]`` with a condition ``[batch, 3]``; without, not."""
        if condition is None:
            return maps
        summary = torch.cat([self.norm(maps.float().mean((2, 3))), condition], dim=1)
        gate = 1 + 0.5 * torch.tanh(self.gate(summary))
        return maps * gate.to(maps.dtype)[:, :, None, None]
