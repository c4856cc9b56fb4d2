"""Bandwidth saved at equal quality, from tables whose curves are straight lines."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import scenarios
from channels import InputError
from scenarios import Table
from scenarios.command.cli import main
from scenarios.results.columns import COLUMNS
from scenarios.results.rate_saving import RateSaving

RATES = (1 / 64, 1 / 32, 1 / 16)


def table(
    gains_db: dict[str, list[float]], slope: float = 3.0, rates: tuple[float, ...] = RATES
) -> Table:
    """Straight curves, ``slope`` dB a doubling; each codec's gain over the first by picture."""
    draws = np.random.default_rng(0).normal(0, 3, len(next(iter(gains_db.values()))))
    rows: list[dict[str, Any]] = []
    for codec, gains in gains_db.items():
        for image, (gain, base) in enumerate(zip(gains, draws, strict=True)):
            for cbr in rates:
                for trial, noise in enumerate((-0.5, 0.5)):
                    value = 40 + base + slope * math.log2(cbr) + gain + noise
                    rows.append(
                        dict.fromkeys(COLUMNS, 0)
                        | {"codec": codec, "link": "awgn", "image": image, "trial": trial}
                        | {"cbr": cbr, "cbr_used": cbr, "roi_psnr": value, "psnr": value}
                    )
    return Table(pd.DataFrame(rows), {})


def printed(saving: RateSaving) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    saving.print(console)
    return console.export_text()


def test_equal_gains_save_the_same_share_whatever_is_drawn() -> None:
    """1.5 dB at 3 dB a doubling: 2^-0.5 of the rate, for every picture and every resample."""
    found = scenarios.rate_saving(table({"old": [0.0] * 5, "new": [1.5] * 5}), "old").frame
    assert found[["codec", "link", "snr_db", "n"]].values.tolist() == [["new", "awgn", 0.0, 5]]
    expected = 100 * (2**-0.5 - 1)
    for name in ("bd_cbr", "low", "high"):
        assert found.loc[0, name] == pytest.approx(expected, abs=1e-6)
    assert found.loc[0, "overlap"] == pytest.approx(4.5 / 7.5)
    assert found.loc[0, "reason"] == ""


def test_interval_is_that_of_the_mean_gain() -> None:
    """On straight lines the saving is 2^(-mean gain / 3): its percentiles are the mean's."""
    gains = np.random.default_rng(1).normal(1, 0.4, 12)
    both = table({"old": [0.0] * 12, "new": gains.tolist()})
    found = scenarios.rate_saving(both, "old", resamples=400, seed=3).frame
    draws = np.random.default_rng(3).integers(12, size=(400, 12))
    expected = 100 * (2 ** (-gains[draws].mean(1) / 3) - 1)
    assert found.loc[0, ["low", "high"]].tolist() == pytest.approx(
        np.percentile(expected, [2.5, 97.5]).tolist(), abs=1e-6
    )
    assert found.loc[0, "bd_cbr"] == pytest.approx(100 * (2 ** (-gains.mean() / 3) - 1), abs=1e-6)
    again = scenarios.rate_saving(both, "old", resamples=400, seed=3).frame
    assert again.equals(found)


def test_spent_rate_counts_not_the_offered() -> None:
    both = table({"old": [0.0] * 3, "new": [0.0] * 3})
    both.frame.loc[both.frame["codec"] == "new", "cbr_used"] /= 2
    assert scenarios.rate_saving(both, "old").frame.loc[0, "bd_cbr"] == pytest.approx(-50)


def test_no_number_without_a_common_curve() -> None:
    apart = scenarios.rate_saving(table({"old": [0.0] * 3, "new": [5.0] * 3}), "old").frame
    assert math.isnan(apart.loc[0, "bd_cbr"]) and math.isnan(apart.loc[0, "low"])
    assert "share 9 % of their qualities" in apart.loc[0, "reason"]
    empty = table({"old": [0.0] * 3, "new": [0.0] * 3})
    empty.frame.loc[empty.frame["codec"] == "new", "roi_psnr"] = math.nan
    reasons = scenarios.rate_saving(empty, "old").frame["reason"].tolist()
    assert reasons == ["no picture has the metric at every rate"]
    falling = table({"old": [0.0] * 3, "new": [0.0] * 3})
    falling.frame.loc[falling.frame["codec"] == "new", "roi_psnr"] *= -1
    assert "must rise" in scenarios.rate_saving(falling, "old").frame.loc[0, "reason"]


