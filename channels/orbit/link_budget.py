"""Link budget of a satellite link: from powers and losses to the SNR, after 3GPP TR 38.821."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from channels.errors import InputError, check_count, check_name, check_number, keep_number
from channels.orbit.geometry import (
    ALTITUDES_M,
    RANGES,
    SPEED_OF_LIGHT_MPS,
    T,
    evaluate,
    slant_range_m,
)

BOLTZMANN_DB = 10 * math.log10(1.380649e-23)
IONOSPHERE_BELOW_HZ = 6e9


def link_budget_tables() -> dict[str, Any]:
    """A copy of the parameters and results of TR 38.821, each with where it was seen.

    >>> link_budget_tables()["terminals"]["handheld"]["power_dbm"]
    23.0
    """
    return deepcopy(_tables())


@cache
def _tables() -> dict[str, Any]:
    text = files("channels").joinpath("data/link_budgets.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    return tables


def free_space_loss_db(*, altitude_m: T | float, elevation_deg: T | float, carrier_hz: float) -> T:
    """Free-space loss 20·log10(4πdf/c) over the slant range d: TR 38.811 V15.4.0, equation 6.6-2.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.

    Raises:
        InputError: on a value out of range.

    >>> round(free_space_loss_db(altitude_m=600e3, elevation_deg=30, carrier_hz=2e9), 1)
    159.1
    """
    carrier_hz = check_number("carrier_hz", carrier_hz, *RANGES["carrier_hz"])

    def loss(altitude: Tensor, elevation: Tensor) -> Tensor:
        distance = slant_range_m(altitude_m=altitude, elevation_deg=elevation)
        return 20 * torch.log10(4 * math.pi * distance * carrier_hz / SPEED_OF_LIGHT_MPS)

    return evaluate(loss, altitude_m=altitude_m, elevation_deg=elevation_deg)


def zenith_attenuation_db(carrier_hz: float) -> float:
    """Attenuation by gases straight up from sea level in dB, without rain and clouds.

    ITU-R P.676-10, annex 2 (1013.25 hPa, 288.15 K, 7.5 g/m³), kept as a table, linear in between;
    0.007 dB off at most.

    Args:
        carrier_hz: carrier frequency in Hz, 1 to 44 GHz.

    Raises:
        InputError: on a frequency outside the table.

    >>> zenith_attenuation_db(20e9)
    0.2578
    """
    table = _tables()["zenith_attenuation"]
    grid = torch.tensor(table["carrier_hz"], dtype=torch.float64)
    carrier = check_number("carrier_hz", carrier_hz, grid[0].item(), grid[-1].item())
    values = torch.tensor(table["attenuation_db"], dtype=torch.float64)
    return _interpolate(torch.tensor(carrier, dtype=torch.float64), grid, values).item()


def atmospheric_loss_db(*, elevation_deg: T | float, carrier_hz: float) -> T:
    """Loss by gases in dB: that at zenith over sin(elevation), TR 38.811 V15.4.0, equation 6.6-8.

    Args:
        elevation_deg: elevation of the satellite in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 1 to 44 GHz.

    Raises:
        InputError: on a value out of range.

    >>> round(atmospheric_loss_db(elevation_deg=30, carrier_hz=20e9), 2)
    0.52
    """
    zenith_db = zenith_attenuation_db(carrier_hz)

    def loss(elevation: Tensor) -> Tensor:
        return zenith_db / torch.sin(torch.deg2rad(elevation))

    return evaluate(loss, elevation_deg=elevation_deg)


def scintillation_loss_db(*, elevation_deg: T | float, carrier_hz: float) -> T:
    """Loss by scintillation in dB as TR 38.821 budgets it: TR 38.811 V15.4.0, clause 6.6.6.

    Below 6 GHz that of the ionosphere, (1.1/√2)·(f/4 GHz)^−1.5 at every elevation: clause 6.6.6.1.4
    gives it within 20° of the magnetic equator and 0 elsewhere; TR 38.821 always takes it. From
    6 GHz that of the troposphere, table 6.6.6.2.1-1 (99 % level at 20 GHz in Toulouse) at every
    frequency. The reports take the nearest of 10°, 20°, …, 90°; here it is linear in between, so
    that a pass has no steps, and that of 10° below 10°.

    Args:
        elevation_deg: elevation of the satellite in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.

    Raises:
        InputError: on a value out of range.

    >>> round(scintillation_loss_db(elevation_deg=30, carrier_hz=2e9), 2)
    2.2
    """
    carrier_hz = check_number("carrier_hz", carrier_hz, *RANGES["carrier_hz"])
    table = _tables()["tropospheric_scintillation"]

    def loss(elevation: Tensor) -> Tensor:
        if carrier_hz < IONOSPHERE_BELOW_HZ:
            return torch.full_like(elevation, 1.1 / math.sqrt(2) * (carrier_hz / 4e9) ** -1.5)
        grid, values = (
            torch.tensor(table[name], dtype=torch.float64, device=elevation.device)
            for name in ("elevation_deg", "loss_db")
        )
        return _interpolate(elevation, grid, values)

    return evaluate(loss, elevation_deg=elevation_deg)


def g_over_t_db_per_k(
    *, gain_dbi: float, noise_figure_db: float, antenna_temperature_k: float
) -> float:
    """Receiver figure of merit in dB/K: TR 38.821, clause 6.1.3.1, at 290 K ambient temperature.

    Gain − noise figure − 10·log10(290 + (antenna temperature − 290)·10^(−noise figure/10)).

    Args:
        gain_dbi: antenna gain, -50 to 100 dBi.
        noise_figure_db: noise figure, 0 to 30 dB.
        antenna_temperature_k: antenna temperature, 1 to 10 000 K: nothing is colder than the sky.

    Raises:
        InputError: on a value out of range.

    >>> round(g_over_t_db_per_k(gain_dbi=0, noise_figure_db=7, antenna_temperature_k=290), 1)
    -31.6
    """
    gain_dbi = check_number("gain_dbi", gain_dbi, -50, 100)
    noise_figure_db = check_number("noise_figure_db", noise_figure_db, 0, 30)
    antenna_temperature_k = check_number("antenna_temperature_k", antenna_temperature_k, 1, 10_000)
    seen_k = 290 + (antenna_temperature_k - 290) * 10 ** (-noise_figure_db / 10)
    return gain_dbi - noise_figure_db - 10 * math.log10(seen_k)


@dataclass(frozen=True)
class LinkBudget:
    """Carrier-to-noise ratio over elevation: TR 38.821 V16.0.0, clause 6.1.3.1.

    CNR = EIRP + G/T − 10·log10 k − free-space loss − gases − scintillation − shadow margin −
    additional loss − 10·log10 B. It is E_s/N_0 per symbol, a link's ``snr_db``, if B is the
    bandwidth over which the symbols' power is spread. Rain and interference are not in it.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        carrier_hz: carrier frequency in Hz, 1 to 44 GHz.
        bandwidth_hz: noise bandwidth in Hz.
        eirp_dbw: transmit power and antenna gain over this bandwidth in dBW.
        g_over_t_db_per_k: the receiver's antenna gain over noise temperature in dB/K.
        shadow_margin_db: margin for shadow fading in dB.
        additional_loss_db: further losses in dB (rain, polarisation, feeders); negative to take
            back what does not apply, as the ionosphere's 2.2 dB far from the magnetic equator.

    Raises:
        InputError: on a value out of range.

    >>> leo = LinkBudget(600e3, 2e9, 30e6, eirp_dbw=48.8, g_over_t_db_per_k=-31.6)
    >>> round(leo.cnr_db(30.0), 1), round(leo.cnr_db(90.0), 1)
    (9.7, 14.8)
    """

    altitude_m: float
    carrier_hz: float
    bandwidth_hz: float
    eirp_dbw: float
    g_over_t_db_per_k: float
    shadow_margin_db: float = 0.0
    additional_loss_db: float = 0.0

    def __post_init__(self) -> None:
        zenith_attenuation_db(self.carrier_hz)
        keep_number(self, "altitude_m", *RANGES["altitude_m"])
        keep_number(self, "bandwidth_hz", 1e3, 10e9)
        keep_number(self, "eirp_dbw", -100, 200)
        keep_number(self, "g_over_t_db_per_k", -100, 100)
        keep_number(self, "shadow_margin_db", 0, 100)
        keep_number(self, "additional_loss_db", -100, 100)

    def terms(self, elevation_deg: T) -> dict[str, T | float]:
        """Every term of the budget by name, in the order of the formula, then ``cnr_db``.

        Args:
            elevation_deg: elevation in degrees, 5 to 90; a number or a tensor, as of a pass.

        Raises:
            InputError: on an elevation out of range.

        >>> budget = link_budget("leo600", band="s", direction="uplink")
        >>> [name for name in budget.terms(30.0)][:3]
        ['eirp_dbw', 'g_over_t_db_per_k', 'free_space_loss_db']
        """
        gains: dict[str, T | float] = {
            "eirp_dbw": self.eirp_dbw,
            "g_over_t_db_per_k": self.g_over_t_db_per_k,
        }
        losses: dict[str, T | float] = {
            "free_space_loss_db": free_space_loss_db(
                altitude_m=self.altitude_m, elevation_deg=elevation_deg, carrier_hz=self.carrier_hz
            ),
            "atmospheric_loss_db": atmospheric_loss_db(
                elevation_deg=elevation_deg, carrier_hz=self.carrier_hz
            ),
            "scintillation_loss_db": scintillation_loss_db(
                elevation_deg=elevation_deg, carrier_hz=self.carrier_hz
            ),
            "shadow_margin_db": self.shadow_margin_db,
            "additional_loss_db": self.additional_loss_db,
            "noise_dbw_per_k": BOLTZMANN_DB + 10 * math.log10(self.bandwidth_hz),
        }
        cnr_db = sum(gains.values()) - sum(losses.values())
        return {**gains, **losses, "cnr_db": cnr_db}

    def cnr_db(self, elevation_deg: T) -> T:
        """Carrier-to-noise ratio in dB: a float for a number, a float64 tensor for a tensor.

        Args:
            elevation_deg: elevation in degrees, 5 to 90; a number or a tensor, as of a pass.

        Raises:
            InputError: on an elevation out of range.

        >>> link_budget("leo600", band="s", direction="downlink").cnr_db(torch.tensor([30.0, 90.0]))
        tensor([ 6.6..., 11.7...], dtype=torch.float64)
        """
        return self.terms(elevation_deg)["cnr_db"]  # type: ignore[return-value]


def link_budget(
    orbit: str,
    *,
    band: str,
    direction: str,
    terminal: str | None = None,
    parameter_set: int = 1,
    bandwidth_hz: float | None = None,
) -> LinkBudget:
    """Link budget with the satellite and terminal parameters of TR 38.821, tables 6.1.1.1-1 to -3.

    The text of the report was not at hand: the Ka-band G/T of all satellites but LEO-600 set 1 is
    recalled, not verified; :func:`link_budget_tables` says of each number where it was seen.

    Args:
        orbit: ``"leo600"``, ``"leo1200"`` or ``"geo"``.
        band: ``"s"`` (2 GHz, handheld) or ``"ka"`` (20 GHz down, 30 GHz up, VSAT).
        direction: ``"downlink"`` or ``"uplink"``.
        terminal: ``"handheld"`` or ``"vsat"``; ``None`` takes the band's, the only one it has.
        parameter_set: 1 (large satellite antenna) or 2.
        bandwidth_hz: ``None`` takes the study's: 30 MHz down and 0.36 MHz up in S band, 400 MHz in
            Ka band. A downlink's EIRP grows with it (constant density), an uplink's does not.

    Raises:
        InputError: on an unknown name, a terminal of the other band, or a bandwidth out of range.

    >>> round(link_budget("leo600", band="ka", direction="uplink").cnr_db(30.0), 1)
    18.4
    """
    tables = _tables()
    satellite, frequencies = _satellite(orbit, band, parameter_set), tables["bands"][band]
    check_name("direction", direction, ["downlink", "uplink"])
    only = frequencies["terminal"]
    if terminal is not None and check_name("terminal", terminal, tables["terminals"]) != only:
        raise InputError(f"band {band!r} has only the terminal {only!r}: take it")
    parameters = tables["terminals"][only]
    if bandwidth_hz is None:
        bandwidth_hz = frequencies[f"{direction}_bandwidth_hz"]
    bandwidth_hz = check_number("bandwidth_hz", bandwidth_hz, 1e3, 10e9)
    if direction == "downlink":
        density = satellite["eirp_density_dbw_per_mhz"]
        eirp_dbw = density + 10 * math.log10(bandwidth_hz / 1e6)
        merit = g_over_t_db_per_k(
            gain_dbi=parameters["receive_gain_dbi"],
            noise_figure_db=parameters["noise_figure_db"],
            antenna_temperature_k=parameters["antenna_temperature_k"],
        )
    else:
        eirp_dbw = parameters["power_dbm"] - 30 + parameters["transmit_gain_dbi"]
        merit = satellite["g_over_t_db_per_k"]
    return LinkBudget(
        altitude_m=ALTITUDES_M[orbit],
        carrier_hz=frequencies[f"{direction}_hz"],
        bandwidth_hz=bandwidth_hz,
        eirp_dbw=eirp_dbw,
        g_over_t_db_per_k=merit,
        shadow_margin_db=frequencies["shadow_margin_db"],
    )


def beam_diameter_m(orbit: str, *, band: str, parameter_set: int = 1) -> float:
    """Diameter of a satellite's beam at nadir in m: TR 38.821, tables 6.1.1.1-1 and -2.

    Only those of LEO-600 set 1 are verified; the others are recalled, and agree with the beam width
    to 10 %.

    Args:
        orbit: ``"leo600"``, ``"leo1200"`` or ``"geo"``.
        band: ``"s"`` or ``"ka"``.
        parameter_set: 1 or 2.

    Raises:
        InputError: on an unknown name.

    >>> beam_diameter_m("leo600", band="s")
    50000.0
    """
    diameter: float = _satellite(orbit, band, parameter_set)["beam_diameter_m"]
    return diameter


def _satellite(orbit: str, band: str, parameter_set: int) -> dict[str, Any]:
    """One column of the satellite tables."""
    tables = _tables()
    check_name("orbit", orbit, ALTITUDES_M)
    check_name("band", band, tables["bands"])
    parameter_set = check_count("parameter_set", parameter_set, 1, 2)
    rows: list[dict[str, Any]] = tables["satellites"]["rows"]
    wanted = orbit, band, parameter_set
    return next(row for row in rows if (row["orbit"], row["band"], row["set"]) == wanted)


def _interpolate(place: Tensor, grid: Tensor, values: Tensor) -> Tensor:
    """Linear between the points of an ascending grid, constant outside."""
    right = torch.searchsorted(grid, place.detach().contiguous()).clamp(1, len(grid) - 1)
    left = right - 1
    share = ((place - grid[left]) / (grid[right] - grid[left])).clamp(0, 1)
    return values[left] + share * (values[right] - values[left])
