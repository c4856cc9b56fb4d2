"""Passes from two-line elements against skyfield, which shares only the SGP4 code."""

from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
import torch

from channels.errors import InputError
from channels.orbit import tle
from channels.orbit.passes import PassSamples
from channels.orbit.tle import passes_from_tle, tle_checksum

pytest.importorskip("sgp4")

# Examples made up for these tests: an orbit like that of the ISS, one at 1200 km, near the pole
ISS_LIKE = (
    "1 99999U 25001A   25001.50000000  .00016717  00000-0  30074-3 0  9995",
    "2 99999  51.6400 120.0000 0005000  60.0000 300.0000 15.50000000 10002",
)
POLAR = (
    "1 99998U 25002A   25001.50000000  .00000010  00000-0  10000-4 0  9992",
    "2 99998  87.9000  10.0000 0010000  90.0000 270.0000 13.15000000 10001",
)
MUNICH = {"latitude_deg": 48.1, "longitude_deg": 11.6}
PLACES = [
    MUNICH,
    {"latitude_deg": -33.9, "longitude_deg": 151.2},
    {"latitude_deg": 1.3, "longitude_deg": 283.0},
]
START = datetime(2025, 1, 1, 12, tzinfo=UTC)
SPAN: dict[str, Any] = {"start": START, "hours": 24, "carrier_hz": 2e9}


def signed(line: str) -> str:
    return line[:68] + str(tle_checksum(line))


@pytest.mark.parametrize(
    ("ut1", "degrees", "metres", "hertz"), [(False, 0.01, 30, 3), (True, 1e-5, 0.1, 0.01)]
)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("lines", [ISS_LIKE, POLAR])
def test_agrees_with_skyfield(
    lines: tuple[str, str],
    place: dict[str, float],
    ut1: bool,
    degrees: float,
    metres: float,
    hertz: float,
) -> None:
    """Within what UT1 - UTC, here neglected, explains; and almost exactly when it is put in.

    At 0.046 s the equator has moved by 21 m; at 7.6 km/s across 400 km that is 2.7 Hz at 2 GHz.
    """
    api = pytest.importorskip("skyfield.api")
    times = api.load.timescale(builtin=True)
    satellite = api.EarthSatellite(*lines, ts=times)
    terminal = api.wgs84.latlon(place["latitude_deg"], place["longitude_deg"], elevation_m=0)
    turned = 360.98564737 / 86_400 * times.from_datetime(START).dut1 if ut1 else 0.0
    where = place | {"longitude_deg": place["longitude_deg"] + turned}
    passes = passes_from_tle(*lines, **where, **SPAN)
    assert len(passes) >= 2
    for one in passes:
        moments = [START + timedelta(seconds=second) for second in one.time_s.tolist()]
        seen = (satellite - terminal).at(times.from_datetimes(moments))
        elevation, _, _, _, _, speed = seen.frame_latlon_and_rates(terminal)
        doppler = -speed.m_per_s / 299_792_458.0 * 2e9
        assert np.abs(one.elevation_deg.numpy() - elevation.degrees).max() < degrees
        assert np.abs(one.slant_range_m.numpy() - seen.distance().m).max() < metres
        assert np.abs(one.doppler_hz.numpy() - doppler).max() < hertz
        rate = np.gradient(doppler, 1.0)[1:-1]
        spread = np.abs(one.doppler_rate_hz_per_s.numpy()[1:-1] - rate).max()
        assert spread < 1e-3 * np.abs(rate).max()


@pytest.mark.parametrize("place", PLACES)
def test_same_number_of_passes_as_skyfield(place: dict[str, float]) -> None:
    api = pytest.importorskip("skyfield.api")
    times = api.load.timescale(builtin=True)
    satellite = api.EarthSatellite(*ISS_LIKE, ts=times)
    terminal = api.wgs84.latlon(place["latitude_deg"], place["longitude_deg"])
    ends = times.from_datetime(START), times.from_datetime(START + timedelta(hours=24))
    moments, events = satellite.find_events(terminal, *ends, altitude_degrees=10.0)
    culminations = moments[events == 1]
    passes = passes_from_tle(*ISS_LIKE, **place, **SPAN)
    assert len(passes) == len(culminations)
    for one, moment in zip(passes, culminations, strict=True):
        highest = one.time_s[one.elevation_deg.argmax()].item()
        assert abs(highest - (moment.utc_datetime() - START).total_seconds()) <= 1


def test_doppler_is_the_derivative_of_the_range() -> None:
    """SGP4's velocity is the derivative of its position to some cm/s."""
    for one in passes_from_tle(*ISS_LIKE, **MUNICH, **SPAN, step_s=0.5):
        shift = -np.gradient(one.slant_range_m.numpy(), 0.5)[1:-1] / 299_792_458.0 * 2e9
        assert np.abs(one.doppler_hz.numpy()[1:-1] - shift).max() < 1


