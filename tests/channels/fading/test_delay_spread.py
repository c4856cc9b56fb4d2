"""Delay spreads and K factors against TR 38.811 V15.4.0 tables 6.7.2-1a to -8b, typed again.

Typed from the tables in public simulators (a Simu5G extension; rural also ns-3), not from the data
file, whose urban and suburban numbers come from openntn.
"""

from __future__ import annotations

import json
import math
from importlib.resources import files
from importlib.util import find_spec

import pytest

from channels.errors import InputError
from channels.fading.delay_spread import delay_spread_decades, delay_spread_s, median_k_factor_db

# At 10, 20 ... 90 degrees: μ_lgDS, then σ_lgDS
SPREADS = {
    ("dense-urban", True, "s"): (
        [-7.12, -7.28, -7.45, -7.73, -7.91, -8.14, -8.23, -8.28, -8.36],
        [0.80, 0.67, 0.68, 0.66, 0.62, 0.51, 0.45, 0.31, 0.08],
    ),
    ("dense-urban", True, "ka"): (
        [-7.43, -7.62, -7.76, -8.02, -8.13, -8.30, -8.34, -8.39, -8.45],
        [0.90, 0.78, 0.80, 0.72, 0.61, 0.47, 0.39, 0.26, 0.01],
    ),
    ("dense-urban", False, "s"): (
        [-6.84, -6.81, -6.94, -7.14, -7.34, -7.53, -7.67, -7.82, -7.84],
        [0.82, 0.61, 0.49, 0.49, 0.51, 0.47, 0.44, 0.42, 0.55],
    ),
    ("dense-urban", False, "ka"): (
        [-6.86, -6.84, -7.00, -7.21, -7.42, -7.86, -7.76, -8.07, -7.95],
        [0.81, 0.61, 0.56, 0.56, 0.57, 0.55, 0.47, 0.42, 0.59],
    ),
    ("urban", True, "s"): (
        [-7.97, -8.12, -8.21, -8.31, -8.37, -8.39, -8.38, -8.35, -8.34],
        [1.0, 0.83, 0.68, 0.48, 0.38, 0.24, 0.18, 0.13, 0.09],
    ),
    ("urban", True, "ka"): (
        [-8.52, -8.59, -8.51, -8.49, -8.48, -8.44, -8.40, -8.37, -8.35],
        [0.92, 0.79, 0.65, 0.48, 0.46, 0.34, 0.27, 0.19, 0.14],
    ),
    ("urban", False, "s"): (
        [-7.21, -7.63, -7.75, -7.97, -7.99, -8.01, -8.09, -7.97, -8.17],
        [1.19, 0.98, 0.84, 0.73, 0.73, 0.72, 0.71, 0.78, 0.67],
    ),
    ("urban", False, "ka"): (
        [-7.24, -7.70, -7.82, -8.04, -8.08, -8.10, -8.16, -8.03, -8.33],
        [1.26, 0.99, 0.86, 0.75, 0.77, 0.76, 0.73, 0.79, 0.70],
    ),
    ("suburban", True, "s"): (
        [-8.16, -8.56, -8.72, -8.71, -8.72, -8.66, -8.38, -8.34, -8.34],
        [0.99, 0.96, 0.79, 0.81, 1.12, 1.23, 0.55, 0.63, 0.63],
    ),
    ("suburban", True, "ka"): (
        [-8.07, -8.61, -8.72, -8.63, -8.54, -8.48, -8.42, -8.39, -8.37],
        [0.46, 0.45, 0.28, 0.17, 0.14, 0.15, 0.09, 0.05, 0.02],
    ),
    ("suburban", False, "s"): (
        [-7.91, -8.39, -8.69, -8.59, -8.64, -8.74, -8.98, -9.28, -9.28],
        [1.42, 1.46, 1.46, 1.21, 1.18, 1.13, 1.37, 1.50, 1.50],
    ),
    ("suburban", False, "ka"): (
        [-7.43, -7.63, -7.86, -7.96, -7.98, -8.45, -8.21, -8.69, -8.69],
        [0.50, 0.61, 0.56, 0.58, 0.59, 0.47, 0.36, 0.29, 0.29],
    ),
    ("rural", True, "s"): (
        [-9.55, -8.68, -8.46, -8.36, -8.29, -8.26, -8.22, -8.20, -8.19],
        [0.66, 0.44, 0.28, 0.19, 0.14, 0.10, 0.10, 0.05, 0.06],
    ),
    ("rural", True, "ka"): (
        [-9.68, -8.86, -8.59, -8.46, -8.36, -8.30, -8.26, -8.22, -8.21],
        [0.46, 0.29, 0.18, 0.19, 0.14, 0.15, 0.13, 0.03, 0.07],
    ),
    ("rural", False, "s"): (
        [-9.01, -8.37, -8.05, -7.92, -7.92, -7.96, -7.91, -7.79, -7.74],
        [1.59, 0.95, 0.92, 0.92, 0.87, 0.87, 0.82, 0.86, 0.81],
    ),
    ("rural", False, "ka"): (
        [-9.13, -8.39, -8.10, -7.96, -7.99, -8.05, -8.01, -8.05, -7.91],
        [1.91, 0.94, 0.92, 0.94, 0.89, 0.87, 0.82, 1.65, 0.76],
    ),
}
K_FACTORS_DB = {
    ("dense-urban", "s"): [4.4, 9.0, 9.3, 7.9, 7.4, 7.0, 6.9, 6.5, 6.8],
    ("dense-urban", "ka"): [6.1, 13.7, 12.9, 10.3, 9.2, 8.4, 8.0, 7.4, 7.6],
    ("urban", "s"): [31.83, 18.78, 10.49, 7.46, 6.52, 5.47, 4.54, 4.03, 3.68],
    ("urban", "ka"): [40.18, 23.62, 12.48, 8.56, 7.42, 5.97, 4.88, 4.22, 3.81],
    ("suburban", "s"): [11.40, 19.45, 20.80, 21.20, 21.60, 19.75, 12.00, 12.85, 12.85],
    ("suburban", "ka"): [8.9, 14.0, 11.3, 9.0, 7.5, 6.6, 5.9, 5.5, 5.4],
    ("rural", "s"): [24.72, 12.31, 8.05, 6.21, 5.04, 4.42, 3.92, 3.65, 3.59],
    ("rural", "ka"): [25.43, 12.72, 8.40, 6.52, 5.24, 4.57, 4.02, 3.70, 3.62],
}


