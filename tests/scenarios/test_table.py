"""Tables: intervals against scipy, files that keep their meaning, figures."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from scipy import stats

from channels import InputError
from scenarios import Table
from scenarios.engine.inputs import Sample
from scenarios.engine.panel import panel
from scenarios.engine.task import Measured
from scenarios.results.curves import caption
from scenarios.results.printing import captions, print_table
from scenarios.results.rows import believed
from scenarios.results.statistics import mean_interval, wilson_interval
from scenarios.results.style import draws_told

METADATA: dict[str, Any] = {
    "parameters": {"cbr": 1 / 16, "seed": 0, "trials": 2, "pictures": 3},
    "codecs": {"a": "a", "b": "b"},
    "links": {"awgn": "Link(awgn)"},
    "versions": {"semcom": "0"},
}


def frame(codecs: str = "ab", link: str = "awgn", lost: bool = True) -> pd.DataFrame:
    draws = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "scenario": "snr", "codec": codec, "link": link, "snr_db": float(snr_db),
                "believed_snr_db": float(snr_db),
                "cbr": 1 / 16, "cbr_used": 0.06, "cpp": 0.06, "image": image, "trial": trial,
                "psnr": round(25 + snr_db + image + draws.normal(), 4), "roi_psnr": None,
                "ssim": 0.9, "ms_ssim": None, "dice": None, "dice_control": None,
                "outage": lost and snr_db == 0 and image == 0,
                "rx_snr_db": 1.25, "mcs": 4 if codec == "b" else None,
            }
            for codec in codecs for snr_db in (0, 6) for image in range(3) for trial in range(2)
        ]
    )  # fmt: skip


@pytest.fixture
def table() -> Table:
    return Table(frame(), METADATA)


@pytest.mark.parametrize("n", [2, 3, 12, 100])
def test_mean_interval_is_students(n: int) -> None:
    values = np.random.default_rng(n).normal(30, 2, n)
    mean, low, high = mean_interval(values.tolist())
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))


@pytest.mark.parametrize(("events", "trials"), [(0, 1), (0, 12), (3, 12), (12, 12), (50, 400)])
def test_wilson_interval(events: int, trials: int) -> None:
    share, low, high = wilson_interval(events, trials)
    expected = stats.binomtest(events, trials).proportion_ci(0.95, method="wilson")
    assert (share, low, high) == pytest.approx((events / trials, *expected), abs=1e-12)


def test_too_few_values_have_no_interval() -> None:
    assert mean_interval([30.0])[0] == 30
    assert all(math.isnan(bound) for bound in mean_interval([30.0])[1:])
    assert math.isnan(mean_interval([])[0])


def test_infinite_values_have_a_mean_only() -> None:
    mean, low, high = mean_interval([math.inf, 30.0])
    assert mean == math.inf
    assert math.isnan(low) and math.isnan(high)


def test_mean_interval_covers_the_truth() -> None:
    draws = np.random.default_rng(1).normal(0, 1, (400, 5))
    covered = sum(low <= 0 <= high for _, low, high in map(mean_interval, draws.tolist()))
    assert stats.binomtest(covered, 400, 0.95).pvalue > 1e-4


def test_summary_averages_trials_before_pictures(table: Table) -> None:
    summary = table.summary("psnr")
    assert summary["codec"].tolist() == ["a", "a", "b", "b"]
    assert summary["n"].tolist() == [3, 3, 3, 3]
    rows = table.frame.query("codec == 'a' and snr_db == 6")
    means = rows.groupby("image")["psnr"].mean().tolist()
    assert tuple(summary.loc[1, ["mean", "low", "high"]]) == pytest.approx(mean_interval(means))


def test_summary_of_one_picture_is_over_its_trials() -> None:
    one = Table(frame()[lambda rows: rows["image"] == 1], METADATA)
    assert one.summary("psnr")["n"].tolist() == [2, 2, 2, 2]


def test_summary_of_outage_and_of_nothing(table: Table) -> None:
    outage = table.summary("outage")
    assert outage["n"].tolist() == [6] * 4
    assert tuple(outage.loc[0, ["mean", "low", "high"]]) == pytest.approx(wilson_interval(2, 6))
    assert table.summary("roi_psnr")["mean"].isna().all()
    with pytest.raises(InputError, match="did you mean 'psnr'"):
        table.summary("psn")
    with pytest.raises(InputError, match="did you mean 'psnr'"):
        table.summary(["psnr"])  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_saved_table_comes_back(table: Table, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    table.save(path)
    loaded = Table.load(path)
    pd.testing.assert_frame_equal(loaded.frame, table.frame)
    assert loaded.metadata == table.metadata
    again = tmp_path / f"again.{ending}"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([path.name, again.name])


def test_failed_save_leaves_the_old_file(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")

    def torn(self: Path, *_: Any, **__: Any) -> None:
        self.touch()
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", torn)
    with pytest.raises(InputError, match=r"cannot write 't.csv': disk full"):
        table.save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_paths_that_cannot_be_read_or_written(table: Table, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.parquet"
    frame().to_parquet(foreign)
    for path in (foreign, tmp_path, tmp_path / "nothing.parquet"):
        with pytest.raises(InputError, match=r"is not a saved table: [a-z]"):
            Table.load(path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        table.save(tmp_path / "folder.csv")
    with pytest.raises(InputError, match=r"cannot write 't\.csv': .* create it first"):
        table.save(tmp_path / "missing" / "t.csv")
    with pytest.raises(InputError, match="create it first"):
        table.plot("psnr", tmp_path / "missing" / "t.png")
    for name in ("t", "t.xyz"):
        with pytest.raises(InputError, match=r"name it \.png, \.pdf or \.svg"):
            table.plot("psnr", tmp_path / name)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_file_of_an_earlier_version_is_completed(table: Table, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    table.frame = table.frame.drop(columns=["dice", "believed_snr_db"])
    table.save(path)
    loaded = Table.load(path).frame
    assert loaded["dice"].isna().all()
    assert loaded["believed_snr_db"].equals(loaded["snr_db"].rename("believed_snr_db"))
    table.frame = table.frame.drop(columns="psnr")
    table.save(path)
    with pytest.raises(InputError, match="column 'psnr' is missing"):
        Table.load(path)


def test_a_table_of_before_still_loads() -> None:
    folder = Path(__file__).parent / "data"
    table = Table.load(folder / "table_of_before.csv")
    assert len(table) > 0 and not table.summary("roi_psnr")["mean"].isna().any()


def test_files_that_are_no_tables(table: Table, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.parquet or \.csv"):
        table.save(tmp_path / "t.xlsx")
    for name in ("t.parquet", "t.csv"):
        with pytest.raises(InputError, match="is not a saved table"):
            Table.load(tmp_path / name)
        (tmp_path / name).write_text("hello")
        with pytest.raises(InputError, match=r"not a (saved table|table of results)"):
            Table.load(tmp_path / name)


def test_merge(table: Table) -> None:
    own = {"codecs": {"c": "c"}, "links": {"rayleigh": "Link(rayleigh)"}}
    other = Table(frame("c", "rayleigh"), METADATA | own)
    both = Table.merge([table, other])
    assert len(both) == len(table) + len(other)
    assert list(both.metadata["codecs"]) == ["a", "b", "c"]
    with pytest.raises(InputError, match="the same rows"):
        Table.merge([table, table])
    for cbr, held in ((1 / 8, [1 / 16, 1 / 8]), ([1 / 8, 1 / 4], [1 / 16, 1 / 8, 1 / 4])):
        parameters = METADATA["parameters"] | {"cbr": cbr}
        faster = Table(other.frame.assign(cbr=1 / 8), METADATA | {"parameters": parameters})
        assert Table.merge([table, faster]).metadata["parameters"]["cbr"] == held
    with pytest.raises(InputError, match="disagree about 'parameters'"):
        Table.merge([table, Table(other.frame, METADATA | {"parameters": {"seed": 1}})])
    with pytest.raises(InputError, match="disagree about link 'awgn'"):
        Table.merge([table, Table(other.frame, METADATA | {"links": {"awgn": "other"}})])
    with pytest.raises(InputError, match="no table to merge"):
        Table.merge([])


def test_codecs_that_do_not_fit_go_on_below(table: Table) -> None:
    """No number is cut short, and every codec is printed once."""
    names = [f"a-codec-{number}" for number in range(8)]
    rows = [table.select(codecs=["a"]).frame.assign(codec=name) for name in names]
    many = Table(pd.concat(rows), METADATA)
    for width in (80, 40, 400):
        console = Console(record=True, width=width, file=io.StringIO())
        print_table(many, ["psnr"], console)
        lines = console.export_text().splitlines()
        heads = [line for line in lines if "a-codec-" in line]
        assert " ".join(heads).split().count("a-codec-7") == 1
        assert [name for line in heads for name in line.split() if "codec" in name] == names
        assert (not any("…" in line for line in lines) and len(heads) > 1) or width == 400


def test_print_names_its_terms(table: Table) -> None:
    console = Console(record=True, width=240, file=io.StringIO())
    print_table(table, ["psnr", "roi_psnr", "outage"], console)
    text = console.export_text()
    assert "PSNR [dB] over awgn" in text
    assert "share of pictures lost over awgn" in text
    assert "C = 1" in text
    assert "E_s/N_0 per complex channel use" in text
    assert "Link(awgn)" in text


@pytest.mark.parametrize(("draws", "words"), [("common", ", at every SNR."), (None, "independent")])
def test_print_tells_the_draws(draws: str | None, words: str) -> None:
    parameters = METADATA["parameters"] | {"draws": draws}
    drawn = Table(frame(), METADATA | {"parameters": parameters})
    assert draws_told(drawn) in captions(drawn)[0] and words in draws_told(drawn)


def test_one_of_a_thing_is_told_as_one() -> None:
    parameters = METADATA["parameters"] | {"pictures": 1, "trials": 1}
    rows = frame()[lambda rows: (rows["image"] == 1) & (rows["trial"] == 1)]
    one = Table(rows.assign(cbr=1 / 32), METADATA | {"parameters": parameters})
    told = captions(one)
    assert told[0].startswith("1 grey picture (C = 1), 1 trial, CBR 1/32 = ")
    assert "One picture, sent once, has no interval." in told[1] and "±" not in told[1]
    assert "3 grey pictures (C = 1), 2 trials, CBR 1/16" in captions(Table(frame(), METADATA))[0]
    assert ", grey picture (C = 1)," in caption(one, "psnr")


def test_small_print_tells_the_intervals_that_are_drawn() -> None:
    rows = frame(lost=False)
    one = rows[rows["image"] == 1]
    several = Table(one, METADATA)
    assert "Student's t over trials of the one picture." in caption(several, "psnr")
    single = Table(one[one["trial"] == 0], METADATA)
    assert "; no intervals: one value each." in caption(single, "psnr")
    assert not single.plot("psnr").axes[0].collections[0].get_paths()
    point = Table(rows[rows["snr_db"] == 6], METADATA)
    assert caption(point, "psnr", "cbr").startswith("PSNR at 6 dB, 3 pictures × 2 trials. Points:")
    assert "upright lines: 95 % intervals" in caption(point, "psnr")
    bound = rows.replace({"codec": {"b": "hevc-capacity"}})
    assert "over pictures, not of dashed lines." in caption(Table(bound, METADATA), "psnr")


def test_infinite_means_are_told_where_there_are_any(table: Table) -> None:
    rows = frame(lost=False)
    rows.loc[rows["codec"] == "b", "psnr"] = math.inf
    words = "Infinite means are not drawn (b)."
    assert words in caption(Table(rows, METADATA), "psnr")
    assert "nfinite" not in caption(table, "psnr")
    figure = Table(rows, METADATA).plot("psnr")
    assert words in " ".join(" ".join(text.get_text() for text in figure.texts).split())


def test_intervals_that_leave_the_axes_are_told(table: Table) -> None:
    words = "Intervals that leave the axes are cut off there."
    close = table.frame.assign(psnr=lambda rows: 25 + rows["snr_db"] + 0.1 * rows["image"])
    apart = table.frame.assign(psnr=lambda rows: rows["psnr"] + 40 * rows["image"])
    for rows, cut in ((close, False), (apart, True)):
        whole = Table(rows, METADATA)
        summary, (bottom, top) = whole.summary("psnr"), whole.plot("psnr").axes[0].get_ylim()
        assert (summary["low"].min() < bottom or summary["high"].max() > top) == cut
        assert (words in caption(whole, "psnr")) == cut


def test_rates_count_image_samples(table: Table) -> None:
    """A pixel of three colours has three of them."""
    assert table.axes["cbr"] == "CBR [channel uses per image sample]"
    assert table.label("cbr_used") == "channel uses per image sample"


def test_shares_are_drawn_from_none_to_all(table: Table) -> None:
    bottom, top = table.plot("outage").axes[0].get_ylim()
    assert -0.1 < bottom < 0 and 1 < top < 1.1
    assert "cut off" not in caption(table, "outage")


def test_plot_shows_means_bands_and_losses(table: Table, tmp_path: Path) -> None:
    figure = table.plot("psnr", tmp_path / "psnr.png")
    top, bottom = figure.axes
    assert top.get_ylabel() == "PSNR [dB]"
    assert bottom.get_ylabel() == "lost"
    assert [line.get_label() for line in top.get_lines()] == ["a", "b"]
    assert top.get_lines()[0].get_ydata() == pytest.approx(table.summary("psnr")["mean"][:2])
    assert len(top.collections) == 2
    words = " ".join(text.get_text() for text in figure.texts)
    assert "CBR 1/16" in words
    assert "3 pictures × 2 trials" in words
    assert min(Image.open(tmp_path / "psnr.png").size) > 500


@pytest.fixture
def two_rates() -> Table:
    other = frame().assign(cbr=1 / 64, psnr=lambda rows: rows["psnr"] - 5, dice=0.75)
    return Table(pd.concat([frame(), other]), METADATA)


def test_rates_are_summarised_apart(two_rates: Table, table: Table) -> None:
    summary = two_rates.summary("psnr").set_index("cbr")
    assert len(summary) == 8
    assert summary.loc[1 / 16, "mean"].tolist() == table.summary("psnr")["mean"].tolist()
    expected = (table.summary("psnr")["mean"] - 5).tolist()
    assert summary.loc[1 / 64, "mean"].tolist() == pytest.approx(expected)


def test_rates_are_printed_and_drawn_apart(two_rates: Table, table: Table) -> None:
    console = Console(record=True, width=240, file=io.StringIO())
    print_table(two_rates, ["psnr"], console)
    text = console.export_text()
    assert "over awgn at CBR 1/16" in text and "over awgn at CBR 1/64" in text
    figure = two_rates.plot("psnr")
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["awgn at CBR 1/64", "awgn at CBR 1/16", "", ""]
    lines = [figure.axes[place].get_lines()[0].get_ydata() for place in (1, 0)]
    assert lines[0] == pytest.approx(lines[1] + 5)
    assert [axis.get_ylabel() for axis in figure.axes] == ["PSNR [dB]", "", "lost", ""]
    titles = [axis.get_title() for axis in two_rates.plot("psnr", style="paper").axes]
    assert titles == ["awgn at CBR 1/64", "", "awgn at CBR 1/16", ""]
    assert table.plot("psnr").axes[0].get_title() == "awgn"


def test_dice_is_summarised_printed_and_drawn_where_there_is_any(
    two_rates: Table, table: Table
) -> None:
    console = Console(record=True, width=240, file=io.StringIO())
    print_table(two_rates, ["dice"], console)
    text = console.export_text()
    assert "diagnostic Dice over awgn at CBR 1/64" in text and "0.7500" in text
    assert two_rates.plot("dice").axes[0].get_ylabel() == "diagnostic Dice"
    with pytest.raises(InputError, match="holds no dice: pass diagnosis"):
        table.plot("dice")


def test_believed_snr_is_marked_and_told(table: Table) -> None:
    wrong = Table(table.frame.assign(believed_snr_db=10.0), METADATA)
    assert believed(table) is None and believed(wrong) == 10
    dotted = [
        line for line in wrong.plot("psnr").axes[0].get_lines() if line.get_linestyle() == ":"
    ]
    assert [line.get_xdata()[0] for line in dotted] == [10]
    console = Console(record=True, width=240, file=io.StringIO())
    print_table(wrong, ["psnr"], console)
    assert "transmitter believed 10 dB" in console.export_text()


def test_plot_of_one_point_and_of_no_value(table: Table) -> None:
    point = Table(frame(lost=False)[lambda rows: rows["snr_db"] == 6], METADATA)
    assert len(point.plot("psnr").axes) == 1
    with pytest.raises(InputError, match="holds no roi_psnr"):
        table.plot("roi_psnr")


def test_plot_leaves_infinite_means_out() -> None:
    rows = frame(lost=False)
    rows.loc[rows["snr_db"] == 6, "psnr"] = math.inf
    table = Table(rows, METADATA)
    assert table.summary("psnr")["mean"][1] == math.inf
    assert np.isfinite(table.plot("psnr").axes[0].get_ylim()).all()
    with pytest.raises(InputError, match="every mean of psnr is infinite"):
        Table(rows.assign(psnr=math.inf), METADATA).plot("psnr")


def test_panel_of_a_picture_without_scores() -> None:
    image = torch.zeros(1, 48, 64)
    measured: Measured = {"psnr": None, "roi_psnr": None, "outage": True}
    figure = panel(Sample(image, None), {"a": (image, measured)}, "title")
    assert figure.axes[1].get_xlabel() == "lost"


def test_panel_outlines_the_region_and_shares_a_scale(tmp_path: Path) -> None:
    image = torch.rand(1, 48, 64, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 48, 64, dtype=torch.bool)
    mask[:, 10:30, 10:30] = True
    measured = {"psnr": 20.0, "roi_psnr": 21.0, "outage": True}
    received = {"a": (image * 0.9, measured), "b": (image * 0.5, measured)}
    figure: Figure = panel(Sample(image, mask), received, "title")
    limits = {axis.images[0].get_clim() for axis in figure.axes[4:6]}
    assert len(limits) == 1
    below = figure.axes[1].get_xlabel()
    assert "PSNR 20.00 dB" in below and "ROI 21.00 dB" in below and "lost" in below
    figure.savefig(tmp_path / "panel.png")
