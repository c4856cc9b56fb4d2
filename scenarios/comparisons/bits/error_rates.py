"""Bit and block error rates with their intervals: the table of the scenario ``ber``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.text import Text
from scipy import stats

from scenarios.comparisons.bits.block_errors import Counts, Series
from scenarios.comparisons.bits.theory import Array, best_snr_db, rayleigh_ber, uncoded_ber
from scenarios.results.files import save_figure, save_rows
from scenarios.results.printing import Grid
from scenarios.results.statistics import LEVEL, wilson_interval
from scenarios.results.style import COLOURS, MARKERS, add_legend, format_axes, frame, legend_columns

_DEFINITIONS = (
    "Symbols: measured, with 95 % intervals (BLER: Wilson's score; BER: Student's t over blocks, "
    "since errors of a block come together; without an error, the upper end of the blocks', of "
    "uncoded bits over Gaussian noise their own); hollow triangles: no block failed, the upper "
    "end. Every block meets fading and noise of its own, the same for all schemes. SNR: average "
    "$E_s/N_0$ per complex channel use."
)
_BOUNDS = (
    " Thin lines: theory of Gray-mapped QAM (BER), best short codes by the normal approximation "
    "(BLER), both over Gaussian noise; over Rayleigh fading theory of QAM alone. Blocks "
    "without a code are not drawn."
)
_LEAST = 1e-7
_WIDTH = 8.4
_GREYS = ("#444444", "#777777", "#AAAAAA")


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """Errors counted and what they come to.

    Args:
        frame: columns link, scheme, mcs (empty for uncoded), bits_per_symbol, code_rate, k
            (information bits of a block), n (coded bits), channel_uses, snr_db, blocks,
            block_errors, bit_errors, ber, ber_low, ber_high, bler, bler_low, bler_high, stopped
            (``"errors"``: as many as asked for; ``"cap"``: as many blocks as allowed).
    """

    frame: pd.DataFrame

    def print(self, console: Console | None = None) -> None:
        """Print a grid of every scheme over every link."""
        console = console or Console()
        for (link, scheme), rows in self.frame.groupby(["link", "scheme"], sort=False):
            first = rows.iloc[0]
            size = f"k = {first['k']}, n = {first['n']}"
            console.print(Text(f"{scheme} over {link}, {size}", style="bold"))
            grid = Grid(box=box.SIMPLE_HEAD)
            for name in ("SNR", "BER", "95 %", "BLER", "95 %", "blocks", "stop"):
                grid.add_column(name, justify="right", no_wrap=True)
            for row in rows.to_dict("records"):
                grid.add_row(
                    f"{row['snr_db']:g}",
                    _short(row["ber"]),
                    f"{_short(row['ber_low'])}…{_short(row['ber_high'])}",
                    _short(row["bler"]),
                    f"{_short(row['bler_low'])}…{_short(row['bler_high'])}",
                    str(row["blocks"]),
                    str(row["stopped"]),
                )
            console.print(grid)
        console.print(
            Text(
                "BLER: a block has a wrong bit; Wilson's score. BER: wrong bits of all; Student's "
                "t over blocks. SNR is E_s/N_0 per complex channel use in dB. Stop: enough block "
                "errors, or the cap of blocks.",
                style="dim",
            )
        )

    def save(self, path: str | Path) -> None:
        """Write the frame to a ``.csv`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        save_rows(self.frame, path)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw BER and BLER against SNR, a row of panels for each link.

        Args:
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: if the path cannot be written to.
        """
        links, schemes = (list(dict.fromkeys(self.frame[name])) for name in ("link", "scheme"))
        columns = legend_columns(schemes, _WIDTH)
        legend_rows = -(-len(schemes) // columns)
        figure = Figure(figsize=(_WIDTH, 1.6 + 3.3 * len(links) + 0.22 * legend_rows))
        with_theory = bool({"awgn", "rayleigh"} & set(links))
        small_print = _DEFINITIONS + _BOUNDS * with_theory
        legend_top = frame(figure, "Bit and block error rate", small_print, legend_rows)
        axes = figure.subplots(len(links), 2, sharex="row", squeeze=False)
        for row, link in zip(axes, links, strict=True):
            rows = self.frame[self.frame["link"] == link]
            for axis, rate in zip(row, ("ber", "bler"), strict=True):
                self._draw(axis, rows, rate, schemes, link)
        add_legend(figure, axes[0, 0].get_legend_handles_labels(), legend_top, columns)
        if path is not None:
            save_figure(figure, path)
        return figure

    @staticmethod
    def _draw(axis: Axes, rows: pd.DataFrame, rate: str, schemes: list[str], link: str) -> None:
        for scheme, (colour, marker) in _colours_and_markers(schemes).items():
            its = rows[rows["scheme"] == scheme].sort_values("snr_db")
            if its.empty or (rate == "bler" and its["mcs"].isna().all()):
                continue
            seen = its[its[rate] > 0]
            span = [seen[rate] - seen[f"{rate}_low"], seen[f"{rate}_high"] - seen[rate]]
            axis.errorbar(
                seen["snr_db"], seen[rate], np.array(span), color=colour, marker=marker,
                markersize=4.5, linewidth=1.4, elinewidth=1.0, label=scheme,
            )  # fmt: skip
            if rate == "bler":
                unseen = its[its["bler"] == 0]
                axis.plot(
                    unseen["snr_db"], unseen["bler_high"], color=colour, marker="v",
                    markersize=4.5, markerfacecolor="none", linestyle="none",
                )  # fmt: skip
            curve = _theory(its, rate, link)
            if curve is not None:
                axis.plot(*curve, color=colour, linewidth=0.8, linestyle=(0, (5, 2)), zorder=1)
        axis.set_yscale("log")
        shown = rows[rate].where(rows[rate] > 0, rows[f"{rate}_high"] if rate == "bler" else None)
        lowest = 1e-4 if shown.isna().all() else float(shown.min())
        axis.set_ylim(10 ** (math.floor(math.log10(lowest)) - 0.6), 1.6)
        axis.set_title(link, fontsize=10)
        axis.set_xlabel(r"SNR $E_s/N_0$ [dB]")
        axis.set_ylabel(rate.upper())
        format_axes(axis)


def _colours_and_markers(schemes: list[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each scheme; what has no code is grey."""
    plain = [scheme for scheme in schemes if scheme.startswith("uncoded")]
    coded = [scheme for scheme in schemes if scheme not in plain]
    turns = {scheme: COLOURS[i % len(COLOURS)] for i, scheme in enumerate(coded)}
    turns |= {scheme: _GREYS[i % len(_GREYS)] for i, scheme in enumerate(plain)}
    return {s: (turns[s], MARKERS[i % len(MARKERS)]) for i, s in enumerate(schemes)}


def _short(rate: float) -> str:
    """Two digits and as few more as it takes: 1.2e-3."""
    if rate in (0.0, 1.0):
        return f"{rate:g}"
    number, exponent = f"{rate:.1e}".split("e")
    return f"{number}e{int(exponent)}"


def row_of(
    series: Series,
    link: str,
    snr_db: float,
    counts: Counts,
    enough: int,
    is_memoryless: bool = False,
) -> dict[str, Any]:
    """A row of the table.

    ``is_memoryless``: whether the link's symbols err independently of one another, so that each
    bit without a code is a trial of its own.

    >>> row = row_of(Series(2, None, 100), "awgn", 3.0, Counts(50, 40, 100, 300), 30)
    >>> row["bler"], row["ber"], row["stopped"]
    (0.8, 0.01, 'errors')
    """
    bler, bler_low, bler_high = wilson_interval(counts.block_errors, counts.blocks)
    mcs = series.mcs
    most = bler_high
    if mcs is None and is_memoryless:
        most = wilson_interval(counts.bit_errors, counts.blocks * series.info_bits)[2]
    ber, ber_low, ber_high = _bit_error_rate(counts, series.info_bits, most)
    return {
        "link": link,
        "scheme": series.label,
        "mcs": None if mcs is None else mcs.index,
        "bits_per_symbol": series.bits_per_symbol,
        "code_rate": 1.0 if mcs is None else round(mcs.code_rate, 6),
        "k": series.info_bits,
        "n": series.channel_uses * series.bits_per_symbol,
        "channel_uses": series.channel_uses,
        "snr_db": snr_db,
        "blocks": counts.blocks,
        "block_errors": counts.block_errors,
        "bit_errors": counts.bit_errors,
        "ber": ber,
        "ber_low": ber_low,
        "ber_high": ber_high,
        "bler": bler,
        "bler_low": bler_low,
        "bler_high": bler_high,
        "stopped": "errors" if counts.block_errors >= enough else "cap",
    }


def _bit_error_rate(counts: Counts, info_bits: int, most: float) -> tuple[float, float, float]:
    """BER and its interval; without an error, or of one block, no more than ``most``."""
    blocks = counts.blocks
    mean = counts.bit_errors / blocks
    if counts.bit_errors == 0 or blocks == 1:
        return mean / info_bits, 0.0, most
    variance = max(counts.squares / blocks - mean**2, 0.0) * blocks / (blocks - 1)
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, blocks - 1))
    half = quantile * math.sqrt(variance / blocks)
    low, high = max(mean - half, 0.0), min(mean + half, float(info_bits))
    return mean / info_bits, low / info_bits, high / info_bits


def _theory(rows: pd.DataFrame, rate: str, link: str) -> tuple[Array, Array] | None:
    """SNRs and error rates that theory gives of a scheme, where it does."""
    order, first = int(rows["bits_per_symbol"].iloc[0]), rows.iloc[0]
    uncoded = bool(rows["mcs"].isna().all())
    if uncoded and rate == "ber" and link in ("awgn", "rayleigh"):
        snrs_db = np.linspace(rows["snr_db"].min(), rows["snr_db"].max(), 80)
        rates = (uncoded_ber if link == "awgn" else rayleigh_ber)(order, snrs_db)
        return snrs_db, np.where(rates > _LEAST, rates, np.nan)
    if not uncoded and rate == "bler" and link == "awgn":
        rates = np.logspace(-5, -0.01, 60)
        return best_snr_db(int(first["k"]), int(first["channel_uses"]), order, rates), rates
    return None
