"""What is done with results: choosing rows, differences, files for other programs, figures."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from channels import InputError
from scenarios.command.cli import main
from scenarios.options.writing import _falling_back
from scenarios.results.columns import COLUMNS, definitions
from scenarios.results.curves import caption
from scenarios.results.exports import dataset, latex
from scenarios.results.table import Table
from semcom import codec as semcom_codec

GAIN = {"medjscc": 1.0, "hevc-ldpc": 0.0, "jpeg2000-ldpc": -0.5}


def measured(codecs: dict[str, float] = GAIN) -> Table:
    """Pictures 5 dB apart; a codec differs by its gain, and by 0.1 dB from picture to picture."""
    grid = itertools.product(codecs, ("awgn", "ntn-tdl-c"), (0.0, 6.0), (1 / 64, 1 / 16), range(3))
    rows = [
        dict.fromkeys(COLUMNS, 0)
        | {"scenario": "snr", "codec": codec, "link": link, "snr_db": snr_db, "cbr": cbr}
        | {"believed_snr_db": snr_db, "image": image, "cbr_used": cbr, "dice": np.nan}
        | {"psnr": 20 + snr_db + 5 * image + codecs[codec] * (1 + 0.1 * image)}
        for codec, link, snr_db, cbr, image in grid
    ]
    metadata = {
        "definitions": definitions(),
        "parameters": {"scenario": "snr"},
        "codecs": {codec: f"{codec} weights" for codec in codecs},
        "links": {"awgn": "Link(awgn)", "ntn-tdl-c": "Link(ntn-tdl-c)"},
    }
    return Table(pd.DataFrame(rows), metadata)


@pytest.fixture
def table() -> Table:
    return measured()


@pytest.fixture
def saved(table: Table, tmp_path: Path) -> Path:
    table.save(tmp_path / "results.parquet")
    return tmp_path / "results.parquet"


def semcom(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_rows_are_chosen_in_the_order_named(table: Table) -> None:
    found = table.select(codecs=["hevc-ldpc", "medjscc"], links=["awgn"], snr_db=[6], cbr=[0.0625])
    assert list(found.frame["codec"]) == ["hevc-ldpc"] * 3 + ["medjscc"] * 3
    assert set(found.frame["snr_db"]) == {6.0}
    assert list(found.metadata["links"]) == ["awgn"]
    assert set(found.metadata["codecs"]) == {"hevc-ldpc", "medjscc"}
    assert table.select().frame.equals(table.frame)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"codecs": ["vvc"]}, "no codec 'vvc': it holds medjscc, hevc-ldpc"),
        ({"links": []}, "no link is chosen"),
        ({"snr_db": [3.0]}, "no snr_db 3.0: it holds 0, 6"),
        ({"cbr": [1 / 8]}, "no cbr 0.125"),
    ],
)
def test_what_a_table_does_not_hold_is_refused(
    table: Table, wanted: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        table.select(**wanted)  # type: ignore[arg-type]


def test_differences_have_the_intervals_of_pairs(table: Table) -> None:
    found = table.against("hevc-ldpc")
    assert set(found.frame["codec"]) == {"medjscc", "jpeg2000-ldpc"}
    rows = found.summary("psnr").set_index("codec").loc["medjscc"]
    assert rows["mean"].to_numpy() == pytest.approx(1.1)
    assert (rows["high"] - rows["low"]).to_numpy() == pytest.approx(
        2 * 4.3027 * 0.1 / 3**0.5, rel=1e-3
    )
    alone = table.summary("psnr")
    assert (alone["high"] - alone["low"]).min() > 20
    assert found.label("psnr") == "PSNR over hevc-ldpc's [dB]"
    assert found.label("outage") == table.label("outage")
    assert "mean paired differences" in caption(found, "psnr")


def test_differences_need_the_same_draws(table: Table) -> None:
    with pytest.raises(InputError, match="unknown codec 'vvc'"):
        table.against("vvc")
    with pytest.raises(InputError, match="no codec but 'medjscc'"):
        table.select(codecs=["medjscc"]).against("medjscc")
    partly = table.frame[(table.frame["codec"] != "hevc-ldpc") | (table.frame["snr_db"] == 0)]
    with pytest.raises(InputError, match="not measured everywhere"):
        Table(partly, table.metadata).against("hevc-ldpc")
    with pytest.raises(InputError, match="disagree about 'parameters'"):
        Table.merge([table.select(codecs=["medjscc"]), table.against("medjscc")])


@pytest.mark.parametrize(("x", "panels"), [("snr_db", 4), ("cbr", 4)])
def test_curves_run_along_either_axis(table: Table, x: str, panels: int) -> None:
    figure = table.plot("psnr", x=x)
    assert len(figure.axes) == panels
    axis = figure.axes[-1]
    ticks = [label.get_text() for label in axis.get_xticklabels()]
    assert ticks == (["0", "6"] if x == "snr_db" else ["1/64", "1/16"])
    places = axis.get_lines()[0].get_xdata()
    assert list(places) == ([0.0, 6.0] if x == "snr_db" else [-6.0, -4.0])


def test_a_figure_for_a_paper_is_one_column_of_vectors(table: Table, tmp_path: Path) -> None:
    figure = table.plot("psnr", tmp_path / "psnr.pdf", style="paper")
    assert figure.get_size_inches()[0] == 3.5
    assert len({axis.get_position().x0 for axis in figure.axes}) == 1
    assert not figure.texts
    assert (tmp_path / "psnr.pdf").read_bytes().startswith(b"%PDF")
    assert b"/Subtype /Image" not in (tmp_path / "psnr.pdf").read_bytes()


def test_zero_is_drawn_where_differences_are(table: Table) -> None:
    def zeros(drawn: Table) -> int:
        lines = drawn.plot("psnr").axes[0].get_lines()
        return sum(set(line.get_ydata()) == {0} for line in lines)

    assert (zeros(table), zeros(table.against("hevc-ldpc"))) == (0, 1)


def test_latex_holds_every_mean(table: Table) -> None:
    text = latex(table.select(links=["awgn"], cbr=[1 / 16]), "psnr")
    assert text.count(r"\\") == 1 + 1 + 2
    assert r"$26.10 \pm " in text
    assert r"SNR [dB] & medjscc & hevc-ldpc & jpeg2000-ldpc \\" in text
    with pytest.raises(InputError, match="no dice"):
        latex(table, "dice")


def test_arrays_hold_every_row(table: Table, tmp_path: Path) -> None:
    arrays = dataset(table)
    assert dict(arrays.sizes) == {
        "codec": 3, "link": 2, "cbr": 2, "snr_db": 2, "image": 3, "trial": 1,
    }  # fmt: skip
    row = table.frame.iloc[17]
    place = {name: row[name] for name in arrays.sizes}
    assert float(arrays["psnr"].sel(place)) == row["psnr"]
    assert json.loads(arrays.attrs["definitions"]) == definitions()


@pytest.mark.parametrize("ending", ["csv", "parquet", "nc", "tex"])
def test_semcom_table_prints_and_writes(
    saved: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = saved.parent / f"some.{ending}"
    assert semcom("table", saved, "--y", "psnr", "--link", "awgn", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "PSNR [dB] over awgn at CBR 1/64" in printed
    assert "ntn-tdl-c" not in printed
    assert out.stat().st_size > 0
    if ending in ("csv", "parquet"):
        assert set(Table.load(out).frame["link"]) == {"awgn"}


def test_semcom_table_shows_differences(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert semcom("table", saved, "--against", "hevc-ldpc", "--snr", "6", "--cbr", "1/16") == 0
    printed = capsys.readouterr().out
    assert "PSNR over hevc-ldpc's [dB] over awgn" in printed
    assert "1.10 ±0.25" in printed


def test_semcom_plot_draws(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = saved.parent / "psnr.svg"
    assert semcom("plot", saved, "--x", "cbr", "--out", out) == 0
    assert out.read_text().lstrip().startswith("<?xml")
    assert semcom("plot", saved, "--style", "paper", "--out", saved.parent / "psnr.pdf") == 0
    assert "95 % intervals" in capsys.readouterr().out


def test_semcom_merge_puts_together_what_belongs_together(
    table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = tmp_path / "a.parquet", tmp_path / "b.csv"
    table.select(codecs=["medjscc"]).save(ours)
    table.select(codecs=["hevc-ldpc", "jpeg2000-ldpc"]).save(theirs)
    assert semcom("merge", ours, theirs, "--out", tmp_path / "whole.parquet") == 0
    assert Table.load(tmp_path / "whole.parquet").frame.equals(table.frame)
    other = table.metadata | {"definitions": {"psnr": "another"}}
    Table(table.select(codecs=["hevc-ldpc"]).frame, other).save(theirs)
    capsys.readouterr()
    assert semcom("merge", ours, theirs, "--out", tmp_path / "mixed.parquet") == 2
    assert "disagree about" in capsys.readouterr().err
    assert not (tmp_path / "mixed.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "none.parquet"], "there is no such file"),
        (["table", "results.parquet", "--y", "vmaf"], "unknown metric 'vmaf'"),
        (["table", "results.parquet", "--out", "a.xlsx"], "name it .parquet, .csv, .nc or .tex"),
        (["plot", "results.parquet", "--x", "image"], "unknown x 'image'"),
        (["plot", "results.parquet", "--style", "poster"], "unknown style 'poster'"),
        (["plot", "results.parquet", "--y", "dice"], "the table holds no dice"),
        (["plot", "results.parquet", "--against", "vvc"], "unknown codec 'vvc'"),
        (["merge", "results.parquet", "results.parquet", "--out", "b.csv"], "the same rows"),
        (["merge", "results.parquet", "--out", "b.xlsx"], "name it .parquet or .csv"),
    ],
)
def test_results_are_refused_with_one_line(
    saved: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(saved.parent)
    assert semcom(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert [path.name for path in saved.parent.iterdir()] == ["results.parquet"]


def test_what_is_read_is_not_written_over(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = saved.read_bytes()
    for arguments in (["table", saved, "--out", saved], ["merge", saved, "--out", saved]):
        assert semcom(*arguments) == 2
        assert "is the table that is read: name another file" in capsys.readouterr().err
    assert saved.read_bytes() == before


def test_a_fallback_stands_in_labels() -> None:
    chosen = {"hevc-ldpc": semcom_codec("hevc-ldpc"), "deepjscc": semcom_codec("deepjscc")}
    labels = _falling_back(chosen, "thumbnail")
    assert list(labels) == ["hevc-ldpc, thumbnail", "deepjscc"]
    assert "thumbnail" in labels["hevc-ldpc, thumbnail"].fingerprint
