"""Tables on a terminal whose text is taken as it is."""

from __future__ import annotations

from typing import Any

import rich.table
from rich.console import RenderableType
from rich.text import Text


class Grid(rich.table.Table):
    """A rich table that reads no markup: names of codecs and links may hold brackets.

    >>> grid = Grid()
    >>> grid.add_column("mine[/b]")
    >>> str(grid.columns[0].header)
    'mine[/b]'
    """

    def add_column(self, header: RenderableType = "", *args: Any, **options: Any) -> None:
        """Add a column, as rich does."""
        super().add_column(_literal(header), *args, **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row, as rich does."""
        super().add_row(*(None if cell is None else _literal(cell) for cell in cells), **options)


def _literal(cell: RenderableType) -> RenderableType:
    return Text(cell) if isinstance(cell, str) else cell
