"""The time-domain path: every sample of the waveform, so ISI and ICI come out by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from channels.cached import cached
from channels.ofdm.grid import Grid, filler
from channels.ofdm.ici import moved_power, turn
from channels.ofdm.response import (
    STEPS_PER_SYMBOL,
    Paths,
    Response,
    draw_paths,
    frequency_response,
    respond,
)
from channels.power import squared_magnitude

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel
    from sionna.phy.ofdm import OFDMDemodulator, OFDMModulator

EARLY_SHARE = 4
"""The receiver's window begins up to 1/4 of the cyclic prefix early: the band-limited edge of a
symbol rings before it, too."""


RINGING_DELAYS, RINGING_SLOTS = 8, 4
"""At so many delays from either end of the prefix, over so many slots, ringing is measured."""


def _precision_of(dtype: torch.dtype) -> str:
    """Sionna's name for a dtype: its blocks cast silently unless they are built for the right one.

    >>> _precision_of(torch.complex128)
    'double'
    """
    return "double" if dtype in (torch.complex128, torch.float64) else "single"


@cached()
def _modulator(prefix: int, precision: str, device: str) -> OFDMModulator:
    from sionna.phy.ofdm import OFDMModulator

    return OFDMModulator(prefix, precision=precision, device=device)


@cached()
def _demodulator(fft_size: int, prefix: int, precision: str, device: str) -> OFDMDemodulator:
    from sionna.phy.ofdm import OFDMDemodulator

    return OFDMDemodulator(fft_size, 0, prefix, precision=precision, device=device)


def widen(frame: Tensor, grid: Grid) -> Tensor:
    """Add the guard subcarriers: the grid's centre comes to ``fft_size // 2``.

    >>> widen(torch.ones(1, 14, 300), Grid()).shape
    torch.Size([1, 14, 512])
    """
    left = grid.fft_size // 2 - grid.num_subcarriers // 2
    right = grid.fft_size - grid.num_subcarriers - left
    return torch.nn.functional.pad(frame, (left, right))


def narrow(spectrum: Tensor, grid: Grid) -> Tensor:
    """Drop the guard subcarriers again.

    >>> narrow(widen(torch.ones(1, 14, 300), Grid()), Grid()).shape
    torch.Size([1, 14, 300])
    """
    left = grid.fft_size // 2 - grid.num_subcarriers // 2
    return spectrum[..., left : left + grid.num_subcarriers]


def draw_waveform_paths(
    model: ChannelModel | None, batch: int, num_symbols: int, grid: Grid, device: torch.device
) -> Paths:
    """Draw gains finely enough for every sample of a frame."""
    steps, step_s = STEPS_PER_SYMBOL * num_symbols + 1, grid.symbol_period_s / STEPS_PER_SYMBOL
    if model is None:
        gains = torch.ones(batch, 1, steps, dtype=torch.complex64, device=device)
        return Paths(gains, torch.zeros(batch, 1, device=device), step_s)
    return draw_paths(model, batch, steps, step_s)


def early_s(paths: Paths, grid: Grid) -> Tensor:
    """Time by which each receiver's window begins within the cyclic prefix, float32 ``[batch]``."""
    spare = (grid.cyclic_prefix_s - paths.delays_s.amax(1)).clamp_min(0) / 2
    return spare.clamp_max(grid.cyclic_prefix_s / EARLY_SHARE)


def respond_waveform(paths: Paths, num_symbols: int, grid: Grid) -> Response:
    """What an ideal receiver knows: mean gain over each symbol's useful part, and what strays.

    A gain that moves within a symbol turns its variance over the useful part into ICI.
    """
    begin = torch.arange(num_symbols, dtype=torch.float64) * grid.symbol_period_s
    offsets = (torch.arange(STEPS_PER_SYMBOL, dtype=torch.float64) + 0.5) / STEPS_PER_SYMBOL
    times = begin[:, None] + grid.cyclic_prefix_s + offsets / grid.subcarrier_spacing_hz
    within = paths.at(times.flatten())
    within = within.reshape(*within.shape[:2], *times.shape)
    middle = within.mean(-1)
    mean = Paths(middle, paths.delays_s, grid.symbol_period_s)
    early = early_s(paths, grid)
    response = respond(mean, grid, early_s=early)
    rung = ringing(mean, early, grid)
    response = replace(response, stray=rung if response.stray is None else response.stray + rung)
    moved = (within - middle[..., None]).flatten(2)
    if not bool(moved.abs().amax() > 1e-6 * middle.abs().amax()):
        return response
    spread = squared_magnitude(frequency_response(moved, paths.delays_s, grid))
    spread = spread.reshape(len(spread), num_symbols, STEPS_PER_SYMBOL, -1).mean(2)
    spread = moved_power(spread, grid)
    assert response.stray is not None
    return replace(response, stray=response.stray + spread)


