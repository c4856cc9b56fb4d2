"""Curves with 95 % bands."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_name
from scenarios.results.columns import Column
from scenarios.results.line_styles import LineStyle, line_styles
from scenarios.results.rows import Rows, believed, metric_of, pictured
from scenarios.results.style import (
    INK,
    Page,
    add_legend,
    counted,
    draws_told,
    fitting,
    format_axes,
    frame,
    legend_columns,
    literal,
    page_of,
    print_height,
    rate,
    rates_told,
    separate_told,
    singular,
    told,
    units_told,
)

HUES = ("codec", "link")
_MOST_TICKS = 13
_BESIDE = 3.5
"""Points between the upright lines of two codecs."""

_MOST_BANDS = 3
"""More would lie over one another: intervals are lines beside each point then."""

_EDGE = 0.9
"""Width of an outline in points."""

_RATIO = (3.2, 1.0)
"""Heights of a panel and of the one of lost pictures below it."""

_PRINTED = 0.75
"""Height in inches of the small print that a page counts on."""

_SHARES = (-0.06, 1.06)
"""Limits of axes of shares."""


def curves(
    table: Rows, metric: str, x: str | None = None, style: str = "screen", hue: str = "codec"
) -> Figure:
    """Mean of a metric: a colour per codec, a panel per link and value of what ``x`` is not.

    Bounds and codecs held at one MCS are thin and dashed, the best separate scheme is outlined
    (:func:`~scenarios.results.line_styles.line_styles`).

    Where images were lost, a lower panel shows their share. Infinite means are left out. A dotted
    line marks the SNR that transmitters believed, where that was another than the channel's.

    Args:
        table: the results.
        metric: as in :meth:`~scenarios.Table.summary`.
        x: one of :attr:`scenarios.Table.axes`, by default the first; ``"cbr"`` runs in octaves.
        hue: what colours stand for, ``"codec"``, or ``"link"``: then there is a panel per codec.
        style: ``"screen"``, with title and small print; ``"paper"``, one column of a journal, whose
            caption is :func:`caption`.

    Raises:
        InputError: on an unknown metric, axis, style or hue, or a metric that the table has no
            finite mean of.

    >>> from scenarios.results.columns import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> len(curves(Rows(pd.DataFrame([row]), {}), "psnr").axes)
    1
    """
    x = table.axis(x)
    page = page_of(style)
    column = metric_of(metric)
    check_name("hue", hue, HUES)
    swapped = {"codec": "link", "link": "codec"} if hue == "link" else {}
    summary = table.located(table.summary(metric)).rename(columns=swapped)
    if summary["mean"].isna().all():
        raise InputError(f"the table holds no {metric}: pass {column.needs}")
    means, summary = summary, _finite(summary)
    if summary["mean"].isna().all():
        raise InputError(f"every mean of {metric} is infinite: print or save the table instead")
    codecs = list(dict.fromkeys(summary["codec"]))
    drawn = line_styles(codecs, _names(table))
    lost = table.located(table.summary("outage")).rename(columns=swapped)
    with_lost = metric != "outage" and bool(lost["mean"].any())
    panels = _panels(summary, x, list(table.axes), page)
    rows, links = len(panels), len(panels[0])

    width = max(page.beside + page.panel_width * links, page.least_width)
    columns = legend_columns([style.legend for style in drawn.values()], width, page)
    legend_rows = -(-len(codecs) // columns)
    small_print = _definitions(table, column, x, means, drawn, with_lost)
    tall = page.around + page.panel_height * rows + page.lost_height * with_lost * rows
    tall += max(0.0, print_height(small_print, width) - _PRINTED) * page.told
    figure = Figure(figsize=(width, tall + page.legend_row * (legend_rows - 1)))
    legend_top = frame(figure, literal(_title(table, metric, x)), small_print, legend_rows, page)
    axes = figure.subplots(
        (1 + with_lost) * rows,
        links,
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=(_RATIO if with_lost else _RATIO[:1]) * rows,
    )
    for number, row in enumerate(panels):
        below = axes[(1 + with_lost) * number :][: 1 + with_lost]
        for place, panel in enumerate(row):
            top: Axes = below[0, place]
            top.set_title(literal(panel.title), fontsize=page.text)
            _draw(top, panel.part(summary), drawn, x, page)
            if with_lost:
                _draw(below[1, place], panel.part(lost), drawn, x, page, bands=False)
        below[0, 0].set_ylim(*_limits(summary, column, drawn))
        below[0, 0].set_ylabel(_wrapped(table.label(metric), page, with_lost), fontsize=page.text)
        if column.is_share:
            below[0, 0].yaxis.set_major_formatter(PercentFormatter(1.0))
        if with_lost:
            below[1, 0].set_ylim(*_SHARES)
            below[1, 0].set_ylabel("lost", fontsize=page.text)
            below[1, 0].yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.align_ylabels(axes[:, 0])
    for axis in axes[-1]:
        axis.set_xlabel(table.axes[x], fontsize=page.text)
    belief = believed(table)
    if belief is not None and x == "snr_db":
        for axis in axes.flat:
            axis.axvline(belief, color=INK, linestyle=":", linewidth=0.9, zorder=1)
    if table.anchor is not None and column.is_quality:
        for axis in axes[:: 1 + with_lost].flat:
            axis.axhline(0, color=INK, linewidth=0.9, zorder=1)
    add_legend(figure, axes[0, 0].get_legend_handles_labels(), legend_top, columns, page)
    return figure


def caption(table: Rows, metric: str, x: str | None = None) -> str:
    """What a reader of the figure must know, in the words of its title and small print.

    >>> from scenarios.results.columns import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> caption(Rows(pd.DataFrame([row]), {}), "psnr")[:47]
    'PSNR at CBR 0, 1 picture. Points: means of dB v'
    """
    x = table.axis(x)
    means, lost = table.located(table.summary(metric)), table.summary("outage")
    drawn = line_styles(list(dict.fromkeys(means["codec"])), _names(table))
    with_lost = metric != "outage" and bool(lost["mean"].any())
    small_print = _definitions(table, metric_of(metric), x, means, drawn, with_lost)
    return f"{_title(table, metric, x)}. {small_print}"


@dataclass(frozen=True)
class _Panel:
    """One link, at one value of each axis that is not the x axis."""

    title: str
    link: str
    held: tuple[tuple[str, float], ...]

    def part(self, summary: pd.DataFrame) -> pd.DataFrame:
        rows = summary[summary["link"] == self.link]
        for axis, value in self.held:
            rows = rows[rows[axis] == value]
        return rows


def _panels(summary: pd.DataFrame, x: str, axes: list[str], page: Page) -> list[list[_Panel]]:
    """Rows of panels: one below the other on paper; on a screen a column per link.

    A lone link's panels stand in one row.
    """
    others = {axis: sorted(set(summary[axis])) for axis in axes if axis != x}
    links = list(dict.fromkeys(summary["link"]))
    places = list(itertools.product(*others.values()))

    def panel(link: str, place: tuple[float, ...]) -> _Panel:
        held = tuple(zip(others, place, strict=True))
        where = [told(axis, value) for axis, value in held if len(others[axis]) > 1]
        return _Panel(f"{link}{' at ' * bool(where)}{', '.join(where)}", link, held)

    if page.stacked:
        return [[panel(link, place)] for link in links for place in places]
    if len(links) == 1:
        return [[panel(links[0], place) for place in places]]
    return [[panel(link, place) for link in links] for place in places]


def _draw(
    axis: Axes,
    summary: pd.DataFrame,
    drawn: Mapping[str, LineStyle],
    x: str,
    page: Page,
    bands: bool = True,
) -> None:
    values = sorted(set(summary[x]))
    places = _places(values, x)
    solid = _solid(drawn)
    alone = len(places) == 1
    apart = min(0.2, 1.8 / len(drawn)) if alone else 0.0
    for index, (codec, style) in enumerate(drawn.items()):
        rows = summary[summary["codec"] == codec].sort_values(x)
        points = _places(rows[x], x) + apart * (index - (len(drawn) - 1) / 2)
        low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
        if bands and style.is_solid and (alone or len(solid) > _MOST_BANDS):
            beside = 0.0 if alone else _BESIDE * (solid.index(codec) - (len(solid) - 1) / 2)
            moved = offset_copy(axis.transData, axis.get_figure(root=True), beside, 0, "points")
            axis.vlines(
                points, low, high, color=style.colour, linewidth=1.2, alpha=0.6, transform=moved
            )
        elif bands and style.is_solid:
            axis.fill_between(points, low, high, color=style.colour, alpha=0.15, linewidth=0)
        (line,) = axis.plot(
            points, rows["mean"].to_numpy(), color=style.colour, linestyle=style.line,
            linewidth=style.width * page.stroke, marker=style.marker, markersize=page.marker,
            label=style.legend, markerfacecolor=style.colour if style.is_solid else "none",
            zorder=3 if style.is_solid else 2 if style.edge else 2.5,
        )  # fmt: skip
        if style.edge:
            width = (style.width + 2 * _EDGE) * page.stroke
            line.set_path_effects([withStroke(linewidth=width, foreground=style.edge)])
    every = slice(None, None, -(-len(places) // _MOST_TICKS))
    axis.set_xticks(places[every], [_tick(x, value) for value in values[every]])
    if len(places) == 1:
        axis.set_xlim(places[0] - 1, places[0] + 1)
    format_axes(axis, page.legend)


def _places(values: Iterable[float], x: str) -> NDArray[np.float64]:
    """Where values stand on the axis: rates in octaves."""
    places = np.asarray(list(values), dtype=np.float64)
    return np.log2(np.maximum(places, 2.0**-20)) if x == "cbr" else places


def _tick(x: str, value: float) -> str:
    return rate(value) if x == "cbr" else f"{value:g}"


def _solid(drawn: Mapping[str, LineStyle]) -> list[str]:
    """Whose intervals are drawn."""
    return [label for label, style in drawn.items() if style.is_solid]


def _finite(summary: pd.DataFrame) -> pd.DataFrame:
    return summary.replace([np.inf, -np.inf], np.nan)


def _limits(
    summary: pd.DataFrame, column: Column, drawn: Mapping[str, LineStyle]
) -> tuple[float, float]:
    """All of a share; all means, and bands as far as they do not dwarf the means' range."""
    if column.is_share:
        return _SHARES
    mean = summary["mean"].dropna()
    low, high = _intervals(summary, drawn)
    bottom, top = float(mean.min()), float(mean.max())
    reach = 0.4 * max(top - bottom, 0.02 * abs(top), 1e-3)
    bottom, top = (
        max(bottom - reach, min([bottom, *low])),
        min(top + reach, max([top, *high])),
    )
    margin = 0.04 * max(top - bottom, 1e-3)
    return bottom - margin, top + margin


