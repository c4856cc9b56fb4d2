"""A table on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, TypeVar

import pandas as pd
import rich.table
from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.text import Text

from scenarios.results.columns import AXES, LINK_PARAMETERS, SEPARATE, Column
from scenarios.results.rows import Rows, believed, metric_of, pictured
from scenarios.results.style import (
    counted,
    draws_told,
    rate,
    rates_told,
    separate_told,
    singular,
    told,
    units_told,
)

T = TypeVar("T")


class Grid(rich.table.Table):
    """A rich table that reads no markup: names of codecs and links may hold brackets.

    >>> grid = Grid()
    >>> grid.add_column("mine[/b]")
    >>> str(grid.columns[0].header)
    'mine[/b]'
    """

    def add_column(self, header: RenderableType = "", *args: Any, **options: Any) -> None:
        """Add a column, as rich does."""
        super().add_column(_literal(header), *args, **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row, as rich does."""
        super().add_row(*(None if cell is None else _literal(cell) for cell in cells), **options)


def _literal(cell: RenderableType) -> RenderableType:
    return Text(cell) if isinstance(cell, str) else cell


def print_table(
    table: Rows,
    metrics: Sequence[str],
    console: Console | None = None,
    x: str | None = None,
) -> None:
    """Print means with half the width of their 95 % intervals, a grid per metric and link.

    Codecs that do not fit the console's width go on in a second grid below.

    Args:
        table: the results.
        metrics: which columns; those without a value, and links with a share of 0, are left out.
        console: where to print; ``None`` means the standard output stream.
        x: what rows stand for; by default the table's first axis.
    """
    console = console or Console()
    x = table.axis(x)
    others = [axis for axis in table.axes if axis != x]
    for metric in metrics:
        column = metric_of(metric)
        lost = table.summary("outage")["mean"] > 0
        is_difference = table.label(metric) != column.head
        summary = table.located(table.summary(metric).assign(lost=lost & (not is_difference)))
        if column.is_share:
            summary = summary[summary["mean"].groupby(summary["link"]).transform("any")]
        if summary["mean"].isna().all():
            continue
        several = [axis for axis in others if summary[axis].nunique() > 1]
        for _, here in summary.groupby(["link", *others], sort=False):
            first = here.iloc[0]
            at = ", ".join(told(axis, float(first[axis])) for axis in several)
            over = f"{table.label(metric)} over {first['link']}{' at ' * bool(at)}{at}"
            console.print(Text(over, style="bold"))
            codecs = list(dict.fromkeys(here["codec"]))
            for grid in grids(codecs, partial(_grid, here, column, x), console):
                console.print(grid)
    for line in captions(table):
        console.print(Text(line, style="dim"))


def captions(table: Rows) -> list[str]:
    """The definitions that a reader needs beside the numbers, one line each.

    >>> from scenarios.results.columns import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> captions(Rows(pd.DataFrame([row]), {"links": {"awgn": "Link(awgn)"}}))[-1]
    'Link(awgn)'
    """
    parameters = table.metadata.get("parameters", {})
    pictures = parameters.get("pictures", "?")
    belief, best = believed(table), separate_told(table)
    lines = [
        f"{pictures} {singular(pictured(table), pictures)}, "
        f"{counted(parameters.get('trials', 1), 'trial')}, "
        f"CBR {rates_told(table)} = channel uses / (H·W·C), seed {parameters.get('seed', '?')}. "
        f"{draws_told(table)} Regions of interest: {parameters.get('regions', '?')}. "
        "SNR is E_s/N_0 per complex channel use.",
        *(
            []
            if belief is None
            else [f"SNR is the channel's; the transmitter believed {belief:g} dB."]
        ),
        f"{_means(table)} {_intervals(table)}",
        *([best] if best else []),
    ]
    if "stop" in parameters:
        lines.append(_stopped(table, **parameters["stop"]))
    if table.frame["dice"].notna().any():
        finder = parameters.get("diagnosis", "?")
        lines.append(f"Diagnostic Dice: masks found in received against sent pictures by {finder}.")
    return [*lines, *_links(table)]