def test_interval_only_where_resamples_have_curves() -> None:
    wide = table({"old": [0.0] * 6, "new": [-4.0, 4.0] * 3})
    found = scenarios.rate_saving(wide, "old").frame
    assert found.loc[0, "bd_cbr"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(found.loc[0, "low"])
    assert found.loc[0, "reason"] == "more than 5 % of the resampled curves cannot be compared"


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_few_pictures_have_no_interval_and_are_told_why(n: int) -> None:
    saving = scenarios.rate_saving(table({"old": [0.0] * n, "new": [1.0] * n}), "old")
    assert saving.frame.loc[0, "bd_cbr"] == pytest.approx(100 * (2 ** (-1 / 3) - 1))
    assert math.isnan(saving.frame.loc[0, "low"]) == (n < 5)
    text = printed(saving)
    assert ("no interval: fewer than 5 pictures\n" in text) == (n < 5)
    assert ("in brackets" in text) == ("[-21, -21]" in text) == (n >= 5)


def test_who_lacks_an_interval_is_named_where_others_have_one() -> None:
    both = table({"old": [0.0] * 6, "new": [1.0] * 6, "wide": [-4.0, 4.0] * 3})
    text = printed(scenarios.rate_saving(both, "old"))
    assert "-21 [-21, -21]" in text
    reason = "more than 5 % of the resampled curves cannot be compared"
    assert f"no interval: {reason}: wide over awgn at 0 dB" in text


def test_what_the_best_separate_scheme_is_stands_below() -> None:
    saving = scenarios.rate_saving(
        table({"hevc-ldpc": [0.0] * 5, "medjscc": [1.0] * 5}), "separate"
    )
    assert "separate: the best of hevc-ldpc at each point" in printed(saving)


def test_anchor_is_compared_with_nobody_and_metrics_are_free() -> None:
    three = table({"a": [0.0] * 2, "b": [1.0] * 2, "c": [-1.0] * 2})
    found = scenarios.rate_saving(three, "b", "psnr").frame
    assert found["codec"].tolist() == ["a", "c"]
    assert (found["bd_cbr"] > 0).all()


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("new",), {}, "unknown codec 'new'"),
        (("old", "psnrr"), {}, "did you mean 'psnr'"),
        (("old", "outage"), {}, "unknown metric 'outage'"),
        (("old",), {"resamples": 0}, "resamples must be a whole number"),
        (("old",), {"min_overlap": -1}, "min_overlap must"),
        ((["separate"],), {}, "anchor must be the label of one codec, got .'separate'."),
        ((None,), {}, "anchor must be the label of one codec, got None"),
    ],
)
def test_bad_arguments(arguments: tuple[Any, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        scenarios.rate_saving(table({"old": [0.0] * 2}), *arguments, **options)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"table must be a scenarios\.Table, got 'x'"):
        scenarios.rate_saving("x", "separate")  # type: ignore[arg-type]


def test_one_rate_is_no_curve() -> None:
    with pytest.raises(InputError, match="holds one rate"):
        scenarios.rate_saving(table({"old": [0.0]}, rates=(1 / 16,)), "old")


def test_printed_and_saved(tmp_path: Path) -> None:
    found = scenarios.rate_saving(
        table({"old": [0.0] * 5, "new": [1.5] * 5, "far": [9.0] * 5}), "old"
    )
    text = printed(found)
    assert "CBR against old at equal ROI-PSNR [dB] over awgn" in text
    assert "-29 [-29, -29]" in text and "far over awgn at 0 dB" in text
    found.save(tmp_path / "saving.csv")
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "saving.csv", keep_default_na=True)[["codec", "bd_cbr"]],
        found.frame[["codec", "bd_cbr"]],
    )
    with pytest.raises(InputError, match=r"name it \.csv"):
        found.save(tmp_path / "saving.txt")


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table({"old": [0.0] * 5, "new": [1.5] * 5}).save(tmp_path / "results.parquet")
    arguments = ["rate-saving", str(tmp_path / "results.parquet"), "--anchor", "old"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--out", str(tmp_path / "saving.csv")])
    assert ended.value.code == 0
    assert "-29 [-29, -29]" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "saving.csv")["codec"].tolist() == ["new"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--metric", "psnrr"])
    assert ended.value.code == 2
    assert "did you mean 'psnr'" in capsys.readouterr().err
