"""Geometry of a satellite against the published tables, numeric derivatives and brute force."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from channels import Pass
from channels.errors import InputError
from channels.orbit import geometry

R, GM, C = 6_371e3, 3.986004418e14, 299_792_458.0
ELEVATIONS = [10, 30, 50, 70, 90]

# Slant range in km: at 10 degrees TR 36.763 table 6.1-1, at the others openntn 2.0.0
SLANT_KM = {600e3: [1932, 1075, 761, 635, 600], 1200e3: [3131, 1999, 1487, 1264, 1200]}
# Doppler in kHz, openntn 2.0.0's largest at 2 GHz
DOPPLER_KHZ = {
    600e3: [45.40, 39.93, 29.64, 15.77, 0],
    1200e3: [40.11, 35.28, 26.18, 13.93, 0],
}
# Residual at the beam's edge: altitude, carrier, diameter, Hz
BEAM_EDGE = [
    (600e3, 2e9, 50e3, [51, 370, 1061, 1808, 2100]),
    (1200e3, 2e9, 90e3, [70, 385, 972, 1579, 1814]),
    (600e3, 20e9, 20e3, [200, 1452, 4163, 7149, 8406]),
    (1200e3, 20e9, 40e3, [305, 1682, 4250, 6950, 8066]),
]


def in_plane(altitude: float, times: Tensor) -> tuple[Tensor, Tensor]:
    """Range and elevation from vectors, for an overhead pass; nothing of the module is used."""
    orbit = R + altitude
    omega = math.sqrt(GM / orbit**3)
    x, z = orbit * torch.sin(omega * times), orbit * torch.cos(omega * times) - R
    return torch.hypot(x, z), torch.rad2deg(torch.atan2(z, x.abs()))


def slope(values: list[Tensor], step: float) -> Tensor:
    """Derivative from five values two steps before to two steps after; error of order step^4."""
    return (values[0] - 8 * values[1] + 8 * values[3] - values[4]) / (12 * step)


@pytest.mark.parametrize("altitude", SLANT_KM)
def test_slant_range_and_doppler_tables(altitude: float) -> None:
    for elevation, kilometres, kilohertz in zip(
        ELEVATIONS, SLANT_KM[altitude], DOPPLER_KHZ[altitude], strict=True
    ):
        place = {"altitude_m": altitude, "elevation_deg": elevation}
        assert geometry.slant_range_m(**place) / 1e3 == pytest.approx(kilometres, abs=0.5)
        for carrier in (2e9, 20e9):
            shift = geometry.doppler_hz(**place, carrier_hz=carrier) / carrier * 2e9
            assert shift / 1e3 == pytest.approx(kilohertz, abs=0.01)


def test_reference_scenario_of_tr_38821() -> None:
    """Table 4.2-2: 40 581 km to a GEO at 10 degrees; a round trip of two links lasts 541.46 ms."""
    range_m = geometry.slant_range_m(altitude_m=35_786e3, elevation_deg=10)
    assert range_m / 1e3 == pytest.approx(40_581, abs=0.5)
    for altitude, milliseconds in ((35_786e3, 541.46), (600e3, 25.77), (1200e3, 41.77)):
        delay = geometry.delay_s(altitude_m=altitude, elevation_deg=10)
        assert 4e3 * delay == pytest.approx(milliseconds, abs=0.01)
    for altitude, ppm in ((600e3, 24), (1200e3, 21)):
        limit = 0.07 * ppm  # Earth rotation, in TR 38.821 and not here
        shift = geometry.doppler_hz(altitude_m=altitude, elevation_deg=10, carrier_hz=1e9)
        assert shift / 1e3 == pytest.approx(ppm, abs=limit)


def test_slant_range_solves_the_triangle() -> None:
    elevation = torch.linspace(5, 90, 50, dtype=torch.float64)
    for altitude in (160e3, 600e3, 36_000e3):
        d = geometry.slant_range_m(altitude_m=altitude, elevation_deg=elevation)
        side = R**2 + d**2 + 2 * R * d * torch.sin(torch.deg2rad(elevation))
        torch.testing.assert_close(
            side.sqrt(), torch.full_like(d, R + altitude), rtol=1e-13, atol=0
        )


@pytest.mark.parametrize("altitude", [160e3, 600e3, 1200e3, 20_000e3])
def test_doppler_and_rate_are_derivatives_of_the_range(altitude: float) -> None:
    half = geometry.visibility_window_s(altitude_m=altitude, min_elevation_deg=6) / 2
    time = torch.linspace(-half, -1, 200, dtype=torch.float64)
    step, carrier = half / 2000, 20e9
    ranges = [in_plane(altitude, time + k * step)[0] for k in range(-4, 5)]
    slopes = [slope(ranges[k - 2 : k + 3], step) for k in range(2, 7)]
    elevation = in_plane(altitude, time)[1]
    place = {"altitude_m": altitude, "elevation_deg": elevation, "carrier_hz": carrier}
    doppler = geometry.doppler_hz(**place)
    assert (doppler + slopes[2] / C * carrier).abs().max() < 1e-8 * doppler.abs().max()
    rate = geometry.doppler_rate_hz_per_s(**place)
    assert (rate + slope(slopes, step) / C * carrier).abs().max() < 1e-6 * rate.abs().max()
    assert bool((rate < 0).all()) and rate.abs().argmax() == len(time) - 1


def test_rate_at_zenith() -> None:
    """581 and 246 Hz/s at 2 GHz, near the 0.27 and 0.13 ppm/s of TR 36.763, table 6.1-1."""
    for altitude, hertz, ppm in ((600e3, 581, 0.27), (1200e3, 246, 0.13)):
        rate = geometry.doppler_rate_hz_per_s(altitude_m=altitude, elevation_deg=90, carrier_hz=2e9)
        assert -rate == pytest.approx(hertz, abs=0.5)
        assert -rate / 2e3 == pytest.approx(ppm, rel=0.1)


def test_orbital_speed() -> None:
    assert geometry.orbital_speed_mps(altitude_m=600e3) == pytest.approx(
        math.sqrt(GM / (R + 600e3)), rel=1e-12
    )
    # TR 38.821: 7.56 km/s relative to Earth at 600 km; a geostationary orbit takes a sidereal day
    assert geometry.orbital_speed_mps(altitude_m=600e3) == pytest.approx(7_560, abs=5)
    period = 2 * math.pi * (R + 35_786e3) / geometry.orbital_speed_mps(altitude_m=35_786e3)
    assert period == pytest.approx(86_164, rel=5e-4)


def test_a_geostationary_satellite_stands_still() -> None:
    place = {"altitude_m": 35_786e3, "elevation_deg": 40, "carrier_hz": 20e9}
    assert geometry.doppler_hz(**place) == 0
    assert geometry.doppler_rate_hz_per_s(**place) == 0
    assert geometry.beam_edge_doppler_hz(**place, beam_diameter_m=110e3) == 0
    assert geometry.ephemeris_doppler_error_hz(
        **place, position_error_m=100, velocity_error_mps=0.3
    ) == pytest.approx(0.3 / C * 20e9)
    assert geometry.visibility_window_s(altitude_m=35_786e3, min_elevation_deg=10) == math.inf
    with pytest.raises(InputError, match="stands still"):
        Pass(35_786e3, 90, 2e9)


@pytest.mark.parametrize("minimum", [5, 10, 30, 60])
def test_window_against_bisection(minimum: float) -> None:
    low, high = 0.0, 2000.0
    for _ in range(60):
        middle = (low + high) / 2
        above = in_plane(600e3, torch.tensor(middle, dtype=torch.float64))[1] > minimum
        low, high = (middle, high) if above else (low, middle)
    window = geometry.visibility_window_s(altitude_m=600e3, min_elevation_deg=minimum)
    assert window == pytest.approx(2 * low, rel=1e-9)


@pytest.mark.parametrize(("altitude", "carrier", "diameter", "table"), BEAM_EDGE)
def test_beam_edge_table(
    altitude: float, carrier: float, diameter: float, table: list[float]
) -> None:
    for elevation, hertz in zip(ELEVATIONS, table, strict=True):
        left = geometry.beam_edge_doppler_hz(
            altitude_m=altitude,
            elevation_deg=elevation,
            carrier_hz=carrier,
            beam_diameter_m=diameter,
        )
        assert left == pytest.approx(hertz, abs=0.51)


@pytest.mark.parametrize(
    ("elevation", "diameter"),
    [(5.0, 20e3), (5.0, 150e3), (15.0, 450e3), (60.0, 450e3), (89.9, 450e3), (90.0, 20e3)],
)
def test_beam_edge_is_the_worst_of_the_whole_rim(elevation: float, diameter: float) -> None:
    """Rim as vectors on the sphere around the centre; the satellite passes over the centre."""
    altitude, carrier = 600e3, 2e9
    left = geometry.beam_edge_doppler_hz(
        altitude_m=altitude, elevation_deg=elevation, carrier_hz=carrier, beam_diameter_m=diameter
    )
    orbit, radians = R + altitude, math.radians(elevation)
    ahead = math.acos(R * math.cos(radians) / orbit) - radians
    at = orbit * torch.tensor([-math.sin(ahead), 0, math.cos(ahead)], dtype=torch.float64)
    motion = math.sqrt(GM / orbit) * torch.stack([at[2], 0 * at[1], -at[0]]) / orbit
    bearing = torch.linspace(0, 2 * math.pi, 3601, dtype=torch.float64)
    reach = torch.tensor(diameter / 2 / R, dtype=torch.float64)
    flat = torch.stack([torch.cos(bearing), torch.sin(bearing)], -1) * torch.sin(reach)
    rim = R * torch.cat([flat, torch.cos(reach).expand(3601, 1)], -1)

    def doppler(place: Tensor) -> Tensor:
        sight = at - place
        return -(sight @ motion) / sight.norm(dim=-1) / C * carrier

    centre = doppler(torch.tensor([0.0, 0.0, R], dtype=torch.float64))
    assert left == pytest.approx((doppler(rim) - centre).abs().max().item(), rel=1e-6)


def test_beam_edge_of_a_point_is_nothing() -> None:
    place = {"altitude_m": 600e3, "elevation_deg": 50, "carrier_hz": 2e9}
    assert geometry.beam_edge_doppler_hz(**place, beam_diameter_m=0) == 0


@pytest.mark.parametrize("elevation", [10.0, 45.0, 90.0])
def test_ephemeris_error_bounds_exact_geometry(elevation: float) -> None:
    """No wrong ephemeris of that size does worse in exact vectors, and the worst comes close."""
    altitude, carrier, position, velocity = 600e3, 2e9, 200.0, 0.5
    place = {"altitude_m": altitude, "elevation_deg": elevation}
    d = geometry.slant_range_m(**place)
    radians = math.radians(elevation)
    at = torch.tensor([-d * math.cos(radians), 0, d * math.sin(radians)], dtype=torch.float64)
    centre = at + torch.tensor([0.0, 0.0, R], dtype=torch.float64)
    forward = torch.stack([centre[2], torch.zeros(()).double(), -centre[0]]) / centre.norm()
    motion = math.sqrt(GM / (R + altitude)) * forward
    assert -float(motion @ at) / d / C * carrier == pytest.approx(
        geometry.doppler_hz(**place, carrier_hz=carrier), abs=1e-6
    )
    rng = torch.Generator().manual_seed(1)
    off, change = (
        torch.nn.functional.normalize(torch.randn(200_000, 3, generator=rng).double()) * size
        for size in (position, velocity)
    )

    def error_hz(place_off: Tensor, motion_off: Tensor) -> Tensor:
        seen = at + place_off
        wrong = ((motion + motion_off) * seen).sum(-1) / seen.norm(dim=-1)
        return (wrong - motion @ at / d).abs() / C * carrier

    for p, v in ((position, 0.0), (0.0, velocity)):
        bound = geometry.ephemeris_doppler_error_hz(
            **place, carrier_hz=carrier, position_error_m=p, velocity_error_mps=v
        )
        worst = error_hz(off * (p > 0), change * (v > 0)).max().item()
        second_order = 1 + 2 * position / d
        assert 0.999 * bound < worst < second_order * bound
    both = geometry.ephemeris_doppler_error_hz(
        **place, carrier_hz=carrier, position_error_m=position, velocity_error_mps=velocity
    )
    assert error_hz(off, change).max().item() < both * (1 + 2 * position / d)


def test_a_late_satellite_costs_less_than_the_bound() -> None:
    for elevation in ELEVATIONS:
        place = {"altitude_m": 600e3, "elevation_deg": elevation, "carrier_hz": 2e9}
        late_s = 100 / geometry.orbital_speed_mps(altitude_m=600e3)
        bound = geometry.ephemeris_doppler_error_hz(
            **place, position_error_m=100, velocity_error_mps=0
        )
        assert abs(geometry.doppler_rate_hz_per_s(**place)) * late_s < bound


@pytest.mark.parametrize("highest", [15.0, 45.0, 75.0, 90.0])
@pytest.mark.parametrize("altitude", [600e3, 1200e3])
def test_pass_is_the_derivative_of_its_own_range(altitude: float, highest: float) -> None:
    carrier, step = 20e9, 0.1
    over = Pass(altitude, highest, carrier)
    time = over.times_s(1.0)[1:-1]
    near = [over.at(time + k * step) for k in range(-2, 3)]
    now = near[2]
    shift = -slope([x.slant_range_m for x in near], step) / C * carrier
    assert (now.doppler_hz - shift).abs().max() < 1e-8 * now.doppler_hz.abs().max()
    rate = slope([x.doppler_hz for x in near], step)
    largest = now.doppler_rate_hz_per_s.abs().max()
    assert (now.doppler_rate_hz_per_s - rate).abs().max() < 1e-8 * largest


@pytest.mark.parametrize("highest", [15.0, 60.0, 90.0])
def test_pass_range_and_elevation_from_vectors(highest: float) -> None:
    """Satellite and terminal as vectors, the terminal off the track as far as Pass implies."""
    altitude = 600e3
    over = Pass(altitude, highest, 2e9)
    samples = over.at(over.times_s(5.0))
    orbit = R + altitude
    off = math.acos(R * math.cos(math.radians(highest)) / orbit) - math.radians(highest)
    swept = math.sqrt(GM / orbit**3) * samples.time_s
    sat = orbit * torch.stack([torch.cos(swept), torch.sin(swept), 0 * swept], -1)
    terminal = R * torch.tensor([math.cos(off), 0, math.sin(off)], dtype=torch.float64)
    sight = sat - terminal
    up = (sight @ (terminal / R)) / sight.norm(dim=-1)
    torch.testing.assert_close(samples.slant_range_m, sight.norm(dim=-1), rtol=1e-10, atol=0)
    torch.testing.assert_close(
        samples.elevation_deg, torch.rad2deg(torch.asin(up)), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(samples.delay_s * C, samples.slant_range_m)


def test_overhead_pass_is_the_closed_form() -> None:
    over = Pass(600e3, 90, 2e9)
    samples = over.at(over.times_s(3.0))
    place = {"altitude_m": 600e3, "elevation_deg": samples.elevation_deg, "carrier_hz": 2e9}
    sign = -torch.sign(samples.time_s)
    torch.testing.assert_close(
        samples.doppler_hz, sign * geometry.doppler_hz(**place), rtol=1e-9, atol=1e-4
    )
    torch.testing.assert_close(
        samples.doppler_rate_hz_per_s, geometry.doppler_rate_hz_per_s(**place), rtol=1e-8, atol=0
    )


def test_pass_begins_and_ends_at_the_lowest_elevation() -> None:
    over = Pass(1200e3, 40, 2e9, min_elevation_deg=15)
    half = over.duration_s / 2
    ends = over.at([-half, 0.0, half])
    torch.testing.assert_close(ends.elevation_deg, torch.tensor([15.0, 40, 15]).double())
    assert ends.doppler_hz[0] == -ends.doppler_hz[2] > 0 == ends.doppler_hz[1]
    times = over.times_s(7.0)
    assert 0 in times and half - 7 < times.max() <= half
    assert over.at(times).elevation_deg.min() >= 15
    with pytest.raises(InputError, match="within the pass"):
        over.at([half + 1])


def test_numbers_give_a_float_and_tensors_a_gradient() -> None:
    assert isinstance(geometry.slant_range_m(altitude_m=600_000, elevation_deg=10), float)
    altitude = torch.tensor([[600e3], [1200e3]], requires_grad=True)
    elevation = torch.tensor([10, 30, 80], dtype=torch.int32)
    out = geometry.doppler_hz(altitude_m=altitude, elevation_deg=elevation, carrier_hz=2e9)
    assert out.shape == (2, 3) and out.dtype == torch.float64
    out.sum().backward()
    assert altitude.grad is not None and bool((altitude.grad < 0).all())
    angle = torch.tensor([20.0, 60.0], dtype=torch.float64, requires_grad=True)
    functions = (
        lambda e: geometry.slant_range_m(altitude_m=600e3, elevation_deg=e),
        lambda e: geometry.doppler_rate_hz_per_s(altitude_m=600e3, elevation_deg=e, carrier_hz=2e9),
        lambda e: geometry.beam_edge_doppler_hz(
            altitude_m=600e3, elevation_deg=e, carrier_hz=2e9, beam_diameter_m=50e3
        ),
    )
    for function in functions:
        assert torch.autograd.gradcheck(function, angle, eps=1e-5, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("elevation", [0, 4.9, 95, math.nan, "30", None])
def test_elevation_out_of_range_is_one_line(elevation: object) -> None:
    with pytest.raises(InputError, match=r"elevation_deg .*\[5, 90\]") as caught:
        geometry.slant_range_m(altitude_m=600e3, elevation_deg=elevation)  # type: ignore[type-var]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"altitude_m": 100e3}, "altitude_m"),
        ({"altitude_m": 40_000e3}, "altitude_m"),
        ({"carrier_hz": 1e6}, "carrier_hz"),
        ({"elevation_deg": torch.tensor([30.0, 95.0])}, "values 30 to 95"),
        ({"elevation_deg": torch.tensor([30.0, math.nan])}, "finite"),
        ({"elevation_deg": torch.tensor([30.0 + 1j])}, "real numbers"),
        ({"elevation_deg": torch.ones(2) * 9, "carrier_hz": torch.ones(3) * 1e9}, "broadcast"),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, object], text: str) -> None:
    good: dict[str, object] = {"altitude_m": 600e3, "elevation_deg": 30, "carrier_hz": 2e9}
    with pytest.raises(InputError, match=text) as caught:
        geometry.doppler_hz(**(good | arguments))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("highest", [60.0, 90.0])
def test_a_pass_has_a_gradient_in_time(highest: float) -> None:
    over = Pass(600e3, highest, 2e9)
    time = torch.tensor([-100.0, 0.0, 50.0], dtype=torch.float64, requires_grad=True)
    samples = over.at(time)
    for name, value in vars(samples).items():
        (slope_,) = torch.autograd.grad(value.sum(), time, retain_graph=True)
        assert slope_.isfinite().all(), name
    (rate,) = torch.autograd.grad(samples.doppler_hz.sum(), time, retain_graph=True)
    torch.testing.assert_close(rate, samples.doppler_rate_hz_per_s)
    (growth,) = torch.autograd.grad(samples.elevation_deg.sum(), time)
    assert growth.sign().tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    "times", [None, "1", [[0.0], [1.0, 2.0]], [1j], [True], torch.tensor([1j]), torch.ones(2) > 0]
)
def test_times_that_are_no_numbers_are_refused(times: Any) -> None:
    with pytest.raises(InputError, match="times_s must be real numbers") as caught:
        Pass(600e3, 60, 2e9).at(times)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"altitude_m": torch.tensor([600e3, 700e3])},
        {"altitude_m": True},
        {"max_elevation_deg": torch.tensor([60.0, 50.0])},
        {"min_elevation_deg": "10"},
        {"carrier_hz": [2e9]},
    ],
)
def test_a_pass_is_made_of_numbers(change: dict[str, Any]) -> None:
    good = {"altitude_m": 600e3, "max_elevation_deg": 60.0, "carrier_hz": 2e9}
    with pytest.raises(InputError, match=next(iter(change))):
        Pass(**(good | change))


def test_a_pass_of_tensors_is_the_pass_of_their_numbers() -> None:
    over = Pass(torch.tensor(600e3), torch.tensor([60.0]), torch.tensor(2e9))  # type: ignore[arg-type]
    assert over == Pass(600e3, 60.0, 2e9) and type(over.altitude_m) is float


def test_samples_can_be_compared_and_hashed() -> None:
    over = Pass(600e3, 60, 2e9)
    one, other = (over.at([0.0, 1.0]) for _ in range(2))
    assert one == one and one != other and len({one, other}) == 2


def test_a_pass_below_its_own_horizon_is_refused() -> None:
    with pytest.raises(InputError, match="max_elevation_deg"):
        Pass(600e3, 8, 2e9)
    with pytest.raises(InputError, match="carrier_hz"):
        Pass(600e3, 80, 2)
    with pytest.raises(InputError, match="step_s"):
        Pass(600e3, 80, 2e9).times_s(0)
