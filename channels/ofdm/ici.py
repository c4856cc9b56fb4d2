"""How a carrier offset and a channel that changes within a symbol couple subcarriers: ICI.

All of it is exact and cheap: one inverse and one forward FFT per OFDM symbol. An offset common to
all paths multiplies the waveform by a phasor after the multipath; a gain that changes linearly over
a symbol multiplies it by a ramp. Delays within the cyclic prefix leave both intact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from channels.ofdm.grid import Grid
from channels.power import squared_magnitude


def ici_power(offset: Tensor | float) -> Tensor:
    """Share of a symbol's power that an offset turns into ICI on an infinite grid: 1 − sinc².

    Args:
        offset: carrier offset over the subcarrier spacing.

    >>> round(float(10 * torch.log10(ici_power(0.1))), 2)
    -14.89
    """
    share: Tensor = 1 - torch.sinc(torch.as_tensor(offset, dtype=torch.float64)).square()
    return share


@dataclass(frozen=True)
class Carrier:
    """Carrier e^{j2π(ft + rt²/2)} over the useful part of OFDM symbols, in two factors.

    Args:
        start: complex128 ``[batch, T, 1]``, at the first sample of each symbol.
        within: complex128 ``[batch, 1 or T, fft_size]``, from there on.
    """

    start: Tensor
    within: Tensor

    @property
    def gain(self) -> Tensor:
        """What all subcarriers of a symbol are multiplied by, complex128 ``[batch, T, 1]``."""
        return self.start * self.within.mean(-1, keepdim=True)


def turn(cycles: Tensor) -> Tensor:
    """e^{j2π·cycles}, float64 to complex128; the phase is reduced first and stays exact.

    >>> turn(torch.tensor(0.25, dtype=torch.float64)).imag.item()
    1.0
    """
    phase = 2 * math.pi * torch.remainder(cycles, 1.0)
    return torch.polar(torch.ones_like(phase), phase)


def carrier(offset_hz: Tensor, rate_hz_per_s: float, num_symbols: int, grid: Grid) -> Carrier:
    """Carrier of each image over a frame.

    Args:
        offset_hz: float64 ``[batch]``, offset at the first sample of the first useful part.
        rate_hz_per_s: its rate.
        num_symbols: OFDM symbols of the frame.
        grid: the numerology.

    >>> one = carrier(torch.tensor([1500.0]).double(), 0.0, 14, Grid())
    >>> one.start.shape, one.within.shape, round(one.gain.abs()[0, 0, 0].item(), 4)
    (torch.Size([1, 14, 1]), torch.Size([1, 1, 512]), 0.9836)
    """
    counted = {"dtype": torch.float64, "device": offset_hz.device}
    begin = torch.arange(num_symbols, **counted) * grid.symbol_period_s  # type: ignore[call-overload]
    time = torch.arange(grid.fft_size, **counted) / grid.sample_rate_hz  # type: ignore[call-overload]
    start = offset_hz[:, None] * begin + 0.5 * rate_hz_per_s * begin.square()
    within = (offset_hz[:, None] * time)[:, None]
    if rate_hz_per_s:
        within = within + rate_hz_per_s * (begin[:, None] * time + 0.5 * time.square())
    return Carrier(turn(start)[..., None], turn(within))


def ramp(grid: Grid, device: torch.device) -> Tensor:
    """From −1/2 to 1/2 over the useful part of a symbol, zero mean, float32 ``[fft_size]``.

    >>> bool(ramp(Grid(), torch.device("cpu")).sum().abs() < 1e-3)
    True
    """
    place = torch.arange(grid.fft_size, dtype=torch.float32, device=device)
    return (place - (grid.fft_size - 1) / 2) / grid.fft_size


def couple(useful: Tensor, change: Tensor | None, by: Carrier | None, grid: Grid) -> Tensor:
    """Let a changing channel and a carrier offset act on received symbols.

    Which subcarrier is called the centre does not matter here, so the occupied ones stand first.

    Args:
        useful: complex ``[batch, T, F]``, channel at mid-symbol times what was sent.
        change: complex ``[batch, T, F]``, its change over the symbol times what was sent.
        by: the carrier; ``None`` if it has no offset.
        grid: the numerology.

    Returns:
        complex ``[batch, T, F]``.
    """
    waveform = torch.fft.ifft(useful, grid.fft_size)
    if change is not None:
        moving = torch.fft.ifft(change, grid.fft_size)
        waveform = waveform + moving * ramp(grid, useful.device)
    if by is not None:
        waveform = waveform * by.within.to(useful.dtype)
    spectrum: Tensor = torch.fft.fft(waveform)[..., : grid.num_subcarriers]
    return spectrum if by is None else spectrum * by.start.to(useful.dtype)


def leaked_power(power: Tensor, by: Carrier, grid: Grid) -> Tensor:
    """Expected ICI power on each subcarrier under a carrier offset.

    Args:
        power: float ``[batch or 1, T or 1, F or 1]``, received power per resource element.
        by: the carrier; its course over the middle symbol stands for all.
        grid: the numerology.

    Returns:
        float ``[batch, T or 1, F]``: the power convolved with the squared coupling to others.
    """
    middle = by.within[:, by.within.shape[1] // 2]
    return _to_neighbours(power, torch.fft.fft(middle) / grid.fft_size, grid)


def moved_power(variance: Tensor, grid: Grid) -> Tensor:
    """Expected ICI power on each subcarrier of a channel that moves within a symbol.

    Args:
        variance: float ``[batch, T, F or 1]``, variance of each gain over the symbol; a steady
            change by c has |c|²/12. Its course is taken as a ramp.
        grid: the numerology.

    Returns:
        float ``[batch, T, F]``.
    """
    coupling = torch.fft.fft(math.sqrt(12) * ramp(grid, variance.device)) / grid.fft_size
    return _to_neighbours(variance, coupling[None], grid)


def _to_neighbours(power: Tensor, coupling: Tensor, grid: Grid) -> Tensor:
    """Convolve power over subcarriers with a squared coupling, except that to oneself."""
    power = power.expand(*power.shape[:2], grid.num_subcarriers)
    kernel = squared_magnitude(coupling).to(power.dtype)
    kernel[:, 0] = 0
    spectrum = torch.fft.rfft(power, grid.fft_size) * torch.fft.rfft(kernel)[:, None]
    leaked: Tensor = torch.fft.irfft(spectrum, grid.fft_size)
    return leaked[..., : grid.num_subcarriers].clamp_min(0)
