"""Symbols to send, for the tests of links."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from channels import Session, Transmission

SESSION = Session("test", (1, 64, 64), 1, 0.0)


def send(symbols: Tensor) -> Transmission:
    """A transmission in which every symbol is used."""
    used = torch.full((len(symbols),), symbols.shape[1])
    return Transmission(symbols, used, SESSION)


def qpsk(rows: int, count: int, seed: int = 0) -> Tensor:
    """Random QPSK symbols, complex64 ``[rows, count]``, of unit power each."""
    draws = torch.Generator().manual_seed(seed)
    bits = 2 * torch.randint(0, 2, (rows, count, 2), generator=draws) - 1.0
    return torch.complex(bits[..., 0], bits[..., 1]) / math.sqrt(2)


def decibels(power: Tensor | float) -> float:
    return 10 * math.log10(float(power))
