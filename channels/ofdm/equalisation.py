"""One-tap equalisation: from received values and believed gains to symbols and their errors."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from channels.power import squared_magnitude

LEAST_GAIN = 1e-12
"""Power of an estimate that says nothing any more; with its inverse, gradients stay finite."""


@dataclass(frozen=True)
class Observed:
    """What the receiver holds of each symbol, ``[batch, K or 1]``.

    Received values; the gains that it believes; the power of noise, interference and the gains'
    errors; by how much the squared gains are too large on average.
    """

    symbols: Tensor
    h: Tensor
    disturbance: Tensor
    excess: Tensor


def equalised(received: Tensor, h: Tensor, disturbance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Symbols, the variance of their errors, and the power gain that both were divided by.

    In a single-antenna link the LMMSE equaliser with its bias removed is a division by h.

    >>> import torch
    >>> two = torch.tensor([2j])
    >>> [part.item() for part in equalised(two, two, torch.tensor([1.0]))]
    [(1+0j), 0.25, 4.0]
    """
    gain = squared_magnitude(h).clamp_min(LEAST_GAIN)
    return received * (h.conj() / gain), disturbance / gain, gain
