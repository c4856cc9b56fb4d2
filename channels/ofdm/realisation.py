"""One realisation of a link's channel: what is drawn for a batch and how it acts on a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from channels.fading.awgn import complex_normal
from channels.fading.statistics import doppler_of
from channels.ofdm.grid import Grid
from channels.ofdm.ici import Carrier, carrier, couple, leaked_power, moved_power
from channels.ofdm.response import SLOW, Paths, Response, draw_response
from channels.ofdm.time_domain import draw_waveform_paths, propagate, respond_waveform
from channels.orbit.doppler import Residual
from channels.power import squared_magnitude

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel


@dataclass(frozen=True)
class Realisation:
    """What was drawn for a batch.

    Args:
        grid: the numerology.
        response: gains of resource elements.
        paths: gains of paths over time, in the time domain; ``None`` in the frequency domain.
        offset_hz: float64 ``[batch]``, residual carrier offset.
        rate_hz_per_s: its rate.
        carrier: the carrier over the frame; ``None`` without offset.
        moves: whether gains change noticeably within a symbol.
    """

    grid: Grid
    response: Response
    paths: Paths | None
    offset_hz: Tensor
    rate_hz_per_s: float
    carrier: Carrier | None
    moves: bool

    @property
    def scales_only(self) -> bool:
        """Whether each resource element is but multiplied by a gain."""
        beyond = (self.paths, self.carrier, self.response.change, self.response.stray)
        return all(part is None for part in beyond)

    def act(self, frame: Tensor) -> Tensor:
        """Carry a frame, complex ``[batch, T, F]``, free of thermal noise."""
        if self.paths is not None:
            return propagate(frame, self.paths, self.offset_hz, self.rate_hz_per_s, self.grid)
        response = self.response
        received = response.h.to(frame.dtype) * frame
        change = response.change
        if change is not None or self.carrier is not None:
            moved = None if change is None else change.to(frame.dtype) * frame
            received = couple(received, moved, self.carrier, self.grid)
        if response.stray is not None:
            stray = complex_normal(tuple(frame.shape), frame.device)
            received = received + (response.stray.sqrt() * stray).to(frame.dtype)
        return received

    def known(self) -> tuple[Tensor, Tensor]:
        """Effective gain of each resource element and the power of its interference."""
        response = self.response
        h = response.h
        interference = torch.zeros(1, 1, 1, device=h.device)
        if response.stray is not None:
            interference = interference + response.stray
        if response.change is not None and self.moves:
            variance = squared_magnitude(response.change) / 12
            interference = interference + moved_power(variance, self.grid)
        if self.carrier is not None:
            leaked = leaked_power(squared_magnitude(h), self.carrier, self.grid)
            interference = interference + leaked
            h = h * self.carrier.gain.to(h.dtype)
        return h, interference


def draw(
    model: ChannelModel | None,
    residual: Residual,
    batch: int,
    num_times: int,
    grid: Grid,
    device: torch.device,
    *,
    every_sample: bool,
) -> Realisation:
    """Draw fading, then the residual offset.

    Args:
        model: the channel model; ``None`` means a constant gain of 1.
        residual: carrier offset left by pre-compensation.
        batch: number of images.
        num_times: OFDM symbols of the frame.
        grid: the numerology.
        device: where the frame is.
        every_sample: time domain.

    >>> from channels.randomness import seeded
    >>> with seeded(1):
    ...     still = draw(None, Residual(), 2, 14, Grid(), torch.device("cpu"), every_sample=False)
    >>> still.scales_only
    True
    """
    paths: Paths | None = None
    if every_sample:
        paths = draw_waveform_paths(model, batch, num_times, grid, device)
        response = respond_waveform(paths, num_times, grid)
    else:
        offset = not residual.is_zero
        response = draw_response(model, batch, num_times, grid, device, offset=offset)
    offset_hz = residual.draw(batch, device)
    by = None
    if not residual.is_zero:
        by = carrier(offset_hz, residual.rate_hz_per_s, num_times, grid)
    moves = doppler_of(model) > SLOW * grid.subcarrier_spacing_hz
    return Realisation(grid, response, paths, offset_hz, residual.rate_hz_per_s, by, moves)
