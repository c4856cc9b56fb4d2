"""What is left of the satellite's Doppler after pre-compensation: an offset and its rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from channels.describe import Row
from channels.errors import keep_number
from channels.orbit import geometry
from channels.randomness import generator

LIMIT_HZ = 1e7


@dataclass(frozen=True)
class Residual:
    """Residual carrier offset, common to all paths: one draw per image, with a steady rate.

    The offset of an image is ``offset_hz`` + U(−1, 1)·``spread_hz`` + N(0, 1)·``deviation_hz``.

    Args:
        offset_hz: fixed part in Hz, the same for all images.
        spread_hz: half width of a uniform part in Hz.
        deviation_hz: standard deviation of a Gaussian part in Hz.
        rate_hz_per_s: Doppler rate in Hz/s, the same for all images.

    Raises:
        InputError: on a value outside ±10 MHz, or a negative spread or deviation.

    >>> round(Residual(offset_hz=30.0, deviation_hz=40.0).rms_hz, 6)
    50.0
    """

    offset_hz: float = 0.0
    spread_hz: float = 0.0
    deviation_hz: float = 0.0
    rate_hz_per_s: float = 0.0

    def __post_init__(self) -> None:
        keep_number(self, "offset_hz", -LIMIT_HZ, LIMIT_HZ)
        keep_number(self, "spread_hz", 0, LIMIT_HZ)
        keep_number(self, "deviation_hz", 0, LIMIT_HZ)
        keep_number(self, "rate_hz_per_s", -LIMIT_HZ, LIMIT_HZ)

    @property
    def is_zero(self) -> bool:
        """True if the carrier is exactly where it should be."""
        return self == Residual()

    @property
    def rms_hz(self) -> float:
        """Root mean square of the offset in Hz."""
        return math.sqrt(self.offset_hz**2 + self.spread_hz**2 / 3 + self.deviation_hz**2)

    def draw(self, batch: int, device: torch.device) -> Tensor:
        """One offset per image in Hz, float64 ``[batch]``."""
        uniform, gaussian = (
            make(batch, dtype=torch.float64, device=device, generator=generator(device))
            for make in (torch.rand, torch.randn)
        )
        return self.offset_hz + (2 * uniform - 1) * self.spread_hz + gaussian * self.deviation_hz

    def describe(self) -> list[Row]:
        """Rows of (parameter, value, unit, source)."""
        if self.is_zero:
            return [("residual Doppler", "none", "", "pre-compensated")]
        return [
            ("residual Doppler, fixed", self.offset_hz, "Hz", "common to all paths"),
            ("residual Doppler, uniform +-", self.spread_hz, "Hz", "one draw per image"),
            ("residual Doppler, Gaussian std", self.deviation_hz, "Hz", "one draw per image"),
            ("residual Doppler rate", self.rate_hz_per_s, "Hz/s", ""),
        ]


@dataclass(frozen=True)
class Precompensation:
    """How well a terminal removes the satellite's Doppler before and while it receives.

    The terminal computes the Doppler from its own position and the satellite's broadcast ephemeris
    (TS 38.300 clause 16.14.2) and holds the correction until the next update. What is left:

    - its oscillator's error, uniform within ``oscillator_ppm`` (TS 38.101-5 clause 6.4.1 allows
      0.1 ppm);
    - the drift since the last update, uniform within half of rate times interval, as the correction
      is right in the middle of the interval; the rate itself stays;
    - the ephemeris error, Gaussian, with the worst-case direction's first-order effect as its
      standard deviation;
    - if the network compensates at the beam's centre instead, the difference to the terminal's
      place, uniform within that at the beam's edge.

    The half widths of the uniform parts add up to one: right for the worst case, and up to √3 too
    wide in the root mean square.

    Args:
        oscillator_ppm: largest oscillator error in parts per million.
        update_interval_s: time between updates in seconds.
        position_error_m: error of the satellite's or the terminal's position in m.
        velocity_error_mps: error of the satellite's velocity in m/s.
        beam_diameter_m: beam on the ground in m, for compensation at its centre; 0 means that
            each terminal compensates for itself.

    Raises:
        InputError: on a negative value or one out of range.

    >>> Precompensation(oscillator_ppm=0.0).residual(600e3, 30.0, 2e9).spread_hz < 5
    True
    """

    oscillator_ppm: float = 0.1
    update_interval_s: float = 0.02
    position_error_m: float = 100.0
    velocity_error_mps: float = 0.1
    beam_diameter_m: float = 0.0

    def __post_init__(self) -> None:
        keep_number(self, "oscillator_ppm", 0, 100)
        keep_number(self, "update_interval_s", 0, 3600)
        keep_number(self, "position_error_m", 0, 100e3)
        keep_number(self, "velocity_error_mps", 0, 1e3)
        keep_number(self, "beam_diameter_m", 0, 4e6)

    def residual(self, altitude_m: float, elevation_deg: float, carrier_hz: float) -> Residual:
        """What is left at a point of the orbit.

        Args:
            altitude_m: height of the orbit in m.
            elevation_deg: elevation of the satellite in degrees.
            carrier_hz: carrier frequency in Hz.

        Raises:
            InputError: on a geometry out of range, see :mod:`channels.orbit.geometry`.
        """
        place = {
            "altitude_m": altitude_m,
            "elevation_deg": elevation_deg,
            "carrier_hz": carrier_hz,
        }
        rate = geometry.doppler_rate_hz_per_s(**place)
        beam_hz = 0.0
        if self.beam_diameter_m:
            beam_hz = geometry.beam_edge_doppler_hz(**place, beam_diameter_m=self.beam_diameter_m)
        deviation_hz = geometry.ephemeris_doppler_error_hz(
            **place,
            position_error_m=self.position_error_m,
            velocity_error_mps=self.velocity_error_mps,
        )
        drift_hz = abs(rate) * self.update_interval_s / 2
        spread_hz = 1e-6 * self.oscillator_ppm * carrier_hz + drift_hz + abs(beam_hz)
        return Residual(0.0, spread_hz, deviation_hz, rate)
