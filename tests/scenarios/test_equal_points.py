"""Numbers that are equal but for rounding are one point: one draw, one key, one row."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import scenarios
from channels.real import on_grid
from scenarios.comparisons.swept_links import channels_of, varied_links
from scenarios.engine import inputs
from scenarios.engine.experiment import lay_out
from scenarios.options.parsing import parse_rate, parse_snr

PICTURES = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("written", "computed"),
    [
        (0.3, 0.1 + 0.2),
        (0.0, 0.1 + 0.2 - 0.3),
        (-0.3, 1.1 - 1.4),
        (1 / 3, 1 - 2 / 3),
        (1 / 16, 0.1 * 0.625),
        (1 / 48, 1 / 3 / 16),
        (300.0, sum([0.1] * 3000)),
        (9.54242509439, 10 * math.log10(9)),
    ],
)
def test_a_computed_point_is_the_written_one(written: float, computed: float) -> None:
    assert on_grid(computed) == on_grid(written) == written
    assert math.copysign(1, on_grid(-0.0)) == 1


def test_points_that_differ_stay_apart() -> None:
    for value in (1 / 3, 0.3, 12.0, 1 / 65536):
        assert len({on_grid(value * (1 + shift)) for shift in (-1e-6, 0, 1e-6)}) == 3
    assert on_grid(1 / 65536) == 1 / 65536


def test_the_command_line_and_python_mean_the_same() -> None:
    python = [0.1 * step for step in range(11)]
    assert inputs.points(parse_snr("0:1:0.1")) == inputs.points(python)
    assert inputs.points(python + parse_snr("0:1:0.1")) == inputs.points(python)
    assert inputs.rates([parse_rate("1/48"), 1 / 3 / 16]) == (1 / 48,)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_of_any_precision_are_the_numbers_written(dtype: type) -> None:
    values = np.array([0.1, 0.3, 6.0], dtype)
    for given in (values, list(values), torch.from_numpy(values), torch.from_numpy(values[:2])):
        assert inputs.points(given) == (0.1, 0.3, 6.0)[: len(given)]
    assert inputs.points(values[1]) == (0.3,)
    assert inputs.believed(float(values[2])) == 6.0
    assert inputs.rates(np.array([1 / 16], dtype)) == (1 / 16,)


def test_seeds_and_keys_are_those_of_the_point() -> None:
    def grid(snr_db: float, cbr: float, believed_snr_db: float) -> object:
        laid = lay_out(
            "mismatch",
            PICTURES,
            None,
            codecs="jpeg2000-ldpc",
            links="awgn",
            snr_db=snr_db,
            cbr=cbr,
            believed_snr_db=believed_snr_db,
        )
        tasks = laid.tasks()
        return tasks, laid.keys(tasks)

    assert grid(0.3, 1 / 3, 0.7) == grid(0.1 + 0.2, 1 - 2 / 3, 0.1 * 7)


def test_a_sweep_goes_on_at_the_same_point(tmp_path: Path) -> None:
    what = {"codecs": "jpeg2000-ldpc", "links": "awgn", "cbr": 1 / 4, "out": tmp_path}
    first = scenarios.snr(PICTURES, snr_db=0.3, **what)  # type: ignore[arg-type]
    journal = (tmp_path / "journal.jsonl").read_bytes()
    again = scenarios.snr(PICTURES, snr_db=[0.1 + 0.2, 0.3], **what)  # type: ignore[arg-type]
    assert (tmp_path / "journal.jsonl").read_bytes() == journal
    assert again.frame.equals(first.frame)


def test_settings_of_links_are_points_too() -> None:
    links, parameters = varied_links("rayleigh", "speed_mps", [0.1 + 0.2, 0.3], "ls")
    assert len(links) == 1 and parameters[links[0].name]["speed_mps"] == 0.3
    links, _ = varied_links("awgn", "offset_hz", [-0.0, 0.0, sum([0.1] * 3000), 300], "lmmse")
    assert [link.residual.offset_hz for link in links] == [0.0, 300.0]
    links, _ = channels_of("awgn", [20e6, 20 * 1e6 + 1e-9])
    assert len(links) == 1
