"""Points that are sent until they are known well enough."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import scenarios
import semcom
from channels import InputError
from scenarios.command.cli import main
from scenarios.results.printing import captions
from scenarios.results.statistics import half_width_db

PICTURES, _ = semcom.data.phantoms("chest", n=2, size=64, seed=2)
GRID = {"codecs": ["jpeg2000-ldpc", "deepjscc"], "links": ["awgn", "rayleigh"], "cbr": 1 / 4}


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """400 samples of three pictures 10 dB apart and four trials: about 95 %, 89 % at least."""
    draws = np.random.default_rng(3)
    level, spread = np.array([[20.0], [30.0], [40.0]]), np.array([[0.5], [1.0], [2.0]])
    held = 0
    for _ in range(400):
        rows = level + spread * draws.standard_normal((3, 4))
        held += abs(rows.mean() - 30) <= half_width_db(rows.tolist())
    assert binomtest(held, 400, 0.95).pvalue > 1e-4


def test_points_run_until_they_are_known() -> None:
    table = scenarios.snr(PICTURES, **GRID, snr_db=[8, 20], ci_db=0.4, max_trials=60)  # type: ignore[arg-type]
    stops = table.stops().set_index(["link", "snr_db"])
    assert set(stops["trials"]) <= {15, 30, 60}
    assert stops["trials"]["rayleigh"].max() == 60
    assert stops["trials"]["awgn"].min() == 15
    narrow = stops["half_db"] <= 0.4
    assert (stops["stopped"] == np.where(narrow, "ci", "cap")).all()
    assert (stops["trials"][~narrow] == 60).all()
    counts = table.frame.groupby(["link", "snr_db", "codec", "image"])["trial"].nunique()
    assert (counts.groupby(["link", "snr_db"]).nunique() == 1).all(), "differences stay paired"
    assert not table.against("jpeg2000-ldpc").frame.empty
    told = captions(table)[-3]
    assert told.startswith("Points were sent until every codec's mean PSNR")
    assert f"{int(narrow.sum())} of 4 were" in told


def test_more_trials_begin_with_the_same_draws() -> None:
    options = GRID | {"links": "rayleigh", "snr_db": 12}
    few = scenarios.snr(PICTURES, **options, trials=2)  # type: ignore[arg-type]
    many = scenarios.snr(PICTURES, **options, ci_db=1e-3, max_trials=8)  # type: ignore[arg-type]
    first = many.frame[many.frame["trial"] < 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, few.frame)
    assert many.stops()["stopped"].tolist() == ["cap"]
    assert few.stops()["stopped"].tolist() == ["trials"]


def test_an_interrupted_run_goes_on_to_the_same_table(tmp_path: Path) -> None:
    options = GRID | {"snr_db": [8], "ci_db": 0.4, "max_trials": 18}
    whole = scenarios.snr(PICTURES, **options)  # type: ignore[arg-type]
    journal = tmp_path / "journal.jsonl"
    scenarios.snr(PICTURES, **options, out=tmp_path)  # type: ignore[arg-type]
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == len(whole)
    for kept in (3, len(lines) // 2, len(lines) - 1):
        journal.write_bytes(b"".join(itertools.islice(lines, kept)) + lines[kept][:20])
        again = scenarios.snr(PICTURES, **options, out=tmp_path)  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(again.frame, whole.frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ci_db": 0.0}, "ci_db"), ({"ci_db": 0.1, "max_trials": 1}, "max_trials must be")],
)
def test_impossible_rules_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.snr(PICTURES, **GRID, snr_db=8, **options)  # type: ignore[arg-type]


def test_semcom_run_says_which_points_hit_the_cap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--codecs", "jpeg2000-ldpc", "--link", "rayleigh", "--size", "64", "--limit", "1"]
    options += ["--snr", "12", "--cbr", "1/4", "--workers", "1", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", *options, "--ci", "0.001", "--max-trials", "32"])
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "at most 32 times: 0 of 1 were; not rayleigh at 12 dB (±" in told
