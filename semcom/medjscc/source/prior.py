"""What is expected of integers before they are coded: distributions, and what integers cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_NO_ERROR = -60.0
"""log2 of a deviation that no symbol is spent on."""

LOG_SCALE = (-4.5, 9.0)
"""Range of log2 of a scale, in quantisation steps."""

SCALE_STEPS = 8
"""Scales to an octave that a range coder tells apart."""


def scale_index(log_scale: Tensor) -> Tensor:
    """Which scale a range coder takes, counted from the least.

    >>> scale_index(torch.tensor([-4.5, -4.4])).tolist()
    [0.0, 1.0]
    """
    return torch.round((log_scale - LOG_SCALE[0]) * SCALE_STEPS)


@dataclass(frozen=True)
class Prior:
    """A distribution for each integer: whether it is zero, and which one if it is not.

    ``P(0) = 1 - exp(-1 / (2 z))`` as of a Laplace distribution of scale ``z`` around zero. The
    other integers, zero left out, have a quantised Laplace distribution around ``mean - 1/2``:
    at ``mean = 0`` magnitudes are geometric and both signs alike. Where ``log_zero`` is ``None``,
    all integers have a quantised Laplace distribution around ``mean``.

    Args:
        mean: float ``[batch, n, h, w]``, in steps.
        log_scale: log2 of the Laplace distribution's scale in steps, of the same shape.
        log_zero: log2 of ``z``.
    """

    mean: Tensor
    log_scale: Tensor
    log_zero: Tensor | None = None

    def bits(self, integers: Tensor) -> Tensor:
        """Information ``-log2 P`` in integers (floats without fraction) of the same shape.

        >>> sure = Prior(torch.zeros(1), torch.zeros(1), torch.full((1,), -4.5))
        >>> [round(sure.bits(torch.tensor([k])).item(), 3) for k in (0.0, 1.0)]
        [0.0, 17.984]
        """
        if self.log_zero is None:
            return laplace_bits(integers, self.mean, self.log_scale)
        exponent = 0.5 * torch.exp2(-self.log_zero.float())
        zero_bits = -torch.log2(-torch.expm1(-exponent))
        other = integers != 0
        within = integers[other]
        within = within - (within > 0).to(within.dtype)
        cost = laplace_bits(within, self.mean[other] - 0.5, self.log_scale[other])
        return zero_bits.masked_scatter(other, exponent[other] / math.log(2) + cost)


def laplace_bits(values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """``-log2`` of the mass of a Laplace distribution within a half of each value.

    >>> laplace_bits(torch.zeros(1), torch.zeros(1), torch.full((1,), -4.0)).round().item()
    0.0
    """
    per_scale = torch.exp2(-log_scale.float())
    away = (values - mean).abs().float()
    outside = (away - 0.5).clamp_min(0)
    # Half a step or more away the logarithm is a straight line; nearer, both tails are cut off.
    tail = outside * per_scale / math.log(2) + 1 - torch.log2(-torch.expm1(-per_scale))
    inside = away.clamp_max(0.5)
    cut = torch.exp((inside - 0.5) * per_scale) + torch.exp(-(inside + 0.5) * per_scale)
    return torch.where(away > 0.5, tail, -torch.log2((1 - cut / 2).clamp_min(1e-9)))


@dataclass(frozen=True)
class ErrorPrior:
    """What is expected of quantisation errors.

    Args:
        mean: float ``[batch, n, h, w]``; the two ends may differ in its last bits.
        log_deviation: log2 of the standard deviation, the same at both ends.
    """

    mean: Tensor
    log_deviation: Tensor

    def only_at(self, places: Tensor) -> ErrorPrior:
        """The same, and no error where nothing is coded.

        Args:
            places: not zero where it is, ``[1 or batch, 1 or n, h, w]``.

        >>> prior = ErrorPrior(torch.ones(1, 1, 1, 2), torch.zeros(1, 1, 1, 2))
        >>> prior.only_at(torch.tensor([[[[True, False]]]])).log_deviation.flatten().tolist()
        [0.0, -60.0]
        """
        there = places.to(self.mean.device) > 0
        return ErrorPrior(
            torch.where(there, self.mean, 0), torch.where(there, self.log_deviation, _NO_ERROR)
        )
