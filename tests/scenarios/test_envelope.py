"""The best separate scheme: chosen at each point and of each metric, never against itself."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import scenarios
import semcom
from scenarios import Table
from scenarios.engine.sweep import _Left, run
from scenarios.engine.task import Task
from scenarios.options.writing import compared, draw
from scenarios.results.columns import COLUMNS
from scenarios.results.curves import caption
from scenarios.results.printing import captions
from scenarios.results.rate_saving import rate_saving
from tests.refusals import refused
from tests.scenarios.test_engine import sweep, waves

PSNR = {
    ("hevc-ldpc", 0.0): (30.0, 32.0), ("hevc-ldpc", 6.0): (33.0, 33.0),
    ("avif-ldpc", 0.0): (31.5, 31.5), ("avif-ldpc", 6.0): (34.0, 31.0),
    ("medjscc", 0.0): (32.0, 33.0), ("medjscc", 6.0): (32.0, 33.0),
}  # fmt: skip
"""PSNR of two images by codec and SNR."""


def table(**changes: dict[str, object]) -> Table:
    row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr", "outage": False}
    rows = [
        row
        | {"codec": codec, "snr_db": snr_db, "believed_snr_db": snr_db, "image": image}
        | {"psnr": psnr, "roi_psnr": 60 - psnr, "cbr": 1 / 16, "cbr_used": 1 / 16}
        | changes.get(codec, {})
        for (codec, snr_db), both in PSNR.items()
        for image, psnr in enumerate(both)
    ]
    return Table(pd.DataFrame(rows), {"parameters": {"draws": "common"}})


def test_of_each_metric_the_best_mean_at_each_point() -> None:
    means = {
        metric: table().with_separate().summary(metric).set_index(["codec", "snr_db"])["mean"]
        for metric in ("psnr", "roi_psnr")
    }
    assert means["psnr"]["separate"].to_dict() == {0.0: 31.5, 6.0: 33.0}  # avif, hevc
    assert means["roi_psnr"]["separate"].to_dict() == {0.0: 29.0, 6.0: 27.5}  # hevc, avif


def test_differences_are_image_by_image_to_the_one_scheme_of_the_point() -> None:
    against = table().against("separate")
    rows = against.frame[against.frame["codec"] == "medjscc"]
    assert rows["psnr"].tolist() == [0.5, 1.5, -1.0, 0.0]
    assert against.label("psnr") == "PSNR over the best separate scheme's [dB]"
    best = against.summary("psnr").set_index(["codec", "snr_db"])["mean"]
    assert best["hevc-ldpc"].tolist() == [-0.5, 0.0] and best["avif-ldpc"].tolist() == [0.0, -0.5]


def test_it_is_there_once_and_never_part_of_itself() -> None:
    once = table().with_separate()
    assert once.with_separate() is once
    assert once.separate == ["hevc-ldpc", "avif-ldpc"]
    assert "the best of hevc-ldpc, avif-ldpc" in " ".join(captions(once))


@pytest.mark.parametrize("codecs", [None, "medjscc"])
def test_differences_tell_to_what_they_are(codecs: str | None) -> None:
    whole = table().against("separate")
    against = whole if codecs is None else whole.select(codecs=codecs)
    lines = captions(against)
    told = "the best of hevc-ldpc, avif-ldpc at each point and of each metric, chosen by means"
    assert f"separate: {told}, which favours it." in lines
    assert lines[1].startswith("Mean paired differences: ")
    assert "a codec's value less the best separate scheme's" in lines[1]
    assert "in brackets" not in " ".join(lines)
    assert f"Best separate: {told}" in caption(against, "psnr")
    assert "Lines: mean paired differences of dB values" in caption(against, "psnr")
    to_one = captions(table().against("hevc-ldpc"))
    assert "less hevc-ldpc's" in to_one[1] and "separate" not in " ".join(to_one)


def test_the_best_separate_scheme_is_unlike_every_codec() -> None:
    figure = table().with_separate().plot("psnr")
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    best = lines.pop("best separate")
    assert best.get_path_effects() and not any(o.get_path_effects() for o in lines.values())
    assert best.get_linewidth() > 2 * max(other.get_linewidth() for other in lines.values())
    assert best.get_zorder() < min(other.get_zorder() for other in lines.values())
    legend = figure.legends[0]
    assert legend.get_texts()[0].get_text() == "best separate"
    assert legend.get_lines()[0].get_path_effects() == best.get_path_effects()
    words = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert "Best separate (outlined): the best of hevc-ldpc, avif-ldpc" in words
    assert "not of the outlined line." in words and "thick" not in words


@pytest.mark.parametrize("style", ["screen", "paper"])
@pytest.mark.parametrize("lost", [False, True])
def test_labels_stay_beside_their_axes(style: str, lost: bool) -> None:
    rows = table().frame.assign(dice_control=0.5)
    rows["outage"] = lost & (rows["image"] == 0)
    for metric in ("psnr", "dice_control"):
        figure = Table(rows, {}).against("separate").plot(metric, style=style)
        figure.draw_without_rendering()
        axis = figure.axes[0]
        label, panel = axis.yaxis.label.get_window_extent(), axis.get_window_extent()
        assert panel.y0 <= label.y0 and label.y1 <= panel.y1


def test_a_scheme_that_drops_what_it_loses_does_not_win_by_that() -> None:
    """Without its lost image its mean would be best."""
    dropped = table()
    places = (dropped.frame["codec"] == "hevc-ldpc") & (dropped.frame["image"] == 0)
    dropped.frame.loc[places, "psnr"] = math.nan
    best = dropped.with_separate().summary("psnr").set_index(["codec", "snr_db"])["mean"]
    assert best["separate"].tolist() == [31.5, 32.5]


def test_families_of_the_table_come_first_names_of_the_package_second() -> None:
    told = Table(table().frame, {"families": {"medjscc": "separate", "hevc-ldpc": "codec"}})
    assert told.separate == ["avif-ldpc", "medjscc"]
    labelled = table().frame.assign(codec=table().frame["codec"].replace("hevc-ldpc", "mine"))
    assert Table(labelled, {"codecs": {"mine": "hevc-ldpc hevc-ldpc, mcs auto"}}).separate == [
        "mine", "avif-ldpc",
    ]  # fmt: skip


def test_there_must_be_one() -> None:
    alone = table().select(codecs="medjscc")
    refused(lambda: alone.against("separate"), "the table holds no separate scheme: name one")
    assert compared(alone) is alone


def test_savings_against_it() -> None:
    frames = []
    for cbr, gain in ((1 / 32, 0.0), (1 / 16, 3.0), (1 / 8, 6.0)):
        frame = table().frame
        frames.append(frame.assign(cbr=cbr, cbr_used=cbr, psnr=frame["psnr"] + gain))
    whole = Table(pd.concat(frames), {})
    saved = rate_saving(whole, "separate", "psnr", resamples=20).frame.set_index(
        ["codec", "snr_db"]
    )["bd_cbr"]
    assert saved["medjscc"][0.0] == pytest.approx(100 * (2 ** (-1 / 3) - 1), abs=0.01)
    assert saved["hevc-ldpc"][6.0] == pytest.approx(0, abs=1e-6)


def test_a_label_of_that_name_is_refused() -> None:
    with_name = {"separate": semcom.codec("hevc-ldpc")}
    refused(lambda: sweep(codecs=with_name), "codecs: 'separate' is the best separate scheme")


def test_means_stand_beside_those_without_lost_images(capsys: pytest.CaptureFixture[str]) -> None:
    lost = table()
    places = (lost.frame["codec"] == "medjscc") & (lost.frame["image"] == 0)
    lost.frame.loc[places, "outage"] = True
    summary = lost.summary("psnr").set_index(["codec", "snr_db"])
    assert summary["mean"]["medjscc", 0.0] == 32.5 and summary["arrived"]["medjscc", 0.0] == 33.0
    assert summary["arrived"]["hevc-ldpc", 0.0] == summary["mean"]["hevc-ldpc", 0.0] == 31.0
    lost.print(["psnr"])
    printed = capsys.readouterr().out
    assert "32.50 ±6.35 (33.00)" in printed and "31.00 ±12.71 " in printed
    assert "in brackets without them" in " ".join(printed.split())


def test_figures_of_a_run(tmp_path: Path) -> None:
    names = {path.name for path in draw(table(), tmp_path, None)}
    assert {"psnr.png", "psnr-against.png", "roi_psnr-against.png"} <= names
    assert {path.name for path in tmp_path.iterdir()} == names
    draw(table().select(codecs="medjscc"), tmp_path, None)
    assert not (tmp_path / "psnr-against.png").exists()


def test_the_first_images_are_shown_early(tmp_path: Path) -> None:
    images, masks = waves()
    grid = scenarios.engine.experiment.lay_out(
        "snr", images, masks, codecs="jpeg2000-ldpc", links="awgn", snr_db=[6, 9], cbr=1 / 4
    )
    seen: list[list[int]] = []
    rows = run(grid, early=lambda rows: seen.append([int(r["image"] or 0) for r in rows]))
    assert seen == [[0, 0], [0, 1, 0, 1]][: len(seen)] and seen
    assert len(rows) == 2 * len(images)


def test_nothing_is_shown_before_an_image_is_finished_everywhere() -> None:
    left = _Left(Task("a", "awgn", snr_db, 1 / 16, n, 0, 0) for n in range(4) for snr_db in (0, 6))
    assert [left.after(n) for n in (0, 1, 1, 0, 2, 2, 3, 3)] == [0, 0, 0, 2, 0, 0, 0, 0]


def test_schemes_that_lack_other_images_are_compared_on_those_that_both_have() -> None:
    """One lost the hard image, one the easy one: means over what each has would compare images."""
    lost = table().frame
    hevc, avif = lost["codec"] == "hevc-ldpc", lost["codec"] == "avif-ldpc"
    lost.loc[hevc & (lost["image"] == 0), "psnr"] = math.nan
    lost.loc[avif & (lost["image"] == 1), "psnr"] = math.nan
    best = Table(lost, table().metadata).with_separate().frame
    rows = best[(best["codec"] == "separate") & (best["snr_db"] == 0)]
    assert rows["psnr"].isna().tolist() == [True, False], "the first of equals: no image in common"


def test_means_without_losses_are_those_of_the_metric_that_lost_them() -> None:
    told = table(**{"avif-ldpc": {"outage": True}}).with_separate()
    arrived = {
        metric: told.summary(metric).set_index(["codec", "snr_db"])["arrived"]["separate", 0.0]
        for metric in ("psnr", "roi_psnr")
    }
    assert math.isnan(arrived["psnr"]), "AVIF's, which lost both"
    assert math.isnan(arrived["roi_psnr"]), "HEVC's, of whose losses the rows do not tell"


def test_differences_are_no_measurements() -> None:
    against = table().against("hevc-ldpc")
    refused(against.with_separate, "these are differences to 'hevc-ldpc' already")
    refused(lambda: against.against("avif-ldpc"), "these are differences to 'hevc-ldpc' already")


def test_lossless_images_do_not_differ() -> None:
    both = {"psnr": math.inf}
    against = table(**{"hevc-ldpc": both, "medjscc": both}).against("hevc-ldpc").frame
    assert against[against["codec"] == "medjscc"]["psnr"].tolist() == [0.0] * 4
