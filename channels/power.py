"""Power constraints: what a transmitter may radiate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from channels.describe import Row
from channels.errors import InputError, check_number
from channels.signal import Transmission
from channels.squared import squared_magnitude


def normalize_power(symbols: Tensor, sent: Tensor | None = None) -> Tensor:
    """Scale each row to mean |symbol|² = 1 over its sent entries.

    Args:
        symbols: complex ``[batch, K]``.
        sent: bool ``[batch, K]``, true where a symbol is sent; ``None`` means everywhere.

    Returns:
        complex ``[batch, K]``, zero where nothing is sent.

    Raises:
        InputError: if a row carries no power or is not finite.

    >>> normalize_power(torch.tensor([[2j, -2j]])).abs().square().mean().item()
    1.0
    """
    count: Tensor | int = symbols.shape[1]
    if sent is not None and not bool(sent.all()):
        symbols = torch.where(sent, symbols, 0)
        count = sent.sum(1, keepdim=True).clamp_min(1)
    power = squared_magnitude(symbols).sum(1, keepdim=True) / count
    good = torch.isfinite(power) & (power > 1e-20)
    if not bool(good.all()):
        rows = torch.nonzero(~good[:, 0]).flatten().tolist()
        raise InputError(f"rows {rows} have no finite, non-zero power: send at least one symbol")
    return symbols / power.sqrt()


EXPONENTS = (-20.0, 20.0)
"""Clipping amplitudes are sought from 2^-20 to 2^20 of the root mean square."""


@dataclass(frozen=True)
class AveragePower:
    """Mean power 1 per image, never over the batch.

    >>> AveragePower()
    AveragePower()
    """

    def __call__(self, tx: Transmission) -> Tensor:
        """Return complex64 ``[batch, K]`` at unit mean power over each row's used entries."""
        return normalize_power(tx.symbols, tx.sent)

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [("power", "mean 1 per image", "", "over its used symbols")]


@dataclass(frozen=True)
class PeakPower:
    """Mean power 1 per image and no symbol above a peak, by smooth clipping of amplitudes.

    The amplitude a of a symbol becomes c·tanh(a/c), its phase stays; c is found for each image so
    that after scaling to unit mean power the limit on the peak is met.

    Args:
        papr_db: largest power of a symbol over the mean in dB, 0.1 to 40.

    Raises:
        InputError: if ``papr_db`` is out of range.

    >>> from channels import Session, Transmission
    >>> symbols = torch.tensor([[4, 1j, 1, -1]], dtype=torch.complex64)
    >>> tx = Transmission(symbols, torch.tensor([4]), Session("test", (1, 32, 32), 4, 0.0))
    >>> power = PeakPower(papr_db=3.0)(tx).abs().square()
    >>> round(power.mean().item(), 4), bool(power.max() <= 10 ** 0.3 + 1e-4)
    (1.0, True)
    """

    papr_db: float

    def __post_init__(self) -> None:
        check_number("papr_db", self.papr_db, 0.1, 40)

    def __call__(self, tx: Transmission) -> Tensor:
        """Return complex ``[batch, K]`` at unit mean power over each row's used entries."""
        symbols = normalize_power(tx.symbols, tx.sent)
        amplitude = symbols.abs()
        limit = self._limit(amplitude, tx.sent)
        soft = amplitude.clamp_min(1e-12) / limit
        return normalize_power(symbols * (torch.tanh(soft) / soft), tx.sent)

    def _limit(self, amplitude: Tensor, sent: Tensor) -> Tensor:
        """Clipping amplitude ``[batch, 1]`` that meets the peak, with its gradient.

        The ratio of peak to mean grows steadily with the limit: bisection finds it, and a Newton
        step at the solution carries the gradient (implicit function theorem).
        """
        count = sent.sum(1, keepdim=True)
        wanted = 10 ** (self.papr_db / 10)

        def ratio(exponent: Tensor, amplitude: Tensor) -> Tensor:
            limit = torch.exp2(exponent)
            power = (limit * torch.tanh(amplitude / limit)).square()
            return power.amax(1, keepdim=True) * count / power.sum(1, keepdim=True)

        still = amplitude.detach()
        low, high = (torch.full_like(still[:, :1], bound) for bound in EXPONENTS)
        for _ in range(50):
            middle = (low + high) / 2
            met = ratio(middle, still) <= wanted
            low, high = torch.where(met, middle, low), torch.where(met, high, middle)
        with torch.enable_grad():
            found = low.detach().requires_grad_()
            (slope,) = torch.autograd.grad(ratio(found, still).sum(), found)
        miss = ratio(low, amplitude) - ratio(low, still).detach()
        step = torch.where(slope > 1e-6, miss / slope.clamp_min(1e-6), torch.zeros_like(miss))
        return torch.exp2(low - step)

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [
            ("power", "mean 1 per image", "", "over its used symbols"),
            ("peak of a symbol", self.papr_db, "dB", "soft clipping c tanh(a/c)"),
        ]
