"""What is checked once when a link is first used: a model of one's own, and a receiver's reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

from channels.errors import InputError
from channels.fading.statistics import Statistics
from channels.ofdm.grid import SYMBOLS_PER_SLOT, Grid
from channels.ofdm.trial import Trial
from channels.orbit.doppler import Residual

MEAN_OVER_FADING = "mean over fading"
"""What ``snr_db`` refers to where fading has unit mean power."""

TOLERANCE_DB = 1.0
"""By so much mean powers may differ from 1, beyond what statistics allow for."""

MOST_TURN = 0.15
"""Cycles by which a fixed offset may turn the phase between pilot symbols: without tracking, LMMSE
is then right about its errors to 5 % at 20 dB of SNR, and wrong threefold at 0.32."""

MOST_TRACKED = 0.25
"""Cycles of scatter Doppler from pilot symbol to pilot symbol up to which tracking the phase does
not take scatter for an offset."""


def check_draws(name: str, trial: Trial, *, seeded: bool, still: bool) -> None:
    """Refuse a model that a link cannot use as it is asked to.

    Args:
        name: of the link.
        trial: of its model.
        seeded: whether equal seeds have to give equal draws.
        still: whether gains must not move.

    Raises:
        InputError: naming what the model lacks.
    """
    if seeded and not trial.repeats:
        raise InputError(
            f"link {name!r} draws other fading for equal seeds: let its model draw from "
            "channels.randomness.generator(device) or a global generator, none of its own"
        )
    if still and trial.moves:
        raise InputError(
            f"fading of link {name!r} moves and its model does not say how fast: give the model "
            "doppler_hz, its largest scatter Doppler in Hz, or take estimator='perfect'"
        )


def doubts(
    estimator: str,
    grid: Grid,
    residual: Residual,
    snr_reference: str,
    known: Statistics,
    power: tuple[float, float],
) -> Iterator[str]:
    """What is wrong with a link's numbers though it runs: a line each, which says what to do.

    Args:
        estimator: of the receiver.
        grid: the numerology.
        residual: law of the residual offset.
        snr_reference: what ``snr_db`` refers to.
        known: statistics of the channel model.
        power: bounds on its mean power.

    >>> far = Residual(offset_hz=500.0)
    >>> next(doubts("lmmse", Grid(), far, MEAN_OVER_FADING, Statistics(), (1.0, 1.0)))[:37]
    'a residual offset of 500 Hz turns the'
    """
    low, high = power
    if snr_reference == MEAN_OVER_FADING and not _near_one(low, high):
        level_db = 10 * math.log10(max((low + high) / 2, 1e-30))
        yield (
            f"fading has a mean power of about {level_db:+.0f} dB, so snr_db is not the mean "
            "E_s/N_0: scale gains to unit mean power, or say by snr_reference what snr_db refers to"
        )
    if estimator == "perfect":
        return
    gap_s = _longest_gap_s(grid)
    tracked = grid.phase_tracking_every is not None and residual.rms_hz > 0
    if estimator == "lmmse" and not tracked and abs(residual.offset_hz) * gap_s > MOST_TURN:
        yield (
            f"a residual offset of {residual.offset_hz:g} Hz turns the phase by "
            f"{abs(residual.offset_hz) * gap_s:.2f} cycles from pilot symbol to pilot symbol, and "
            "LMMSE misjudges its errors: take Grid(phase_tracking_every=24)"
        )
    if tracked and known.doppler_hz * gap_s > MOST_TRACKED:
        yield (
            f"scatter Doppler of {known.doppler_hz:.0f} Hz passes for an offset where phases are "
            "tracked, and the receiver misjudges its errors: take more pilot_symbols, "
            "(2, 5, 8, 11), or a wider subcarrier spacing"
        )


def _near_one(low: float, high: float) -> bool:
    tolerance = 10 ** (TOLERANCE_DB / 10)
    return low <= tolerance and high >= 1 / tolerance


def _longest_gap_s(grid: Grid) -> float:
    """Longest time between pilot symbols, in seconds."""
    places = sorted(grid.pilot_symbols)
    after = [*places[1:], places[0] + SYMBOLS_PER_SLOT]
    gaps = (later - place for place, later in zip(places, after, strict=True))
    return max(gaps) * grid.symbol_period_s
