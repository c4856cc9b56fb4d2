"""Channel estimation from pilots: least squares or LMMSE, separable in frequency and time.

The receiver knows long-term statistics only: a delay profile, the largest scatter Doppler, the
spread of the residual carrier offset and the power of noise and interference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from channels.cached import cached
from channels.errors import InputError, check_name, shown
from channels.fading.recipe import doppler_of
from channels.ofdm.grid import SYMBOLS_PER_SLOT, Grid, pilot_values
from channels.ofdm.ici import turn
from channels.ofdm.tracking import pilot_rows, track
from channels.orbit.doppler import Residual
from channels.power import squared_magnitude

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel

BLOCK_SLOTS = 16
"""Interpolation over time works on blocks of so many slots, and knows one more at either end."""

MOST_ATOMS = 400
"""The receiver tells at most so many delays apart."""


@dataclass(frozen=True)
class Prior:
    """What a receiver may know of a channel in the long term.

    Args:
        powers: mean power of each delay, summing to 1.
        delays_s: those delays in seconds.
        doppler_hz: largest scatter Doppler in Hz; its spectrum is taken as flat.
        offset_hz: root mean square of the residual carrier offset in Hz.
        rate_hz_per_s: its rate in Hz/s, which the orbit tells; its phase is removed.
    """

    powers: tuple[float, ...] = (1.0,)
    delays_s: tuple[float, ...] = (0.0,)
    doppler_hz: float = 0.0
    offset_hz: float = 0.0
    rate_hz_per_s: float = 0.0

    @classmethod
    def flat_profile(
        cls,
        longest_s: float,
        bandwidth_hz: float,
        doppler_hz: float = 0.0,
        offset_hz: float = 0.0,
        rate_hz_per_s: float = 0.0,
    ) -> Prior:
        """Robust prior (Li, Cimini, Sollenberger 1998): all delays up to the longest count alike.

        >>> len(Prior.flat_profile(1e-6, 5e6).delays_s)
        18
        """
        count = 1 if longest_s == 0 else 8 + math.ceil(2 * longest_s * bandwidth_hz)
        if count > MOST_ATOMS:
            raise InputError(
                f"{longest_s:g} s are too long for a bandwidth of {bandwidth_hz:g} Hz: "
                f"{count} delays, at most {MOST_ATOMS}"
            )
        delays = tuple(longest_s * i / max(1, count - 1) for i in range(count))
        return cls((1 / count,) * count, delays, doppler_hz, offset_hz, rate_hz_per_s)

    def time_correlation(self, lag_s: Tensor, spread_hz: Tensor, widening: int = 1) -> Tensor:
        """Correlation of a gain over time.

        Args:
            lag_s: float64 ``[T, P]``.
            spread_hz: float64 ``[batch]``, standard deviation of the offset that is left.
            widening: factor on the width of the scatter's spectrum. An offset that was measured and
                removed leaves it off centre, as the measurement cannot tell one from the other: 2.

        Returns:
            float64 ``[batch, T, P]``.
        """
        scatter = torch.sinc(2 * widening * self.doppler_hz * lag_s)
        return scatter * torch.exp(-0.5 * (2 * math.pi * spread_hz[:, None, None] * lag_s).square())


def prior_of(model: ChannelModel | None, residual: Residual, grid: Grid) -> Prior:
    """What a receiver knows of a channel model: its delay profile, else up to which delay it goes.

    ``model.delay_profile`` holds mean powers and delays in seconds, two tuples; without it all
    delays up to ``model.max_delay_s`` count alike, as far as pilots can tell them apart.
    """
    moments = doppler_of(model), residual.rms_hz, residual.rate_hz_per_s
    if model is None:
        return Prior((1.0,), (0.0,), *moments)
    profile = getattr(model, "delay_profile", None)
    if profile is not None:
        powers, delays_s = profile
        return Prior(powers, delays_s, *moments)
    longest_s = min(
        getattr(model, "max_delay_s", math.inf),
        1 / (2 * grid.subcarrier_spacing_hz * grid.pilot_comb),
        (MOST_ATOMS - 8) / (2 * grid.bandwidth_hz),
    )
    return Prior.flat_profile(longest_s, grid.bandwidth_hz, *moments)


@cached(maxsize=32)
def _atoms(prior: Prior, grid: Grid) -> Tensor:
    """Frequency responses of the delays, complex128 ``[F, L]``, scaled to their powers."""
    frequency = grid.frequencies_hz(torch.device("cpu")).double()
    delays, powers = torch.tensor([prior.delays_s, prior.powers], dtype=torch.float64)
    phase = -2 * math.pi * frequency[:, None] * delays
    return torch.polar(powers.sqrt().expand_as(phase), phase)


@cached(maxsize=32)
def _atoms_at_pilots(prior: Prior, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition of the atoms on the pilot comb, and its reach over the grid."""
    atoms = _atoms(prior, grid)
    left, scale, right = _decomposed(atoms[:: grid.pilot_comb])
    return left, scale, atoms @ right.mH


