"""Passes of a real satellite over a place on Earth, from its two-line elements by SGP4."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from channels.errors import InputError, check_number, shown
from channels.orbit.geometry import MIN_ELEVATION_DEG, RANGES, SPEED_OF_LIGHT_MPS
from channels.orbit.passes import PassSamples

WGS84_RADIUS_M = 6_378_137.0
WGS84_FLATTENING = 1 / 298.257223563
EARTH_ROTATION_RAD_PER_S = 7.292115e-5
DIFFERENCE_STEP_S = 0.5
J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
J2000_DAY = 2_451_545.0
MOST_DAYS = 60
"""From the epoch of an element set; drag makes its orbit a guess long before."""

COLUMNS = {
    1: re.compile(
        r"1 [0-9A-Z ][0-9 ]{4}[A-Z ] [0-9A-Z ]{8} [0-9 ]{5}\.[0-9]{8} [-+ ]\.[0-9]{8} "
        r"[-+ ][0-9 ]{5}[-+ ][0-9] [-+ ][0-9 ]{5}[-+ ][0-9] [0-9 ] [0-9 ]{4}[0-9]"
    ),
    2: re.compile(
        r"2 [0-9A-Z ][0-9 ]{4} [0-9 ]{3}\.[0-9]{4} [0-9 ]{3}\.[0-9]{4} [0-9]{7} "
        r"[0-9 ]{3}\.[0-9]{4} [0-9 ]{3}\.[0-9]{4} [0-9 ]{2}\.[0-9]{8}[0-9 ]{5}[0-9]"
    ),
}

Array = NDArray[np.float64]


def tle_checksum(line: str) -> int:
    """Checksum of the first 68 characters of a line: digits and, as 1, minus signs, modulo 10.

    >>> tle_checksum("1 99999U 25001A   25001.50000000  .00016717  00000-0  30074-3 0  999")
    5
    """
    return sum(int(c) if c.isdigit() else c == "-" for c in line[:68]) % 10


def passes_from_tle(
    line1: str,
    line2: str,
    *,
    latitude_deg: float,
    longitude_deg: float,
    start: datetime,
    hours: float,
    carrier_hz: float,
    min_elevation_deg: float = 10.0,
    step_s: float = 1.0,
) -> list[PassSamples]:
    """Every stretch of a time span in which the satellite stands high enough, sampled.

    SGP4 (Vallado's revision, WGS-72) gives position and velocity in TEME; the sidereal time (IAU
    1982, UT1 taken as UTC, no polar motion) turns them to the Earth's frame, so that Earth rotation
    is in range and Doppler. The terminal lies at sea level of WGS84. No refraction. An element set
    drifts by kilometres a day from its epoch: take a fresh one for real passes.

    Args:
        line1: first line, 69 characters.
        line2: second line, 69 characters.
        latitude_deg: geodetic latitude of the terminal in degrees, north positive.
        longitude_deg: longitude of the terminal in degrees, east positive, -180 to 360.
        start: begin of the span, with a time zone, at most 60 days from the elements' epoch.
        hours: length of the span, up to 240 h.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.
        min_elevation_deg: lowest elevation in degrees, 5 to 90.
        step_s: time between samples in s, 0.01 to 60.

    Returns:
        One record a pass, in order, its ``time_s`` counted from ``start``. A pass that the span
        cuts is there in part; the Doppler rate is a central difference over ±0.5 s.

    Raises:
        InputError: on a line that is no element set, a ``start`` without time zone or far from the
            epoch, a number out of range, an orbit that SGP4 cannot propagate, or if ``sgp4`` is not
            installed.

    >>> from datetime import UTC, datetime
    >>> passes = passes_from_tle(
    ...     "1 99999U 25001A   25001.50000000  .00016717  00000-0  30074-3 0  9995",
    ...     "2 99999  51.6400 120.0000 0005000  60.0000 300.0000 15.50000000 10002",
    ...     latitude_deg=48.1, longitude_deg=11.6, start=datetime(2025, 1, 1, 12, tzinfo=UTC),
    ...     hours=24, carrier_hz=2e9,
    ... )
    >>> len(passes)
    6
    """
    latitude = math.radians(check_number("latitude_deg", latitude_deg, -90, 90))
    longitude = math.radians(check_number("longitude_deg", longitude_deg, -180, 360))
    hours = check_number("hours", hours, 0, 240)
    carrier_hz = check_number("carrier_hz", carrier_hz, *RANGES["carrier_hz"])
    min_elevation_deg = check_number("min_elevation_deg", min_elevation_deg, MIN_ELEVATION_DEG, 90)
    step_s = check_number("step_s", step_s, 0.01, 60)
    if not isinstance(start, datetime) or start.utcoffset() is None:
        raise InputError(
            f"start must be a datetime with a time zone (tzinfo=UTC), got {shown(start)}"
        )
    orbit = _orbit(line1, line2, start)
    terminal, up = _terminal(latitude, longitude)

    def seen(time: Array) -> tuple[Array, Array, Array]:
        """Elevation in degrees, range in m and range rate in m/s."""
        position, velocity = orbit(time)
        sight = position - terminal
        distance = np.linalg.norm(sight, axis=1)
        elevation = np.degrees(np.arcsin(np.clip(sight @ up / distance, -1, 1)))
        return elevation, distance, np.einsum("ti,ti->t", velocity, sight) / distance

    time = step_s * np.arange(int(hours * 3600 / step_s) + 1, dtype=np.float64)
    elevation, distance, recession = seen(time)
    visible = np.flatnonzero(elevation >= min_elevation_deg)
    if visible.size == 0:
        return []
    before, after = (seen(time[visible] + side * DIFFERENCE_STEP_S)[2] for side in (-1, 1))
    wavenumber = carrier_hz / SPEED_OF_LIGHT_MPS
    columns = (
        time[visible],
        elevation[visible],
        distance[visible],
        distance[visible] / SPEED_OF_LIGHT_MPS,
        -wavenumber * recession[visible],
        -wavenumber * (after - before) / (2 * DIFFERENCE_STEP_S),
    )
    gaps = np.flatnonzero(np.diff(visible) > 1) + 1
    parts = zip(*(np.split(column, gaps) for column in columns), strict=True)
    return [PassSamples(*(torch.from_numpy(column.copy()) for column in part)) for part in parts]


def _orbit(line1: str, line2: str, start: datetime) -> Callable[[Array], tuple[Array, Array]]:
    """From seconds after ``start`` to position in m and velocity in m/s in the Earth's frame."""
    lines = [_checked(number, line) for number, line in ((1, line1), (2, line2))]
    if lines[0][2:7] != lines[1][2:7]:
        raise InputError("TLE lines are of two satellites: give both lines of one element set")
    try:
        api: Any = import_module("sgp4.api")
    except ImportError as error:
        raise InputError('two-line elements need sgp4: pip install "semcom[tle]"') from error
    elements = api.Satrec.twoline2rv(*lines)
    epoch_day = elements.jdsatepoch + elements.jdsatepochF
    days = (start - J2000) / timedelta(days=1) + J2000_DAY - epoch_day
    if abs(days) > MOST_DAYS:
        raise InputError(
            f"start must lie within {MOST_DAYS} days of the elements' epoch, as SGP4 is good for "
            f"days, got {days:+.0f} days: take an element set nearer to start"
        )
    utc = start.astimezone(UTC)
    seconds = utc.second + utc.microsecond * 1e-6
    day, fraction = api.jday(utc.year, utc.month, utc.day, utc.hour, utc.minute, seconds)

    def propagate(time: Array) -> tuple[Array, Array]:
        fractions = fraction + time / 86_400
        codes, position, velocity = elements.sgp4_array(np.full_like(time, day), fractions)
        if codes.any():
            reason = api.SGP4_ERRORS.get(int(codes.max()), "unknown")
            raise InputError(f"SGP4 fails ({reason}): take an element set nearer to start")
        angle = _sidereal_angle(day, fractions)
        position, velocity = (1e3 * _turn(vector, angle) for vector in (position, velocity))
        velocity[:, 0] += EARTH_ROTATION_RAD_PER_S * position[:, 1]
        velocity[:, 1] -= EARTH_ROTATION_RAD_PER_S * position[:, 0]
        return position, velocity

    return propagate