@pytest.mark.parametrize(("environment", "sight", "band"), SPREADS)
def test_delay_spreads_are_those_of_the_tables(environment: str, sight: bool, band: str) -> None:
    medians, deviations = SPREADS[environment, sight, band]
    for place, (mu, sigma) in enumerate(zip(medians, deviations, strict=True)):
        elevation_deg = 10 * (place + 1)
        median = delay_spread_s(environment, elevation_deg, band, sight)
        assert math.log10(median) == pytest.approx(mu, abs=1e-9)
        assert delay_spread_decades(environment, elevation_deg, band, sight) == sigma


@pytest.mark.parametrize(("environment", "band"), K_FACTORS_DB)
def test_k_factors_are_those_of_the_tables(environment: str, band: str) -> None:
    found = [median_k_factor_db(environment, place, band) for place in range(10, 100, 10)]
    assert found == K_FACTORS_DB[environment, band]


def test_the_table_of_the_nearest_elevation_counts() -> None:
    for elevation_deg, nearest in ((10, 10), (14.9, 10), (15, 20), (44, 40), (85, 90), (90, 90)):
        assert delay_spread_s("urban", elevation_deg) == delay_spread_s("urban", nearest)


def test_each_table_has_its_number() -> None:
    text = files("channels").joinpath("data/delay_spread.json").read_text(encoding="utf-8")
    numbers = [
        band["table"]
        for environment in json.loads(text)["tables"].values()
        for state in environment.values()
        for band in state.values()
    ]
    assert numbers == [f"6.7.2-{table}{letter}" for table in range(1, 9) for letter in "ab"]


@pytest.mark.skipif(find_spec("openntn") is None, reason="openntn is not installed")
@pytest.mark.parametrize(
    ("environment", "name"),
    [("dense-urban", "Dense_Urban"), ("urban", "Urban"), ("suburban", "Sub_Urban")],
)
def test_openntn_draws_from_the_same_numbers(environment: str, name: str) -> None:
    for sight, state in ((True, "LOS"), (False, "NLOS")):
        for band, letters in (("s", "S"), ("ka", "Ka")):
            file = files("openntn.models").joinpath(f"{name}_{state}_{letters}_band_DL.json")
            theirs = json.loads(file.read_text(encoding="utf-8"))
            for degrees in range(10, 100, 10):
                spread_s = delay_spread_s(environment, degrees, band, sight)
                assert math.log10(spread_s) == pytest.approx(float(theirs[f"muDS_{degrees}"]))
                decades = delay_spread_decades(environment, degrees, band, sight)
                assert decades == float(theirs[f"sigmaDS_{degrees}"])
                if sight:
                    k_db = median_k_factor_db(environment, degrees, band)
                    assert k_db == float(theirs[f"muK_{degrees}"])


@pytest.mark.parametrize("elevation_deg", [9.99, 90.01, -30, math.nan, math.inf, "30", True])
def test_elevations_outside_the_tables_are_refused(elevation_deg: object) -> None:
    for ask in (delay_spread_s, delay_spread_decades, median_k_factor_db):
        with pytest.raises(InputError, match=r"elevation_deg .*\[10, 90\]") as caught:
            ask("urban", elevation_deg)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'suburban'"):
        delay_spread_s("subrban", 30)
    for name in (["urban"], {}, None):
        with pytest.raises(InputError, match="unknown environment"):
            delay_spread_s(name, 30)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown band 'x'"):
        median_k_factor_db("urban", 30, "x")
    with pytest.raises(InputError, match="line_of_sight"):
        delay_spread_s("urban", 30, "s", "yes")  # type: ignore[arg-type]
