"""Images delivered during a pass: the result of the scenario ``satellite_pass``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.text import Text

import channels
from channels import Link, Pass
from channels.errors import check_count, check_name, check_number
from channels.orbit.geometry import ALTITUDES_M
from scenarios.comparisons.on_air import on_air_s
from scenarios.results.files import save_figure, save_rows
from scenarios.results.line_styles import line_styles
from scenarios.results.printing import Grid
from scenarios.results.style import INK, add_legend, format_axes, frame, legend_columns, rate
from scenarios.results.table import Table

_LOWEST_DEG = 10.0
_LEVELS = (2.5, 97.5)
_WIDTH = 9.6
_RESAMPLES, _SEED = 500, 0


@dataclass(frozen=True)
class Moment:
    """One moment of the second half of a pass.

    Args:
        time_s: since the satellite stood highest.
        elevation_deg: of the satellite.
        snr_db: what the link budget gives there, in dB.
        link: the fading at that elevation, with the Doppler that pre-compensation leaves.
    """

    time_s: float
    elevation_deg: float
    snr_db: float
    link: Link


def moments_of(
    orbit: str,
    band: str,
    environment: str,
    direction: str,
    max_elevation_deg: float,
    count: int,
    estimator: str,
) -> list[Moment]:
    """Moments of a pass from its highest elevation on; as of :func:`scenarios.satellite_pass`.

    >>> steps = moments_of("leo600", "s", "urban", "downlink", 60.0, 3, "lmmse")
    >>> [round(step.elevation_deg) for step in steps], steps[0].snr_db > steps[-1].snr_db
    ([60, 28, 10], True)
    """
    check_name("orbit", orbit, [name for name in ALTITUDES_M if name.startswith("leo")])
    count = check_count("moments", count, 2, 1000)
    highest = check_number("max_elevation_deg", max_elevation_deg, _LOWEST_DEG + 1, 90)
    name = f"{orbit}-{band}-{environment}"
    width_hz = channels.link(name).grid.bandwidth_hz
    budget = channels.link_budget(orbit, band=band, direction=direction, bandwidth_hz=width_hz)
    over = Pass(ALTITUDES_M[orbit], highest, budget.carrier_hz, _LOWEST_DEG)
    seen = over.at(torch.linspace(0, over.duration_s / 2, count, dtype=torch.float64))
    moments = []
    for time_s, elevation in zip(seen.time_s.tolist(), seen.elevation_deg.tolist(), strict=True):
        elevation_deg = round(max(elevation, _LOWEST_DEG), 1)
        link = channels.link(name, elevation_deg=elevation_deg, estimator=estimator)
        link = replace(link, name=f"{name}, {elevation_deg:g} deg")
        snr_db = round(float(budget.cnr_db(elevation_deg)), 2)
        moments.append(Moment(time_s, elevation_deg, snr_db, link))
    return moments


class PassGoodput:
    """What each codec delivers while a satellite passes.

    Args:
        table: results at every moment and rate.
        moments: of the second half of the pass.
        pixels: of every image.
        threshold_db: least ROI-PSNR of an image that counts, in dB.

    Attributes:
        table: see above.
        frame: columns codec, time_s, elevation_deg, snr_db, cbr (that delivers most, the smallest
            where none delivers any), share (of the images sent that count), per_s (images that
            count per second).
        totals: columns codec, delivered (images in the whole pass), low, high (95 % by bootstrap
            over images).
    """

    def __init__(
        self, table: Table, moments: Sequence[Moment], pixels: Sequence[int], threshold_db: float
    ) -> None:
        self.table, self._threshold_db = table, threshold_db
        self._times = np.array([moment.time_s for moment in moments])
        rows, totals = [], []
        draws = np.random.default_rng(_SEED).integers(0, len(pixels), (_RESAMPLES, len(pixels)))
        rates = sorted(set(table.frame["cbr"]))
        for codec in dict.fromkeys(table.frame["codec"]):
            good = self._good(codec, moments, rates)
            per_s = self._per_s(moments, rates, pixels)
            each = good.mean(2) * per_s
            best = each.argmax(1)
            for place, moment in enumerate(moments):
                at = place, best[place]
                seen = moment.time_s, moment.elevation_deg, moment.snr_db
                rows.append((codec, *seen, rates[at[1]], float(good[at].mean()), float(each[at])))
            resampled = [self._total((good[..., draw].mean(2) * per_s).max(1)) for draw in draws]
            low, high = np.percentile(resampled, _LEVELS) if len(pixels) > 1 else (np.nan, np.nan)
            totals.append((codec, self._total(each.max(1)), float(low), float(high)))
        columns = ["codec", "time_s", "elevation_deg", "snr_db", "cbr", "share", "per_s"]
        self.frame = pd.DataFrame(rows, columns=columns)
        self.totals = pd.DataFrame(totals, columns=["codec", "delivered", "low", "high"])

    def print(self, console: Console | None = None) -> None:
        """Print the totals, what was chosen at each elevation, and what the numbers mean."""
        console = console or Console()
        console.print(Text("pictures delivered in one pass", style="bold"))
        grid = Grid(box=box.SIMPLE_HEAD)
        for name in ("codec", "delivered", "95 %"):
            grid.add_column(name, justify="left" if name == "codec" else "right")
        for row in self.totals.to_dict("records"):
            span = "-" if np.isnan(row["low"]) else f"{row['low']:.0f} … {row['high']:.0f}"
            grid.add_row(str(row["codec"]), f"{row['delivered']:.0f}", span)
        console.print(grid)
        console.print(Text("CBR and share that counts, by elevation and SNR", style="bold"))
        codecs = list(self.totals["codec"])
        grid = Grid(box=box.SIMPLE_HEAD)
        for name in ("elevation", "SNR [dB]", *codecs):
            grid.add_column(name, justify="right")
        for _, rows in self.frame.groupby("time_s"):
            first = rows.iloc[0]
            cells = [
                f"{rate(row['cbr'])}, {100 * row['share']:.0f} %" for row in rows.to_dict("records")
            ]
            grid.add_row(f"{first['elevation_deg']:g}°", f"{first['snr_db']:g}", *cells)
        console.print(grid)
        console.print(Text(self._definition(), style="dim"))

    def save(self, path: str | Path) -> None:
        """Write the frame to a ``.csv`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        save_rows(self.frame, path)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw elevation and SNR, images per second, and the totals.

        Args:
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: if the path cannot be written to.
        """
        codecs = list(self.totals["codec"])
        drawn = line_styles(codecs)
        columns = legend_columns([style.legend for style in drawn.values()], _WIDTH)
        legend_rows = -(-len(codecs) // columns)
        figure = Figure(figsize=(_WIDTH, 4.4 + 0.22 * legend_rows))
        top = frame(figure, "A satellite passes", self._definition(), legend_rows)
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1.5, 1])
        sky = self.frame[self.frame["codec"] == codecs[0]]
        time, elevation = _mirrored(sky["time_s"], sky["elevation_deg"])
        left.plot(time, elevation, color=INK, linewidth=1.6)
        left.set_ylabel("elevation [°]")
        beside = left.twinx()
        beside.plot(*_mirrored(sky["time_s"], sky["snr_db"]), color=INK, linestyle=":")
        beside.set_ylabel("SNR [dB] (dotted)")
        for codec, style in drawn.items():
            its = self.frame[self.frame["codec"] == codec]
            middle.plot(
                *_mirrored(its["time_s"], its["per_s"]), color=style.colour, marker=style.marker,
                markersize=4, linewidth=style.width, label=style.legend,
            )  # fmt: skip
        middle.set_ylabel("pictures per second")
        for axis in (left, middle):
            axis.set_xlabel("time from the highest point [s]")
        places = np.arange(len(codecs))
        span = np.abs(
            self.totals[["low", "high"]].to_numpy().T - self.totals["delivered"].to_numpy()
        )
        right.bar(
            places, self.totals["delivered"], yerr=np.nan_to_num(span),
            color=[style.colour for style in drawn.values()], ecolor=INK, capsize=3,
        )  # fmt: skip
        right.set_xticks(places, codecs, rotation=30, ha="right")
        right.set_ylabel("pictures in one pass")
        for axis in (left, middle, right):
            format_axes(axis, 8)
        add_legend(figure, middle.get_legend_handles_labels(), top, columns)
        if path is not None:
            save_figure(figure, path)
        return figure

    def _good(
        self, codec: str, moments: Sequence[Moment], rates: Sequence[float]
    ) -> NDArray[np.float64]:
        """Share of trials that count, ``[moments, rates, images]``."""
        rows = self.table.frame[self.table.frame["codec"] == codec]
        quality = rows["roi_psnr"].fillna(rows["psnr"])
        counts = (quality >= self._threshold_db) & ~rows["outage"]
        means = counts.groupby([rows["link"], rows["cbr"], rows["image"]]).mean()
        names = [moment.link.name for moment in moments]
        shares = [[np.asarray(means.loc[(name, cbr)]) for cbr in rates] for name in names]
        return np.array(shares, dtype=np.float64)

    @staticmethod
    def _per_s(
        moments: Sequence[Moment], rates: Sequence[float], pixels: Sequence[int]
    ) -> NDArray[np.float64]:
        """Pictures that can be sent per second, ``[moments, rates]``."""
        return np.array([[1 / on_air_s(m.link, cbr, pixels) for cbr in rates] for m in moments])

    def _total(self, per_s: NDArray[np.float64]) -> float:
        """Pictures of the whole pass, by trapezoids over its second half, twice."""
        return float(2 * np.trapezoid(per_s, self._times))

    def _definition(self) -> str:
        return (
            f"A picture counts if it is not lost and its ROI-PSNR (PSNR without a region) is "
            f"{self._threshold_db:g} dB at least. At each elevation a codec sends at the rate of "
            "the table at which most of them arrive per second; the link is its alone, and its "
            "pilots and prefixes are paid. SNR from the link budget of TR 38.821. Intervals: 95 %, "
            "bootstrap over pictures."
        )


def _mirrored(time_s: pd.Series, values: pd.Series) -> tuple[NDArray[np.float64], ...]:
    """The whole pass: the satellite rises as it sets."""
    time, value = time_s.to_numpy(), values.to_numpy()
    return np.concatenate([-time[:0:-1], time]), np.concatenate([value[:0:-1], value])