def _intervals(
    summary: pd.DataFrame, drawn: Mapping[str, LineStyle]
) -> tuple[pd.Series[float], pd.Series[float]]:
    """Both ends of all intervals that are drawn."""
    rows = summary[summary["codec"].isin(_solid(drawn))]
    return rows["low"].dropna(), rows["high"].dropna()


def _wrapped(label: str, page: Page, with_lost: bool) -> str:
    """A label in as many lines as the height of a panel asks for."""
    height = page.panel_height
    if with_lost:
        height = (height + page.lost_height) * _RATIO[0] / sum(_RATIO)
    return literal(textwrap.fill(label, fitting(0.75 * height, page.text), break_on_hyphens=False))


def _title(table: Rows, metric: str, x: str) -> str:
    name = table.label(metric).split(" [")[0]
    held = [f"{_snr(table)} dB"] * (x != "snr_db") + [f"CBR {rates_told(table)}"] * (x != "cbr")
    return f"{name[0].upper()}{name[1:]} at {', '.join(held)}, {_set(table)}"


def _set(table: Rows) -> str:
    images, trials = table.frame["image"].nunique(), table.frame["trial"].nunique()
    each = f" × {trials} trials" if trials > 1 else ""
    return f"{counted(images, 'picture')}{each}"


def _snr(table: Rows) -> str:
    return ", ".join(f"{snr_db:g}" for snr_db in sorted(set(table.frame["snr_db"])))


