"""How a carrier offset and a channel that changes within a symbol couple subcarriers: ICI.

All of it is exact and cheap: one inverse and one forward FFT per OFDM symbol. An offset common to
all paths multiplies the waveform by a phasor after the multipath; a gain that changes linearly over
a symbol multiplies it by a ramp. Delays within the cyclic prefix leave both intact.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from channels.ofdm import Grid


def ici_power(offset: Tensor | float) -> Tensor:
    """Share of a symbol's power that an offset turns into ICI on an infinite grid: 1 − sinc².

    Args:
        offset: carrier offset over the subcarrier spacing.

    >>> round(float(10 * torch.log10(ici_power(0.1))), 2)
    -14.91
    """
    return 1 - torch.sinc(torch.as_tensor(offset, dtype=torch.float64)).square()


def modulate(frame: Tensor, grid: Grid) -> Tensor:
    """Useful part of each OFDM symbol: ``[..., num_subcarriers]`` to ``[..., fft_size]``, unitary.

    >>> modulate(torch.ones(1, 14, 300, dtype=torch.complex64), Grid()).shape
    torch.Size([1, 14, 512])
    """
    return torch.fft.ifft(torch.fft.ifftshift(widen(frame, grid), -1), norm="ortho")


def demodulate(waveform: Tensor, grid: Grid) -> Tensor:
    """Inverse of :func:`modulate`; what falls on guard subcarriers is dropped."""
    return narrow(torch.fft.fftshift(torch.fft.fft(waveform, norm="ortho"), -1), grid)


def widen(frame: Tensor, grid: Grid) -> Tensor:
    """Add the guard subcarriers: the grid's centre comes to ``fft_size // 2``."""
    left = grid.fft_size // 2 - grid.num_subcarriers // 2
    right = grid.fft_size - grid.num_subcarriers - left
    return torch.nn.functional.pad(frame, (left, right))


def narrow(spectrum: Tensor, grid: Grid) -> Tensor:
    """Drop the guard subcarriers."""
    left = grid.fft_size // 2 - grid.num_subcarriers // 2
    return spectrum[..., left : left + grid.num_subcarriers]


def phasor(
    offset_hz: Tensor, rate_hz_per_s: float, start_s: Tensor, num_samples: int, sample_rate_hz: float
) -> Tensor:
    """Carrier e^{j2π(ft + rt²/2)}, its phase reduced in float64 so that long frames stay exact.

    Args:
        offset_hz: float64 ``[batch]``, f at t = 0.
        rate_hz_per_s: r in Hz/s.
        start_s: float64 ``[T]``, when each stretch begins.
        num_samples: samples per stretch.
        sample_rate_hz: their rate.

    Returns:
        complex128 ``[batch, T, num_samples]``.

    >>> phasor(torch.tensor([100.0]), 0.0, torch.zeros(1), 4, 400.0).angle()[0, 0, 1].item()
    1.5707963267948966
    """
    sample = torch.arange(num_samples, dtype=torch.float64, device=offset_hz.device)
    time = start_s.to(offset_hz)[:, None] + sample / sample_rate_hz
    cycles = offset_hz.double()[:, None, None] * time + 0.5 * rate_hz_per_s * time.square()
    phase = 2 * math.pi * torch.remainder(cycles, 1.0)
    return torch.polar(torch.ones_like(phase), phase)


def ramp(grid: Grid, device: torch.device) -> Tensor:
    """From −1/2 to 1/2 over the useful part of a symbol, zero mean, float64 ``[fft_size]``."""
    place = torch.arange(grid.fft_size, dtype=torch.float64, device=device)
    return (place - (grid.fft_size - 1) / 2) / grid.fft_size


def couple(useful: Tensor, change: Tensor | None, carrier: Tensor | None, grid: Grid) -> Tensor:
    """Let a changing channel and a carrier offset act on received symbols.

    Args:
        useful: complex ``[batch, T, F]``, channel at mid-symbol times what was sent.
        change: complex ``[batch, T, F]``, change of the channel over the symbol times what was sent.
        carrier: complex ``[batch, T, fft_size]`` from :func:`phasor`.
        grid: the numerology.

    Returns:
        complex ``[batch, T, F]``.
    """
    waveform = modulate(useful, grid)
    if change is not None:
        waveform = waveform + modulate(change, grid) * ramp(grid, useful.device)
    if carrier is not None:
        waveform = waveform * carrier
    return demodulate(waveform, grid).to(useful.dtype)


def leaked_power(power: Tensor, carrier: Tensor, grid: Grid) -> Tensor:
    """Expected ICI power on each subcarrier under a carrier offset.

    Args:
        power: float ``[batch, T, F]``, received power per resource element.
        carrier: complex ``[batch, T, fft_size]``; the middle symbol stands for all.
        grid: the numerology.

    Returns:
        float ``[batch, T, F]``: the power convolved with the squared coupling to other subcarriers.
    """
    middle = carrier[:, carrier.shape[1] // 2]
    kernel = (torch.fft.fft(middle) / grid.fft_size).abs().square()
    kernel[:, 0] = 0
    spectrum = torch.fft.rfft(widen(power, grid)) * torch.fft.rfft(kernel.to(power.dtype))[:, None]
    return narrow(torch.fft.irfft(spectrum, grid.fft_size), grid).clamp_min(0)
