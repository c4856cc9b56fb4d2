"""Curves of single MCS: what a bare index and one with its table mean, and what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from channels import InputError
from scenarios.command.cli import main
from scenarios.engine.inputs import schemes
from scenarios.engine.mcs_curves import with_mcs
from scenarios.options.parsing import parse_mcs
from scenarios.results.line_styles import line_styles
from semcom.modem.mcs import MCSTable, mcs_table
from semcom.separate import SeparateCodec


def sent_by(curve: Any) -> tuple[int, float]:
    """Bits per symbol and code rate that a curve's codec sends with."""
    images = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    mcs = mcs_table("all")[curve.encode(images, cbr=1.0, snr_db=0.0).session.mcs]
    return mcs.bits_per_symbol, mcs.code_rate


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("auto,4,13", ["auto", 4, 13]),
        ("2:27, 3:0", [(2, 27), (3, 0)]),
        ("1:13,13,04,4", [13, 4]),
        ("2:4,2:04,4", [(2, 4), 4]),
    ],
)
def test_a_bare_index_counts_in_table_1(text: str, meant: list[Any]) -> None:
    assert parse_mcs(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", ",", "all", "4:1", "0:1", "2:", ":4", "2:100", "100", "-1", "2:-1", "2 :7", "1:2:3"],
)
def test_what_is_no_scheme_gets_one_line(text: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        parse_mcs(text)
    assert "write auto and indices, e.g. auto,4,13, or table:index" in caught.value.message
    assert "\n" not in caught.value.message


def test_curves_are_those_of_the_standard_s_tables() -> None:
    """64-QAM at 948/1024, 16-QAM at 490/1024, 256-QAM at 948/1024, QPSK at 30/1024."""
    curves = with_mcs(schemes(["jpeg2000-ldpc"]), ["auto", 28, 13, (2, 27), (3, 0)])
    labels = [f"jpeg2000-ldpc{end}" for end in ("", " MCS 28", " MCS 13", " MCS 2:27", " MCS 3:0")]
    assert list(curves) == labels
    expected = [(6, 948 / 1024), (4, 490 / 1024), (8, 948 / 1024), (2, 30 / 1024)]
    assert [sent_by(curves[label]) for label in labels[1:]] == expected


@pytest.mark.parametrize("table", [2, 3, "all"])
def test_a_codec_of_another_table_holds_the_same_scheme(table: MCSTable) -> None:
    """QPSK at 308/1024 by three names: MCS 4 of table 1, 2 of table 2, 10 of table 3."""
    codec = {"mine": SeparateCodec("jpeg2000", mcs_table=table)}
    curves = with_mcs(codec, [4, (2, 2), (3, 10)])
    assert list(curves) == ["mine MCS 4", "mine MCS 2:2", "mine MCS 3:10"]
    assert len({curve.fingerprint for curve in curves.values()}) == 1


def test_a_scheme_that_a_codec_lacks_is_refused() -> None:
    codec = {"mine": SeparateCodec(mcs_table=1)}
    with pytest.raises(InputError, match="MCS 27 of table 2 does not stand in table 1"):
        with_mcs(codec, [(2, 27)])
    with pytest.raises(InputError, match="mcs_table must be 1, 2, 3"):
        with_mcs(codec, [(4, 1)])


def test_lines_are_drawn_as_their_codec_s() -> None:
    labels = ["hevc-ldpc", "hevc-ldpc MCS 13", "hevc-ldpc MCS 2:27", "hevc-ldpc MCS 3:0"]
    found = line_styles(labels)
    assert len({style.colour for style in found.values()}) == 1
    assert len({style.marker for style in found.values()}) == 4
    assert [style.is_solid for style in found.values()] == [True, False, False, False]


@pytest.mark.parametrize(
    ("mcs", "message"),
    [
        ("29", "mcs of table 1 must be an int in 0..28, got 29"),
        ("2:28", "mcs of table 2 must be an int in 0..27, got 28"),
        ("4:1", "--mcs '4:1': write auto and indices"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    mcs: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--codec", "hevc-ldpc", "--mcs", mcs, "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", *arguments])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line and not (tmp_path / "out").exists()
