"""``semcom table``, ``plot``, ``merge`` and ``rate-saving``: what is done with results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.options.parsing import parse_names, parse_rates, parse_snr
from scenarios.results.columns import SEPARATE, metrics, rising, shown

if TYPE_CHECKING:
    from scenarios.results.table import Table

_Results = Annotated[Path, typer.Argument(help="results.parquet or .csv of a run.")]
_Codecs = Annotated[
    str | None, typer.Option("--codecs", "--codec", help="Only these, separated by commas.")
]
_Links = Annotated[
    str | None, typer.Option("--link", help="Only these links, separated by commas.")
]
_Snr = Annotated[str | None, typer.Option(help="Only these points in dB: start:stop:step, or one.")]
_Cbr = Annotated[str | None, typer.Option(help="Only these rates, separated by commas; 1/16.")]
_Against = Annotated[
    str | None,
    typer.Option(
        help="Show by how much the others differ from this codec, draw by draw; separate: from the "
        "best separate scheme at each point."
    ),
]


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


_METRICS = _listed(metrics())


def table(
    results: _Results,
    y: Annotated[
        str | None,
        typer.Option(
            help=f"What to show, separated by commas: {_METRICS}; default: of these what the table "
            f"holds of {', '.join(shown())}."
        ),
    ] = None,
    codecs: _Codecs = None,
    link: _Links = None,
    snr: _Snr = None,
    cbr: _Cbr = None,
    against: _Against = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write as well: .csv or .parquet (all rows), .nc (for xarray), .tex (the "
            "first of --y)."
        ),
    ] = None,
) -> None:
    """Print means with 95 % intervals, and what they mean."""
    names = None if y is None else parse_names(y)
    if names == []:
        raise typer.BadParameter(f"--y {y!r} names no metric")
    if out is not None:
        _check_other_file(out, [results])
    chosen = _selected(results, codecs, link, snr, cbr, against)
    chosen.print(names)
    if out is not None:
        from scenarios.results.exports import export

        export(chosen, out, (names or chosen.shown)[0])


def plot(
    results: _Results,
    y: Annotated[str, typer.Option(help=f"What to draw: {_METRICS}.")] = "psnr",
    x: Annotated[
        str | None,
        typer.Option(
            help="Along what: snr_db, cbr, or what links differ in, as offset_hz; default: the "
            "last where they do, else snr_db."
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option(help="screen, or paper: one journal column, definitions for the caption."),
    ] = "screen",
    hue: Annotated[
        str, typer.Option(help="What colours stand for: codec, or link; links then share an axis.")
    ] = "codec",
    codecs: _Codecs = None,
    link: _Links = None,
    snr: _Snr = None,
    cbr: _Cbr = None,
    against: _Against = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to draw: .png, .pdf or .svg; default: Y.png, on paper Y.pdf."),
    ] = None,
) -> None:
    """Draw curves with 95 % bands."""
    from scenarios.results.curves import caption

    chosen = _selected(results, codecs, link, snr, cbr, against)
    path = out or Path(f"{y}.pdf" if style == "paper" else f"{y}.png")
    chosen.plot(y, path, x=x, style=style, hue=hue)
    if style == "paper":
        typer.echo(caption(chosen, y, x))
    typer.echo(f"Drawn to {path}", err=True)


def merge(
    results: Annotated[list[Path], typer.Argument(help="Two tables or more.")],
    out: Annotated[Path, typer.Option(help="File of the whole, .parquet or .csv.")],
) -> None:
    """Put tables together whose definitions, pictures and parameters are the same."""
    from scenarios.results.table import Table

    _check_other_file(out, results)
    whole = Table.merge([Table.load(path) for path in results])
    whole.save(out)
    typer.echo(f"{len(whole)} rows in {out}", err=True)


def rate_saving(
    results: Annotated[Path, typer.Argument(help="results.parquet of a run at several rates.")],
    anchor: Annotated[str, typer.Option("--anchor", "--against", help="Codec to compare with.")],
    metric: Annotated[str, typer.Option(help=f"What is equal: {_listed(rising())}.")] = "roi_psnr",
    min_overlap: Annotated[
        float, typer.Option(help="Least share of qualities that two curves must both reach.")
    ] = 0.5,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap over pictures.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File to save the numbers to, .csv.")] = None,
) -> None:
    """Bandwidth that each codec saves against another at equal quality, in percent (BD-rate)."""
    from scenarios.results.rate_saving import rate_saving as saving
    from scenarios.results.table import Table

    savings = saving(
        Table.load(results), anchor, metric, min_overlap=min_overlap, resamples=resamples, seed=seed
    )
    savings.print()
    if out is not None:
        savings.save(out)


def _check_other_file(out: Path, results: list[Path]) -> None:
    """Refuse to write over what is read."""
    from channels import InputError

    if any(out.resolve() == path.resolve() for path in results):
        raise InputError(f"--out {out} is the table that is read: name another file")


def _selected(
    results: Path,
    codecs: str | None,
    link: str | None,
    snr: str | None,
    cbr: str | None,
    against: str | None,
) -> Table:
    points = None if snr is None else parse_snr(snr)
    rates = None if cbr is None else parse_rates(cbr)
    from scenarios.results.table import Table

    whole = Table.load(results)
    wanted = None if codecs is None else parse_names(codecs)
    if against == SEPARATE or SEPARATE in (wanted or []):  # of all schemes, whichever are shown
        whole = whole.with_separate()
        if wanted is not None:
            wanted = [*dict.fromkeys([*wanted, SEPARATE])]
    chosen = whole.select(
        codecs=wanted,
        links=None if link is None else parse_names(link),
        snr_db=points,
        cbr=rates,
    )
    return chosen if against is None else chosen.against(against)