def _names(table: Rows) -> dict[str, str]:
    """Names of codecs and bounds by label: the first word of what the metadata say of them."""
    known = table.metadata.get("codecs", {})
    return {label: str(said).partition(" ")[0] for label, said in known.items()}


def _definitions(
    table: Rows,
    column: Column,
    x: str,
    means: pd.DataFrame,
    drawn: Mapping[str, LineStyle],
    with_lost: bool,
) -> str:
    belief, ideal = believed(table), any(s.legend.endswith("(bound)") for s in drawn.values())
    dotted = " (dotted)" * (x == "snr_db")
    kinds = singular(pictured(table), table.frame["image"].nunique())
    sentences = [
        f"{_marks(table, column, x, means)}; {_spread(table, column, x, means, drawn)}.",
        _cut_off(column, means, drawn),
        _infinite(means),
        "Lost pictures count in every mean unless dropped; their share is below." * with_lost,
        "Bounds: the same image coder, an ideal code, no coded transmission." * ideal,
        _outlined(table, drawn),
        "" if belief is None else f"Transmitters believed {belief:g} dB{dotted}.",
        "SNR: average $E_s/N_0$ per complex channel use.",
        f"CBR {rates_told(table)}: complex channel uses / (H·W·C), {kinds}, "
        "without the links' pilots and cyclic prefix.",
        draws_told(table),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _marks(table: Rows, column: Column, x: str, means: pd.DataFrame) -> str:
    """What lines are, or points where no two of them are joined."""
    is_difference = table.anchor is not None and column.is_quality
    what = "mean paired differences" if is_difference else "means"
    of_db = " of dB values" * (column.unit == "dB")
    marks = "Lines" if means[x].nunique() > 1 else "Points"
    return f"{marks}: {what}{of_db} over {_set(table)}"


def _spread(
    table: Rows, column: Column, x: str, means: pd.DataFrame, drawn: Mapping[str, LineStyle]
) -> str:
    """What intervals are drawn, and of which lines."""
    if _intervals(_finite(means), drawn)[0].empty:
        return "no intervals" + ": one value each" * bool(means["n"].max() <= 1)
    joined = len(_solid(drawn)) <= _MOST_BANDS and means[x].nunique() > 1
    whose = "Wilson's score" if column.is_share else f"Student's t over {units_told(table)}"
    dashed = any(not style.is_solid and not style.edge for style in drawn.values())
    outlined = any(style.edge for style in drawn.values())
    bare = ["the outlined line"] * outlined + ["dashed lines"] * dashed
    without = f", not of {' or '.join(bare)}" if bare else ""
    return f"{'bands' if joined else 'upright lines'}: 95 % intervals, {whose}{without}"


def _cut_off(column: Column, means: pd.DataFrame, drawn: Mapping[str, LineStyle]) -> str:
    summary = _finite(means)
    bottom, top = _limits(summary, column, drawn)
    low, high = _intervals(summary, drawn)
    cut = bool((low < bottom).any() or (high > top).any())
    return "Intervals that leave the axes are cut off there." * cut


def _infinite(means: pd.DataFrame) -> str:
    labels = means.loc[np.isinf(means["mean"]), "codec"]
    return f"Infinite means are not drawn ({', '.join(dict.fromkeys(labels))})." * (len(labels) > 0)


def _outlined(table: Rows, drawn: Mapping[str, LineStyle]) -> str:
    """What the best separate scheme is, and which line that is."""
    outlined = " (outlined)" * any(style.edge for style in drawn.values())
    return separate_told(table).replace("separate:", f"Best separate{outlined}:", 1)
