"""Quality against the time that an image is on air: the result of the scenario ``bandwidth``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich import box
from rich.console import Console
from rich.text import Text

from channels import Link
from scenarios.engine.sweep import Sweep
from scenarios.results.files import save_figure, save_rows
from scenarios.results.line_styles import line_styles
from scenarios.results.printing import Grid
from scenarios.results.style import INK, add_legend, format_axes, frame, legend_columns, rate
from scenarios.results.table import Table

_STROKES: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (6, 2)),
    (0, (3, 2)),
    (0, (1, 1.5)),
)
_DEFINITION = (
    "Time on air: channel uses over the channel's data symbols per second, pilots and cyclic "
    "prefix included; mean over pictures; slots are shared with others. SNR is the same at every "
    "bandwidth: at equal transmit power it falls by 3 dB with every doubling."
)


def on_air_s(link: Link, cbr: float, pixels: Sequence[int]) -> float:
    """Mean time on air of images of so many pixels, in seconds.

    >>> import channels
    >>> round(on_air_s(channels.link("awgn"), 1 / 4, [4096]), 6)
    0.000284
    """
    return float(np.mean([round(cbr * count) for count in pixels])) / link.grid.symbols_per_s


class OnAir:
    """What images are worth against the time that they take.

    Args:
        table: results at several rates over links of several bandwidths.
        grid: what was run.

    Attributes:
        table: the results; curves of its own run along ``"cbr"`` or ``"bandwidth_mhz"``.
        frame: columns link, bandwidth_mhz, cbr, on_air_s, pictures_per_s.
    """

    def __init__(self, table: Table, grid: Sweep) -> None:
        self.table = table
        rows = []
        pixels = [sample.image.numel() for sample in grid.samples]
        for name, link in grid.links.items():
            swept = grid.link_parameters[name]
            for cbr in grid.rates:
                time_s = on_air_s(link, cbr, pixels)
                rows.append((swept["link"], swept["bandwidth_mhz"], cbr, time_s, 1 / time_s))
        columns = ["link", "bandwidth_mhz", "cbr", "on_air_s", "pictures_per_s"]
        self.frame = pd.DataFrame(rows, columns=columns)

    def print(self, console: Console | None = None) -> None:
        """Print quality along the rate, and time on air."""
        self.table.print(x="cbr")
        self.print_times(console)

    def print_times(self, console: Console | None = None) -> None:
        """Print time on air in milliseconds, a grid for each link."""
        console = console or Console()
        for link, rows in self.frame.groupby("link", sort=False):
            console.print(Text(f"time on air of a picture over {link} [ms]", style="bold"))
            grid = Grid(box=box.SIMPLE_HEAD)
            grid.add_column("CBR", justify="right")
            widths = sorted(set(rows["bandwidth_mhz"]))
            for width in widths:
                grid.add_column(f"{width:g} MHz", justify="right")
            for cbr in sorted(set(rows["cbr"])):
                at = rows[rows["cbr"] == cbr]
                times = dict(zip(at["bandwidth_mhz"], at["on_air_s"], strict=True))
                grid.add_row(rate(cbr), *(f"{1e3 * times[width]:.3g}" for width in widths))
            console.print(grid)
        console.print(Text(_DEFINITION, style="dim"))

    def save(self, path: str | Path) -> None:
        """Write the times to a ``.csv`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        save_rows(self.frame, path)

    def plot(self, metric: str = "psnr", path: str | Path | None = None) -> Figure:
        """Draw a metric against time on air: a colour per codec, a stroke per bandwidth.

        Args:
            metric: as of :meth:`scenarios.Table.summary`.
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: on an unknown metric, or if the path cannot be written to.
        """
        summary = self.table.located(self.table.summary(metric))
        summary = summary.merge(self.frame, on=["link", "bandwidth_mhz", "cbr"])
        links, widths = (list(dict.fromkeys(summary[n])) for n in ("link", "bandwidth_mhz"))
        drawn = line_styles(list(dict.fromkeys(summary["codec"])))
        strokes = {width: _STROKES[turn % len(_STROKES)] for turn, width in enumerate(widths)}
        width = max(1.6 + 4.4 * len(links), 6.0)
        handles = [
            Line2D([], [], color=style.colour, marker=style.marker, label=style.legend)
            for style in drawn.values()
        ] + [
            Line2D([], [], color=INK, linestyle=stroke, label=f"{megahertz:g} MHz")
            for megahertz, stroke in strokes.items()
        ]
        legends = [str(handle.get_label()) for handle in handles]
        columns = legend_columns(legends, width)
        legend_rows = -(-len(legends) // columns)
        figure = Figure(figsize=(width, 4.3 + 0.22 * legend_rows))
        title = f"{self.table.label(metric).split(' [')[0]} against time on air"
        legend_top = frame(figure, title, _DEFINITION, legend_rows)
        axes = figure.subplots(1, len(links), sharey=True, squeeze=False)[0]
        for axis, link in zip(axes, links, strict=True):
            for (codec, megahertz), rows in summary[summary["link"] == link].groupby(
                ["codec", "bandwidth_mhz"], sort=False
            ):
                style, its = drawn[str(codec)], rows.sort_values("cbr")
                axis.plot(
                    1e3 * its["on_air_s"], its["mean"], color=style.colour, marker=style.marker,
                    markersize=4, linewidth=1.4, linestyle=strokes[megahertz],
                )  # fmt: skip
            axis.set_xscale("log")
            axis.set_title(str(link), fontsize=10)
            axis.set_xlabel("time on air per picture [ms]")
            format_axes(axis, which="both")
        axes[0].set_ylabel(self.table.label(metric))
        add_legend(figure, (handles, legends), legend_top, columns)
        if path is not None:
            save_figure(figure, path)
        return figure