def _means(table: Rows) -> str:
    """What the numbers are."""
    anchor = table.anchor
    if anchor is None:
        return (
            "Means of dB values, lost pictures included unless dropped, in brackets without them."
        )
    whose = "the best separate scheme" if anchor == SEPARATE else anchor
    return (
        f"Mean paired differences: of each picture and draw a codec's value less {whose}'s, lost "
        "pictures included unless dropped. Shares of pictures lost are the codecs' own."
    )


def _intervals(table: Rows) -> str:
    """What stands behind them."""
    units = units_told(table)
    if units:
        return f"± is half the 95 % interval over {units}."
    return "One picture, sent once, has no interval."


def _links(table: Rows) -> list[str]:
    """What the links are; of those that differ in one parameter, the first."""
    links = table.metadata.get("links", {})
    swept = table.metadata.get("settings", {})
    groups: dict[str, list[str]] = {}
    for name in links:
        groups.setdefault(str(swept.get(name, {}).get("link", name)), []).append(name)
    lines = []
    for names in groups.values():
        others = [
            ", ".join(told(axis, value) for axis, value in swept[name].items() if axis != "link")
            for name in names[1:]
        ]
        also = f"; the same at {'; '.join(others)}" if others else ""
        lines.append(f"{links[names[0]]}{also}")
    return lines


def _stopped(table: Rows, ci_db: float, max_trials: int) -> str:
    stops = table.stops()
    capped = stops[stops["stopped"] == "cap"]
    said = (
        f"Points were sent until every codec's mean PSNR over these pictures was known to "
        f"±{ci_db:g} dB (95 %), at most {max_trials} times: {len(stops) - len(capped)} of "
        f"{len(stops)} were"
    )
    several = stops["cbr"].nunique() > 1
    where = [
        f"{row['link']} at {row['snr_db']:g} dB"
        + f", CBR {rate(row['cbr'])}" * several
        + f" (±{row['half_db']:.2f} dB)"
        for row in capped.to_dict("records")
    ]
    return said + (f"; not {', '.join(where)}." if where else ".")


def grids(
    columns: Sequence[T], make: Callable[[Sequence[T]], Grid], console: Console
) -> list[Grid]:
    """As few grids as fit the console's width, of all columns in their order.

    Args:
        columns: what stands in a column each.
        make: makes a grid of some of them.
        console: where they will be printed.

    >>> two = grids("ab", lambda part: Grid(*(letter * 60 for letter in part)), Console(width=80))
    >>> [[str(column.header)[0] for column in grid.columns] for grid in two]
    [['a'], ['b']]
    """
    boundless = console.options.update(width=10_000)
    for size in range(len(columns), 0, -1):
        parts = [make(columns[i : i + size]) for i in range(0, len(columns), size)]
        if all(Measurement.get(console, boundless, g).maximum <= console.width for g in parts):
            break
    return parts


def _grid(summary: pd.DataFrame, metric: Column, x: str, codecs: Sequence[str]) -> Grid:
    """A row for each value along the axis, a column for each codec: four fit on 80 characters."""
    grid = Grid(box=box.SIMPLE_HEAD)
    grid.add_column(Text((LINK_PARAMETERS | AXES)[x].head), justify="right", no_wrap=True)
    for codec in codecs:
        grid.add_column(str(codec), justify="right", no_wrap=True)
    for value in sorted(set(summary[x])):
        rows = summary[summary[x] == value]
        at = {row["codec"]: _cell(row, metric) for row in rows.to_dict("records")}
        cells = [at.get(codec, "") for codec in codecs]
        grid.add_row(rate(float(value)) if x == "cbr" else f"{value:g}", *cells)
    return grid


def _cell(row: dict[Hashable, Any], metric: Column) -> str:
    mean, low, high, digits = row["mean"], row["low"], row["high"], metric.digits
    if metric.is_share:
        return f"{100 * mean:.0f} %"
    if math.isnan(mean):
        return "-"
    half = "" if math.isnan(low) else f" ±{(high - low) / 2:.{digits}f}"
    arrived = "-" if math.isnan(row["arrived"]) else f"{row['arrived']:.{digits}f}"
    beside = f" ({arrived})" if row["lost"] and metric.is_quality else ""
    return f"{mean:.{digits}f}{half}{beside}"
