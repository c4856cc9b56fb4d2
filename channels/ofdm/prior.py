"""What a receiver may know of a channel in the long term: the law that its gains follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch
from torch import Tensor

from channels.cached import cached
from channels.errors import InputError
from channels.fading.statistics import Statistics
from channels.ofdm.grid import Grid
from channels.ofdm.ici import turn
from channels.orbit.doppler import Residual

MOST_ATOMS = 400
"""The receiver tells at most so many delays apart."""

BLUR = 1e-3
"""Share of the power that may come at any delay where delays are drawn."""

Spectrum: TypeAlias = tuple[tuple[float, float, float], ...]
"""Power, largest Doppler of the scatter in Hz, shift in Hz of all that makes up one gain."""


@dataclass(frozen=True)
class Prior:
    """Mean powers, delays and Doppler spectra of paths, and the law of the residual offset.

    Args:
        powers: mean power of each path, summing to 1.
        delays_s: its delay in seconds.
        dopplers_hz: largest Doppler of its scatter (Jakes spectrum) in Hz; empty: it stands still.
        shifts_hz: Doppler in Hz that all of it has besides; empty: none.
        residual: law of the residual carrier offset; its rate, which the orbit tells, is removed.
        power: mean power of the gains; ``None``: not known, and measured in each image.
    """

    powers: tuple[float, ...] = (1.0,)
    delays_s: tuple[float, ...] = (0.0,)
    dopplers_hz: tuple[float, ...] = ()
    shifts_hz: tuple[float, ...] = ()
    residual: Residual = field(default_factory=Residual)
    power: float | None = 1.0

    @classmethod
    def flat_profile(
        cls,
        longest_s: float,
        bandwidth_hz: float,
        doppler_hz: float = 0.0,
        residual: Residual = Residual(),  # noqa: B008
        power: float | None = 1.0,
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
        return cls((1 / count,) * count, delays, (doppler_hz,) * count, (), residual, power)

    def spectra(self) -> dict[float, Spectrum]:
        """The Doppler spectrum of what comes at each delay in seconds.

        >>> Prior((0.5, 0.5), (0.0, 0.0), (0.0, 9.0)).spectra()
        {0.0: ((0.5, 0.0, 0.0), (0.5, 9.0, 0.0))}
        """
        still = (0.0,) * len(self.powers)
        found: dict[float, list[tuple[float, float, float]]] = {}
        paths = zip(
            self.powers,
            self.delays_s,
            self.dopplers_hz or still,
            self.shifts_hz or still,
            strict=True,
        )
        for power, delay_s, doppler_hz, shift_hz in paths:
            found.setdefault(delay_s, []).append((power, doppler_hz, shift_hz))
        return {delay_s: tuple(parts) for delay_s, parts in found.items()}


def correlation(spectrum: Spectrum, lag_s: Tensor) -> Tensor:
    """Correlation over time of a gain of some spectrum, 1 at lag 0, complex128 like ``lag_s``.

    Args:
        spectrum: Jakes spectra of what makes up the gain.
        lag_s: float64, of any shape.

    >>> correlation(((1.0, 100.0, 0.0),), torch.tensor(1e-3).double()).real.item()
    0.9037...
    """
    total = math.fsum(power for power, _, _ in spectrum)
    found = torch.zeros(lag_s.shape, dtype=torch.complex128, device=lag_s.device)
    for power, doppler_hz, shift_hz in spectrum:
        scatter = torch.special.bessel_j0(2 * math.pi * doppler_hz * lag_s)
        found = found + power / total * scatter * turn(shift_hz * lag_s)
    return found


def off_centre(spectrum: Spectrum, lag_s: Tensor) -> Tensor:
    """The same after an offset was measured and removed, complex128.

    The measurement cannot tell the offset from the scatter's Doppler, so the spectra come to lie
    off centre: they are taken as flat and twice as wide.

    >>> off_centre(((1.0, 100.0, 0.0),), torch.tensor(1e-3).double()).real.item()
    0.7568...
    """
    total = math.fsum(power for power, _, _ in spectrum)
    found = torch.zeros(lag_s.shape, dtype=torch.complex128, device=lag_s.device)
    for power, doppler_hz, shift_hz in spectrum:
        width_hz = 4 * (doppler_hz + abs(shift_hz))
        found = found + power / total * torch.sinc(width_hz * lag_s)
    return found


def turning(residual: Residual, lag_s: Tensor) -> Tensor:
    """Correlation over time of the turn by a residual offset whose sign is not known, float64.

    >>> round(turning(Residual(offset_hz=100.0), torch.tensor(2.5e-3).double()).item(), 6)
    0.0
    """
    fixed = torch.cos(2 * math.pi * residual.offset_hz * lag_s)
    uniform = torch.sinc(2 * residual.spread_hz * lag_s)
    return fixed * uniform * gaussian_turning(residual.deviation_hz, lag_s)


def gaussian_turning(deviation_hz: float, lag_s: Tensor) -> Tensor:
    """The same of a Gaussian offset around 0.

    >>> gaussian_turning(0.0, torch.tensor(1.0)).item()
    1.0
    """
    return torch.exp(-0.5 * (2 * math.pi * deviation_hz * lag_s).square())


@cached(maxsize=64)
def prior_of(known: Statistics, residual: Residual, grid: Grid) -> Prior:
    """What a receiver knows of a channel.

    Where no powers of single delays are known, all up to the longest count alike, as far as pilots
    can tell them apart.

    Args:
        known: statistics of the channel model.
        residual: law of the residual offset.
        grid: the numerology.

    >>> prior_of(Statistics(), Residual(), Grid()).delays_s
    (0.0,)
    """
    if known.longest_s is None and not known.continuous:
        paths = known.powers, known.delays_s, known.dopplers_hz, known.shifts_hz
        return Prior(*paths, residual, known.mean_power)
    told_apart_s = min(
        1 / (2 * grid.subcarrier_spacing_hz * grid.pilot_comb),
        (MOST_ATOMS - 8) / (2 * grid.bandwidth_hz),
    )
    longest_s = max(known.delays_s) if known.longest_s is None else known.longest_s
    flat = Prior.flat_profile(
        min(longest_s, told_apart_s),
        grid.bandwidth_hz,
        known.doppler_hz,
        residual,
        known.mean_power,
    )
    return _weighted(flat, known) if known.continuous and longest_s > 0 else flat


def _weighted(flat: Prior, known: Statistics) -> Prior:
    """The delays of a flat profile with the powers that are known of what lies around them.

    Power at later delays, which pilots do not tell from others, counts at all alike, and so does
    ``BLUR`` of it all: known powers are of a sample.
    """
    delays_s, powers = (torch.tensor(part).double() for part in (known.delays_s, known.powers))
    within = delays_s <= flat.delays_s[-1]
    place = delays_s[within] / (flat.delays_s[1] - flat.delays_s[0])
    left = place.long().clamp_max(len(flat.powers) - 2)
    weights = torch.zeros(len(flat.powers), dtype=torch.float64)
    weights.index_add_(0, left, powers[within] * (1 - (place - left)))
    weights.index_add_(0, left + 1, powers[within] * (place - left))
    weights += (BLUR + 1 - weights.sum()) / len(weights)
    return replace(flat, powers=tuple((weights / weights.sum()).tolist()))
