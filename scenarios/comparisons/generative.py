"""Scenario: the region of interest sent and the rest painted from words, against other codecs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Unpack

import typer

from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.options.parsing import parse_mcs, parse_names, parse_rates, parse_snr
from scenarios.options.shared import (
    Cbr,
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
    from scenarios.comparisons.parts import Parts
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep
    from scenarios.results.table import Table
    from semcom.generative.captioner import Captioner
    from semcom.scheme import Scheme

CODECS = ("generative", "medjscc", "hevc-ldpc", "hevc-roi-ldpc", "avif-ldpc")
LINKS = ("awgn", "ntn-tdl-c")
SNR_DB = (-6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0)
CBR = (1 / 256, 1 / 128, 1 / 64)
WORDS = {"right": "", "none": ", no words", "other": ", other words"}
"""Words that a picture goes with, and what the label of a codec says of them."""

METRICS = ("nroi_psnr", "nroi_ssim", "frechet", "painted", "words_lost")
"""What is measured by default beside the usual metrics; and VSI, where its library is installed."""

_LOW = 1 / 3


def generative(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs = CODECS,
    links: inputs.Links = LINKS,
    snr_db: inputs.Points = SNR_DB,
    cbr: inputs.Points = CBR,
    words: str | Sequence[str] = "right",
    **run: Unpack[RunOptions],
) -> Parts:
    """Compare a codec that paints all but the region of interest with codecs that send it all.

    Where few channel uses are left, what matters gets them. ROI-PSNR tells what that brings,
    NROI-PSNR what it costs; what is painted can look right and be wrong: the Fréchet distance, with
    a ``diagnosis``, and VSI, where its library is installed, tell how it looks.

    What words are worth is measured on the same draws: with ``words=("right", "none", "other")`` a
    generative codec comes once with the picture's own words, once with none, and once with those of
    the next picture. All three spend the same channel uses on words; the region of interest differs
    by no more than what the power of the words' own symbols leaves to it.

    Args:
        images: grey, as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`, but not none.
        codecs: as of :func:`scenarios.snr`.
        links: as of :func:`scenarios.snr`.
        snr_db: points, or one, average E_s/N_0 in dB.
        cbr: rates, or one, complex channel uses per image sample.
        words: of the generative codecs: ``"right"``, ``"none"``, ``"other"``, or several of these.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        The table, and the channel uses of picture 0 by part.

    Raises:
        InputError: if an argument does not fit, or a codec cannot serve a rate.

    >>> from semcom.data import phantoms
    >>> from semcom.generative import Generative, Generator
    >>> images, masks = phantoms("chest", n=1, size=128)
    >>> codec = Generative(generator=Generator((8, 8, 8, 8)).eval())
    >>> parts = generative(images, masks, codecs=codec, links="awgn", snr_db=12, cbr=1/16)
    >>> parts.frame["part"].tolist()
    ['words', 'header', 'coarse', 'outline', 'key']
    """
    from scenarios.comparisons.parts import Parts
    from scenarios.engine.experiment import carry_out

    drawn, work = parted(run)
    drawn = {"metrics": default_metrics(), **drawn}
    grid = plan(
        images, masks, codecs=codecs, links=links, snr_db=snr_db, cbr=cbr, words=words, **drawn
    )
    return Parts(carry_out(grid, **work), once(grid))


def plan(
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: inputs.Points,
    words: str | Sequence[str],
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`generative`, checked."""
    from channels import InputError
    from channels.errors import check_name
    from scenarios.engine.experiment import lay_out

    named = [words] if isinstance(words, str) else list(words)
    if not named:
        raise InputError(f"words are empty: name some of {', '.join(WORDS)}")
    chosen = list(dict.fromkeys(check_name("words", one, WORDS) for one in named))
    if len(chosen) > 1 and "right" not in chosen:
        raise InputError("other words are compared with the right ones: name right among the words")
    grid = lay_out(
        "generative", images, masks, codecs=codecs, links=links, snr_db=snr_db, cbr=cbr, **drawn
    )
    return replace(grid, codecs=worded(grid, chosen))


def worded(grid: Sweep, words: Sequence[str]) -> dict[str, Scheme]:
    """The codecs of a grid, generative ones with each of some words.

    Raises:
        InputError: if there is no generative codec for words that are not the right ones, or no
            other picture whose words could be sent.
    """
    from channels import InputError
    from semcom.generative import Generative
    from semcom.generative.captioner import OfAnother, Silent

    def said(codec: Generative, which: str) -> Captioner:
        if which != "other":
            return codec.captioner if which == "right" else Silent()
        pictures = [
            (sample.image, codec.key_region(sample.mask[None])[0])
            for sample in grid.samples
            if sample.mask is not None
        ]
        return OfAnother(codec.captioner, pictures)

    if not any(isinstance(codec, Generative) for codec in grid.codecs.values()) and set(words) != {
        "right"
    }:
        raise InputError("no codec sends words: name generative among the codecs")
    found: dict[str, Scheme] = {}
    for label, codec in grid.codecs.items():
        if isinstance(codec, Generative):
            found |= {f"{label}{WORDS[which]}": codec.saying(said(codec, which)) for which in words}
        else:
            found[label] = codec
    return found


def default_metrics() -> list[str]:
    """Metrics that tell the region from the rest, and what pictures look like.

    >>> default_metrics()[:3]
    ['nroi_psnr', 'nroi_ssim', 'frechet']
    """
    return [*METRICS, *(["vsi"] if find_spec("piq") else [])]


def once(grid: Sweep) -> Sweep:
    """A grid with the first of codecs that differ in their words alone, which spend alike."""
    from semcom.generative import Generative
    from semcom.generative.captioner import Silent

    alike: dict[str, str] = {}
    for label, codec in grid.codecs.items():
        told = codec.saying(Silent()).fingerprint if isinstance(codec, Generative) else label
        alike.setdefault(told, label)
    return replace(grid, codecs={label: grid.codecs[label] for label in alike.values()})


def worth_of_words(table: Table, codecs: Mapping[str, Scheme]) -> dict[str, Table]:
    """By generative codec: what its results lack without its own words, draw by draw.

    Args:
        table: results of :func:`generative`.
        codecs: those of its grid.
    """
    from semcom.generative import Generative

    told = [label for label, codec in codecs.items() if isinstance(codec, Generative)]
    found = {}
    for label in told:
        others = [name for end in WORDS.values() if end and (name := label + end) in told]
        if others:
            found[label] = table.select(codecs=[label, *others]).against(label)
    return found


@grouped
def command(
    *,
    sent: Sent,
    codecs: Annotated[
        str, typer.Option("--codecs", "--codec", help="Names of codecs, separated by commas.")
    ] = "generative,medjscc,hevc-ldpc,hevc-roi-ldpc,avif-ldpc",
    words: Annotated[
        str,
        typer.Option(
            help="Words of generative codecs: right, none, other (of another picture), or several "
            "separated by commas."
        ),
    ] = "right",
    mcs: Mcs = "auto",
    fallback: Fallback = None,
    link: Links = "awgn,ntn-tdl-c",
    snr: Snr = "-6:12:3",
    cbr: Cbr = "1/256,1/128,1/64",
    diagnosis: Diagnosis = "chest",
    out: Out = "results/generative",
    run: Run,
) -> None:
    """The region of interest sent and the rest painted from words, against codecs that send it all.

    Prints and writes what semcom run snr does; panel-low.png, the panel at low SNR; parts.csv,
    channel uses by part; with several words generative-words.csv, by how much results with other
    words differ from those with the right ones.
    """
    rates, points, indices = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    selection = sent.selection(run.seed)
    from scenarios.comparisons.parts import Parts
    from scenarios.engine.inputs import routes
    from scenarios.options.writing import Request, compare, write_panel

    if run.metrics is None:
        run = replace(run, metrics=",".join(default_metrics()))
    request = Request(selection, codecs, indices, rates, diagnosis, out, run, fallback)
    links = list(routes(parse_names(link)).values())
    table, grid = compare(request, plan, links=links, snr_db=points, words=parse_names(words))
    write_panel(grid, Path(out) / "panel-low.png", _LOW)
    parts = Parts(table, once(grid))
    parts.save(Path(out) / "parts.csv")
    parts.print_parts()
    for label, lacking in worth_of_words(table, grid.codecs).items():
        lacking.print()
        lacking.save(Path(out) / f"{label}-words.csv")