def _decomposed(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition; by QR iteration where LAPACK's divide and conquer fails."""
    try:
        left, scale, right = torch.linalg.svd(matrix, full_matrices=False)
        return left, scale, right
    except RuntimeError:
        from scipy import linalg

        parts = linalg.svd(matrix.cpu().numpy(), full_matrices=False, lapack_driver="gesvd")
        left, scale, right = (torch.from_numpy(part).to(matrix.device) for part in parts)
        return left, scale, right


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
    received: Tensor, disturbance: Tensor, grid: Grid, prior: Prior, estimator: str
) -> Estimate:
    """Estimate the channel from the pilots of a received frame.

    Args:
        received: complex ``[batch, T, F]``.
        disturbance: float ``[batch]``, power of noise and interference per resource element.
        grid: the numerology.
        prior: long-term statistics.
        estimator: ``"ls"`` (least squares at the pilots, linear in between) or ``"lmmse"``.

    Returns:
        The estimate; its error variance includes the interpolation's error under the prior.

    Raises:
        InputError: on an unknown kind or shapes that do not fit the grid.

    >>> frame = pilot_values(Grid(), 1)[None]
    >>> found = estimate(frame, torch.tensor([0.01]), Grid(), Prior(), "ls")
    >>> round(found.h[0, 5, 7].real.item(), 4), round(found.error_var[0, 2, 0].item(), 4)
    (1.0, 0.01)
    """
    check_name("kind of estimation", estimator, ["ls", "lmmse"])
    batch, num_times, width = received.shape if received.ndim == 3 else (0, 0, 0)
    if not num_times or num_times % SYMBOLS_PER_SLOT or width != grid.num_subcarriers:
        raise InputError(
            f"received must be [batch, {SYMBOLS_PER_SLOT} * slots, {grid.num_subcarriers}], got "
            f"{list(received.shape)}"
        )
    if disturbance.shape != (batch,) or not bool((disturbance >= 0).all()):
        raise InputError(
            f"disturbance must be [{batch}] and not negative, got {shown(disturbance)}"
        )
    time = torch.arange(num_times, device=received.device) * grid.symbol_period_s
    cycles = (0.5 * prior.rate_hz_per_s * time.double().square()).expand(batch, -1)
    spread_hz = torch.full_like(disturbance, prior.offset_hz, dtype=torch.float64)
    if grid.phase_tracking_every is not None:
        steady = received * turn(-cycles)[..., None].to(received)
        offset_hz, spread_hz = track(steady, disturbance, grid)
        cycles = cycles + offset_hz[:, None] * time
    turned = turn(cycles)[..., None].to(received)
    steady = received * turned.conj()

    symbols = pilot_rows(grid, num_times)
    comb = slice(None, None, grid.pilot_comb)
    known = pilot_values(grid, num_times // SYMBOLS_PER_SLOT).to(received)[symbols][:, comb]
    raw = steady[:, symbols][..., comb] * known.conj() / squared_magnitude(known)
    power = (squared_magnitude(raw).mean((1, 2)) - disturbance).clamp_min(1e-6)
    in_frequency = _smooth_lmmse if estimator == "lmmse" else _interpolate_ls
    rows, rows_var = in_frequency(raw, disturbance, power, grid, prior)
    blocks = [
        _over_time(begin, rows, rows_var, power, spread_hz, grid, prior, estimator, num_times)
        for begin in range(0, num_times, BLOCK_SLOTS * SYMBOLS_PER_SLOT)
    ]
    h, error_var = (torch.cat(parts, 1) for parts in zip(*blocks, strict=True))
    return Estimate(h * turned, error_var.to(disturbance.dtype))


def _over_time(
    begin: int,
    rows: Tensor,
    rows_var: Tensor,
    power: Tensor,
    spread_hz: Tensor,
    grid: Grid,
    prior: Prior,
    estimator: str,
    num_times: int,
) -> tuple[Tensor, Tensor]:
    """Interpolate rows of pilots over a block of slots, with the slot before and after it.

    Returns the gains, complex ``[batch, T of the block, F]``, and their error variances.
    """
    end = min(begin + BLOCK_SLOTS * SYMBOLS_PER_SLOT, num_times)
    symbols = pilot_rows(grid, num_times)
    near = (symbols >= begin - SYMBOLS_PER_SLOT) & (symbols < end + SYMBOLS_PER_SLOT)
    rows, given = rows[:, near], symbols[near].double()
    wanted = torch.arange(begin, end, dtype=torch.float64)
    tracked = grid.phase_tracking_every is not None

    def correlation(a: Tensor, b: Tensor) -> Tensor:
        lag_s = (a[:, None] - b).to(rows.device) * grid.symbol_period_s
        return prior.time_correlation(
            lag_s, spread_hz, 2 if tracked and estimator == "lmmse" else 1
        )

    to_pilots, between = correlation(wanted, given), correlation(given, given)
    noise = (rows_var.mean(-1) / power).double()
    if estimator == "lmmse":
        loaded = between + noise[:, None, None] * torch.eye(len(given), device=rows.device)
        weights = torch.linalg.solve(loaded, to_pilots.mT).mT
    else:
        weights = _linear_weights(wanted, given).to(rows.device).expand(len(noise), -1, -1)
    bias = 1 - 2 * (weights * to_pilots).sum(-1) + ((weights @ between) * weights).sum(-1)
    shape = rows_var / rows_var.mean(-1, keepdim=True)
    spread = (weights.square().sum(-1) * noise[:, None])[..., None] * shape[:, None]
    error_var = power[:, None, None] * (bias.clamp_min(0)[..., None] + spread)
    return weights.to(rows) @ rows, error_var


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
