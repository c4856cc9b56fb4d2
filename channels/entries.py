"""The links that come with the package: propagation, band, grid; where each number comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from channels.describe import Row
from channels.errors import InputError, check_flag, check_number, shown
from channels.fading.delay_spread import delay_spread_s as tabulated_delay_spread_s
from channels.fading.recipe import Build, model_for, recipe
from channels.ofdm.doubts import MEAN_OVER_FADING
from channels.ofdm.grid import Grid
from channels.orbit.doppler import Precompensation, Residual
from channels.orbit.geometry import ALTITUDES_M, SPEED_OF_LIGHT_MPS

if TYPE_CHECKING:
    from channels.fading.flat import ShadowedModel, ShadowedRician
    from channels.fading.lms import Loo

CARRIERS_HZ = {"s": 2e9, "ka": 20e9}
WALKING_MPS = 3 / 3.6
ELEVATION_DEG = 50.0
"""Default of the NTN profiles."""

SIGHT = "of the unobstructed line of sight: fading changes the mean"


@dataclass(frozen=True)
class Made:
    """A model with its description and the defaults that go with it."""

    propagation: Build | None
    rows: tuple[Row, ...]
    grid: Grid = field(default_factory=Grid)
    residual: Residual = field(default_factory=Residual)
    residual_rows: tuple[Row, ...] = ()
    snr_reference: str = MEAN_OVER_FADING


@dataclass(frozen=True)
class Entry:
    """How to make a link: ``build(carrier_hz, **parameters)``, a line on it, its carrier."""

    build: Callable[..., Made]
    line: str
    carrier_hz: float = CARRIERS_HZ["s"]


def _moving(
    speed_mps: float, carrier_hz: float, spectrum: str = "Jakes spectrum"
) -> tuple[float, tuple[Row, Row]]:
    """Largest scatter Doppler of a terminal, and the rows that say so."""
    speed_mps = check_number("speed_mps", speed_mps, 0, 1e4)
    doppler_hz = speed_mps * carrier_hz / SPEED_OF_LIGHT_MPS
    return doppler_hz, (
        ("terminal speed", speed_mps, "m/s", ""),
        ("scatter Doppler up to", doppler_hz, "Hz", f"v f / c; {spectrum}"),
    )


def _awgn(carrier_hz: float) -> Made:
    return Made(None, (("fading", "none", "", "constant gain of 1"),))


def _rayleigh(carrier_hz: float, *, speed_mps: float = 0.0) -> Made:
    from channels.fading.flat import FlatFading

    doppler_hz, rows = _moving(speed_mps, carrier_hz)
    fading: Row = ("fading", "Rayleigh, frequency-flat", "", "Clarke 1968; unit mean power")
    return Made(recipe(FlatFading, None, doppler_hz=doppler_hz), (fading, *rows))


def _rician(carrier_hz: float, *, k_factor_db: float = 10.0, speed_mps: float = 0.0) -> Made:
    from channels.fading.flat import FlatFading

    k_factor_db = check_number("k_factor_db", k_factor_db, -100, 100)
    doppler_hz, rows = _moving(speed_mps, carrier_hz)
    fading: Row = ("fading", "Rician, frequency-flat", "", "Clarke 1968; unit mean power")
    return Made(
        recipe(FlatFading, k_factor_db, doppler_hz=doppler_hz),
        (fading, ("K factor", k_factor_db, "dB", ""), *rows),
    )


def _abdi() -> type[ShadowedRician]:
    from channels.fading.flat import ShadowedRician

    return ShadowedRician


def _loo() -> type[Loo]:
    from channels.fading.lms import Loo

    return Loo


def _shadowed(
    model: Callable[[], type[ShadowedModel]],
    source: str,
    shadowing: str,
    carrier_hz: float,
    *,
    speed_mps: float = 0.0,
    normalize: bool = True,
) -> Made:
    doppler_hz, rows = _moving(speed_mps, carrier_hz)
    kept = check_flag("normalize", normalize)
    build = recipe(model().preset, shadowing, doppler_hz=doppler_hz, normalize=kept)
    row: Row = ("shadowing", shadowing, "", source)
    reference = MEAN_OVER_FADING if kept else SIGHT
    return Made(build, (row, *rows, _power_row(build)), snr_reference=reference)


def _shadowed_at(
    carrier_hz: float,
    *,
    elevation_deg: float = 45.0,
    speed_mps: float = 0.0,
    normalize: bool = True,
) -> Made:
    doppler_hz, rows = _moving(speed_mps, carrier_hz)
    kept = check_flag("normalize", normalize)
    build = recipe(_abdi().at_elevation, elevation_deg, doppler_hz=doppler_hz, normalize=kept)
    row: Row = ("elevation", elevation_deg, "deg", "Abdi et al. 2003, eq. 19")
    reference = MEAN_OVER_FADING if kept else SIGHT
    return Made(build, (row, *rows, _power_row(build)), snr_reference=reference)


def _two_state(
    environment: str,
    carrier_hz: float,
    *,
    elevation_deg: float = 30.0,
    speed_mps: float = WALKING_MPS,
    normalize: bool = True,
) -> Made:
    from channels.fading.lms import TwoState

    elevation_deg = check_number("elevation_deg", elevation_deg, 15, 75)
    _, rows = _moving(speed_mps, carrier_hz)
    kept = check_flag("normalize", normalize)
    build = recipe(TwoState, environment, elevation_deg, carrier_hz, speed_mps, normalize=kept)
    table = model_for(build, torch.device("cpu")).parameters.elevation_deg
    return Made(
        build,
        (
            ("environment", environment, "", "ITU-R P.681-11 section 6.2, two states"),
            ("elevation", elevation_deg, "deg", f"nearest column of the table: {table} deg"),
            *rows,
            _power_row(build),
        ),
        snr_reference=MEAN_OVER_FADING if kept else SIGHT,
    )


def _ntn_tdl(
    profile: str,
    carrier_hz: float,
    *,
    delay_spread_s: float | None = None,
    environment: str | None = None,
    elevation_deg: float | None = None,
    k_factor_db: float | None = None,
    speed_mps: float = WALKING_MPS,
) -> Made:
    from channels.fading.ntn import NTNTDL

    if elevation_deg is not None and environment is None:
        raise InputError(
            "elevation_deg picks the delay spread of an environment: give environment with it"
        )
    spread_s, spread = _delay_spread(
        profile,
        carrier_hz,
        delay_spread_s,
        environment,
        ELEVATION_DEG if elevation_deg is None else elevation_deg,
    )
    _, rows = _moving(speed_mps, carrier_hz)
    table: Row = ("profile", f"NTN-TDL-{profile}", "", "TR 38.811 tables 6.9.2-1 to -4")
    k_rows: tuple[Row, ...] = ()
    if k_factor_db is not None:
        k_factor_db = check_number("k_factor_db", k_factor_db, -20, 30)
        k_rows = (("K factor", k_factor_db, "dB", "scaled after TR 38.901 7.7.6"),)
    build = recipe(NTNTDL, profile, spread_s, carrier_hz, speed_mps, k_factor_db=k_factor_db)
    return Made(build, (table, *spread, *k_rows, *rows))


def _ntn_cdl(
    profile: str,
    carrier_hz: float,
    *,
    delay_spread_s: float | None = None,
    environment: str | None = None,
    elevation_deg: float = ELEVATION_DEG,
    speed_mps: float = WALKING_MPS,
) -> Made:
    from channels.fading.ntn import NTNCDL

    elevation_deg = check_number("elevation_deg", elevation_deg, 10, 90)
    spread_s, spread = _delay_spread(
        profile, carrier_hz, delay_spread_s, environment, elevation_deg
    )
    _, rows = _moving(speed_mps, carrier_hz, "by ray angles")
    return Made(
        recipe(NTNCDL, profile, spread_s, carrier_hz, speed_mps, elevation_deg),
        (
            ("profile", f"NTN-CDL-{profile}", "", "TR 38.811 tables 6.9.1-1 to -4"),
            ("elevation", elevation_deg, "deg", "TR 38.811 6.9.1"),
            *spread,
            *rows,
        ),
    )


def _delay_spread(
    profile: str,
    carrier_hz: float,
    given_s: float | None,
    environment: str | None,
    elevation_deg: float,
) -> tuple[float, tuple[Row, ...]]:
    """RMS delay spread: given, or the median of an environment at this elevation and band."""
    if given_s is not None and environment is not None:
        raise InputError("delay_spread_s and environment both set the delay spread: give one")
    if environment is None:
        spread_s = 100e-9 if given_s is None else check_number("delay_spread_s", given_s, 0, 1e-3)
        return spread_s, (("RMS delay spread", spread_s * 1e9, "ns", "TR 38.811 6.9.2, scaled"),)
    band = "s" if carrier_hz <= 6e9 else "ka"
    spread_s = tabulated_delay_spread_s(environment, elevation_deg, band, profile in "CD")
    source = f"median, {environment}, {elevation_deg:g} deg, TR 38.811 tables 6.7.2-1a to -8b"
    return spread_s, (("RMS delay spread", spread_s * 1e9, "ns", source),)


def _leo(
    orbit: str,
    band: str,
    environment: str,
    carrier_hz: float,
    *,
    elevation_deg: float = 30.0,
    speed_mps: float = WALKING_MPS,
    line_of_sight: bool | None = None,
    shadowing: bool = False,
    precompensation: Precompensation = Precompensation(),  # noqa: B008
) -> Made:
    from channels.fading.system_level import SystemLevel

    altitude_m = ALTITUDES_M[orbit]
    low_hz, high_hz = {"s": (1.9e9, 4e9), "ka": (19e9, 40e9)}[band]
    if not low_hz <= carrier_hz <= high_hz:
        raise InputError(
            f"carrier_hz must lie in {low_hz / 1e9:g}…{high_hz / 1e9:g} GHz for a link in "
            f"{band.title()} band, got {carrier_hz / 1e9:g} GHz"
        )
    elevation_deg = check_number("elevation_deg", elevation_deg, 10, 90)
    if not isinstance(precompensation, Precompensation):
        raise InputError(
            f"precompensation must be a channels.Precompensation, got {shown(precompensation)}"
        )
    if line_of_sight is not None:
        line_of_sight = check_flag("line_of_sight", line_of_sight)
    shadowing = check_flag("shadowing", shadowing)
    _, rows = _moving(speed_mps, carrier_hz, "by ray angles")
    build = recipe(
        SystemLevel,
        environment,
        elevation_deg,
        altitude_m,
        carrier_hz,
        speed_mps,
        line_of_sight,
        shadowing,
    )
    sight: dict[bool | None, Row] = {
        None: ("line of sight", "by the elevation's probability", "", "TR 38.811 table 6.6.1-1"),
        True: ("line of sight", "always", "", ""),
        False: ("line of sight", "never", "", ""),
    }
    shadow: Row = ("shadowing", "none", "", "")
    if shadowing:
        shadow = ("shadowing", "and clutter loss", "", "TR 38.811 tables 6.6.2-1 to -3")
    grid = Grid(phase_tracking_every=24)
    if band == "ka":
        grid = Grid.nr(50e6, 120e3, "fr2", phase_tracking_every=24)
    return Made(
        build,
        (
            ("environment", environment, "", "TR 38.811 6.7.2, openntn; isotropic antennas"),
            ("altitude", altitude_m / 1e3, "km", "TR 38.821 table 6.1.1.1-1"),
            ("elevation", elevation_deg, "deg", "tables of the nearest 10 deg"),
            sight[line_of_sight],
            shadow,
            *rows,
        ),
        grid,
        precompensation.residual(altitude_m, elevation_deg, carrier_hz),
        (_precompensated(precompensation),),
        SIGHT if shadowing else MEAN_OVER_FADING,
    )


def _precompensated(by: Precompensation) -> Row:
    """Where a residual offset comes from."""
    place = "at the beam's centre" if by.beam_diameter_m else "by each terminal"
    source = (
        f"channels.Precompensation: oscillator {by.oscillator_ppm:g} ppm (TS 38.101-5 6.4.1), "
        f"update {by.update_interval_s * 1e3:g} ms, ephemeris {by.position_error_m:g} m, "
        f"{by.velocity_error_mps:g} m/s"
    )
    return ("pre-compensation", place, "", source)


def _power_row(build: Callable[..., Any]) -> Row:
    power = model_for(build, torch.device("cpu")).law.mean_power
    return ("mean power", power, "", "of a gain")


def _entries() -> dict[str, Entry]:
    entries = {
        "awgn": Entry(_awgn, "Constant gain and white Gaussian noise."),
        "rayleigh": Entry(_rayleigh, "Rayleigh fading, frequency-flat, no line of sight."),
        "rician": Entry(_rician, "Rician fading, frequency-flat, line of sight at k_factor_db."),
        "shadowed-rician": Entry(
            _shadowed_at, "Shadowed Rician (Abdi 2003), fitted to elevations of 20…80°."
        ),
    }
    abdi, loo = "Abdi et al. 2003, table III", "Loo 1985; preset values after Abdi et al. 2003"
    for degree in ("light", "average", "heavy"):
        entries[f"shadowed-rician-{degree}"] = Entry(
            partial(_shadowed, _abdi, abdi, degree),
            f"Shadowed Rician (Abdi 2003), {degree} shadowing, frequency-flat.",
        )
        entries[f"loo-{degree}"] = Entry(
            partial(_shadowed, _loo, loo, degree),
            f"Loo: log-normal direct wave, {degree} shadowing, frequency-flat.",
        )
    for environment in ("urban", "suburban", "village", "rural-wooded", "residential"):
        entries[f"lms-{environment}"] = Entry(
            partial(_two_state, environment),
            f"ITU-R P.681-11 two-state land-mobile-satellite, {environment}.",
        )
    sights = {"A": "no ", "B": "no ", "C": "", "D": ""}
    for profile, sight in sights.items():
        entries[f"ntn-tdl-{profile.lower()}"] = Entry(
            partial(_ntn_tdl, profile), f"3GPP TR 38.811 NTN-TDL-{profile}, {sight}line of sight."
        )
        entries[f"ntn-cdl-{profile.lower()}"] = Entry(
            partial(_ntn_cdl, profile), f"3GPP TR 38.811 NTN-CDL-{profile}, {sight}line of sight."
        )
    for orbit in ("leo600", "leo1200"):
        for band, carrier_hz in CARRIERS_HZ.items():
            for environment in ("dense-urban", "urban", "suburban"):
                entries[f"{orbit}-{band}-{environment}"] = Entry(
                    partial(_leo, orbit, band, environment),
                    f"TR 38.811 system level, {environment}, {ALTITUDES_M[orbit] / 1e3:g} km, "
                    f"{band.title()} band, residual Doppler.",
                    carrier_hz,
                )
    return entries


ENTRIES = _entries()
