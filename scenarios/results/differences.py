"""Paired differences of schemes to one of them, with 95 % intervals over images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.text import Text

from channels import InputError
from channels.errors import unknown_name
from scenarios.results.columns import COLUMNS, Column
from scenarios.results.files import save_figure, save_rows
from scenarios.results.printing import Grid, captions
from scenarios.results.statistics import mean_interval
from scenarios.results.style import COLOURS, INK, counted, draws_told, format_axes, frame, rate
from scenarios.results.table import Table


class Differences:
    """By how much each scheme differs from one, image by image.

    Trials of an image are averaged first, then its difference is taken: all schemes met the
    same fading and noise. Intervals are Student's over images.

    Args:
        table: results at one rate.
        whole: label of the scheme that the others are compared with.
        meanings: what each label means, for the small print.

    Attributes:
        table: the results.
        frame: columns part, link, metric, snr_db (NaN: each image's mean over all points), n
            (images), mean, low, high; outage as a share.

    Raises:
        InputError: if there is no such scheme, or there are several rates.

    >>> from scenarios.results.columns import COLUMNS
    >>> rows = [
    ...     dict.fromkeys(COLUMNS, 0) | {"codec": codec, "link": "awgn", "image": image}
    ...     | {"psnr": 30 + 5 * image - loss}
    ...     for codec, loss in {"whole": 0, "no mask": 1}.items() for image in range(2)
    ... ]
    >>> frame = Differences(Table(pd.DataFrame(rows), {}), "whole").frame
    >>> frame[frame["snr_db"].isna() & (frame["metric"] == "psnr")][["part", "n", "mean", "low"]]
          part  n  mean  low
    1  no mask  2  -1.0 -1.0
    """

    def __init__(self, table: Table, whole: str, meanings: Mapping[str, str] | None = None) -> None:
        labels = list(dict.fromkeys(table.frame["codec"]))
        if whole not in labels:
            raise unknown_name("scheme", whole, labels)
        if table.frame["cbr"].nunique() != 1:
            raise InputError("the table holds several rates: compare schemes at one")
        self.table, self._whole, self._meanings = table, whole, dict(meanings or {})
        self.frame = pd.DataFrame(
            [
                (part, link, metric, *interval)
                for link in dict.fromkeys(table.frame["link"])
                for metric in table.shown
                for part in labels
                if part != whole
                for interval in _intervals(table.frame, whole, part, link, metric)
            ],
            columns=["part", "link", "metric", "snr_db", "n", "mean", "low", "high"],
        )

    def __repr__(self) -> str:
        parts = ", ".join(dict.fromkeys(self.frame["part"]))
        return f"Differences(to {self._whole}: {parts})"

    def print(self, console: Console | None = None) -> None:
        """Print a grid for each link, over all SNR points, and what the rows mean."""
        console = console or Console()
        over_all = self._over_all()
        metrics = list(dict.fromkeys(over_all["metric"]))
        for link, rows in over_all.groupby("link", sort=False):
            console.print(Text(f"difference to {self._whole} over {link}", style="bold"))
            grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
            grid.add_column("part", no_wrap=True)
            for metric in metrics:
                grid.add_column(COLUMNS[metric].short_head, justify="right", no_wrap=True)
            for part, its in rows.groupby("part", sort=False):
                values = zip(its["metric"], its["mean"], its["low"], its["high"], strict=True)
                at = {name: _cell(COLUMNS[name], *interval) for name, *interval in values}
                grid.add_row(str(part), *(at.get(metric, "-") for metric in metrics))
            console.print(grid)
        for part, meaning in self._meanings.items():
            console.print(Text(f"{part}: {meaning}.", style="dim"))
        note = f"Of each picture, trials and points averaged, part minus {self._whole}"
        half = "; ± is half the 95 % interval over pictures" * self._has_intervals()
        console.print(Text(f"{note}{half}. {self._points()}", style="dim"))
        console.print(Text(captions(self.table)[0], style="dim"))

    def save(self, path: str | Path) -> None:
        """Write the frame to a ``.csv`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        save_rows(self.frame, path)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw a row of panels for each link: a dot and an interval for each part.

        Args:
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: if the path cannot be written to.
        """
        over_all = self._over_all()
        links, metrics, parts = (
            list(dict.fromkeys(over_all[name])) for name in ("link", "metric", "part")
        )
        size = (1.9 + 2.5 * len(metrics), 1.3 + (0.7 + 0.27 * len(parts)) * len(links))
        figure = Figure(figsize=size)
        cbr = rate(float(self.table.frame["cbr"].iloc[0]))
        images = self.table.frame["image"].nunique()
        intervals = "; lines: 95 % intervals, Student's t" * self._has_intervals()
        frame(
            figure,
            f"Difference to {self._whole} at CBR {cbr}",
            f"Dots: mean over {counted(images, 'picture')} of part minus {self._whole}, trials and "
            f"points of a picture averaged first{intervals}. {self._points()} "
            f"{draws_told(self.table)}",
        )
        axes = figure.subplots(len(links), len(metrics), sharex="col", sharey=True, squeeze=False)
        for row, link in enumerate(links):
            for column, metric in enumerate(metrics):
                axis: Axes = axes[row, column]
                here = over_all[(over_all["link"] == link) & (over_all["metric"] == metric)]
                scale = 100 if COLUMNS[metric].is_share else 1
                _draw(axis, here.set_index("part").reindex(parts), scale)
                axis.set_title(str(link), fontsize=10)
                if row == len(links) - 1:
                    axis.set_xlabel(COLUMNS[metric].short_head)
        axes[0, 0].set_yticks(range(len(parts)), parts)
        axes[0, 0].invert_yaxis()
        if path is not None:
            save_figure(figure, path)
        return figure

    def _over_all(self) -> pd.DataFrame:
        """Rows over all points, of metrics that have any value."""
        rows = self.frame[self.frame["snr_db"].isna()]
        return rows[rows["mean"].notna().groupby(rows["metric"]).transform("any")]

    def _has_intervals(self) -> bool:
        return bool(self._over_all()["low"].notna().any())

    def _points(self) -> str:
        points = ", ".join(f"{snr_db:g}" for snr_db in sorted(set(self.table.frame["snr_db"])))
        return f"SNR: {points} dB."


def _intervals(
    rows: pd.DataFrame, whole: str, part: str, link: str, metric: str
) -> list[tuple[float, int, float, float, float]]:
    """SNR, number of images, mean and interval: at each point and over all of them."""
    here = rows[(rows["link"] == link) & rows["codec"].isin([whole, part])]
    values = here.assign(value=here[metric].astype("float64"))
    means = values.groupby(["image", "snr_db", "codec"])["value"].mean().unstack("codec")
    difference = (means[part] - means[whole]).dropna().unstack("snr_db")
    intervals = []
    for snr_db in [*sorted(set(rows["snr_db"])), math.nan]:
        if math.isnan(snr_db):
            units = difference.dropna().mean(axis=1)
        else:
            units = difference.get(snr_db, pd.Series(dtype="float64")).dropna()
        intervals.append((snr_db, len(units), *mean_interval([float(value) for value in units])))
    return intervals


def _cell(metric: Column, mean: float, low: float, high: float) -> str:
    if math.isnan(mean):
        return "-"
    scale, digits = (100, 1) if metric.is_share else (1, min(metric.digits, 3))
    half = "" if math.isnan(low) else f" ±{scale * (high - low) / 2:.{digits}f}"
    return f"{scale * mean:+.{digits}f}{half}"


def _draw(axis: Axes, rows: pd.DataFrame, scale: int) -> None:
    mean, low, high = (scale * rows[name].to_numpy() for name in ("mean", "low", "high"))
    places = np.arange(len(rows))
    axis.axvline(0, color=INK, linewidth=0.8)
    axis.hlines(places, low, high, color=COLOURS[0], linewidth=1.4)
    axis.plot(mean, places, "o", color=COLOURS[0], markersize=4.5)
    if not np.nan_to_num(mean).any():
        axis.set_xlim(-1, 1)
    format_axes(axis, lines="x")
