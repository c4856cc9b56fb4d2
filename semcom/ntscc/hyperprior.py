"""How many bits each latent is worth: a scale hyperprior after Ballé et al., ICLR 2018."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.ntscc.transforms import UNIT

_LOG_SCALE = (-5.0, 6.0)


class Hyperprior(nn.Module):
    """A Laplace distribution of each latent, from hyper-latents at 1/64 with a factorised prior.

    Only the transmitter asks it: what it says decides how many symbols a cell gets.

    Args:
        latents: maps of latents.
        width: inner features, and hyper-latents.

    >>> bits, hyper_bits = Hyperprior(8, 4)(torch.zeros(1, 8, 8, 8))
    >>> bits.shape, hyper_bits.shape
    (torch.Size([1, 8, 8, 8]), torch.Size([1, 4, 2, 2]))
    """

    def __init__(self, latents: int, width: int) -> None:
        super().__init__()
        self.analysis = nn.Sequential(
            nn.Conv2d(latents, width, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 5, 2, 2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 5, 2, 2),
        )
        self.synthesis = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 4 * width, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * latents, 3, 1, 1),
        )
        self.mean = nn.Parameter(torch.zeros(width))
        self.log_scale = nn.Parameter(torch.zeros(width))

    def forward(
        self, latents: Tensor, draws: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Bits of latents ``[batch, n, h, w]`` and of hyper-latents ``[batch, m, h/4, w/4]``.

        With ``draws`` both are told of with uniform noise in place of rounding, as in training.
        """
        hyper = self.analysis(latents / UNIT) * UNIT
        if draws is not None:
            latents, hyper = noisy(latents, draws), noisy(hyper, draws)
        parameters = self.synthesis(hyper / UNIT)[..., : latents.shape[2], : latents.shape[3]]
        mean, log_scale = parameters.chunk(2, dim=1)
        prior_mean, prior_log_scale = (
            values[:, None, None] for values in (self.mean * UNIT, self.log_scale)
        )
        return bits(latents, mean * UNIT, log_scale), bits(hyper, prior_mean, prior_log_scale)


def noisy(values: Tensor, draws: torch.Generator) -> Tensor:
    """Values with uniform noise of a quantisation step's width.

    Args:
        values: float, of any shape.
        draws: source of the noise.

    >>> bool(noisy(torch.zeros(100), torch.Generator()).abs().max() <= 0.5)
    True
    """
    noise = torch.rand(values.shape, generator=draws, device=draws.device) - 0.5
    return values + noise.to(values)


def bits(values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """``-log2`` of the chance of each value's quantisation cell under a Laplace distribution.

    Args:
        values: float ``[...]``, in quantisation steps.
        mean: of the same unit.
        log_scale: natural logarithm of the scale.

    >>> bits(torch.tensor([0.0, 30.0]), torch.zeros(2), torch.zeros(2)).round(decimals=2)
    tensor([ 1.3500, 44.2200])
    """
    inverse = torch.exp(-log_scale.clamp(*_LOG_SCALE))
    distance = (values - mean).abs()
    near = distance.clamp(max=0.5)
    missed = (torch.exp((near - 0.5) * inverse) + torch.exp(-(near + 0.5) * inverse)) / 2
    inside = torch.log1p(-missed.clamp(max=1 - 1e-6))
    tail = F.relu(distance - 0.5) * inverse - torch.log(-torch.expm1(-inverse) / 2)
    return torch.where(distance < 0.5, -inside, tail) / math.log(2)
