"""The table of a scenario, printed and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from channels.errors import check_path
from scenarios.results.curves import curves
from scenarios.results.files import NAMED, save_figure
from scenarios.results.printing import print_table
from scenarios.results.rows import Rows


class Table(Rows):
    """Rows and what they mean.

    Args:
        frame: the rows, with the columns of ``metadata["definitions"]``.
        metadata: definitions, parameters, codecs, links and versions; JSON values only.

    Attributes:
        frame: the rows as a pandas DataFrame.
        metadata: see above.

    Raises:
        InputError: if a column is missing.

    >>> import pandas as pd
    >>> from scenarios.results.columns import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> Table(pd.DataFrame([row]), {})
    Table(1 rows: a over awgn)
    """

    def plot(
        self,
        metric: str = "psnr",
        path: str | Path | None = None,
        *,
        x: str | None = None,
        style: str = "screen",
        hue: str = "codec",
    ) -> Figure:
        """Draw mean curves with 95 % bands, see :func:`scenarios.results.curves.curves`.

        Args:
            metric: what to draw, as in :meth:`summary`.
            path: where to save the figure; ``None`` only returns it.
            x: one of :attr:`axes`, with a panel for each value of the others; by default the first.
            hue: ``"codec"``, a panel per link; ``"link"``: links share an axis, a panel per codec.
            style: ``"screen"`` or ``"paper"``, one journal column without title and definitions.

        Raises:
            InputError: on an unknown metric, axis or style, a metric that the table has no finite
                mean of, or a path that cannot be written to.
        """
        figure = curves(self, metric, x, style, hue)
        if path is not None:
            save_figure(figure, path)
        return figure

    def save(self, path: str | Path) -> None:
        """Write to a file by its ending; the same table gives the same bytes.

        Args:
            path: ``.parquet`` or ``.csv``, all rows with their definitions, which :meth:`load`
                reads; ``.nc``, the same for xarray; ``.tex``, means of PSNR
                (:mod:`scenarios.results.exports`).

        Raises:
            InputError: on another ending, or a folder that is not there.
        """
        from scenarios.results.exports import ENDINGS, export

        if check_path(NAMED, path).suffix in ENDINGS:
            export(self, path)
        else:
            super().save(path)

    def print(self, metrics: Sequence[str] | None = None, *, x: str | None = None) -> None:
        """Print means and 95 % intervals, and below them what the numbers mean.

        Args:
            metrics: as in :meth:`summary`; by default :attr:`shown`.
            x: what rows stand for, one of :attr:`axes`; by default the first.
        """
        print_table(self, self.shown if metrics is None else metrics, x=x)
