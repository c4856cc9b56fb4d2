"""Scenario: what a wrong belief costs, quality against the true SNR where ends believe another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Unpack

import typer

from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.options.parsing import parse_mcs, parse_names, parse_rates, parse_snr
from scenarios.options.shared import Cbr, Diagnosis, Fallback, Links, Mcs, Out, Run, Sent, grouped

if TYPE_CHECKING:
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep
    from scenarios.results.table import Table
    from semcom.scheme import Scheme

BELIEVED_SNR_DB = 10.0
SNR_DB = tuple(float(point) for point in range(11))


def mismatch(
    images: inputs.Images,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    believed_snr_db: float = BELIEVED_SNR_DB,
    snr_db: inputs.Points = SNR_DB,
    cbr: inputs.Points = 1 / 16,
    **run: Unpack[RunOptions],
) -> Table:
    """Compare codecs across SNRs that the transmitter does not know.

    Every codec chooses its modulation, code and rates for ``believed_snr_db``, which both ends hold
    for true; the channel gives ``snr_db``. The receiver learns the noise from what it receives.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`.
        codecs: names or codecs, or one; a mapping gives labels of its own. No bounds: they are
            told what the channel gives.
        links: names or links, or one; codecs are adapted to their statistics.
        believed_snr_db: average E_s/N_0 in dB that the transmitter believes.
        snr_db: points, or one: the channel's average E_s/N_0 in dB.
        cbr: rates, or one, complex channel uses per image sample.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        One row per codec × link × rate × point × picture × trial, with its definitions.

    Raises:
        InputError: if an argument does not fit, a codec cannot serve a rate, or one is a bound.

    >>> import torch
    >>> codec, picture = "jpeg2000-ldpc", torch.rand(1, 1, 64, 64)
    >>> table = mismatch(
    ...     picture, codecs=codec, links="awgn", believed_snr_db=12, snr_db=[6, 12], cbr=1/4
    ... )
    >>> table.frame[["snr_db", "believed_snr_db", "outage"]].values.tolist()
    [[6.0, 12.0, True], [12.0, 12.0, False]]
    """
    from scenarios.engine.experiment import carry_out

    drawn, work = parted(run)
    grid = plan(
        images,
        masks,
        codecs=codecs,
        links=links,
        believed_snr_db=believed_snr_db,
        snr_db=snr_db,
        cbr=cbr,
        **drawn,
    )
    return carry_out(grid, **work)


def plan(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    believed_snr_db: float,
    snr_db: inputs.Points,
    cbr: inputs.Points,
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`mismatch`, checked."""
    from scenarios.engine import inputs
    from scenarios.engine.experiment import lay_out

    schemes = inputs.schemes(codecs)
    refuse_bounds(schemes)
    return lay_out(
        "mismatch",
        images,
        masks,
        codecs=schemes,
        links=links,
        snr_db=snr_db,
        cbr=cbr,
        believed_snr_db=believed_snr_db,
        **drawn,
    )


def refuse_bounds(schemes: Mapping[str, Scheme]) -> None:
    """Refuse what cannot believe anything.

    >>> from scenarios.engine import inputs
    >>> refuse_bounds(inputs.schemes("hevc-capacity"))
    Traceback (most recent call last):
    channels.errors.InputError: 'hevc-capacity' is a bound and believes nothing: leave it out
    """
    from channels import InputError
    from semcom.codec import Codec

    for label, scheme in schemes.items():
        if not isinstance(scheme, Codec):
            raise InputError(f"{label!r} is a bound and believes nothing: leave it out")


@grouped
def command(
    *,
    sent: Sent,
    codecs: Annotated[
        str | None,
        typer.Option(
            "--codecs",
            "--codec",
            help="Names of codecs, separated by commas; default: all trained.",
        ),
    ] = None,
    mcs: Mcs = "auto",
    fallback: Fallback = None,
    link: Links = "ntn-tdl-c",
    believed_snr: Annotated[
        float, typer.Option(help="E_s/N_0 in dB that the transmitter believes.")
    ] = 10.0,
    snr: Annotated[
        str, typer.Option(help="E_s/N_0 in dB that the channel gives, start:stop:step.")
    ] = "0:10:1",
    cbr: Cbr = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/mismatch",
    run: Run,
) -> None:
    """Picture quality against an SNR that the transmitter does not know.

    Codecs choose modulation, code and rates for the believed SNR. Prints and writes what semcom
    run snr does.
    """
    rates, points, indices = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    selection = sent.selection(run.seed)
    from scenarios.engine.inputs import routes
    from scenarios.options.writing import Request, compare

    request = Request(selection, codecs, indices, rates, diagnosis, out, run, fallback)
    links = list(routes(parse_names(link)).values())
    compare(request, plan, links=links, snr_db=points, believed_snr_db=believed_snr)
