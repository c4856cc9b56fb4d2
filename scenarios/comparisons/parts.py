"""What channel uses are spent on, part by part, beside the quality that they bring."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import pandas as pd
import torch
from rich import box
from rich.console import Console
from rich.text import Text
from torch import Tensor

from channels import Link, Transmission
from channels.surroundings import undisturbed
from scenarios.engine.sweep import Sweep
from scenarios.results.files import save_rows
from scenarios.results.printing import Grid
from scenarios.results.style import rate
from scenarios.results.table import Table

_DEFINITION = (
    "Channel uses of picture 0, as its sender divides them. Coarse: a coarse picture, shown where "
    "the key is lost. Outline: mask blocks, their share of the digital part's bits."
)


@runtime_checkable
class TellsParts(Protocol):
    """A codec that knows what its channel uses are spent on."""

    def adapted(self, link: Link) -> Self:
        """The same, fitted to a link."""
        ...

    def encode(
        self, images: Tensor, *, cbr: float, snr_db: float, roi: Tensor | None = None
    ) -> Transmission:
        """Symbols of images."""
        ...

    def uses_by_part(self, tx: Transmission) -> list[dict[str, float]]:
        """Channel uses by part, of each picture."""
        ...


class Parts:
    """Results, and what the channel uses were spent on.

    Args:
        table: results.
        grid: what was run.

    Attributes:
        table: the results.
        frame: columns codec, link, cbr, snr_db, part, uses; of picture 0, and of codecs that tell.
    """

    def __init__(self, table: Table, grid: Sweep) -> None:
        self.table = table
        rows = []
        image = grid.samples[0].image[None]
        mask = grid.samples[0].mask
        region = None if mask is None else mask[None]
        for label, codec in grid.codecs.items():
            if not isinstance(codec, TellsParts):
                continue
            for name, link in grid.links.items():
                adapted = codec.adapted(link)
                for cbr in grid.rates:
                    for snr_db in grid.snr_db:
                        told = snr_db if grid.believed_snr_db is None else grid.believed_snr_db
                        with undisturbed(), torch.no_grad():
                            tx = adapted.encode(image, cbr=cbr, snr_db=told, roi=region)
                            (parts,) = adapted.uses_by_part(tx)
                        rows += [(label, name, cbr, snr_db, *part) for part in parts.items()]
        columns = ["codec", "link", "cbr", "snr_db", "part", "uses"]
        self.frame = pd.DataFrame(rows, columns=columns)

    def print(self, console: Console | None = None) -> None:
        """Print quality, and channel uses by part."""
        self.table.print()
        self.print_parts(console)

    def print_parts(self, console: Console | None = None) -> None:
        """Print channel uses by part, a grid for each codec, link and rate."""
        console = console or Console()
        for (codec, link, _), rows in self.frame.groupby(["codec", "link", "cbr"], sort=False):
            cbr = float(rows["cbr"].iloc[0])
            title = f"channel uses of {codec} over {link} at CBR {rate(cbr)}"
            console.print(Text(title, style="bold"))
            grid = Grid(box=box.SIMPLE_HEAD)
            grid.add_column("SNR [dB]", justify="right")
            parts = list(dict.fromkeys(rows["part"]))
            for part in parts:
                grid.add_column(part, justify="right")
            for snr_db, its in rows.groupby("snr_db", sort=False):
                uses = dict(zip(its["part"], its["uses"], strict=True))
                grid.add_row(f"{snr_db:g}", *(f"{uses[part]:.0f}" for part in parts))
            console.print(grid)
        if not self.frame.empty:
            console.print(Text(_DEFINITION, style="dim"))

    def save(self, path: str | Path) -> None:
        """Write channel uses by part to a ``.csv`` file.

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        save_rows(self.frame, path)
