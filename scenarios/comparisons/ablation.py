"""Scenario: what each part of Med-JSCC brings, at equal rate over the same draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Unpack

import typer

from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.options.parsing import parse_names, parse_rate, parse_snr
from scenarios.options.shared import Diagnosis, Links, Out, Run, Sent, Snr, grouped

if TYPE_CHECKING:
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep
    from scenarios.results.differences import Differences
    from semcom.codec import Codec
    from semcom.segmentation import Segmenter

WHOLE = "whole"
SNR_DB = (0.0, 4.0, 8.0, 12.0)
MEANINGS = {
    WHOLE: "Med-JSCC as it is; its encoder gets the masks in which ROI-PSNR is measured",
    "no mask": "the encoder gets none",
    "no CAU": "the decoder's network is not recalibrated by SNR and rate",
    "fixed rate": "every block gets as many analogue symbols",
    "no header protection": "the header is protected for the believed SNR, not 6 dB less",
    "no learned synthesis": "the inverse wavelet alone, no network",
    "no analogue part": "the digital part takes as much of the budget as it can fill",
    "found mask": "the encoder gets what a segmenter finds",
    "grown mask": "the encoder's mask is dilated by 3 % of the picture's longer side",
    "shrunk mask": "it is eroded by 3 %",
    "shifted mask": "it is moved by 6 % down and to the right",
    "lost regions": "each of its regions is missing with a chance of one half",
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "no CAU": {"channel_adaptive": False},
    "fixed rate": {"equal_rates": True},
    "no header protection": {"header_margin_db": 0.0},
    "no learned synthesis": {"learned_synthesis": False},
    "no analogue part": {"digital_only": True},
}
_CORRUPTIONS: dict[str, dict[str, Any]] = {
    "grown mask": {"dilate": 0.03},
    "shrunk mask": {"erode": 0.03},
    "shifted mask": {"shift": (0.06, 0.06)},
    "lost regions": {"drop": 0.5},
}


def ablation(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codec: str | Codec = "medjscc",
    links: inputs.Links,
    snr_db: inputs.Points = SNR_DB,
    cbr: float = 1 / 16,
    segmenter: str | Segmenter | None = None,
    **run: Unpack[RunOptions],
) -> Differences:
    """Take Med-JSCC apart.

    Each scheme lacks one part or gets another mask (``MEANINGS``); weights are the same, nothing
    is trained anew. All quality is measured in the same masks.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`, but not none.
        codec: ``"medjscc"``, or a Med-JSCC of your own weights.
        links: names or links, or one.
        snr_db: points, or one, average E_s/N_0 per complex channel use in dB.
        cbr: complex channel uses per image sample.
        segmenter: gives the masks of the scheme "found mask", beside true ``masks``; ``None``
            leaves it out.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        Paired differences to the whole, with the table that they are from.

    Raises:
        InputError: if an argument does not fit or the codec cannot serve the rate.

    >>> import torch
    >>> images, masks = torch.rand(1, 1, 64, 64), torch.ones(1, 1, 64, 64, dtype=torch.bool)
    >>> from semcom.medjscc import MedJSCC
    >>> codec = MedJSCC((8, 8, 8), (8,) * 6).eval().requires_grad_(False)
    >>> differences = ablation(images, masks, codec=codec, links="awgn", snr_db=6, cbr=1/8)
    >>> len(differences.table) == len(MEANINGS) - 1
    True
    """
    from scenarios.engine.experiment import carry_out
    from scenarios.results.differences import Differences

    drawn, work = parted(run)
    grid = plan(
        images,
        masks,
        codec=codec,
        links=links,
        snr_db=snr_db,
        cbr=cbr,
        segmenter=segmenter,
        **drawn,
    )
    table = carry_out(grid, **work)
    return Differences(table, WHOLE, {part: MEANINGS[part] for part in grid.codecs})


def plan(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codec: str | Codec,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: float,
    segmenter: str | Segmenter | None,
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`ablation`, checked."""
    from channels import InputError
    from scenarios.engine import inputs
    from scenarios.engine.experiment import lay_out

    cbr = inputs.check_rate(cbr)
    if masks is None:
        raise InputError("an ablation needs regions of interest: pass masks or a segmenter")
    schemes = parts(codec, inputs.finder("segmenter", segmenter))
    return lay_out(
        "ablation", images, masks, codecs=schemes, links=links, snr_db=snr_db, cbr=cbr, **drawn
    )


def parts(codec: str | Codec, segmenter: Segmenter | None) -> dict[str, Codec]:
    """The whole and what is left without each part, by label.

    >>> from semcom.medjscc import MedJSCC
    >>> list(parts(MedJSCC((8, 8, 8), (8,) * 6), None))[:4]
    ['whole', 'no mask', 'no CAU', 'fixed rate']
    """
    from channels import InputError
    from channels.errors import shown
    from scenarios.comparisons.mask_override import (
        FoundMask,
        MaskOverride,
        NoMask,
        SpoiltMask,
    )
    from semcom import catalogue
    from semcom.medjscc import MedJSCC

    whole = catalogue.codec(codec) if isinstance(codec, str) else codec
    if not isinstance(whole, MedJSCC):
        raise InputError(f"an ablation takes Med-JSCC apart: pass one, got {shown(codec)}")
    schemes: dict[str, Codec] = {WHOLE: whole, "no mask": MaskOverride(whole, NoMask())}
    schemes |= {part: whole.with_options(**options) for part, options in _OPTIONS.items()}
    if segmenter is not None:
        schemes["found mask"] = MaskOverride(whole, FoundMask(segmenter))
    for part, corruption in _CORRUPTIONS.items():
        schemes[part] = MaskOverride(whole, SpoiltMask(**corruption))
    return schemes


@grouped
def command(
    *,
    sent: Sent,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of medjscc; default: those in the package.")
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            help="Segmenter whose masks the encoder gets in the place of given ones, chest, "
            "angiography, dental or a file of weights; default: no such scheme."
        ),
    ] = None,
    link: Links = "ntn-tdl-c",
    snr: Snr = "0:12:4",
    cbr: Annotated[
        str, typer.Option(help="Complex channel uses per image sample (H·W·C), 1/16 or 0.0625.")
    ] = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/ablation",
    run: Run,
) -> None:
    """What each part of Med-JSCC brings: paired differences to the whole, at equal rate.

    Prints them and writes differences.csv, differences.png, results.parquet and results.csv. A
    second run finds finished points in the same folder.
    """
    cbr_offered, points = parse_rate(cbr), parse_snr(snr)
    selection = sent.selection(run.seed)
    from scenarios.options.selection import segmenter_of
    from scenarios.options.writing import working, write
    from semcom.catalogue import codec

    with working(run, out) as work:
        whole = codec("medjscc") if weights is None else codec("medjscc", weights=weights)
        mask_source = segmenter_of("--segmenter", segmenter)
        drawn = run.drawn(segmenter_of("--diagnosis", diagnosis))
        images, masks = selection.load()
        differences = ablation(
            images,
            masks,
            codec=whole,
            links=parse_names(link),
            snr_db=points,
            cbr=cbr_offered,
            segmenter=mask_source,
            **drawn,
            **work,
        )
    write(differences, "differences", out, differences.table)
