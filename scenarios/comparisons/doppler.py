"""Scenario: image quality against residual Doppler, its rate, or the terminal's speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Unpack

import typer

from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.options.parsing import parse_mcs, parse_names, parse_numbers, parse_rates, parse_snr
from scenarios.options.shared import (
    Cbr,
    Codecs,
    Diagnosis,
    Fallback,
    Links,
    Mcs,
    Out,
    Run,
    Sent,
    grouped,
)

if TYPE_CHECKING:
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep
    from scenarios.results.table import Table


def doppler(
    images: inputs.Images,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str] = "ntn-tdl-c",
    along: str = "offset_hz",
    values: Sequence[float] | None = None,
    snr_db: inputs.Points = 10.0,
    cbr: inputs.Points = 1 / 16,
    estimator: str = "lmmse",
    **run: Unpack[RunOptions],
) -> Table:
    """Compare codecs across what Doppler pre-compensation leaves, or across terminal speeds.

    An offset is common to all paths and couples subcarriers (ICI), a rate lets it drift, a speed
    makes the scatter fade faster. Receivers estimate the channel from pilots; every codec is
    adapted to each link's statistics, Doppler included. At all values fading and noise have the
    same seeds.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`.
        codecs: as of :func:`scenarios.snr`.
        links: names of links, or one.
        along: ``"offset_hz"``, the residual carrier offset in Hz; ``"rate_hz_per_s"``, its rate in
            Hz/s; ``"speed_mps"``, the terminal's speed in m/s.
        values: what to try, in that unit; by default
            :data:`~scenarios.comparisons.swept_links.VALUES`.
        snr_db: points, or one, average E_s/N_0 in dB.
        cbr: rates, or one, complex channel uses per image sample.
        estimator: ``"lmmse"``, ``"ls"`` or ``"perfect"``, how receivers know the channel.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        One row per codec × link × value × rate × point × image × trial; curves run along the
        value.

    Raises:
        InputError: if an argument does not fit, a codec cannot serve a rate, or a link cannot have
            such Doppler.

    >>> import torch
    >>> table = doppler(
    ...     torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", links="awgn", values=[0, 100], cbr=1/4
    ... )
    >>> table.located(table.summary("psnr"))[["link", "offset_hz"]].to_numpy().tolist()
    [['awgn', 0.0], ['awgn', 100.0]]
    """
    from scenarios.engine.experiment import carry_out

    drawn, work = parted(run)
    grid = plan(
        images,
        masks,
        codecs=codecs,
        links=links,
        along=along,
        values=values,
        snr_db=snr_db,
        cbr=cbr,
        estimator=estimator,
        **drawn,
    )
    return carry_out(grid, **work)


def plan(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str],
    along: str,
    values: Sequence[float] | None,
    snr_db: inputs.Points,
    cbr: inputs.Points,
    estimator: str,
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`doppler`, checked."""
    from scenarios.comparisons.swept_links import varied_links
    from scenarios.engine.experiment import lay_out

    varied, link_parameters = varied_links(links, along, values, estimator)
    return lay_out(
        "doppler",
        images,
        masks,
        codecs=codecs,
        links=varied,
        snr_db=snr_db,
        cbr=cbr,
        link_parameters=link_parameters,
        **drawn,
    )


@grouped
def command(
    *,
    sent: Sent,
    codecs: Codecs = None,
    mcs: Mcs = "auto",
    fallback: Fallback = None,
    link: Links = "ntn-tdl-c",
    along: Annotated[
        str,
        typer.Option(
            help="offset_hz, the residual carrier offset; rate_hz_per_s, its rate; or speed_mps, "
            "the terminal's."
        ),
    ] = "offset_hz",
    values: Annotated[
        str | None, typer.Option(help="What to try, in that unit, separated by commas.")
    ] = None,
    estimator: Annotated[
        str, typer.Option(help="How receivers know the channel: lmmse, ls or perfect.")
    ] = "lmmse",
    snr: Annotated[str, typer.Option(help="E_s/N_0 in dB, start:stop:step, or one.")] = "10",
    cbr: Cbr = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/doppler",
    run: Run,
) -> None:
    """Picture quality against residual Doppler, its rate, or the terminal's speed.

    Prints and writes what semcom run snr does, along that setting.
    """
    rates, points, indices = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    tried = None if values is None else parse_numbers("--values", values)
    selection = sent.selection(run.seed)
    from scenarios.options.writing import Request, compare

    request = Request(selection, codecs, indices, rates, diagnosis, out, run, fallback)
    links = parse_names(link)
    compare(
        request, plan, links=links, snr_db=points, along=along, values=tried, estimator=estimator
    )
