"""Pictures that a passing satellite takes along."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import channels
import scenarios
import semcom
from channels import InputError, Pass
from scenarios.command.cli import main
from scenarios.comparisons.goodput import PassGoodput, moments_of
from scenarios.results.columns import COLUMNS
from scenarios.results.table import Table

PICTURES, MASKS = semcom.data.phantoms("chest", n=2, size=64, seed=4)
QUICK = {"codecs": "jpeg2000-ldpc", "moments": 3, "cbr": [1 / 4, 1 / 2], "threshold_db": 15.0}


@pytest.mark.parametrize("direction", ["downlink", "uplink"])
def test_moments_follow_the_orbit_and_the_budget(direction: str) -> None:
    steps = moments_of("leo600", "s", "suburban", direction, 70.0, 5, "lmmse")
    over = Pass(600e3, 70.0, 2e9)
    assert [step.time_s for step in steps] == pytest.approx(np.linspace(0, over.duration_s / 2, 5))
    assert (steps[0].elevation_deg, steps[-1].elevation_deg) == (70.0, 10.0)
    width_hz = steps[0].link.grid.bandwidth_hz
    budget = channels.link_budget("leo600", band="s", direction=direction, bandwidth_hz=width_hz)
    for step in steps:
        assert step.snr_db == pytest.approx(budget.cnr_db(step.elevation_deg), abs=0.01)
        assert f"elevation {step.elevation_deg:g} deg" in repr(step.link)
    snrs_db = [step.snr_db for step in steps]
    assert snrs_db == sorted(snrs_db, reverse=True)


def test_goodput_is_counted_as_by_hand() -> None:
    """Two pictures, two rates: one good at the low rate, both at the high one."""
    moments = moments_of("leo600", "s", "suburban", "downlink", 60.0, 3, "lmmse")
    quality = {(0, 1 / 16): 31.0, (1, 1 / 16): 20.0, (0, 1 / 8): 35.0, (1, 1 / 8): 32.0}
    rows = [
        dict.fromkeys(COLUMNS, 0)
        | {"scenario": "satellite_pass", "codec": "a", "link": moment.link.name, "image": image}
        | {"cbr": cbr, "psnr": 50.0, "roi_psnr": db, "outage": lost, "snr_db": moment.snr_db}
        for moment, lost in zip(moments, (False, False, True), strict=True)
        for (image, cbr), db in quality.items()
    ]
    found = PassGoodput(Table(pd.DataFrame(rows), {}), moments, [4096, 4096], 30.0)
    speed = moments[0].link.grid.symbols_per_s
    # Half of the pictures at twice the speed is as many: the smaller rate is taken.
    assert found.frame["cbr"].tolist() == [1 / 16] * 3
    assert found.frame["share"].tolist() == [0.5, 0.5, 0.0]
    each = 0.5 * speed / 256
    assert found.frame["per_s"].tolist() == pytest.approx([each, each, 0.0])
    half = moments[1].time_s * each + (moments[2].time_s - moments[1].time_s) * each / 2
    assert found.totals["delivered"].tolist() == pytest.approx([2 * half])
    assert found.totals["low"][0] <= 2 * half <= found.totals["high"][0]
    figure = found.plot()
    line = figure.axes[1].get_lines()[0]
    assert list(line.get_xdata()) == sorted(line.get_xdata())
    assert list(line.get_ydata()) == list(line.get_ydata())[::-1]


def test_a_pass_is_the_same_in_one_go_and_in_two(tmp_path: Path) -> None:
    whole = scenarios.satellite_pass(PICTURES, MASKS, **QUICK)  # type: ignore[arg-type]
    scenarios.satellite_pass(PICTURES, MASKS, **QUICK | {"cbr": 1 / 4}, out=tmp_path)  # type: ignore[arg-type]
    again = scenarios.satellite_pass(PICTURES, MASKS, **QUICK, out=tmp_path)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(again.table.frame, whole.table.frame)
    pd.testing.assert_frame_equal(again.totals, whole.totals)
    assert len(whole.table) == len(list(itertools.product(range(3), range(2), range(2))))
    assert next(iter(whole.table.axes)) == "elevation_deg"


def test_a_pass_is_repeated_until_it_is_known() -> None:
    found = scenarios.satellite_pass(PICTURES, MASKS, **QUICK, ci_db=1e-3, max_trials=3)  # type: ignore[arg-type]
    assert found.table.stops()["trials"].tolist() == [3] * 6


def test_a_lower_threshold_delivers_more() -> None:
    totals = [
        scenarios.satellite_pass(PICTURES, MASKS, **QUICK | {"threshold_db": db}).totals
        for db in (5.0, 27.0, 60.0)
    ]  # type: ignore[arg-type]
    few, many, none = (float(total["delivered"][0]) for total in (totals[1], totals[0], totals[2]))
    assert many > few
    assert none == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orbit": "geo"}, "unknown orbit 'geo'"),
        ({"environment": "desert"}, "unknown link 'leo600-s-desert'"),
        ({"moments": 1}, "moments must be an int in 2..1000"),
        ({"max_elevation_deg": 5.0}, "max_elevation_deg"),
        ({"direction": "sideways"}, "unknown direction"),
        ({"threshold_db": -1.0}, "threshold_db"),
    ],
)
def test_impossible_passes_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.satellite_pass(PICTURES, MASKS, **QUICK | options)  # type: ignore[arg-type]


def test_semcom_run_satellite_pass_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--codecs", "jpeg2000-ldpc", "--size", "64", "--limit", "1", "--cbr", "1/4"]
    options += ["--moments", "2", "--threshold", "10", "--workers", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "satellite-pass", *options, "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    assert "pictures delivered in one pass" in capsys.readouterr().out
    assert {"pass.csv", "pass.png", "results.csv", "results.parquet"} <= {
        file.name for file in (tmp_path / "out").iterdir()
    }
