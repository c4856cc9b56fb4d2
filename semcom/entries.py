"""What comes with the package: codecs, bounds and segmenters, and how each is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from semcom.adjscc import ADJSCC
from semcom.deepjscc import DeepJSCC
from semcom.image_coders.formats import FORMATS
from semcom.learned import LearnedCodec
from semcom.medjscc import MedJSCC
from semcom.ntscc import NTSCC
from semcom.segmentation.unet import UNetSegmenter
from semcom.separate import CapacityBound, LayeredCodec, SeparateCodec


@dataclass(frozen=True)
class Entry:
    """How to make a codec, bound or segmenter, and what it is.

    Args:
        build: makes it; its parameters are the options.
        line: one line on what it is.
        learned: the class whose weights a codec takes, if it takes any.
        compared: whether a codec is compared where none is named.
        bounds: the codec that a bound is above, whose colour it shares in figures.
        family: as of :class:`semcom.scheme.Scheme`, of a codec.
    """

    build: Callable[..., Any]
    line: str
    learned: type[LearnedCodec] | None = None
    compared: bool = True
    bounds: str | None = None
    family: str = "codec"


def _learned(
    kind: type[LearnedCodec], shipped: str, weights: str | Path | None = None
) -> LearnedCodec:
    if weights is not None:
        return kind.load(weights)
    with as_file(files("semcom").joinpath(f"weights/{shipped}.safetensors")) as path:
        return kind.load(path)


def _segmenter(task: str) -> UNetSegmenter:
    with as_file(files("semcom").joinpath(f"weights/segmenter-{task}.safetensors")) as path:
        return UNetSegmenter.load(path)


def _uniform(weights: str | Path | None = None) -> LearnedCodec:
    codec = _learned(MedJSCC, "medjscc", weights)
    assert isinstance(codec, MedJSCC)
    return codec.with_options(roi_ratio=1.0)


_COMPARED_SOURCES = ("hevc", "hevc-roi", "avif")
"""Of most X-rays and rates the best separate scheme is one of these."""

CONTROL = "-control"
"""Ends the name of a segmenter that checks another's diagnoses."""

CODECS: dict[str, Entry] = {
    "medjscc": Entry(
        partial(_learned, MedJSCC, "medjscc"),
        "learned, guided by the region of interest, adapts to SNR and rate",
        learned=MedJSCC,
    ),
    "deepjscc": Entry(
        partial(_learned, DeepJSCC, "deepjscc"),
        "learned, convolutional, a network for each of a few rates, knows no channel",
        learned=DeepJSCC,
    ),
    "adjscc": Entry(
        partial(_learned, ADJSCC, "adjscc"),
        "the same, with features weighted by the SNR",
        learned=ADJSCC,
        compared=False,
    ),
    "ntscc": Entry(
        partial(_learned, NTSCC, "ntscc"),
        "learned, rates assigned by an entropy model, no masks",
        learned=NTSCC,
        compared=False,  # its shipped weights are far from what its paper shows: no fair opponent
    ),
    **{
        f"{source}-ldpc": Entry(
            partial(SeparateCodec, source),
            f"{kind.line} + 5G LDPC + QAM, MCS adapted to SNR and link",
            compared=source in _COMPARED_SOURCES,
            family=SeparateCodec.family,
        )
        for source, kind in FORMATS.items()
    },
    "medjscc-small": Entry(
        partial(_learned, MedJSCC, "medjscc-small"),
        "medjscc with fewer parameters",
        learned=MedJSCC,
        compared=False,
    ),
    "medjscc-uniform": Entry(
        _uniform,
        "medjscc with one quantisation step everywhere, for whole images",
        learned=MedJSCC,
    ),
    "jpeg2000-layered-ldpc": Entry(
        LayeredCodec,
        "JPEG 2000 in two layers, each with an MCS of its own",
        compared=False,
        family=LayeredCodec.family,
    ),
}
"""By name, in the order of lists and colours."""

BOUNDS: dict[str, Entry] = {
    f"{source}-capacity": Entry(
        partial(CapacityBound, source),
        f"bound: {kind.line} + an ideal code at the link's capacity",
        bounds=f"{source}-ldpc",
    )
    for source, kind in FORMATS.items()
}

SEGMENTERS: dict[str, Entry] = {
    task: Entry(partial(_segmenter, task), line)
    for task, line in {
        "chest": "lungs in frontal chest X-rays",
        "angiography": "coronary arteries in X-ray angiograms",
        "dental": "teeth in panoramic X-rays",
        f"chest{CONTROL}": "the same lungs, trained on pictures as codecs deliver them too",
        f"angiography{CONTROL}": "the same arteries, trained on such pictures too",
        f"dental{CONTROL}": "the same teeth, trained on such pictures too",
    }.items()
}
"""By task."""
