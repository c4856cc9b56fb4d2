"""Tables for other programs: LaTeX, xarray, netCDF."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channels import InputError
from scenarios.results.columns import COLUMNS, measured
from scenarios.results.files import replacing
from scenarios.results.rows import Rows, metric_of
from scenarios.results.style import rate

if TYPE_CHECKING:
    import xarray

ENDINGS = (".nc", ".tex")
"""Of files that are written and not read again."""

_DIMENSIONS = ["codec", "link", "cbr", "snr_db", "image", "trial"]
_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
_SPECIAL |= {"^": r"\textasciicircum{}"}


def latex(table: Rows, metric: str = "psnr") -> str:
    r"""A LaTeX table of means and half their 95 % intervals, for the package booktabs.

    A row for each SNR, a column for each codec, a block for each link and rate.

    Raises:
        InputError: on an unknown metric, or one that the table does not hold.

    >>> import pandas as pd
    >>> from scenarios.results.columns import COLUMNS
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a_1", "link": "awgn", "scenario": "snr"}
    >>> print(latex(Rows(pd.DataFrame([row | {"cbr": 1 / 16}]), {})))
    \begin{tabular}{rr}
    \toprule
    SNR [dB] & a\_1 \\
    \midrule
    \multicolumn{2}{l}{PSNR [dB] over awgn, CBR 1/16} \\
    0 & 0.00 \\
    \bottomrule
    \end{tabular}
    """
    summary = table.summary(metric)
    if summary["mean"].isna().all():
        raise InputError(f"the table holds no {metric}: there is nothing to write")
    digits = min(metric_of(metric).digits, 3)
    codecs = list(dict.fromkeys(summary["codec"]))
    lines = [
        r"\begin{tabular}{r" + "r" * len(codecs) + "}",
        r"\toprule",
        _line("SNR [dB]", *map(_escaped, codecs)),
    ]
    for _, block in summary.groupby(["link", "cbr"], sort=False):
        link, cbr = block["link"].iloc[0], float(block["cbr"].iloc[0])
        over = _escaped(f"{table.label(metric)} over {link}, CBR {rate(cbr)}")
        lines += [r"\midrule", rf"\multicolumn{{{len(codecs) + 1}}}{{l}}{{{over}}} \\"]
        for snr_db, rows in block.groupby("snr_db"):
            at = {row.codec: _cell(row, digits) for row in rows.itertuples()}
            lines.append(_line(f"{snr_db:g}", *(at.get(codec, "") for codec in codecs)))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def dataset(table: Rows) -> xarray.Dataset:
    """The rows as arrays over codec, link, cbr, snr_db, image and trial; definitions as attributes.

    Needs the package xarray. What was not measured is NaN; all that is measured becomes floats.

    Raises:
        InputError: if xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise InputError("arrays need xarray: pip install xarray") from None
    numbers = table.frame.drop(columns="scenario")
    held = {name: "float64" for name in measured(COLUMNS) if name in numbers}
    numbers = numbers.astype(held)
    arrays = xarray.Dataset.from_dataframe(numbers.set_index(_DIMENSIONS))
    arrays.attrs = {
        name: json.dumps(value, sort_keys=True) for name, value in table.metadata.items()
    }
    return arrays


def export(table: Rows, path: str | Path, metric: str = "psnr") -> None:
    """Write a table by the ending of the file's name.

    Args:
        table: the results.
        path: ``.parquet`` or ``.csv`` (all rows), ``.nc`` (the same for xarray), ``.tex`` (means
            of one metric).
        metric: of ``.tex``.

    Raises:
        InputError: on another ending, or a folder that is not there.
    """
    ending = Path(path).suffix
    if ending == ".tex":
        text = latex(table, metric)
        with replacing(path) as new:
            new.write_text(text + "\n", encoding="utf-8")
    elif ending == ".nc":
        arrays = dataset(table)
        with replacing(path) as new:
            arrays.to_netcdf(new, engine="scipy")
    elif ending in (".parquet", ".csv"):
        table.save(path)
    else:
        raise InputError(f"cannot write {Path(path).name!r}: name it .parquet, .csv, .nc or .tex")


def _line(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _cell(row: Any, digits: int) -> str:
    if math.isnan(row.mean):
        return "--"
    half = "" if math.isnan(row.low) else rf" \pm {(row.high - row.low) / 2:.{digits}f}"
    text = f"{row.mean:.{digits}f}{half}"
    return f"${text}$" if half else text


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)
