"""Names of users' codecs and links reach files, terminals and figures as they are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

import semcom
from scenarios import Table
from scenarios.engine.inputs import schemes
from scenarios.engine.progress import bar
from scenarios.results.columns import COLUMNS
from scenarios.results.differences import Differences
from scenarios.results.printing import print_table
from scenarios.results.rate_saving import rate_saving
from tests.refusals import refused

NAMES = ["[red]", "mine[/b]", "_mine", "codec #1", "$x", "a, b", 'quo"te', "ü", "MCS 4", "1.5 dB"]


def table(names: list[str]) -> Table:
    row = dict.fromkeys(COLUMNS, 0) | {"link": "link #1 [x]", "scenario": "snr", "outage": False}
    rows = [
        row | {"codec": name, "cbr": cbr, "cbr_used": cbr, "image": image}
        | {"psnr": 30.0 + place + 100 * cbr, "roi_psnr": 30.0, "dice": 0.5, "image": image}
        for place, name in enumerate(names) for cbr in (1 / 16, 1 / 8) for image in range(2)
    ]  # fmt: skip
    return Table(pd.DataFrame(rows), {"codecs": {name: name for name in names}})


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_names_survive_files(tmp_path: Path, ending: str) -> None:
    table(NAMES).save(tmp_path / f"t{ending}")
    again = Table.load(tmp_path / f"t{ending}")
    assert list(dict.fromkeys(again.frame["codec"])) == NAMES
    pd.testing.assert_frame_equal(again.frame, table(NAMES).frame)
    if ending == ".csv":  # as the README reads it
        read = pd.read_csv(tmp_path / "t.csv", comment="#")
        assert list(dict.fromkeys(read["codec"])) == NAMES
        assert set(read["link"]) == {"link #1 [x]"}


@pytest.mark.parametrize(
    "name",
    ["None", "NA", "nan", "1.50", "-3", "1e5", "true", "False", "null", "n/a", "", " a", "inf"],
)
def test_names_that_a_csv_cannot_hold_are_refused(name: str) -> None:
    refused(lambda: schemes({name: semcom.codec("jpeg2000-ldpc")}), "would be read from a CSV")


def test_files_of_earlier_versions_keep_such_names(tmp_path: Path) -> None:
    table(["None", "1.50", "true"]).save(tmp_path / "t.csv")
    assert set(Table.load(tmp_path / "t.csv").frame["codec"]) == {"None", "1.50", "true"}


def test_names_are_printed_as_they_are() -> None:
    console = Console(width=400, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_table(table(NAMES), ["psnr"], console)
    Differences(table(NAMES).select(cbr=1 / 8), NAMES[0]).print(console)
    rate_saving(table(NAMES), NAMES[0], "psnr", min_overlap=0, resamples=2).print(console)
    with bar("run", console) as report:
        report(1, 2, "mine[/b] over [red]")
    text = console.export_text()
    for name in NAMES[1:]:
        assert text.count(name) >= 3, name
    assert "link #1 [x]" in text


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    figure = table(NAMES).plot("psnr", tmp_path / "a.png")
    labels = [entry.get_text() for entry in figure.legends[0].get_texts()]
    shown = [label.replace("\\$", "$").replace("\u200b", "") for label in labels]
    assert sorted(shown) == sorted(NAMES)
    Differences(table(NAMES).select(cbr=1 / 8), NAMES[0]).plot(tmp_path / "b.png")


def test_figures_for_papers_have_truetype_fonts(tmp_path: Path) -> None:
    table(["mine", "other"]).plot("psnr", tmp_path / "a.pdf", style="paper")
    held = (tmp_path / "a.pdf").read_bytes()
    assert (b"/Type3" not in held and b"/TrueType" in held) or b"/CIDFontType2" in held


def test_a_value_named_twice_is_one() -> None:
    whole = table(["a", "b"])
    twice = whole.select(codecs=["a", "a"], cbr=[1 / 16, 1 / 16], links=["link #1 [x]"] * 2)
    once = whole.select(codecs="a", cbr=1 / 16)
    pd.testing.assert_frame_equal(twice.frame, once.frame)
    assert twice.summary("psnr")["n"].tolist() == [2]


def test_a_table_saves_by_its_ending(tmp_path: Path) -> None:
    for ending in (".csv", ".parquet", ".nc", ".tex"):
        table(["a", "b"]).save(tmp_path / f"t{ending}")
        assert (tmp_path / f"t{ending}").stat().st_size > 100
    refused(lambda: table(["a"]).save(tmp_path / "t.xls"), "cannot save to 't.xls': name it")


def test_links_can_share_an_axis() -> None:
    whole = table(["a", "b"])
    both = whole.frame.assign(link="second")
    figure = Table(pd.concat([whole.frame, both]), {}).plot("psnr", x="cbr", hue="link")
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]
    assert len(figure.legends[0].get_texts()) == 2
    refused(lambda: whole.plot("psnr", hue="image"), "unknown hue 'image'")
