"""Scenario: image quality against SNR, for every codec over every link, at every rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.options.parsing import parse_mcs, parse_names, parse_rates, parse_snr
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
    Snr,
    grouped,
)

if TYPE_CHECKING:
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep
    from scenarios.results.table import Table


def snr(
    images: inputs.Images,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: inputs.Points = 1 / 16,
    **run: Unpack[RunOptions],
) -> Table:
    """Compare codecs over links across SNR.

    Every codec is adapted to each link's long-term statistics, knows the average SNR, and meets
    the same fading and noise as its rivals.

    Args:
        images: float32 ``[n, C, H, W]`` in [0, 1], or n tensors ``[C, H, W]`` of any sizes; C is 1
            (grey) or 3 (RGB, which separate codecs take).
        masks: bool, ``[n, 1, H, W]`` or n of ``[1, H, W]``, true in the region of interest; or
            ``"chest"``, ``"angiography"``, ``"dental"`` or any segmenter, to find it in the sent
            grey images; ``None`` without.
        codecs: names, codecs or bounds (``semcom.bound``), or one; ``"label=weights.safetensors"``
            is a learned codec with weights of your own; a mapping gives labels of its own.
        links: names or links, or one; a mapping gives names of its own.
        snr_db: points, or one, average E_s/N_0 per complex channel use in dB.
        cbr: rates, or one, complex channel uses per image sample, uses / (H * W * C).
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        One row per codec × link × rate × point × image × trial, with its definitions.

    Raises:
        InputError: if an argument does not fit or a codec cannot serve a rate.

    >>> import torch
    >>> images = torch.rand(2, 1, 64, 64)
    >>> snr(images, codecs=["jpeg2000-ldpc"], links=["awgn"], snr_db=[6, 12], cbr=1/4)
    Table(4 rows: jpeg2000-ldpc over awgn)
    """
    from scenarios.engine.experiment import carry_out

    drawn, work = parted(run)
    grid = plan(images, masks, codecs=codecs, links=links, snr_db=snr_db, cbr=cbr, **drawn)
    return carry_out(grid, **work)


def plan(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: inputs.Points,
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`snr`, checked."""
    from scenarios.engine.experiment import lay_out

    return lay_out(
        "snr", images, masks, codecs=codecs, links=links, snr_db=snr_db, cbr=cbr, **drawn
    )


@grouped
def command(
    *,
    sent: Sent,
    codecs: Codecs = None,
    mcs: Mcs = "auto",
    fallback: Fallback = None,
    link: Links = "ntn-tdl-c",
    snr: Snr = "0:12:2",
    cbr: Cbr = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/snr",
    run: Run,
) -> None:
    """Picture quality against SNR, at one rate or several, for every codec over every link.

    Prints the table and writes results.parquet, results.csv, curves with 95 % bands and a panel
    of pictures. A second run finds finished points in the same folder.
    """
    rates, points, indices = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    selection = sent.selection(run.seed)
    from scenarios.engine.inputs import routes
    from scenarios.options.writing import Request, compare

    request = Request(selection, codecs, indices, rates, diagnosis, out, run, fallback)
    links = list(routes(parse_names(link)).values())
    compare(request, plan, links=links, snr_db=points)