def _checked(number: int, line: object) -> str:
    """A line of an element set without blanks around it, if it is one."""
    text = line.strip() if isinstance(line, str) else ""
    if not COLUMNS[number].fullmatch(text):
        raise InputError(
            f"TLE line {number} must be 69 characters in an element set's columns, "
            f"got {shown(line)}"
        )
    if text[68] != str(tle_checksum(text)):
        raise InputError(
            f"TLE line {number} has checksum {text[68]}, its characters give {tle_checksum(text)}: "
            "copy it anew"
        )
    return text


def _sidereal_angle(day: float, fraction: Array) -> Array:
    """Greenwich mean sidereal time of IAU 1982 in rad, as TEME is defined with it."""
    centuries = ((day - 2_451_545.0) + fraction) / 36_525
    seconds = (
        67_310.54841
        + (876_600 * 3600 + 8_640_184.812866) * centuries
        + 0.093104 * centuries**2
        - 6.2e-6 * centuries**3
    )
    angle: Array = 2 * math.pi * (seconds % 86_400) / 86_400
    return angle


def _turn(vector: Array, angle: Array) -> Array:
    """Rotate the frame about the pole, ``[T, 3]`` by ``[T]`` rad."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = vector.T
    return np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=1)


def _terminal(latitude: float, longitude: float) -> tuple[Array, Array]:
    """Place at sea level in m and the direction up, in the Earth's frame."""
    up = np.array(
        [
            math.cos(latitude) * math.cos(longitude),
            math.cos(latitude) * math.sin(longitude),
            math.sin(latitude),
        ]
    )
    flattened = WGS84_FLATTENING * (2 - WGS84_FLATTENING)
    radius = WGS84_RADIUS_M / math.sqrt(1 - flattened * math.sin(latitude) ** 2)
    return radius * up * np.array([1, 1, 1 - flattened]), up
