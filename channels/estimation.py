"""Channel estimation from pilots: least squares or LMMSE, separable in frequency and time.

The receiver knows long-term statistics only: a delay profile, the largest scatter Doppler, the
spread of the residual carrier offset and the power of noise and interference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.doppler import Residual
from channels.ofdm import SYMBOLS_PER_SLOT, Grid, pilot_values
from channels.propagation import doppler_of
from channels.squared import squared_magnitude


@dataclass(frozen=True)
class Prior:
    """What a receiver may know of a channel in the long term.

    Args:
        powers: mean power of each delay, summing to 1.
        delays_s: those delays in seconds.
        doppler_hz: largest scatter Doppler in Hz; its spectrum is taken as flat.
        offset_hz: root mean square of the residual carrier offset in Hz.
    """

    powers: tuple[float, ...] = (1.0,)
    delays_s: tuple[float, ...] = (0.0,)
    doppler_hz: float = 0.0
    offset_hz: float = 0.0

    @classmethod
    def flat_profile(
        cls,
        longest_s: float,
        bandwidth_hz: float,
        doppler_hz: float = 0.0,
        offset_hz: float = 0.0,
    ) -> Prior:
        """Robust prior (Li, Cimini, Sollenberger 1998): all delays up to the longest count alike.

        >>> len(Prior.flat_profile(1e-6, 5e6).delays_s)
        18
        """
        count = 1 if longest_s == 0 else 8 + math.ceil(2 * longest_s * bandwidth_hz)
        delays = tuple(longest_s * i / max(1, count - 1) for i in range(count))
        return cls((1 / count,) * count, delays, doppler_hz, offset_hz)

    def time_correlation(self, lag_s: Tensor, *, tracked: bool) -> Tensor:
        """Correlation of a gain over time, float64; ``tracked``: its common phase is removed."""
        scatter = torch.sinc(2 * self.doppler_hz * lag_s)
        spread = 0.0 if tracked else 2 * math.pi * self.offset_hz
        return scatter * torch.exp(-0.5 * (spread * lag_s).square())


def prior_of(model: ChannelModel | None, residual: Residual, grid: Grid) -> Prior:
    """What a receiver knows of a channel model: its delay profile, else up to which delay it goes.

    ``model.delay_profile`` holds mean powers and delays in seconds, two tuples; without it all
    delays up to ``model.max_delay_s`` count alike, at most two cyclic prefixes.
    """
    if model is None:
        return Prior(offset_hz=residual.rms_hz)
    doppler_hz, offset_hz = doppler_of(model), residual.rms_hz
    profile = getattr(model, "delay_profile", None)
    if profile is not None:
        powers, delays_s = profile
        return Prior(powers, delays_s, doppler_hz, offset_hz)
    longest_s = min(getattr(model, "max_delay_s", math.inf), 2 * grid.cyclic_prefix_s)
    return Prior.flat_profile(longest_s, grid.bandwidth_hz, doppler_hz, offset_hz)


@lru_cache(maxsize=32)
def _atoms(prior: Prior, grid: Grid) -> Tensor:
    """Frequency responses of the delays, complex128 ``[F, L]``, scaled to their powers."""
    frequency = grid.frequencies_hz(torch.device("cpu")).double()
    delays, powers = torch.tensor([prior.delays_s, prior.powers], dtype=torch.float64)
    phase = -2 * math.pi * frequency[:, None] * delays
    return torch.polar(powers.sqrt().expand_as(phase), phase)


@lru_cache(maxsize=32)
def _atoms_at_pilots(prior: Prior, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition of the atoms on the pilot comb, and its reach over the grid."""
    atoms = _atoms(prior, grid)
    left, scale, right = torch.linalg.svd(atoms[:: grid.pilot_comb], full_matrices=False)
    return left, scale, atoms @ right.mH


@dataclass(frozen=True)
class Estimate:
    """Channel gain at each resource element and how far to trust it.

    Args:
        h: complex ``[batch, T, F]``.
        error_var: float, broadcasts to ``[batch, T, F]``.
    """

    h: Tensor
    error_var: Tensor


