"""Curves with 95 % bands."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from channels import InputError
from scenarios.definitions import LABELS
from scenarios.looks import Look, looks
from scenarios.results import Table, believed
from scenarios.style import INK, frame, rate

_MOST_TICKS = 13


def curves(table: Table, metric: str) -> Figure:
    """Mean of a metric against SNR: a panel per link and rate, a colour per codec.

    Bounds and codecs held at one MCS are thin and dashed (:func:`~scenarios.looks.looks`).

    Where pictures were lost, a lower panel shows their share. Infinite means are left out. A dotted
    line marks the SNR that transmitters believed, where that was another than the channel's.

    Args:
        table: the results.
        metric: as in :meth:`~scenarios.Table.summary`.

    Raises:
        InputError: on an unknown metric, or one that the table has no finite mean of.

    >>> from scenarios.definitions import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> len(curves(Table(pd.DataFrame([row]), {}), "psnr").axes)
    1
    """
    summary = table.summary(metric)
    if summary["mean"].isna().all():
        remedy = "diagnosis" if metric == "dice" else "masks or larger pictures"
        raise InputError(f"the table holds no {metric}: pass {remedy}")
    summary = summary.replace([np.inf, -np.inf], np.nan)
    if summary["mean"].isna().all():
        raise InputError(f"every mean of {metric} is infinite: print or save the table instead")
    links, codecs = (list(dict.fromkeys(summary[name])) for name in ("link", "codec"))
    drawn = looks(codecs, _names(table))
    lost = table.summary("outage")
    with_lost = metric != "outage" and bool(lost["mean"].any())

    rates = sorted(set(summary["cbr"]))
    width = max(1.4 + 3.5 * len(links), 5.2)
    columns = _columns([look.legend for look in drawn.values()], width)
    legend_rows = -(-len(codecs) // columns)
    tall = 4.1 + 2.9 * (len(rates) - 1) + 1.1 * with_lost * len(rates)
    figure = Figure(figsize=(width, tall + 0.22 * (legend_rows - 1)))
    legend_top = frame(
        figure,
        _title(table, metric),
        _definitions(table, metric, with_lost, drawn),
        legend_rows=legend_rows,
    )
    axes = figure.subplots(
        (1 + with_lost) * len(rates),
        len(links),
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=([3.2, 1] if with_lost else [1]) * len(rates),
    )
    for number, cbr in enumerate(rates):
        panels = axes[(1 + with_lost) * number :][: 1 + with_lost]
        for column, link in enumerate(links):
            top: Axes = panels[0, column]
            at = f" at CBR {rate(cbr)}" if len(rates) > 1 else ""
            top.set_title(f"{link}{at}", fontsize=10)
            _draw(top, _part(summary, link, cbr), drawn)
            if with_lost:
                _draw(panels[1, column], _part(lost, link, cbr), drawn, bands=False)
        panels[0, 0].set_ylim(*_limits(summary))
        panels[0, 0].set_ylabel(LABELS[metric])
        if metric == "outage":
            panels[0, 0].yaxis.set_major_formatter(PercentFormatter(1.0))
        if with_lost:
            panels[1, 0].set_ylim(-0.06, 1.06)
            panels[1, 0].set_ylabel("lost")
            panels[1, 0].yaxis.set_major_formatter(PercentFormatter(1.0))
    for axis in axes[-1]:
        axis.set_xlabel(r"SNR $E_s/N_0$ [dB]")
    told = believed(table)
    if told is not None:
        for axis in axes.flat:
            axis.axvline(told, color=INK, linestyle=":", linewidth=0.9, zorder=1)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="upper center", bbox_to_anchor=(0.5, legend_top), ncols=columns,
        frameon=False, fontsize=9, columnspacing=1.2, handlelength=2.4, borderaxespad=0.1,
    ).set_in_layout(False)  # fmt: skip
    return figure


def _part(summary: pd.DataFrame, link: str, cbr: float) -> pd.DataFrame:
    return summary[(summary["link"] == link) & (summary["cbr"] == cbr)]


def _draw(axis: Axes, summary: pd.DataFrame, drawn: Mapping[str, Look], bands: bool = True) -> None:
    places = sorted(set(summary["snr_db"]))
    apart = min(0.2, 1.8 / len(drawn)) if len(places) == 1 else 0.0
    for index, (codec, look) in enumerate(drawn.items()):
        rows = summary[summary["codec"] == codec].sort_values("snr_db")
        points = rows["snr_db"].to_numpy() + apart * (index - (len(drawn) - 1) / 2)
        low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
        banded = bands and look.is_solid
        if banded and len(places) == 1:
            axis.vlines(points, low, high, color=look.colour, linewidth=1.2)
        elif banded:
            axis.fill_between(points, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axis.plot(
            points, rows["mean"].to_numpy(), color=look.colour, linestyle=look.line,
            linewidth=look.width, marker=look.marker, markersize=4.5, label=look.legend,
            markerfacecolor=look.colour if look.is_solid else "none",
            zorder=3 if look.is_solid else 2.5,
        )  # fmt: skip
    axis.set_xticks(places[:: -(-len(places) // _MOST_TICKS)])
    if len(places) == 1:
        axis.set_xlim(places[0] - 1, places[0] + 1)
    axis.grid(color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=9, color=INK)


def _limits(summary: pd.DataFrame) -> tuple[float, float]:
    """All means, and bands as far as they do not dwarf the means' range."""
    mean, low, high = (summary[name].dropna() for name in ("mean", "low", "high"))
    bottom, top = float(mean.min()), float(mean.max())
    reach = 0.4 * max(top - bottom, 0.02 * abs(top), 1e-3)
    bottom, top = (
        max(bottom - reach, min([bottom, *low])),
        min(top + reach, max([top, *high])),
    )
    margin = 0.04 * max(top - bottom, 1e-3)
    return bottom - margin, top + margin


