"""Bytes and what is left of the diagnosis: the table of the scenario ``dmic``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.text import Text

from channels import InputError
from channels.errors import check_path
from scenarios.comparisons.allocation.figure import drawn
from scenarios.comparisons.allocation.maps import Pictured
from scenarios.comparisons.allocation.observers import ALL
from scenarios.comparisons.allocation.savings import DICE_FROM, MEASURES, savings_of
from scenarios.comparisons.allocation.ways import EXTENSION, EXTENSIONS
from scenarios.results.files import NAMED, replacing, save_figure, save_rows
from scenarios.results.printing import Grid

_WHAT = (
    "Bytes in percent of the anchor's (one QP everywhere) at equal mean quality, BD-rate; negative "
    "saves. In brackets 95 % by bootstrap over pictures. By picture: mean of each picture's own "
    "BD-rate, and how many have one. Curves share {overlap} or more of all qualities that they "
    "reach. dmic.csv has more: overlap of each, savings where a session holds the headers."
)
_DICE = f"Annotated Dice: base QPs from {DICE_FROM} on, it is flat below."


@dataclass(frozen=True, eq=False)
class Allocations:
    """What was coded in each way, and what observers found in it.

    Args:
        frame: a row for each image, way, base QP and observer; columns image, way, base_qp,
            observer, bytes (of the stream), header_bytes (of them, those that size and preset alone
            decide), psnr_db, roi_psnr_db (in the mask or, without, in what the segmenter finds in
            the original; empty where that is nothing), mean_qp_offset (over units, of the QPs that
            are coded), and of the observer diagnostic (Dice of what it finds in decoded and
            original), soft (the same of probabilities), cldice, dice (against the mask; empty
            without).
        pictures: the first three with their maps, for
            :func:`~scenarios.comparisons.allocation.maps.draw_maps`.
        seed: of the bootstrap.
    """

    frame: pd.DataFrame
    pictures: tuple[Pictured, ...] = ()
    seed: int = 0

    @cached_property
    def savings(self) -> pd.DataFrame:
        """Bytes saved over the anchor: a row for each way, measure and observer.

        Columns way; measure, a quality's column of the frame; observer, ``"any"`` for PSNR; images
        (how many have such a quality); least_qp (of the base QPs, 37 for annotated Dice); saving
        (BD-rate in percent, negative saves), low and high (95 % by bootstrap over images), refused
        (resamples without a BD-rate); overlap; per_image (mean of the images' own savings) and
        per_image_of (how many have one); known_header (the saving where a session holds the
        headers); reason (why there is no number, or no interval). Reckoned when first asked for.
        """
        return savings_of(self.frame, seed=self.seed)

    def print(self, console: Console | None = None) -> None:
        """Print the savings, a grid for each measure."""
        console = console or Console()
        if self.savings.empty:
            console.print(Text("There is only the anchor, and nothing to compare with it."))
        for measure, rows in self.savings.groupby("measure", sort=False):
            console.print(Text(f"Bytes at equal {MEASURES[str(measure)]}", style="bold"))
            console.print(_table(rows))
        known = self.savings.loc[self.savings["saving"].notna(), "overlap"]
        overlap = "nothing" if known.empty else f"{100 * known.min():.0f} %"
        lines = [
            _WHAT.format(overlap=overlap),
            _DICE * bool((self.savings["measure"] == "dice").any()),
        ]
        lines.append(EXTENSIONS * bool(self.frame["way"].str.endswith(EXTENSION).any()))
        for line in filter(None, [*lines, *_reasons(self.savings)]):
            console.print(Text(line, style="dim"))

    def save(self, path: str | Path) -> None:
        """Write the frame to a ``.csv`` or ``.parquet`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        path = check_path(NAMED, path)
        if path.suffix not in (".csv", ".parquet"):
            raise InputError(f"cannot save to {path.name!r}: name it .csv or .parquet")
        if path.suffix == ".csv":
            save_rows(self.frame, path)
            return
        with replacing(path) as new:
            self.frame.to_parquet(new, index=False)

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw bytes against the diagnosis of each observer, ROI-PSNR and PSNR.

        Args:
            path: where to save the figure; ``None`` only returns it.

        Raises:
            InputError: if the path cannot be written to.
        """
        figure = drawn(self.frame)
        if path is not None:
            save_figure(figure, path)
        return figure


def rows_of(
    image: int,
    way: str,
    base_qps: Sequence[int],
    observers: Sequence[str],
    found: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Rows of one job; ``found`` as of :func:`~.coding.carried_out`."""
    return [
        {
            "image": image,
            "way": way,
            "base_qp": qp,
            "observer": observer,
            "bytes": int(found["num_bytes"][at]),
            "header_bytes": found["header_bytes"],
            "psnr_db": found["psnr_db"][at],
            "roi_psnr_db": found["roi_psnr_db"][at],
            "mean_qp_offset": float(np.mean(found["qp_offsets"][at])),
            "diagnostic": found["diagnostic"][who][at],
            "soft": found["soft"][who][at],
            "cldice": found["cldice"][who][at],
            "dice": found["dice"][who][at],
        }
        for at, qp in enumerate(base_qps)
        for who, observer in enumerate(observers)
    ]


def _table(rows: pd.DataFrame) -> Grid:
    grid = Grid(box=box.SIMPLE_HEAD)
    grid.add_column("way", no_wrap=True)
    of_observers = rows["observer"].iloc[0] != ALL
    if of_observers:
        grid.add_column("observer", no_wrap=True)
    for name in ("bytes [%], 95 %", "by picture"):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        known = not math.isnan(row["low"])
        grid.add_row(
            str(row["way"]),
            *([str(row["observer"])] if of_observers else []),
            _percent(row["saving"]) + known * f" [{row['low']:+.1f}, {row['high']:+.1f}]",
            f"{_percent(row['per_image'])} ({row['per_image_of']}/{row['images']})",
        )
    return grid


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:+.1f}"


def _reasons(savings: pd.DataFrame) -> list[str]:
    """How many numbers and intervals are missing; why, the column ``reason`` tells."""
    missing = savings[savings["reason"] != ""]
    if missing.empty:
        return []
    none = int(missing["saving"].isna().sum())
    return [
        f"{none} rows have no saving, {len(missing) - none} more no interval: dmic.csv says why"
    ]
