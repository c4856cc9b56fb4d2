"""A satellite's pass over a terminal: elevation, delay and Doppler over time.

Circular orbit over a spherical Earth that does not turn, as in :mod:`channels.orbit.geometry`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from channels.errors import InputError, check_number, keep_number
from channels.orbit.geometry import (
    EARTH_RADIUS_M,
    GEOSTATIONARY_M,
    NEGLIGIBLE,
    RANGES,
    SPEED_OF_LIGHT_MPS,
    angular_speed,
    central_angle,
    distance_at,
    visibility_window_s,
)
from channels.real import real_tensor


@dataclass(frozen=True, eq=False)
class PassSamples:
    """What a terminal sees of a passing satellite; all fields float64 of one shape.

    Args:
        time_s: time in s; its origin is the maker's to state.
        elevation_deg: elevation in degrees.
        slant_range_m: distance in m.
        delay_s: one-way propagation delay in s.
        doppler_hz: Doppler shift in Hz, positive while the satellite approaches.
        doppler_rate_hz_per_s: its rate of change in Hz/s.

    >>> over = Pass(altitude_m=600e3, max_elevation_deg=60, carrier_hz=2e9)
    >>> over.at([0.0]).elevation_deg
    tensor([60.0000], dtype=torch.float64)
    """

    time_s: Tensor
    elevation_deg: Tensor
    slant_range_m: Tensor
    delay_s: Tensor
    doppler_hz: Tensor
    doppler_rate_hz_per_s: Tensor


@dataclass(frozen=True)
class Pass:
    """A satellite's pass over a terminal, whose highest elevation says how far off the track it is.

    Args:
        altitude_m: height of the orbit in m, 160 km to below 35 700 km.
        max_elevation_deg: highest elevation in degrees, ``min_elevation_deg`` to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.
        min_elevation_deg: elevation at which the pass begins and ends in degrees, 5 to 90.

    Raises:
        InputError: on a value out of range, or a geostationary satellite, which does not pass.

    >>> round(Pass(altitude_m=600e3, max_elevation_deg=60, carrier_hz=2e9).duration_s)
    502
    """

    altitude_m: float
    max_elevation_deg: float
    carrier_hz: float
    min_elevation_deg: float = 10.0

    def __post_init__(self) -> None:
        for name in list(vars(self)):
            keep_number(self, name, *RANGES[name])
        if math.isinf(self.duration_s):
            raise InputError(
                f"altitude_m must be below {GEOSTATIONARY_M:g} for a pass: "
                "a geostationary satellite stands still, take a fixed elevation"
            )

    @property
    def duration_s(self) -> float:
        """Time above ``min_elevation_deg`` in s."""
        return visibility_window_s(
            altitude_m=self.altitude_m,
            min_elevation_deg=self.min_elevation_deg,
            max_elevation_deg=self.max_elevation_deg,
        )

    def times_s(self, step_s: float) -> Tensor:
        """Multiples of ``step_s`` within the pass, float64, 0 (the highest elevation) among them.

        >>> Pass(altitude_m=600e3, max_elevation_deg=60, carrier_hz=2e9).times_s(100.0)
        tensor([-200., -100.,    0.,  100.,  200.], dtype=torch.float64)
        """
        step_s = check_number("step_s", step_s, 1e-3, 1e6)
        count = int(self.duration_s / 2 / step_s)
        return step_s * torch.arange(-count, count + 1, dtype=torch.float64)

    def at(self, times_s: Tensor | list[float]) -> PassSamples:
        """Geometry at given times, exact for this orbit.

        Args:
            times_s: any shape, in s; 0 is the highest elevation, ±``duration_s``/2 are the ends.

        Raises:
            InputError: on a time outside the pass, or what is no real number.
        """
        time = real_tensor("times_s", times_s)
        half = self.duration_s / 2
        if not bool((time.abs() <= half * (1 + 1e-9)).all()):
            raise InputError(f"times_s must lie within the pass, [{-half:g}, {half:g}] s")
        altitude = torch.tensor(self.altitude_m, dtype=torch.float64, device=time.device)
        highest = torch.tensor(self.max_elevation_deg, dtype=torch.float64, device=time.device)
        orbit, omega = EARTH_RADIUS_M + altitude, angular_speed(altitude)
        off_track = central_angle(altitude, highest)
        cos_angle = torch.cos(off_track) * torch.cos(omega * time)
        along = torch.cos(off_track) * torch.sin(omega * time)
        square = torch.sin(off_track).square() + along.square()
        sin_angle = square.clamp_min(NEGLIGIBLE).sqrt()
        distance = distance_at(orbit, cos_angle)
        receding = EARTH_RADIUS_M * orbit * omega * along / distance
        acceleration = (EARTH_RADIUS_M * orbit * omega**2 * cos_angle - receding**2) / distance
        wavenumber = self.carrier_hz / SPEED_OF_LIGHT_MPS
        return PassSamples(
            time_s=time,
            elevation_deg=torch.rad2deg(
                torch.atan2(orbit * cos_angle - EARTH_RADIUS_M, orbit * sin_angle)
            ),
            slant_range_m=distance,
            delay_s=distance / SPEED_OF_LIGHT_MPS,
            doppler_hz=-wavenumber * receding,
            doppler_rate_hz_per_s=-wavenumber * acceleration,
        )
