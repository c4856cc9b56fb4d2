"""Satellite geometry in closed form: slant range, delay, Doppler and its rate, visibility.

Circular orbit over a spherical Earth that does not turn, as TR 38.811 V15.4.0 takes it (slant
range: clause 6.6.2; Doppler: clauses 5.3.4.3 and 6.7.1). Earth rotation, neglected, changes a LEO
Doppler by up to 7 %; :mod:`channels.orbit.tle` includes it. A satellite at
:data:`GEOSTATIONARY_M` or above turns with the Earth: it stands still over the terminal, with no
Doppler and no Doppler rate.

Functions take numbers or tensors: numbers give a float, a tensor among them gives a float64 tensor
of the broadcast shape on its device, through which gradients flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from channels.errors import InputError, check_number
from channels.real import real_tensor

EARTH_RADIUS_M = 6_371e3
EARTH_GM_M3_PER_S2 = 3.986004418e14
SPEED_OF_LIGHT_MPS = 299_792_458.0
GEOSTATIONARY_M = 35_700e3
ALTITUDES_M = {"leo600": 600e3, "leo1200": 1_200e3, "geo": 35_786e3}

MIN_ELEVATION_DEG = 5.0
"""Lower, P.676's cosecant law ends and refraction matters; TR 38.811 tabulates 10° to 90°."""

RANGES = {
    "altitude_m": (160e3, 36_000e3),
    "elevation_deg": (MIN_ELEVATION_DEG, 90.0),
    "min_elevation_deg": (MIN_ELEVATION_DEG, 90.0),
    "max_elevation_deg": (MIN_ELEVATION_DEG, 90.0),
    "carrier_hz": (0.1e9, 100e9),
    "beam_diameter_m": (0.0, 4_000e3),
    "position_error_m": (0.0, 100e3),
    "velocity_error_mps": (0.0, 1e3),
}
"""Allowed range of each parameter, both ends included."""

NEGLIGIBLE = 1e-32
"""Square of an angle in rad that is a double's rounding error; a root's gradient is NaN at 0."""

T = TypeVar("T", float, Tensor)


def evaluate(formula: Callable[..., Tensor], **values: T | float) -> T:
    """Check each value against :data:`RANGES` and apply a formula of float64 tensors to all.

    Args:
        formula: from float64 tensors of one shape, in the order of ``values``, to such a tensor.
        values: numbers or tensors under the names that errors use.

    Returns:
        A float if all values are numbers, else a float64 tensor of the broadcast shape.

    Raises:
        InputError: on a value out of range or not finite, or on shapes that do not broadcast.

    >>> evaluate(lambda elevation: elevation / 2, elevation_deg=30)
    15.0
    """
    given: dict[str, Any] = values
    device = next((value.device for value in given.values() if isinstance(value, Tensor)), None)
    tensors = {name: _checked(name, value, device) for name, value in given.items()}
    try:
        aligned = torch.broadcast_tensors(*tensors.values())  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items())
        raise InputError(f"shapes do not broadcast: {shapes}") from error
    result = formula(*aligned)
    return result.item() if device is None else result  # type: ignore[return-value]


def _checked(name: str, value: Tensor | float, device: torch.device | None) -> Tensor:
    """``value`` as float64, in the range of its name but for rounding."""
    low, high = RANGES[name]
    if not isinstance(value, Tensor):
        number = check_number(name, value, low, high)
        return torch.tensor(number, dtype=torch.float64, device=device)
    real = real_tensor(name, value)
    slack = 1e-9 * high
    if not bool(((real >= low - slack) & (real <= high + slack)).all()):
        least, most = real.min().item(), real.max().item()
        raise InputError(
            f"{name} must be finite and in [{low:g}, {high:g}], got values {least:g} to {most:g}"
        )
    return real.to(device)


