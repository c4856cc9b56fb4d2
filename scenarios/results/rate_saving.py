"""How much bandwidth each codec saves at equal quality, from a table of several rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.text import Text

from channels import InputError
from channels.errors import check_name, check_number, check_whole, shown, unknown_name
from scenarios.results.columns import COLUMNS, SEPARATE, rising
from scenarios.results.files import save_rows
from scenarios.results.printing import Grid, grids
from scenarios.results.style import rate, separate_told
from scenarios.results.table import Table
from semcom.metrics import bd_rate
from semcom.metrics.rate import overlap

_LEVELS = (2.5, 97.5)
_MOST_FAILED = 0.05
_FEWEST = 5
"""Resamples of fewer pictures are too few different ones: their percentiles tell nothing."""


@dataclass(frozen=True, eq=False)
class RateSaving:
    """Savings and what they mean.

    Args:
        frame: columns codec, link, snr_db, n (images), overlap (share of all qualities that both
            curves reach), bd_cbr (percent of the anchor's cbr at equal quality, negative where the
            codec saves), low, high (95 %), reason (why there is no number, or no interval).
        anchor: label of the codec that all are compared with.
        metric: what is equal.
        rates: cbr offered.
        anchor_told: what the anchor is, in a sentence, where its label does not say it.
    """

    frame: pd.DataFrame
    anchor: str
    metric: str
    rates: tuple[float, ...]
    anchor_told: str = ""

    def print(self, console: Console | None = None) -> None:
        """Print a grid for each link, a row for each codec, and why cells are empty."""
        console = console or Console()
        for link, rows in self.frame.groupby("link", sort=False):
            title = (
                f"CBR against {self.anchor} at equal {COLUMNS[self.metric].head} over {link} [%]"
            )
            console.print(Text(title, style="bold"))
            points = sorted(set(rows["snr_db"]))
            for grid in grids(points, partial(_grid, rows), console):
                console.print(grid)
        offered = ", ".join(map(rate, self.rates))
        bracketed = "; in brackets 95 % by bootstrap over pictures"
        held = bracketed * bool(self.frame["low"].notna().any())
        note = f"BD-rate of mean curves through CBR {offered}, negative: saves{held}."
        console.print(Text(note, style="dim"))
        for line in self._reasons():
            console.print(Text(line, style="dim"))
        if self.anchor_told:
            console.print(Text(self.anchor_told, style="dim"))

    def _reasons(self) -> list[str]:
        """Why numbers and intervals are missing, a line for each reason."""
        lines = []
        for (is_empty, reason), rows in self.frame.assign(
            is_empty=self.frame["bd_cbr"].isna()
        ).groupby(["is_empty", "reason"], sort=False):
            if reason:
                places = [f"{r.codec} over {r.link} at {r.snr_db:g} dB" for r in rows.itertuples()]
                where = "" if len(rows) == len(self.frame) else f": {', '.join(places)}"
                lines.append(f"{'-' if is_empty else 'no interval'}: {reason}{where}")
        return lines

    def save(self, path: str | Path) -> None:
        """Write the frame to a ``.csv`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        save_rows(self.frame, path)


def rate_saving(
    table: Table,
    anchor: str,
    metric: str = "roi_psnr",
    *,
    min_overlap: float = 0.5,
    resamples: int = 500,
    seed: int = 0,
) -> RateSaving:
    """Bjøntegaard delta of the bandwidth ratio against an anchor, for every codec, link and SNR.

    A curve is the mean of a metric over the images (trials of an image averaged first) against
    the mean of the cbr really spent, through all rates of the table; lost images count. Its
    interval is the bootstrap's, percentiles over resampled images, the same for both curves.

    Args:
        table: results at two rates or more.
        anchor: label of the codec to compare with; ``"separate"`` for the best separate scheme at
            each point (:meth:`scenarios.Table.with_separate`).
        metric: what is equal, one of :func:`~scenarios.results.columns.rising`.
        min_overlap: of :func:`semcom.metrics.bd_rate`. Three rates a factor of four apart, and a
            gain of 1 dB, overlap by about 0.7.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        NaN with a reason where curves overlap less, or do not rise; no interval, with a reason,
        where that happens to more than 5 % of the resamples, or of fewer than 5 images.

    Raises:
        InputError: on an unknown anchor or metric, or a table of one rate.

    >>> from scenarios.results.columns import COLUMNS
    >>> rows = [
    ...     dict.fromkeys(COLUMNS, 0) | {"codec": codec, "link": "awgn", "cbr": k, "cbr_used": k}
    ...     | {"psnr": 30 + 3 * math.log2(k) + gain}
    ...     for codec, gain in {"a": 0, "b": 3}.items() for k in (1 / 16, 1 / 8, 1 / 4)
    ... ]
    >>> savings = rate_saving(Table(pd.DataFrame(rows), {}), "a", "psnr", min_overlap=0.3)
    >>> savings.frame[["codec", "overlap", "bd_cbr"]].round(3)
      codec  overlap  bd_cbr
    0     b    0.333   -50.0
    """
    if not isinstance(table, Table):
        raise InputError(f"table must be a scenarios.Table, got {shown(table)}")
    if not isinstance(anchor, str):
        raise InputError(f"anchor must be the label of one codec, got {shown(anchor)}")
    if anchor == SEPARATE:
        table = table.with_separate()
    frame = table.frame
    check_name("metric", metric, rising())
    table.check_holds(metric)
    if anchor not in set(frame["codec"]):
        raise unknown_name("codec", anchor, frame["codec"].unique())
    min_overlap = check_number("min_overlap", min_overlap, 0, 1)
    resamples = check_whole("resamples", resamples, 1)
    seed = check_whole("seed", seed, 0)
    rates = tuple(sorted(set(frame["cbr"])))
    if len(rates) < 2:
        raise InputError("the table holds one rate: run the scenario with several, --cbr 1/32,1/16")
    rows = []
    for (link, snr_db), group in frame.groupby(["link", "snr_db"], sort=False):
        curves = {str(codec): _Curve.of(part, metric) for codec, part in _by_codec(group)}
        for codec, curve in curves.items():
            if codec != anchor and anchor in curves:
                draws = np.random.default_rng(seed)
                saving = _compared(curves[anchor], curve, min_overlap, resamples, draws)
                rows.append((codec, link, snr_db, *saving))
    columns = ["codec", "link", "snr_db", "n", "overlap", "bd_cbr", "low", "high", "reason"]
    told = separate_told(table) if anchor == SEPARATE else ""
    return RateSaving(pd.DataFrame(rows, columns=columns), anchor, metric, rates, told)


Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Curve:
    """Images' values: spent cbr and quality, ``[images, rates]``, and which images."""

    images: pd.Index
    spent: Array
    quality: Array

    @classmethod
    def of(cls, rows: pd.DataFrame, metric: str) -> _Curve:
        mean = rows.groupby(["image", "cbr"])[["cbr_used", metric]].mean().unstack("cbr").dropna()
        return cls(mean.index, mean["cbr_used"].to_numpy(), mean[metric].to_numpy())

    def only(self, images: pd.Index) -> _Curve:
        places = self.images.get_indexer(images)
        return _Curve(images, self.spent[places], self.quality[places])

    def mean(self, draw: NDArray[np.integer] | slice) -> tuple[Array, Array]:
        return self.spent[draw].mean(0), self.quality[draw].mean(0)


def _by_codec(group: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(codec), rows) for codec, rows in group.groupby("codec", sort=False)]


def _compared(
    anchor: _Curve, curve: _Curve, min_overlap: float, resamples: int, draws: np.random.Generator
) -> tuple[int, float, float, float, float, str]:
    """Pictures, overlap, percent, its interval, and why one of them is missing."""
    common = anchor.images.intersection(curve.images)
    n = len(common)
    if n == 0:
        return 0, math.nan, math.nan, math.nan, math.nan, "no picture has the metric at every rate"
    anchor, curve = anchor.only(common), curve.only(common)
    whole = slice(None)
    shared = overlap(anchor.mean(whole)[1], curve.mean(whole)[1])
    try:
        percent = bd_rate(*anchor.mean(whole), *curve.mean(whole), min_overlap=min_overlap)
    except InputError as error:
        return n, shared, math.nan, math.nan, math.nan, str(error).partition(":")[0]
    if n < _FEWEST:
        few = f"fewer than {_FEWEST} pictures"
        return n, shared, percent, math.nan, math.nan, few
    resampled = []
    for draw in draws.integers(n, size=(resamples, n)):
        try:
            resampled.append(
                bd_rate(*anchor.mean(draw), *curve.mean(draw), min_overlap=min_overlap)
            )
        except InputError:
            continue
    if len(resampled) < (1 - _MOST_FAILED) * resamples:
        failed = "more than 5 % of the resampled curves cannot be compared"
        return n, shared, percent, math.nan, math.nan, failed
    low, high = np.percentile(resampled, _LEVELS)
    return n, shared, percent, float(low), float(high), ""


def _grid(rows: pd.DataFrame, points: Sequence[float]) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD)
    grid.add_column("codec", no_wrap=True)
    for snr_db in points:
        grid.add_column(f"{snr_db:g} dB", justify="right", no_wrap=True)
    for codec, part in rows.groupby("codec", sort=False):
        values = zip(part["snr_db"], part["bd_cbr"], part["low"], part["high"], strict=True)
        at = {snr_db: _cell(percent, low, high) for snr_db, percent, low, high in values}
        grid.add_row(str(codec), *(at.get(snr_db, "") for snr_db in points))
    return grid


def _cell(percent: float, low: float, high: float) -> str:
    if math.isnan(percent):
        return "-"
    interval = "" if math.isnan(low) else f" [{low:+.0f}, {high:+.0f}]"
    return f"{percent:+.0f}{interval}"
