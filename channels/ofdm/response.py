"""From a channel model's impulse responses to what each resource element sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from channels.errors import InputError
from channels.fading.statistics import doppler_of
from channels.ofdm.grid import Grid
from channels.power import squared_magnitude

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel

SLOW = 1e-3
"""Scatter Doppler over subcarrier spacing below which a gain stands still within a symbol: the ICI
that this leaves out is 10 log10((2π·1e-3)²/24) = −58 dB below the signal (Jakes spectrum)."""

STEPS_PER_SYMBOL = 16
"""Gains per OFDM symbol on the time-domain path, linear in between: at a Doppler of a tenth of the
subcarrier spacing the interpolation error is −81 dB."""


@dataclass(frozen=True)
class Paths:
    """Gains of propagation paths over time.

    Args:
        gains: complex ``[batch, P, S]``.
        delays_s: float32 ``[batch, P]``.
        step_s: time from one gain to the next, in seconds.
    """

    gains: Tensor
    delays_s: Tensor
    step_s: float

    def at(self, times_s: Tensor) -> Tensor:
        """Gains at other times, linear in between: complex ``[batch, P, len(times_s)]``."""
        place = times_s.to(self.gains.device) / self.step_s
        left = place.floor().long().clamp(0, self.gains.shape[-1] - 2)
        weight = (place - left).to(self.gains.real.dtype)
        return self.gains[..., left] * (1 - weight) + self.gains[..., left + 1] * weight


@dataclass(frozen=True)
class Response:
    """What a channel does to each resource element.

    Args:
        h: complex ``[batch, T, F]``, the gain at mid-symbol; dimensions that do not matter are 1.
        change: complex, like ``h``, by how much it changes over the symbol's useful part;
            ``None`` if it stands still.
        stray: float ``[batch, T, 1 or F]``, power of interference that ``change`` does not cause:
            of paths beyond the cyclic prefix, and in the time domain of moving gains, too;
            ``None`` if there is none.
    """

    h: Tensor
    change: Tensor | None
    stray: Tensor | None


def draw_paths(model: ChannelModel, batch: int, num_steps: int, step_s: float) -> Paths:
    """Draw one realisation per image."""
    with torch.inference_mode(False), torch.no_grad():
        gains, delays = model(batch, num_steps, 1 / step_s)
    count = gains.shape[-2] if gains.ndim == 7 else 0
    single = (batch, 1, 1, 1, 1, count, num_steps)
    if gains.shape != single or delays.shape != (batch, 1, 1, count) or not count:
        raise InputError(
            f"{type(model).__name__} gave gains {list(gains.shape)} and delays "
            f"{list(delays.shape)}: a link needs one antenna at each end, gains [{batch}, 1, 1, 1, "
            f"1, paths, {num_steps}] and delays [{batch}, 1, 1, paths]"
        )
    if not bool(torch.isfinite(gains.sum())) or not bool(delays.min() >= 0):
        raise InputError(f"{type(model).__name__} gave gains that are not finite or delays below 0")
    one_receiver, one_sender = gains[:, 0, 0], delays[:, 0, 0]
    return Paths(one_receiver[:, 0, 0], one_sender, step_s)


def draw_response(
    model: ChannelModel | None,
    batch: int,
    num_symbols: int,
    grid: Grid,
    device: torch.device,
    *,
    offset: bool,
) -> Response:
    """Frequency-domain path: sample the gains once or twice per symbol.

    Args:
        model: the channel model; ``None`` means a constant gain of 1.
        batch: number of images.
        num_symbols: OFDM symbols of the frame.
        grid: the numerology.
        device: where the frame is.
        offset: whether the carrier has an offset, with which even slow scatter adds up.

    Returns:
        The response, complex64.
    """
    if model is None:
        return Response(torch.ones(1, 1, 1, dtype=torch.complex64, device=device), None, None)
    if doppler_of(model) <= (0 if offset else SLOW) * grid.subcarrier_spacing_hz:
        return respond(draw_paths(model, batch, num_symbols, grid.symbol_period_s), grid)
    paths = draw_paths(model, batch, 2 * num_symbols + 1, grid.symbol_period_s / 2)
    share = 1 / (grid.symbol_period_s * grid.subcarrier_spacing_hz)
    middle = Paths(paths.gains[..., 1::2], paths.delays_s, grid.symbol_period_s)
    return respond(middle, grid, (paths.gains[..., 2::2] - paths.gains[..., :-2:2]) * share)


def respond(
    middle: Paths, grid: Grid, change: Tensor | None = None, early_s: Tensor | None = None
) -> Response:
    """Response of paths whose gains are given once per symbol.

    A path that comes later than the cyclic prefix by a share x of the symbol keeps the amplitude
    1 − x of its useful part; the power 1 − (1 − x)² turns into interference.

    Args:
        middle: gains at mid-symbol.
        grid: the numerology.
        change: complex ``[batch, P, T]``, change of the gains over the useful part.
        early_s: by how much each receiver's window begins within the prefix, float ``[batch]``,
            in seconds; ``None`` means not at all.
    """
    beyond_s = middle.delays_s - grid.cyclic_prefix_s
    if early_s is not None:
        beyond_s = beyond_s + early_s[:, None]
    gains, stray = middle.gains, None
    if bool((beyond_s > 0).any()):
        kept = 1 - (beyond_s * grid.subcarrier_spacing_hz).clamp(0, 1)[..., None]
        stray = (squared_magnitude(gains) * (1 - kept.square())).sum(1)[..., None]
        gains = gains * kept
        change = None if change is None else change * kept
    if change is None:
        return Response(frequency_response(gains, middle.delays_s, grid), None, stray)
    both = frequency_response(torch.cat([gains, change], -1), middle.delays_s, grid)
    h, moved = both.chunk(2, dim=1)
    return Response(h, moved, stray)


def frequency_response(gains: Tensor, delays_s: Tensor, grid: Grid) -> Tensor:
    """Sum paths at each subcarrier: ``[batch, P, T]``, ``[batch, P]`` to ``[batch, T, F or 1]``."""
    if gains.shape[1] == 1 and not bool(delays_s.any()):
        return gains[:, 0, :, None]
    from sionna.phy.channel import cir_to_ofdm_channel

    h: Tensor = cir_to_ofdm_channel(
        grid.frequencies_hz(gains.device), gains[:, None, None, None, None], delays_s[:, None, None]
    )
    return h[:, 0, 0, 0, 0]
