"""A metric is a function and one column: all that a table says of it derives from these."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

import scenarios
from scenarios import Table
from scenarios.engine.journal import Journal
from scenarios.results.columns import COLUMNS, Column, metrics, rising
from scenarios.results.differences import Differences
from scenarios.results.exports import latex
from scenarios.results.measures import Delivery
from scenarios.results.printing import print_table


def worst_error(delivery: Delivery) -> Tensor:
    return (delivery.received - delivery.sent).abs().amax()


WORST = Column(
    "worst",
    label="worst error",
    unit="grey values",
    definition="largest absolute error of a pixel",
    measure=worst_error,
    decimals=5,
    digits=3,
    better="lower",
    shown=True,
    is_late=True,
)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table with a metric of its own, and codecs that differ in it."""
    monkeypatch.setitem(COLUMNS, "worst", WORST)
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    names = ["jpeg2000-ldpc", "hevc-ldpc"]
    return scenarios.snr(
        images, codecs=names, links="awgn", snr_db=[6, 12], cbr=1 / 4, out=tmp_path
    )


def test_a_row_and_the_journal_hold_it(table: Table, tmp_path: Path) -> None:
    assert list(table.frame)[-1] == "worst"
    assert table.frame["worst"].dtype == "float64" and table.frame["worst"].between(0, 1).all()
    assert table.frame["worst"].eq(table.frame["worst"].round(5)).all()
    held = Journal(tmp_path).read().values()
    assert sorted(values["worst"] for values in held) == sorted(table.frame["worst"])


def test_files_hold_it_and_say_what_it_is(table: Table, tmp_path: Path) -> None:
    table.save(tmp_path / "t.csv")
    line = (tmp_path / "t.csv").read_text("utf-8").splitlines()[1]
    assert json.loads(line.removeprefix("# definitions: "))["worst"] == WORST.definition
    table.save(tmp_path / "t.parquet")
    for ending in ("csv", "parquet"):
        assert Table.load(tmp_path / f"t.{ending}").frame.equals(table.frame)


def test_it_is_printed_and_drawn_with_its_unit_and_digits(table: Table) -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_table(table, ["worst"], console)
    mean, low, high = table.summary("worst").loc[0, ["mean", "low", "high"]]
    text = console.export_text()
    assert "worst error [grey values] over awgn" in text
    assert f"{mean:.3f} ±{(high - low) / 2:.3f}" in text
    assert table.plot("worst").axes[0].get_ylabel() == WORST.head
    assert "worst error [grey values] over awgn" in latex(table, "worst")


def test_it_is_compared(table: Table) -> None:
    apart = table.against("hevc-ldpc")
    assert apart.label("worst") == "worst error over hevc-ldpc's [grey values]"
    assert apart.frame["worst"].abs().max() < 1
    assert "worst" in metrics() and "worst" not in rising()
    assert "worst" in set(Differences(table, "hevc-ldpc").frame["metric"])


def test_a_file_of_before_it_loads(table: Table, tmp_path: Path) -> None:
    table.frame = table.frame.drop(columns="worst")
    table.save(tmp_path / "before.csv")
    assert Table.load(tmp_path / "before.csv").frame["worst"].isna().all()


def test_a_journal_of_before_it_is_not_taken_for_complete(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(COLUMNS, "worst")
    assert not Journal(tmp_path).read()