def ringing(middle: Paths, early: Tensor, grid: Grid) -> Tensor:
    """Interference by neighbouring symbols whose band-limited edges ring into the window.

    A delay of whole samples does not ring, one of half a sample most; paths ring independently.

    Args:
        middle: gains at mid-symbol.
        early: by how much each receiver's window begins within the prefix, ``[batch]``, in
            seconds.
        grid: the numerology.

    Returns:
        Power, float32 ``[batch, T, F]``.
    """
    places, levels = (part.to(early.device) for part in _half_sample_ringing(grid))
    late = (middle.delays_s + early[:, None]).double() * grid.sample_rate_hz
    right = torch.searchsorted(places, late.contiguous()).clamp(1, len(places) - 1)
    left = right - 1
    share = ((late - places[left]) / (places[right] - places[left])).clamp(0, 1)[..., None]
    log_power = levels[left] * (1 - share) + levels[right] * share
    power = log_power.exp() * torch.sin(torch.pi * late).square()[..., None]
    return squared_magnitude(middle.gains).mT @ power.float()


@cached(maxsize=8)
def _half_sample_ringing(grid: Grid) -> tuple[Tensor, Tensor]:
    """How strongly a path of unit power rings, by its delay from the window's begin on.

    Measured, once for a grid, on the difference between what arrives and what was sent.

    Returns:
        Delays in samples, ascending, float64 ``[D]``, all between two samples; logarithms of the
        power on each subcarrier, float64 ``[D, F]``.
    """
    prefix = grid.cyclic_prefix_samples
    steps = prefix ** torch.linspace(0, 1, RINGING_DELAYS, dtype=torch.float64)
    near = steps.round() - 0.5
    places = torch.unique(torch.cat([near, prefix - near]))
    if len(places) == 1:
        places = torch.cat([places, places + 1])
    cpu = torch.device("cpu")
    data = filler(grid, RINGING_SLOTS * int((~grid.pilots).sum()), cpu).to(torch.complex64)
    data = data.expand(len(places), -1, -1)
    paths = draw_waveform_paths(None, len(places), data.shape[1], grid, cpu)
    no_offset = torch.zeros(len(places), dtype=torch.float64)
    got = propagate(data, paths, no_offset, 0.0, grid, places / grid.sample_rate_hz)
    rung = squared_magnitude(got - data)[:, 1:-1].double().mean(1)
    return places, rung.clamp_min(1e-15).log()


def propagate(
    frame: Tensor,
    paths: Paths,
    offset_hz: Tensor,
    rate_hz_per_s: float,
    grid: Grid,
    early: Tensor | None = None,
) -> Tensor:
    """Modulate, delay and fade each path, offset the carrier, demodulate.

    Each path delays the whole waveform exactly, as a phase ramp over its spectrum. (A tapped delay
    line of truncated sinc pulses, which Sionna's ``TimeChannel`` uses, leaves an error floor of
    −22 dB at its default length.) Delays stand still during the frame.

    Args:
        frame: complex ``[batch, T, F]``.
        paths: from :func:`draw_waveform_paths`.
        offset_hz: float64 ``[batch]``, residual carrier offset.
        rate_hz_per_s: its rate.
        grid: the numerology.
        early: by how much each receiver's window begins within the prefix, ``[batch]``, in
            seconds; ``None``: as :func:`early_s` says.

    Returns:
        complex ``[batch, T, F]``, free of noise.
    """
    precision, device = _precision_of(frame.dtype), str(frame.device)
    prefix = grid.cyclic_prefix_samples
    early = (early_s(paths, grid) if early is None else early).double()[:, None]
    sent = _modulator(prefix, precision, device)(widen(frame, grid))
    batch, num_samples = sent.shape
    rate = grid.sample_rate_hz
    sample_s = torch.arange(num_samples, dtype=torch.float64, device=frame.device) / rate

    longest = num_samples + int(float(paths.delays_s.max()) * rate) + prefix + grid.fft_size
    from scipy.fft import next_fast_len

    room = next_fast_len(longest)
    spectrum = torch.fft.fft(sent, room)
    frequency = torch.fft.fftfreq(room, 1 / rate, dtype=torch.float64, device=frame.device)
    received = torch.zeros_like(sent)
    for path in range(paths.gains.shape[1]):
        delay_s = paths.delays_s[:, path, None].double() + early
        shifted = torch.fft.ifft(spectrum * turn(-frequency * delay_s).to(sent.dtype))
        path_alone = Paths(paths.gains[:, path : path + 1], paths.delays_s, paths.step_s)
        gain = path_alone.at(sample_s)[:, 0].to(sent.dtype)
        received = received + shifted[:, :num_samples] * gain

    time = sample_s - prefix / rate
    cycles = offset_hz[:, None] * time + 0.5 * rate_hz_per_s * time.square()
    received = received * turn(cycles).to(sent.dtype)
    back = narrow(_demodulator(grid.fft_size, prefix, precision, device)(received), grid)
    undelayed = turn(grid.frequencies_hz(frame.device).double() * early).to(back.dtype)
    return back.reshape(batch, frame.shape[1], -1) * undelayed[:, None]
