"""Quality along the bandwidth ratio, and how long it takes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import scenarios
import semcom
from channels import Grid, InputError
from scenarios.command.cli import main

PICTURES, _ = semcom.data.phantoms("chest", n=2, size=64, seed=4)
QUICK = {"codecs": "jpeg2000-ldpc", "links": "awgn", "cbr": [1 / 4, 1 / 2], "snr_db": 12.0}


@pytest.mark.parametrize(
    ("width_hz", "grid"),
    [
        (5e6, Grid.nr(5e6)),
        (50e6, Grid.nr(50e6)),
        (100e6, Grid.nr(100e6, 30e3)),
        (400e6, Grid.nr(400e6, 120e3, "fr2")),
    ],
)
def test_time_on_air_is_what_slots_carry(width_hz: float, grid: Grid) -> None:
    """14 symbols with their prefixes, less two of pilots, share the channel uses."""
    found = scenarios.bandwidth(PICTURES, **QUICK, bandwidths_hz=[width_hz])  # type: ignore[arg-type]
    per_slot = 12 * grid.num_subcarriers
    slot_s = 14 * (1 / grid.subcarrier_spacing_hz + grid.cyclic_prefix_s)
    expected = [1024 / per_slot * slot_s, 2048 / per_slot * slot_s]
    assert found.frame["on_air_s"].tolist() == pytest.approx(expected)
    assert (found.frame["on_air_s"] * found.frame["pictures_per_s"]).tolist() == [1.0, 1.0]


def test_over_gaussian_noise_the_bandwidth_changes_time_alone() -> None:
    found = scenarios.bandwidth(PICTURES, **QUICK, bandwidths_hz=[5e6, 20e6])  # type: ignore[arg-type]
    means = found.table.located(found.table.summary("psnr"))
    narrow, wide = (means[means["bandwidth_mhz"] == w]["mean"].tolist() for w in (5.0, 20.0))
    assert narrow == pytest.approx(wide, abs=0.05)
    assert narrow[1] > narrow[0]
    times = found.frame.set_index(["bandwidth_mhz", "cbr"])["on_air_s"]
    assert times[5.0, 0.25] / times[20.0, 0.25] == pytest.approx(106 / 25)
    figure = found.plot("psnr")
    assert len(figure.axes[0].get_lines()) == 2
    assert found.table.plot("psnr", x="cbr").axes[0].get_title() == "awgn at 5 MHz"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bandwidths_hz": [7e6]}, "NR has no channel of 7 MHz"),
        ({"bandwidths_hz": []}, "no link to compare"),
        ({"links": "geo"}, "unknown link 'geo'"),
        ({"cbr": [0.0]}, "cbr must lie in"),
    ],
)
def test_impossible_channels_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.bandwidth(PICTURES, **(QUICK | options))  # type: ignore[arg-type]


def test_semcom_run_bandwidth_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--codecs", "jpeg2000-ldpc", "--size", "64", "--limit", "1", "--cbr", "1/4,1/2"]
    options += ["--link", "awgn", "--bandwidths", "5,20", "--snr", "12", "--workers", "1"]
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(["run", "bandwidth", *options, "--out", str(out)])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "time on air of a picture over awgn [ms]" in printed
    assert "PSNR [dB] over awgn at 5 MHz" in printed
    assert len(pd.read_csv(out / "on_air.csv")) == 4
    assert (out / "on_air.png").stat().st_size > 0
