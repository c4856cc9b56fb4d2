"""Scattered waves that reach a moving terminal from all directions: the Clarke–Jakes process."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from channels.cached import cached
from channels.errors import check_count, check_number
from channels.fading.awgn import complex_normal
from channels.fading.draws import MOST
from channels.surroundings import check_device

DENSE_ENTRIES = 2**20
"""Up to so many waves times steps the sum is a matrix product, beyond it a non-uniform FFT."""

FEWEST_WAVES = 16
"""The number of waves is this times a power of two: series of different lengths then mostly share
their draws, and the shorter one is the beginning of the longer."""

SPREAD = 7
"""Grid points to either side over which the non-uniform FFT spreads a wave."""


def jakes_process(
    batch_size: int,
    num_steps: int,
    rate_hz: float,
    doppler_hz: float,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Complex Gaussian process with autocorrelation J0(2π·doppler·τ) and unit mean power.

    That correlation is the mean of exp(j2π·doppler·τ·cosθ) over all directions θ, and N directions
    at the nodes θ = π(k + 1/2)/N of Gauss–Chebyshev quadrature give it exactly but for Bessel
    functions of order 2N, which vanish once 2N exceeds their argument. So a sum of N waves with
    independent complex Gaussian amplitudes is exactly Gaussian at any N (sums with random phases
    are not), and its autocorrelation is right to 1e-8 for N a little above π·doppler·duration.
    Long series use a non-uniform FFT for the same sum (Greengard and Lee, SIAM Review 46(3), 2004)
    and keep each value to 1e-5.

    Args:
        batch_size: number of independent realisations.
        num_steps: number of samples.
        rate_hz: samples per second; may be below twice the Doppler shift.
        doppler_hz: largest Doppler shift in Hz; 0 gives one draw per row, the same at all steps.
        device: where draws are made.

    Returns:
        complex64 ``[batch_size, num_steps]``.

    Raises:
        InputError: if a size or the rate is not positive, or the Doppler is negative.

    >>> jakes_process(2, 14, rate_hz=15e3, doppler_hz=100.0).shape
    torch.Size([2, 14])
    """
    batch_size = check_count("batch_size", batch_size, 1, MOST)
    num_steps = check_count("num_steps", num_steps, 1, MOST)
    doppler_hz = check_number("doppler_hz", doppler_hz, 0, 1e9)
    rate_hz = check_number("rate_hz", rate_hz, 1e-6, 1e12)
    device = check_device(device)
    if doppler_hz == 0 or num_steps == 1:
        return complex_normal((batch_size, 1), device).expand(-1, num_steps)
    cycles = doppler_hz / rate_hz
    num_waves = FEWEST_WAVES
    while num_waves < waves_needed(cycles * (num_steps - 1)):
        num_waves *= 2
    amplitudes = complex_normal((batch_size, num_waves), device) / math.sqrt(num_waves)
    if num_waves * num_steps <= DENSE_ENTRIES:
        return amplitudes @ _waves(num_waves, num_steps, cycles, device)
    return sum_waves(amplitudes, num_steps, cycles)


def waves_needed(span: float) -> int:
    """Number of waves for an autocorrelation right to 1e-8 over a span of doppler·duration.

    The first Bessel function left over, J_2N(x) at x = 2π·span, decays like an Airy function beyond
    its turning point 2N = x.

    >>> waves_needed(0.2), waves_needed(1000.0)
    (9, 3212)
    """
    argument = 2 * math.pi * span
    return math.ceil((argument + 9 * math.cbrt(argument / 2) + 8) / 2)


def _cycles_per_step(num_waves: int, cycles: float, device: torch.device) -> Tensor:
    place = torch.arange(num_waves, dtype=torch.float64, device=device) + 0.5
    return cycles * torch.cos(math.pi * place / num_waves)


@cached(maxsize=32)
def _waves(num_waves: int, num_steps: int, cycles: float, device: torch.device) -> Tensor:
    return wave_matrix(num_waves, num_steps, cycles, device).to(torch.complex64)


def wave_matrix(num_waves: int, num_steps: int, cycles: float, device: torch.device) -> Tensor:
    """Every wave at every step, complex128 ``[num_waves, num_steps]``.

    Args:
        num_waves: number of directions of arrival.
        num_steps: number of samples.
        cycles: largest Doppler shift in cycles per step.
        device: where the matrix is made.

    >>> wave_matrix(12, 28, 0.01, torch.device("cpu")).shape
    torch.Size([12, 28])
    """
    step = torch.arange(num_steps, dtype=torch.float64, device=device)
    turns = torch.remainder(_cycles_per_step(num_waves, cycles, device)[:, None] * step, 1)
    return torch.polar(torch.ones_like(turns), 2 * math.pi * turns)


def sum_waves(amplitudes: Tensor, num_steps: int, cycles: float) -> Tensor:
    """``amplitudes @ wave_matrix(...)`` by a non-uniform FFT, without the matrix.

    Each wave is spread over a grid of twice as many frequencies with a Gaussian, transformed, and
    the Gaussian exp(−d²/width) is divided out. That is exact around the transform's origin, which
    is put into the middle of the series: waves are first turned to where they are there.

    Args:
        amplitudes: complex64 ``[batch, num_waves]``.
        num_steps: number of samples.
        cycles: largest Doppler shift in cycles per step.

    Returns:
        complex64 ``[batch, num_steps]``.

    >>> sum_waves(torch.ones(1, 12, dtype=torch.complex64), 28, 0.01).shape
    torch.Size([1, 28])
    """
    device = amplitudes.device
    size = 2 ** math.ceil(math.log2(num_steps))
    grid_size = 2 * size
    width = math.sqrt(2) * SPREAD / math.pi  # what is cut off is then as small as what folds back
    middle = num_steps // 2
    cycles_per_step = _cycles_per_step(amplitudes.shape[1], cycles, device)
    turns = torch.remainder(cycles_per_step * middle, 1)
    turned = amplitudes * torch.polar(torch.ones_like(turns), 2 * math.pi * turns)
    amplitudes = turned.to(amplitudes.dtype)
    place = cycles_per_step * grid_size
    first = place.floor() - SPREAD + 1
    grid = torch.zeros(amplitudes.shape[0], grid_size, dtype=torch.complex64, device=device)
    for offset in range(2 * SPREAD):
        weight = torch.exp(-((place - first - offset) ** 2) / width).to(torch.float32)
        index = torch.remainder(first + offset, grid_size).long()
        grid.index_add_(1, index, amplitudes * weight)
    step = torch.arange(num_steps, dtype=torch.float64, device=device) - middle
    waves: Tensor = torch.fft.ifft(grid, norm="forward")[:, step.long() % grid_size]
    smoothing = math.sqrt(math.pi * width) * torch.exp(-width * (math.pi * step / grid_size) ** 2)
    return waves / smoothing.to(torch.float32)
