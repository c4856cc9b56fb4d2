"""Power constraints: what a transmitter may radiate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from channels.describe import Row
from channels.errors import InputError, keep_number
from channels.signal import Transmission

KNEE = 10 ** (-1 / 20)
"""The soft clipper bends amplitudes only from 1 dB below its limit on."""

LEAST_POWER = 1e-20
"""Mean |symbol|² that cannot be scaled any more; of less there is nothing."""

STRONGEST_DRIVE = 1e12
"""A row is driven into the clipper by at most 120 dB."""


def squared_magnitude(x: Tensor) -> Tensor:
    """|x|² of a complex tensor, real, same shape; without the root in ``abs`` much faster.

    >>> squared_magnitude(torch.tensor([3 + 4j])).item()
    25.0
    """
    return x.real.square() + x.imag.square()


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
    good = torch.isfinite(power) & (power > LEAST_POWER)
    if not bool(good.all()):
        rows = torch.nonzero(~good[:, 0]).flatten().tolist()
        raise InputError(f"rows {rows} have no finite, non-zero power: send at least one symbol")
    return symbols / power.sqrt()


@dataclass(frozen=True)
class AveragePower:
    """Mean power 1 per image, never over the batch.

    >>> AveragePower()
    AveragePower()
    """

    def __call__(self, tx: Transmission) -> Tensor:
        """Return complex64 ``[batch, K]`` at unit mean power over each row's used entries."""
        return self.constrain(tx.symbols, tx.sent)

    def constrain(self, symbols: Tensor, sent: Tensor) -> Tensor:
        """The same of symbols and a bool mask ``[batch, K]``, true where one is sent."""
        return normalize_power(symbols, sent)

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [("power constraint", "mean |symbol|² of 1", "", "per image")]


@dataclass(frozen=True)
class PeakPower:
    """Mean power 1 per image and no symbol above a peak-to-average power ratio (PAPR).

    Amplitudes are clipped softly, phases are kept. The clipper passes amplitudes unbent up to 1 dB
    below the limit and approaches the limit beyond, twice differentiably; each row drives it just
    so hard that the mean power is 1 after clipping. So a constellation whose own PAPR lies 1 dB
    below the limit passes unchanged. The limit is on symbols, as for a single-carrier waveform;
    the peaks of an OFDM waveform are clipped by ``channels.ofdm.amplifier.SoftLimiter``.

    Args:
        papr_db: largest |symbol|² over the mean, 0 to 30 dB; 0 leaves the phase only.

    Raises:
        InputError: if ``papr_db`` is out of range; on a call, if a row carries no power, or so many
            of its used symbols are zero that the others cannot make up for them below the limit.

    >>> from channels import Session
    >>> tx = Transmission(torch.tensor([[0.2j, 1, -3, 1]]), torch.tensor([4]),
    ...                   Session("deepjscc", (1, 32, 32), 4, 6.0))
    >>> power = PeakPower(papr_db=2.0)(tx).abs().square()
    >>> round(power.mean().item(), 4), power.max().item() <= 10 ** (2.0 / 10)
    (1.0, True)
    """

    papr_db: float

    def __post_init__(self) -> None:
        keep_number(self, "papr_db", 0, 30)

    def __call__(self, tx: Transmission) -> Tensor:
        """Return complex ``[batch, K]`` within the limit at unit mean power over used entries."""
        return self.constrain(tx.symbols, tx.sent)

    def constrain(self, symbols: Tensor, sent: Tensor) -> Tensor:
        """The same of symbols and a bool mask ``[batch, K]``, true where one is sent."""
        symbols = normalize_power(symbols, sent)
        used = sent.sum(1, keepdim=True)
        power = squared_magnitude(symbols)
        limit = 10 ** (self.papr_db / 10)
        drive = _drive(power, used, limit)
        gain, _ = _clip(drive * power)
        return symbols * (limit * drive).sqrt() * gain

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        return [
            *AveragePower().describe(),
            ("PAPR of symbols", self.papr_db, "dB", "soft clipping, at most"),
        ]


def _clip(power: Tensor) -> tuple[Tensor, Tensor]:
    """Amplitude gain and slope of the clipper with limit 1, at an input power."""
    amplitude = power.clamp_min(KNEE**2).sqrt()
    beyond = (amplitude - KNEE) / (1 - KNEE)
    root = (1 + beyond.square()).rsqrt()
    return (KNEE + (1 - KNEE) * beyond * root) / amplitude, root**3


def _drive(power: Tensor, used: Tensor, limit: float) -> Tensor:
    """Power gain ``[batch, 1]`` ahead of the clipper; its gradient is by implicit differentiation.

    Clipped power of row i grows by w_i per unit of ln(power_i · drive), and the sum over the row
    stays fixed, so d ln(drive) = −Σ w_i d ln(power_i) / Σ w_i.
    """
    with torch.no_grad():
        exact = power.double()
        log_drive = _solve(exact, used, limit)
        gain, slope = _clip(log_drive.exp() * exact)
        weight = gain * slope / (gain * slope * exact).sum(1, keepdim=True)
    moved = (weight.to(power.dtype) * (power - power.detach())).sum(1, keepdim=True)
    return (log_drive.to(power.dtype) - moved).exp()


def _solve(power: Tensor, used: Tensor, limit: float) -> Tensor:
    """Logarithm of the drive that makes a row's clipped mean power 1/limit, by safe Newton steps.

    Raises:
        InputError: if the strongest drive does not reach it.
    """
    log_drive = torch.full_like(power[:, :1], -math.log(limit))
    low, high = log_drive - 1, log_drive + math.log(STRONGEST_DRIVE)
    short = torch.ones_like(log_drive)
    for _ in range(60):
        driven = log_drive.exp() * power
        gain, slope = _clip(driven)
        mean = (driven * gain.square()).sum(1, keepdim=True) / used
        short = -torch.log(mean * limit)
        if bool((short.abs() < 1e-12).all()):
            break
        low = torch.where(short > 0, log_drive, low)
        high = torch.where(short > 0, high, log_drive)
        growth = (driven * gain * slope).sum(1, keepdim=True) / used / mean
        newton = log_drive + short / growth
        inside = (newton > low) & (newton < high)
        log_drive = torch.where(inside, newton, (low + high) / 2)
    if bool((short > 1e-4).any()):
        rows = torch.nonzero(short[:, 0] > 1e-4).flatten().tolist()
        raise InputError(
            f"rows {rows} have too many zero symbols for a PAPR of {10 * math.log10(limit):g} dB: "
            "raise papr_db or send fewer zeros"
        )
    return log_drive