def _title(table: Table, metric: str) -> str:
    name = LABELS[metric].split(" [")[0]
    return f"{name[0].upper()}{name[1:]} at CBR {_rate(table)}, {_set(table)}"


def _set(table: Table) -> str:
    pictures, trials = table.frame["image"].nunique(), table.frame["trial"].nunique()
    each = f" × {trials} trials" if trials > 1 else ""
    return f"{pictures} picture{'s' * (pictures > 1)}{each}"


def _rate(table: Table) -> str:
    return ", ".join(rate(float(cbr)) for cbr in sorted(set(table.frame["cbr"])))


def _columns(legends: list[str], width: float) -> int:
    """Columns of a legend that fit, and no more than its rows need; width in inches."""
    entry = 0.55 + 0.078 * max(map(len, legends))
    most = max(1, min(len(legends), int(width / entry)))
    rows = -(-len(legends) // most)
    return -(-len(legends) // rows)


def _names(table: Table) -> dict[str, str]:
    """Names of codecs and bounds by label: the first word of what the metadata say of them."""
    known = table.metadata.get("codecs", {})
    return {label: str(said).partition(" ")[0] for label, said in known.items()}


def _definitions(table: Table, metric: str, with_lost: bool, drawn: Mapping[str, Look]) -> str:
    bands = "Wilson's score" if metric == "outage" else "Student's t over pictures"
    of_db = " of dB values" if LABELS[metric].endswith("[dB]") else ""
    lost = (
        " Lost pictures count in every mean unless dropped; their share is below."
        if with_lost
        else ""
    )
    thin = "" if all(look.is_solid for look in drawn.values()) else " (solid lines only)"
    bounds = any(look.legend.endswith("(bound)") for look in drawn.values())
    told = believed(table)
    mark = "" if told is None else f" Dotted: {told:g} dB, what transmitters believed."
    ideal = " Bounds: the same image coder, an ideal code, no coded transmission." * bounds
    return (
        f"Lines: means{of_db} over {_set(table)}; bands: 95 % intervals, {bands}{thin}."
        f"{lost}{ideal}{mark} SNR: average $E_s/N_0$ per complex channel use. "
        f"CBR {_rate(table)}: complex channel uses / (H·W·C), grey pictures, C = 1, "
        "without the links' pilots and cyclic prefix. "
        "All codecs meet the same fading and noise."
    )
