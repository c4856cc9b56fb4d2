"""Residual carrier offset of each image, measured by pilots."""

from __future__ import annotations

import torch
from torch import Tensor

from channels.ofdm.grid import SYMBOLS_PER_SLOT, Grid, pilot_values
from channels.power import squared_magnitude

LAGS = (1, 3, 9)
"""Phase-tracking pilots are correlated over so many OFDM symbols: the first lag is unambiguous up
to half the subcarrier spacing, each further one refines."""


def pilot_rows(grid: Grid, num_times: int) -> Tensor:
    """OFDM symbols of a frame that carry demodulation pilots, int64 ``[P]``, ascending.

    >>> pilot_rows(Grid(), 28)
    tensor([ 2, 11, 16, 25])
    """
    return torch.tensor(
        [
            begin + place
            for begin in range(0, num_times, SYMBOLS_PER_SLOT)
            for place in sorted(grid.pilot_symbols)
        ]
    )


def track(received: Tensor, disturbance: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Measure the carrier offset by phase-tracking pilots, then by the demodulation pilots.

    Args:
        received: complex ``[batch, T, F]``; a known rate of the offset is removed.
        disturbance: float ``[batch]``, power of noise and interference per resource element.
        grid: the numerology, with phase-tracking pilots.

    Returns:
        The offset of each image and its standard deviation, float64 ``[batch]`` each, in Hz.

    >>> grid = Grid(phase_tracking_every=24)
    >>> offset_hz, spread_hz = track(pilot_values(grid, 1)[None], torch.tensor([0.1]), grid)
    >>> abs(offset_hz.item()) < 1e-6, 0 < spread_hz.item() < 10
    (True, True)
    """
    num_times = received.shape[1]
    symbols = pilot_rows(grid, num_times)
    pilots = pilot_values(grid, num_times // SYMBOLS_PER_SLOT).to(received)
    columns = slice(None, None, grid.phase_tracking_every)
    comb = slice(None, None, grid.pilot_comb)
    gains = received[..., columns] * pilots[:, columns].conj()
    rows = received[:, symbols][..., comb] * pilots[symbols][:, comb].conj()
    power = (squared_magnitude(rows).mean((1, 2)) - disturbance).clamp_min(1e-6)
    ratio = (disturbance / power).double()
    phase_var = ratio + ratio.square() / 2

    offset_hz = torch.zeros_like(ratio)
    spread_hz = torch.zeros_like(ratio)
    for lag in LAGS:
        lag_s = lag * grid.symbol_period_s
        products = (gains[:, lag:] * gains[:, :-lag].conj()).sum((1, 2))
        offset_hz = offset_hz + _missed_cycles(products, offset_hz * lag_s) / lag_s
        pairs = (num_times - lag) * gains.shape[-1]
        spread_hz = (phase_var / pairs).sqrt() / (2 * torch.pi * lag_s)
    if len(symbols) == 1:
        return offset_hz, spread_hz
    gap_s = symbols.diff().to(ratio) * grid.symbol_period_s
    products = (rows[:, 1:] * rows[:, :-1].conj()).sum(-1)
    missed = _missed_cycles(products, offset_hz[:, None] * gap_s)
    weight = products.abs() * gap_s
    offset_hz = offset_hz + (weight * missed).sum(-1) / (weight * gap_s).sum(-1).clamp_min(1e-30)
    pairs_s2 = rows.shape[-1] * gap_s.square().sum()
    return offset_hz, (phase_var / pairs_s2).sqrt() / (2 * torch.pi)


def _missed_cycles(products: Tensor, cycles: Tensor) -> Tensor:
    """What turns a correlation further than the cycles that are already accounted for."""
    back = torch.polar(torch.ones_like(cycles), -2 * torch.pi * cycles)
    return (products * back).angle() / (2 * torch.pi)
