"""Channel estimation from pilots: least squares or LMMSE.

The receiver knows long-term statistics only: powers, delays and Doppler spectra of paths, the law
of the residual carrier offset, and the power of noise and interference.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from channels.cached import cached
from channels.errors import InputError, check_name, shown
from channels.ofdm.grid import SYMBOLS_PER_SLOT, Grid, pilot_values
from channels.ofdm.ici import turn
from channels.ofdm.lmmse import by_spectrum, lmmse, nearest_spread_hz
from channels.ofdm.prior import Prior, correlation, gaussian_turning, turning
from channels.ofdm.tracking import pilot_rows, track
from channels.orbit.doppler import Residual
from channels.power import squared_magnitude


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
    rate_hz_per_s = prior.residual.rate_hz_per_s
    cycles = (0.5 * rate_hz_per_s * time.double().square()).expand(batch, -1)
    left_hz: Tensor | None = None
    if grid.phase_tracking_every is not None and prior.residual.rms_hz > 0:
        steady = received * turn(-cycles)[..., None].to(received)
        offset_hz, left_hz = _most_likely(*track(steady, disturbance, grid), prior.residual)
        cycles = cycles + offset_hz[:, None] * time
    turned = turn(cycles)[..., None].to(received)
    raw = at_pilots(received * turned.conj(), grid)
    power = _mean_power(raw, disturbance, prior)
    if estimator == "ls":
        h = _interpolated(raw, grid, num_times)
        error_var = _least_squares_error(disturbance, power, left_hz, prior, grid, num_times)
    else:
        h, relative = lmmse(raw, disturbance / power, left_hz, prior, grid)
        error_var = power[:, None, None] * relative
    return Estimate(h * turned, error_var.to(disturbance.dtype))


def at_pilots(received: Tensor, grid: Grid) -> Tensor:
    """Received over sent where demodulation pilots stand, complex ``[batch, P, C]``."""
    num_times = received.shape[1]
    symbols, comb = pilot_rows(grid, num_times), slice(None, None, grid.pilot_comb)
    known = pilot_values(grid, num_times // SYMBOLS_PER_SLOT).to(received)[symbols][:, comb]
    return received[:, symbols][..., comb] * known.conj() / squared_magnitude(known)


def _most_likely(
    measured_hz: Tensor, spread_hz: Tensor, residual: Residual
) -> tuple[Tensor, Tensor]:
    """MMSE estimate of an offset that was measured, and the standard deviation of what is left.

    Without it a measurement that drowned in noise would turn pilots by thousands of hertz.
    """
    law, noise = residual.rms_hz**2, spread_hz.square()
    trust = law / (law + noise).clamp_min(1e-30)
    return trust * measured_hz, (trust * noise).sqrt()


def _mean_power(raw: Tensor, disturbance: Tensor, prior: Prior) -> Tensor:
    """Mean power of the channel of each image, float ``[batch]``: known, or measured.

    A measured one is at least what it may be off by, as noise has more or less power by chance.
    """
    if prior.power is not None:
        return torch.full_like(disturbance, prior.power)
    measured = squared_magnitude(raw).mean((1, 2)) - disturbance
    return torch.maximum(measured, disturbance / raw[0].numel() ** 0.5)


def _interpolated(raw: Tensor, grid: Grid, num_times: int) -> Tensor:
    """Least squares: linear over the comb, then over the pilot symbols."""
    time, frequency = (part.to(raw) for part in _linear(grid, num_times))
    return time @ (raw @ frequency.mT)


@cached(maxsize=32)
def _linear(grid: Grid, num_times: int) -> tuple[Tensor, Tensor]:
    """Weights ``[T, P]`` over pilot symbols and ``[F, C]`` over pilot subcarriers, float64."""
    time = torch.arange(num_times, dtype=torch.float64)
    place = torch.arange(grid.num_subcarriers, dtype=torch.float64)
    return (
        _linear_weights(time, pilot_rows(grid, num_times).double()),
        _linear_weights(place, place[:: grid.pilot_comb].contiguous()),
    )


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


def _least_squares_error(
    disturbance: Tensor,
    power: Tensor,
    left_hz: Tensor | None,
    prior: Prior,
    grid: Grid,
    num_times: int,
) -> Tensor:
    """Error variance of linear interpolation: the noise it lets through and what it misses."""
    time, frequency = (part.to(disturbance.device) for part in _linear(grid, num_times))
    noise = torch.outer(time.square().sum(1), frequency.square().sum(1))
    if left_hz is None:
        missed = _missed(prior, grid, num_times, None).to(noise)[None]
    else:
        steps, of_each = torch.unique(nearest_spread_hz(left_hz), return_inverse=True)
        kinds = [_missed(prior, grid, num_times, float(step)).to(noise) for step in steps]
        missed = torch.stack(kinds)[of_each]
    return disturbance[:, None, None] * noise + power[:, None, None] * missed


@cached(maxsize=32)
def _missed(prior: Prior, grid: Grid, num_times: int, spread_hz: float | None) -> Tensor:
    """Mean squared error of interpolation without noise, over the channel's mean power ``[T, F]``.

    Over time E|h − Σ w h_p|² = 1 − 2 Re c + q of each path, with c its correlation with what is
    interpolated and q the latter's power; over frequency likewise. A symbol depends on the pilot
    symbols on either side alone.
    """
    time, frequency = _linear(grid, num_times)
    sides = 1 if time.shape[1] == 1 else 2
    share, near = time.abs().topk(sides, 1)
    place = pilot_rows(grid, num_times)[near].double()
    to_sides = (torch.arange(num_times)[:, None] - place) * grid.symbol_period_s
    apart = (place[:, :, None] - place[:, None]) * grid.symbol_period_s

    def turned(lag_s: Tensor) -> Tensor:
        law = turning(prior.residual, lag_s)
        return law if spread_hz is None else gaussian_turning(spread_hz, lag_s)

    subcarrier_hz = grid.frequencies_hz(torch.device("cpu")).double()
    missed = torch.zeros(num_times, grid.num_subcarriers, dtype=torch.float64)
    for spectrum, delays_s, powers in by_spectrum(prior):
        met = (share * correlation(spectrum, to_sides) * turned(to_sides)).sum(1)
        between = correlation(spectrum, apart) * turned(apart)
        kept = ((share[:, :, None] * between).sum(1) * share).sum(1).real
        atoms = turn(-torch.outer(subcarrier_hz, torch.tensor(delays_s).double()))
        seen = frequency.to(atoms) @ atoms[:: grid.pilot_comb]
        share_of = torch.tensor(powers).double()
        cross = (seen * atoms.conj()) @ share_of.to(atoms)
        own = squared_magnitude(seen) @ share_of
        missed += share_of.sum() - 2 * torch.outer(met.conj(), cross).real + torch.outer(kept, own)
    return missed.clamp_min(0).float()