def slant_range_m(*, altitude_m: T | float, elevation_deg: T | float) -> T:
    """Distance between terminal and satellite in m: TR 38.811 V15.4.0, equation 6.6-3.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite in degrees, 5 to 90.

    Raises:
        InputError: on a value out of range.

    >>> round(slant_range_m(altitude_m=600e3, elevation_deg=30) / 1e3, 1)
    1075.1
    """
    return evaluate(_slant_range, altitude_m=altitude_m, elevation_deg=elevation_deg)


def delay_s(*, altitude_m: T | float, elevation_deg: T | float) -> T:
    """One-way propagation delay between terminal and satellite in s.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite in degrees, 5 to 90.

    Raises:
        InputError: on a value out of range.

    >>> round(1e3 * delay_s(altitude_m=600e3, elevation_deg=90), 3)
    2.001
    """
    return evaluate(
        lambda altitude, elevation: _slant_range(altitude, elevation) / SPEED_OF_LIGHT_MPS,
        altitude_m=altitude_m,
        elevation_deg=elevation_deg,
    )


def orbital_speed_mps(*, altitude_m: T | float) -> T:
    """Speed on a circular orbit in m/s, √(GM/(R + h)), in a frame that does not turn.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.

    Raises:
        InputError: on a value out of range.

    >>> round(orbital_speed_mps(altitude_m=600e3), 1)
    7561.7
    """
    return evaluate(_orbital_speed, altitude_m=altitude_m)


def doppler_hz(*, altitude_m: T | float, elevation_deg: T | float, carrier_hz: T | float) -> T:
    """Doppler shift of an approaching satellite in Hz, for a terminal in the orbital plane.

    TR 38.811 V15.4.0, clause 6.7.1: f·(v/c)·R/(R + h)·cos(elevation). It is the largest over all
    places that see the satellite at this elevation, 0 at 90°, and the negative of itself when
    receding. 0 for a geostationary satellite.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.

    Raises:
        InputError: on a value out of range.

    >>> round(doppler_hz(altitude_m=600e3, elevation_deg=30, carrier_hz=2e9))
    39928
    """
    return evaluate(
        lambda altitude, elevation, carrier: (
            carrier * _closing_speed(altitude, elevation) / SPEED_OF_LIGHT_MPS
        ),
        altitude_m=altitude_m,
        elevation_deg=elevation_deg,
        carrier_hz=carrier_hz,
    )


def doppler_rate_hz_per_s(
    *, altitude_m: T | float, elevation_deg: T | float, carrier_hz: T | float
) -> T:
    """Rate of change of :func:`doppler_hz` in Hz/s: negative, as Doppler falls throughout a pass.

    With the angular speed ω = v/(R + h) and the slant range d, the elevation e of a satellite in
    plane grows by de/dt = ω(d + R·sin e)/d, so that the Doppler f·ωR·cos(e)/c changes by
    −(f/c)·ω²R·sin(e)·(d + R·sin e)/d. Largest in magnitude at 90°. Own derivation.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.

    Raises:
        InputError: on a value out of range.

    >>> round(doppler_rate_hz_per_s(altitude_m=600e3, elevation_deg=90, carrier_hz=2e9))
    -581
    """

    def rate(altitude: Tensor, elevation: Tensor, carrier: Tensor) -> Tensor:
        distance = _slant_range(altitude, elevation)
        up = EARTH_RADIUS_M * torch.sin(torch.deg2rad(elevation))
        closing = angular_speed(altitude) ** 2 * up * (distance + up) / distance
        return _moving(altitude, -carrier / SPEED_OF_LIGHT_MPS * closing)

    return evaluate(rate, altitude_m=altitude_m, elevation_deg=elevation_deg, carrier_hz=carrier_hz)


