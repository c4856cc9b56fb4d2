"""Additive white Gaussian noise, and the propagation that adds nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from channels.randomness import generator


def noise_variance(snr_db: Tensor) -> Tensor:
    """Noise variance per complex symbol at an E_s/N_0 in dB, for unit symbol energy.

    >>> noise_variance(torch.tensor([0.0, 10.0])).tolist()
    [1.0, 0.10000000149011612]
    """
    return torch.pow(10.0, -snr_db / 10)


def complex_normal(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Circular complex Gaussian complex64 draws of unit variance: half in each real dimension.

    Args:
        shape: of the draws.
        device: where they are made, by Sionna's generator.

    >>> complex_normal((2, 3), torch.device("cpu")).shape
    torch.Size([2, 3])
    """
    return torch.randn(shape, dtype=torch.complex64, device=device, generator=generator(device))
