"""Curves of bytes against quality, a colour and marker for each way."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from scenarios.comparisons.allocation.savings import MEASURES, is_of_observers, observers_in
from scenarios.comparisons.allocation.ways import ANCHOR, EXTENSION, EXTENSIONS, UPPER
from scenarios.results.statistics import mean_interval
from scenarios.results.style import (
    COLOURS,
    MARKERS,
    add_legend,
    format_axes,
    frame,
    legend_columns,
    literal,
)

_WIDTH, _HEIGHT = 3.5, 2.7
_DASHED = (0, (4, 2))
_DEFINITIONS = (
    "HEVC intra streams, no link. Means over pictures at each base QP, with 95 % intervals over "
    "pictures (Student's t), which hold how pictures differ, not how ways do: these are paired, "
    "see the table of savings. Diagnostic Dice: masks found in decoded against original pictures; "
    "soft Dice: their probabilities. ROI-PSNR: in the mask or, without, in what the segmenter "
    "finds in the original. "
)
_UPPER = "Dashed, hollow: each picture is coded many times and the segmenter asked, no codec. "


def drawn(table: pd.DataFrame) -> Figure:
    """Draw the rows of :class:`~.allocations.Allocations`.

    Dice of each observer stand in a row, below them soft Dice, then what is no observer's.
    """
    ways, observers = list(dict.fromkeys(table["way"])), observers_in(table)
    panels = [[(name, who) for who in observers] for name in ("diagnostic", "soft")]
    rest = [(name, observers[0]) for name in ("roi_psnr_db", "psnr_db", "dice")]
    panels.append([panel for panel in rest if table[panel[0]].notna().any()])
    columns = max(len(row) for row in panels)
    if len(panels[-1]) < columns and len(observers) == 1:
        panels = [[*panels[0], *panels[1]], panels[2]]
        columns = max(len(row) for row in panels)
    width = _WIDTH * columns + 0.3
    across = legend_columns(ways, width)
    legend_rows = -(-len(ways) // across)
    height = _HEIGHT * len(panels) + 1.3 + 0.22 * legend_rows
    figure = Figure(figsize=(width, height))
    upper = any(way in UPPER for way in ways)
    extended = any(way.endswith(EXTENSION) for way in ways)
    small_print = _DEFINITIONS + _UPPER * upper + EXTENSIONS * extended
    top = frame(figure, "What is left of the diagnosis", small_print, legend_rows)
    axes = figure.subplots(len(panels), columns, sharex=True, squeeze=False)
    for row, of in zip(axes, panels, strict=True):
        for axis in row[len(of) :]:
            axis.set_axis_off()
        for axis, (measure, who) in zip(row, of, strict=False):
            _draw(axis, table[table["observer"] == who], measure, ways)
            named = (
                f"\nby {literal(who)}" if measure != "psnr_db" and is_of_observers(measure) else ""
            )
            axis.set_ylabel(MEASURES[measure] + " [dB]" * measure.endswith("_db") + named)
    for column in range(columns):
        last = max(row for row, of in enumerate(panels) if column < len(of))
        axes[last, column].set_xlabel("bytes of a stream")
        axes[last, column].tick_params(labelbottom=True)
    add_legend(figure, axes[0, 0].get_legend_handles_labels(), top, across)
    return figure


def looks(ways: list[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each way; the anchor is black.

    >>> looks(["anchor", "two levels"])["anchor"]
    ('#000000', 'o')
    """
    black = "#000000"
    others = [colour for colour in COLOURS if colour != black]
    found = {}
    for place, way in enumerate(ways):
        colour = black if way == ANCHOR else others[(place - 1) % len(others)]
        found[way] = colour, MARKERS[place % len(MARKERS)]
    return found


def _draw(axis: Axes, rows: pd.DataFrame, measure: str, ways: list[str]) -> None:
    for way, (colour, marker) in looks(ways).items():
        groups = [its for _, its in rows[rows["way"] == way].groupby("base_qp")]
        sizes = [float(its["bytes"].mean()) for its in groups]
        told = np.array([mean_interval(its[measure].dropna().tolist()) for its in groups])
        mean, low, high = told.T
        axis.errorbar(
            sizes, mean, np.nan_to_num([mean - low, high - mean]), color=colour, marker=marker,
            markersize=4.5, linewidth=1.4, elinewidth=0.7, label=literal(way),
            linestyle=_DASHED if way in UPPER else "-",
            markerfacecolor="none" if way in UPPER else colour,
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    format_axes(axis)