def visibility_window_s(
    *, altitude_m: T | float, min_elevation_deg: T | float, max_elevation_deg: T | float = 90.0
) -> T:
    """Time for which a pass stays above an elevation, in s; infinite for a geostationary satellite.

    The angle at the Earth's centre between terminal and satellite obeys
    cos ψ(t) = cos ψ(highest elevation)·cos ωt, where ψ(e) = acos(R·cos(e)/(R + h)) − e.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        min_elevation_deg: elevation at both ends in degrees, 5 to 90.
        max_elevation_deg: highest elevation of the pass in degrees, ``min_elevation_deg`` to 90.

    Raises:
        InputError: on a value out of range or a highest elevation below the lowest.

    >>> round(visibility_window_s(altitude_m=600e3, min_elevation_deg=10))
    510
    """

    def window(altitude: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
        if bool((lowest > highest).any()):
            raise InputError("max_elevation_deg must not be below min_elevation_deg: raise it")
        ratio = torch.cos(central_angle(altitude, lowest)) / torch.cos(
            central_angle(altitude, highest)
        )
        seconds = 2 * torch.acos(ratio.clamp(max=1)) / angular_speed(altitude)
        return torch.where(altitude < GEOSTATIONARY_M, seconds, math.inf)

    return evaluate(
        window,
        altitude_m=altitude_m,
        min_elevation_deg=min_elevation_deg,
        max_elevation_deg=max_elevation_deg,
    )


def beam_edge_doppler_hz(
    *,
    altitude_m: T | float,
    elevation_deg: T | float,
    carrier_hz: T | float,
    beam_diameter_m: T | float,
) -> T:
    """Doppler in Hz that is left at a beam's edge when it is compensated at the beam's centre.

    Exact in the orbital plane: the edge lies half a diameter along the ground from the centre,
    towards the satellite. No point of the rim has more left (for beams up to 150 km at 5°; points
    across the track have up to 30 % more with a 450 km beam from 600 km at 5°, 3 % at 10°, none
    from 15°). 0 for a geostationary satellite.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite at the beam's centre in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.
        beam_diameter_m: diameter of the beam on the ground in m, up to 4 000 km.

    Raises:
        InputError: on a value out of range.

    >>> round(
    ...     beam_edge_doppler_hz(
    ...         altitude_m=600e3, elevation_deg=90, carrier_hz=2e9, beam_diameter_m=50e3
    ...     )
    ... )
    2100
    """

    def left(altitude: Tensor, elevation: Tensor, carrier: Tensor, diameter: Tensor) -> Tensor:
        orbit = EARTH_RADIUS_M + altitude
        centre, half = central_angle(altitude, elevation), diameter / 2 / EARTH_RADIUS_M

        def closing(angle: Tensor) -> Tensor:
            distance = distance_at(orbit, torch.cos(angle))
            return angular_speed(altitude) * EARTH_RADIUS_M * orbit * torch.sin(angle) / distance

        less = closing(centre) - closing(centre - half)
        return _moving(altitude, carrier / SPEED_OF_LIGHT_MPS * less)

    return evaluate(
        left,
        altitude_m=altitude_m,
        elevation_deg=elevation_deg,
        carrier_hz=carrier_hz,
        beam_diameter_m=beam_diameter_m,
    )


def ephemeris_doppler_error_hz(
    *,
    altitude_m: T | float,
    elevation_deg: T | float,
    carrier_hz: T | float,
    position_error_m: T | float,
    velocity_error_mps: T | float,
) -> T:
    """Largest Doppler error in Hz of a terminal that pre-compensates with a wrong ephemeris.

    The Doppler −(f/c)·v·u has the line of sight u from terminal to satellite. A position error δ
    turns u by at most |δ|/d, which counts with the speed v⊥ across the line of sight; a velocity
    error counts whole if it lies along u. To first order, over all directions of both:
    (f/c)·(v⊥·|δ|/d + |δv|), v⊥² = v² − (closing speed)². Own derivation, for a terminal in the
    orbital plane. A position error that is a mere delay along the orbit turns v too and costs less:
    its |δ|/v seconds times :func:`doppler_rate_hz_per_s`. For a geostationary satellite v⊥ is 0.

    Args:
        altitude_m: height of the orbit in m, 160 km to 36 000 km.
        elevation_deg: elevation of the satellite in degrees, 5 to 90.
        carrier_hz: carrier frequency in Hz, 0.1 to 100 GHz.
        position_error_m: length of the position error in m, up to 100 km.
        velocity_error_mps: length of the velocity error in m/s, up to 1 km/s.

    Raises:
        InputError: on a value out of range.

    >>> error_hz = ephemeris_doppler_error_hz(
    ...     altitude_m=600e3, elevation_deg=90, carrier_hz=2e9,
    ...     position_error_m=100, velocity_error_mps=1,
    ... )
    >>> round(error_hz, 2)
    15.08
    """

    def error(
        altitude: Tensor, elevation: Tensor, carrier: Tensor, position: Tensor, velocity: Tensor
    ) -> Tensor:
        closing = _closing_speed(altitude, elevation)
        across = (_orbital_speed(altitude).square() - closing.square()).sqrt()
        turned = _moving(altitude, across * position / _slant_range(altitude, elevation))
        return carrier / SPEED_OF_LIGHT_MPS * (turned + velocity)

    return evaluate(
        error,
        altitude_m=altitude_m,
        elevation_deg=elevation_deg,
        carrier_hz=carrier_hz,
        position_error_m=position_error_m,
        velocity_error_mps=velocity_error_mps,
    )


def _slant_range(altitude: Tensor, elevation: Tensor) -> Tensor:
    up = EARTH_RADIUS_M * torch.sin(torch.deg2rad(elevation))
    return (up.square() + altitude.square() + 2 * altitude * EARTH_RADIUS_M).sqrt() - up


def angular_speed(altitude: Tensor) -> Tensor:
    """Of a satellite at an altitude in m about the Earth's centre, in rad/s.

    >>> round(angular_speed(torch.tensor(600e3)).item() * 1e3, 2)
    1.08
    """
    return (EARTH_GM_M3_PER_S2 / (EARTH_RADIUS_M + altitude) ** 3).sqrt()


def _orbital_speed(altitude: Tensor) -> Tensor:
    return angular_speed(altitude) * (EARTH_RADIUS_M + altitude)


def _closing_speed(altitude: Tensor, elevation: Tensor) -> Tensor:
    """Along the line of sight for a terminal in the orbital plane, in m/s."""
    level = EARTH_RADIUS_M * torch.cos(torch.deg2rad(elevation))
    return _moving(altitude, angular_speed(altitude) * level)


def central_angle(altitude: Tensor, elevation: Tensor) -> Tensor:
    """Between terminal and satellite at the Earth's centre in rad, from m and degrees.

    >>> round(central_angle(torch.tensor(600e3), torch.tensor(90.0)).item(), 6)
    0.0
    """
    radians = torch.deg2rad(elevation)
    level = EARTH_RADIUS_M * torch.cos(radians)
    return torch.acos(level / (EARTH_RADIUS_M + altitude)) - radians


def distance_at(orbit: Tensor, cos_angle: Tensor) -> Tensor:
    """Between terminal and satellite at a given angle at the Earth's centre, in m.

    Args:
        orbit: radius of the orbit in m.
        cos_angle: cosine of that angle.

    >>> round(distance_at(torch.tensor(EARTH_RADIUS_M + 600e3).double(), torch.tensor(1.0)).item())
    600000
    """
    square = EARTH_RADIUS_M**2 + orbit.square() - 2 * EARTH_RADIUS_M * orbit * cos_angle
    return square.sqrt()


def _moving(altitude: Tensor, value: Tensor) -> Tensor:
    """``value``, or 0 where the satellite is geostationary."""
    return torch.where(altitude < GEOSTATIONARY_M, value, 0.0)
