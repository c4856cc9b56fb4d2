"""Frequency-flat block fading: one complex gain per image, of unit mean power."""

from __future__ import annotations

import math

import torch
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.awgn import complex_normal
from channels.errors import InputError
from channels.randomness import generator


class FlatFading(ChannelModel):
    """A line-of-sight part of random phase plus a scattered Gaussian part.

    Args:
        k_factor_db: Rician K factor in dB; ``None`` means Rayleigh (no line of sight).
        device: where draws are made.

    Raises:
        InputError: if ``k_factor_db`` is not finite.

    >>> gain, delay = FlatFading(None)(batch_size=2, num_time_steps=14, sampling_frequency=15e3)
    >>> gain.shape, delay.shape
    (torch.Size([2, 1, 1, 1, 1, 1, 14]), torch.Size([2, 1, 1, 1]))
    """

    def __init__(self, k_factor_db: float | None, device: torch.device | str = "cpu") -> None:
        super().__init__(precision="single", device=str(device))
        if k_factor_db is not None and not math.isfinite(k_factor_db):
            raise InputError(
                f"k_factor_db must be finite, got {k_factor_db}; use 'awgn' for no fading"
            )
        self._k = 0.0 if k_factor_db is None else 10 ** (k_factor_db / 10)

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        """Draw gains ``[batch, 1, 1, 1, 1, 1, num_time_steps]`` and delays ``[batch, 1, 1, 1]``."""
        device = torch.device(self.device)
        phase = 2 * math.pi * torch.rand(batch_size, device=device, generator=generator(device))
        direct = math.sqrt(self._k / (self._k + 1)) * torch.polar(torch.ones_like(phase), phase)
        scattered = complex_normal((batch_size,), device) / math.sqrt(self._k + 1)
        gain = (direct + scattered).reshape(-1, 1, 1, 1, 1, 1, 1)
        delay = torch.zeros(batch_size, 1, 1, 1, device=device)
        return gain.expand(-1, -1, -1, -1, -1, -1, num_time_steps), delay