def test_record() -> None:
    passes = passes_from_tle(*ISS_LIKE, **MUNICH, **SPAN, min_elevation_deg=25, step_s=2)
    assert passes
    for one in passes:
        fields = vars(one).values()
        assert isinstance(one, PassSamples) and {field.dtype for field in fields} == {torch.float64}
        assert len({field.shape for field in fields}) == 1
        assert one.elevation_deg.min() >= 25
        assert bool((one.time_s.diff() == 2).all())
        torch.testing.assert_close(one.delay_s * 299_792_458.0, one.slant_range_m)
        assert bool((one.doppler_rate_hz_per_s < 0).all()) and bool(
            (one.doppler_hz.diff() < 0).all()
        )


def test_carrier_and_start_only_scale_and_shift() -> None:
    base = passes_from_tle(*ISS_LIKE, **MUNICH, **SPAN)[1]
    ka = passes_from_tle(*ISS_LIKE, **MUNICH, **(SPAN | {"carrier_hz": 20e9}))[1]
    torch.testing.assert_close(ka.doppler_hz, 10 * base.doppler_hz)
    later = SPAN | {"start": START + timedelta(minutes=30)}
    moved = next(
        one
        for one in passes_from_tle(*ISS_LIKE, **MUNICH, **later)
        if one.time_s[0] == base.time_s[0] - 1800
    )
    torch.testing.assert_close(moved.slant_range_m, base.slant_range_m, rtol=0, atol=0.1)
    east = SPAN | {"start": START.astimezone(timezone(timedelta(hours=9)))}
    same = passes_from_tle(*ISS_LIKE, **MUNICH, **east)[1]
    assert torch.equal(same.slant_range_m, base.slant_range_m)


def test_nothing_in_sight_is_no_pass() -> None:
    assert passes_from_tle(*ISS_LIKE, latitude_deg=90, longitude_deg=0, **SPAN) == []
    assert passes_from_tle(*ISS_LIKE, **MUNICH, **(SPAN | {"hours": 0.01})) == []


def test_checksum() -> None:
    """The example of Vallado's SGP4 test set: satellite 5, both lines end in their checksum."""
    line = "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753"
    assert tle_checksum(line) == 3
    assert [tle_checksum(line) for line in (*ISS_LIKE, *POLAR)] == [5, 2, 2, 1]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((ISS_LIKE[0][:-1] + "4", ISS_LIKE[1]), "line 1 has checksum 4, its characters give 5"),
        ((ISS_LIKE[0], ISS_LIKE[1][:-1] + "9"), "line 2 has checksum 9"),
        ((ISS_LIKE[0], ISS_LIKE[1][:60]), "line 2 must be 69 characters"),
        ((ISS_LIKE[1], ISS_LIKE[0]), "line 1 must be 69 characters"),
        (("", ISS_LIKE[1]), "line 1"),
        ((None, ISS_LIKE[1]), "line 1"),
        ((ISS_LIKE[0], POLAR[1]), "two satellites"),
        (
            (signed(ISS_LIKE[0].replace("25001.5", "2500x.5")), ISS_LIKE[1]),
            "element set.s columns",
        ),
        ((ISS_LIKE[0], signed(ISS_LIKE[1].replace("15.50", "99.50"))), "SGP4 fails"),
    ],
)
def test_bad_lines_are_one_line(lines: tuple[str, str], text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        passes_from_tle(*lines, **MUNICH, **SPAN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("days", [-61, 61, 2000 * 365, None])
def test_a_start_far_from_the_epoch_is_refused(days: int | None) -> None:
    start = datetime.max.replace(tzinfo=timezone(-timedelta(hours=5)))
    if days is not None:
        start = START + timedelta(days=days)
    with pytest.raises(InputError, match="within 60 days of the elements' epoch") as caught:
        passes_from_tle(*ISS_LIKE, **MUNICH, **(SPAN | {"start": start}))
    assert "\n" not in str(caught.value)
    passes_from_tle(*ISS_LIKE, **MUNICH, **(SPAN | {"start": START + timedelta(days=59)}))


@pytest.mark.parametrize(
    "change",
    [
        {"latitude_deg": 91},
        {"longitude_deg": -181},
        {"start": datetime(2025, 1, 1, 12)},
        {"start": "2025-01-01"},
        {"hours": 1000},
        {"carrier_hz": 2},
        {"min_elevation_deg": 0},
        {"step_s": 0},
    ],
)
def test_bad_arguments_name_themselves(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(change))) as caught:
        passes_from_tle(*ISS_LIKE, **(MUNICH | SPAN | change))
    assert "\n" not in str(caught.value)


def test_lines_may_carry_blanks_and_a_line_end() -> None:
    assert passes_from_tle(f"{ISS_LIKE[0]}  \r\n", f" {ISS_LIKE[1]}\n", **MUNICH, **SPAN)


def test_without_sgp4_the_module_loads_and_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("sgp4", "sgp4.api"):
        monkeypatch.setitem(sys.modules, name, None)
    importlib.reload(tle)
    with pytest.raises(InputError, match=r'pip install "semcom\[tle\]"'):
        tle.passes_from_tle(*ISS_LIKE, **MUNICH, **SPAN)