def estimate(
    received: Tensor, disturbance: Tensor, grid: Grid, prior: Prior, kind: str
) -> Estimate:
    """Estimate the channel from the pilots of a received frame.

    Args:
        received: complex ``[batch, T, F]``.
        disturbance: float ``[batch]``, power of noise and interference per resource element.
        grid: the numerology.
        prior: long-term statistics.
        kind: ``"ls"`` (least squares at the pilots, linear in between) or ``"lmmse"``.

    Returns:
        The estimate; its error variance includes the interpolation's error under the prior.

    >>> frame = pilot_values(Grid(), 1)[None]
    >>> found = estimate(frame, torch.tensor([0.01]), Grid(), Prior(), "ls")
    >>> round(found.h[0, 5, 7].real.item(), 4), round(found.error_var[0, 2, 0].item(), 4)
    (1.0, 0.01)
    """
    slots = received.shape[1] // SYMBOLS_PER_SLOT
    pilots = pilot_values(grid, slots).to(received)
    symbols = torch.tensor(
        [s * SYMBOLS_PER_SLOT + place for s in range(slots) for place in sorted(grid.pilot_symbols)]
    )
    tracked = grid.phase_tracking_every is not None
    phase_var = torch.zeros_like(disturbance)
    if tracked:
        phase, phase_var = _common_phase(received, pilots, symbols, disturbance, grid)
        turn = torch.polar(torch.ones_like(phase), phase)[..., None]
        received = received * turn.conj()
    comb = slice(None, None, grid.pilot_comb)
    known = pilots[symbols][:, comb]
    raw = received[:, symbols][..., comb] * known.conj() / squared_magnitude(known)
    power = (squared_magnitude(raw).mean((1, 2)) - disturbance).clamp_min(1e-6)

    in_frequency = _smooth_lmmse if kind == "lmmse" else _interpolate_ls
    rows, rows_var = in_frequency(raw, disturbance, power, grid, prior)
    time = torch.arange(received.shape[1], dtype=torch.float64) * grid.symbol_period_s
    correlation = prior.time_correlation(time[:, None] - time[symbols], tracked=tracked)
    to_pilots = correlation.to(received.device)
    between = to_pilots[symbols]
    noise = (rows_var.mean(-1) / power).double()
    if kind == "lmmse":
        loaded = between + noise[:, None, None] * torch.eye(len(symbols), device=received.device)
        weights = torch.linalg.solve(loaded, to_pilots.T.expand(len(noise), -1, -1)).mT
    else:
        weights = _linear_weights(time, time[symbols]).to(received.device)
        weights = weights.expand(len(noise), -1, -1)
    bias = 1 - 2 * (weights * to_pilots).sum(-1) + ((weights @ between) * weights).sum(-1)
    h = weights.to(received) @ rows
    shape = rows_var / rows_var.mean(-1, keepdim=True)
    spread = (weights.square().sum(-1) * noise[:, None])[..., None] * shape[:, None]
    error = power[:, None, None] * (
        bias.clamp_min(0)[..., None] + spread + phase_var[:, None, None]
    )
    if tracked:
        h = h * turn
    return Estimate(h, error.to(disturbance.dtype))


def _interpolate_ls(
    raw: Tensor, disturbance: Tensor, power: Tensor, grid: Grid, prior: Prior
) -> tuple[Tensor, Tensor]:
    """Fill the comb linearly; return rows ``[batch, P, F]`` and error variances ``[batch, F]``."""
    place = torch.arange(grid.num_subcarriers, dtype=torch.float64)
    weights = _linear_weights(place, place[:: grid.pilot_comb].contiguous()).to(raw.device)
    atoms = _atoms(prior, grid).to(raw.device)
    missed = squared_magnitude(atoms - weights.to(atoms) @ atoms[:: grid.pilot_comb]).sum(-1)
    var = disturbance[:, None] * weights.square().sum(-1) + power[:, None] * missed
    return raw @ weights.T.to(raw), var


def _smooth_lmmse(
    raw: Tensor, disturbance: Tensor, power: Tensor, grid: Grid, prior: Prior
) -> tuple[Tensor, Tensor]:
    """LMMSE over frequency in the space of the prior's delays; shapes as in `_interpolate_ls`."""
    left, scale, reach = (part.to(raw.device) for part in _atoms_at_pilots(prior, grid))
    load = (disturbance / power)[:, None] + 1e-9
    gain = scale / (scale.square() + load)
    rows = ((raw @ left.conj().to(raw)) * gain[:, None].to(raw)) @ reach.T.to(raw)
    left_over = load / (scale.square() + load)
    var = power[:, None] * (left_over.double() @ squared_magnitude(reach).T)
    return rows, var


def _linear_weights(wanted: Tensor, given: Tensor) -> Tensor:
    """Weights ``[wanted, given]`` of linear interpolation; beyond the ends the last value holds."""
    if len(given) == 1:
        return torch.ones(len(wanted), 1, dtype=torch.float64)
    right = torch.searchsorted(given, wanted).clamp(1, len(given) - 1)
    share = ((wanted - given[right - 1]) / (given[right] - given[right - 1])).clamp(0, 1)
    weights = torch.zeros(len(wanted), len(given), dtype=torch.float64)
    row = torch.arange(len(wanted))
    weights[row, right - 1] = 1 - share
    weights[row, right] += share
    return weights


def _common_phase(
    received: Tensor, pilots: Tensor, symbols: Tensor, disturbance: Tensor, grid: Grid
) -> tuple[Tensor, Tensor]:
    """Common phase of each OFDM symbol ``[batch, T]`` and its error variance ``[batch]``.

    Each symbol is compared with the last symbol before it that carries demodulation pilots (the
    first one for those that come before), and these with one another in a chain.
    """
    columns = slice(None, None, grid.phase_tracking_every)
    gains = received[..., columns] * pilots[:, columns].conj()
    comb = slice(None, None, grid.pilot_comb)
    rows = received[:, symbols][..., comb] * pilots[symbols][:, comb].conj()
    steps = (rows[:, 1:] * rows[:, :-1].conj()).sum(-1).angle()
    chain = torch.nn.functional.pad(steps.cumsum(1), (1, 0))
    time = torch.arange(received.shape[1])
    nearest = (torch.searchsorted(symbols, time, right=True) - 1).clamp_min(0)
    turned = (gains * gains[:, symbols[nearest]].conj()).sum(-1).angle()
    phase = chain[:, nearest] + turned
    power = (squared_magnitude(rows).mean((1, 2)) - disturbance).clamp_min(1e-6)
    ratio = disturbance / power
    count = gains.shape[-1]
    return phase, (ratio + ratio.square() / 2) / count
