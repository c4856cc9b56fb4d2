"""What comes with the package: codecs, bounds and segmenters, and how each is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semcom.image_coders.formats import FORMATS

if TYPE_CHECKING:
    from semcom.generative import Generative
    from semcom.learned import LearnedCodec
    from semcom.medjscc import MedJSCC
    from semcom.segmentation import UNetSegmenter
    from semcom.separate import CapacityBound, LayeredCodec, SeparateCodec


@dataclass(frozen=True)
class Entry:
    """How to make a codec, bound or segmenter, and what it is.

    Args:
        maker: gives what makes it, importing its room: what a codec needs is loaded when one is
            made. That one's parameters are the options.
        line: one line on what it is.
        network: gives the class whose weights a codec takes, if it takes any.
        compared: whether a codec is compared where none is named.
        bounds: the codec that a bound is above, whose colour it shares in figures.
        family: as of :class:`semcom.scheme.Scheme`, of a codec.
    """

    maker: Callable[[], Callable[..., Any]]
    line: str
    network: Callable[[], type[LearnedCodec]] | None = None
    compared: bool = True
    bounds: str | None = None
    family: str = "codec"

    @property
    def build(self) -> Callable[..., Any]:
        """What makes it; its parameters are the options."""
        return self.maker()

    @property
    def learned(self) -> type[LearnedCodec] | None:
        """The class whose weights a codec takes, if it takes any."""
        return None if self.network is None else self.network()


def _medjscc() -> type[MedJSCC]:
    from semcom.medjscc import MedJSCC

    return MedJSCC


def _deepjscc() -> type[LearnedCodec]:
    from semcom.deepjscc import DeepJSCC

    return DeepJSCC


def _adjscc() -> type[LearnedCodec]:
    from semcom.adjscc import ADJSCC

    return ADJSCC


def _ntscc() -> type[LearnedCodec]:
    from semcom.ntscc import NTSCC

    return NTSCC


def _separate(source: str) -> Callable[..., SeparateCodec]:
    from semcom.separate import SeparateCodec

    return partial(SeparateCodec, source)


def _layered() -> Callable[..., LayeredCodec]:
    from semcom.separate import LayeredCodec

    return LayeredCodec


def _dmic() -> Callable[..., SeparateCodec]:
    from semcom.dmic.codec import DMIC

    return DMIC


def _generative() -> type[Generative]:
    from semcom.generative import Generative

    return Generative


def _bound(source: str) -> Callable[..., CapacityBound]:
    from semcom.separate import CapacityBound

    return partial(CapacityBound, source)


def _weighted(network: Callable[[], type[LearnedCodec]], shipped: str) -> Callable[..., Any]:
    return partial(_learned, network(), shipped)


def _learned(
    kind: type[LearnedCodec], shipped: str, weights: str | Path | None = None
) -> LearnedCodec:
    if weights is not None:
        return kind.load(weights)
    from semcom.weightfile import packaged

    with packaged(shipped) as path:
        return kind.load(path)


def _segmenter(task: str) -> UNetSegmenter:
    from semcom.segmentation.shipped import shipped

    return shipped(task)


def _uniform(weights: str | Path | None = None) -> MedJSCC:
    codec = _learned(_medjscc(), "medjscc", weights)
    assert isinstance(codec, _medjscc())
    return codec.with_options(roi_ratio=1.0)


_COMPARED_SOURCES = ("hevc", "hevc-roi", "avif")
"""Of most X-rays and rates the best separate scheme is one of these."""

CONTROL = "-control"
"""Ends the name of a segmenter that checks another's diagnoses."""

SECOND = "-second"
"""Ends the name of a segmenter of other size and seed, that nothing learns from."""

CODECS: dict[str, Entry] = {
    "medjscc": Entry(
        partial(_weighted, _medjscc, "medjscc"),
        "learned, guided by the region of interest, adapts to SNR and rate",
        network=_medjscc,
    ),
    "deepjscc": Entry(
        partial(_weighted, _deepjscc, "deepjscc"),
        "learned, convolutional, a network for each of a few rates, knows no channel",
        network=_deepjscc,
    ),
    "adjscc": Entry(
        partial(_weighted, _adjscc, "adjscc"),
        "the same, with features weighted by the SNR",
        network=_adjscc,
        compared=False,
    ),
    "ntscc": Entry(
        partial(_weighted, _ntscc, "ntscc"),
        "learned, rates assigned by an entropy model, no masks",
        network=_ntscc,
        compared=False,  # its shipped weights are far from what its paper shows: no fair opponent
    ),
    **{
        f"{source}-ldpc": Entry(
            partial(_separate, source),
            f"{kind.line} + 5G LDPC + QAM, MCS adapted to SNR and link",
            compared=source in _COMPARED_SOURCES,
            family="separate",
        )
        for source, kind in FORMATS.items()
    },
    "medjscc-small": Entry(
        partial(_weighted, _medjscc, "medjscc-small"),
        "medjscc with fewer parameters",
        network=_medjscc,
        compared=False,
    ),
    "medjscc-uniform": Entry(
        lambda: _uniform,
        "medjscc with one quantisation step everywhere, for whole images",
        network=_medjscc,
    ),
    "jpeg2000-layered-ldpc": Entry(
        _layered,
        "JPEG 2000 in two layers, each with an MCS of its own",
        compared=False,
        family="separate",
    ),
    "dmic-ldpc": Entry(
        _dmic,
        "HEVC intra whose bits a learned policy allocates, + 5G LDPC + QAM",
        compared=False,
    ),
    "generative": Entry(
        _generative,
        "the region of interest by medjscc, the rest as words that a generator paints",
        compared=False,  # what it shows outside the region is made up
    ),
}
"""By name, in the order of lists and colours."""

BOUNDS: dict[str, Entry] = {
    f"{source}-capacity": Entry(
        partial(_bound, source),
        f"bound: {kind.line} + an ideal code at the link's capacity",
        bounds=f"{source}-ldpc",
    )
    for source, kind in FORMATS.items()
}

SEGMENTERS: dict[str, Entry] = {
    task: Entry(partial(partial, _segmenter, task), line)
    for task, line in {
        "chest": "lungs in frontal chest X-rays",
        "angiography": "coronary arteries in X-ray angiograms",
        "dental": "teeth in panoramic X-rays",
        f"chest{CONTROL}": "the same lungs, trained on pictures as codecs deliver them too",
        f"angiography{CONTROL}": "the same arteries, trained on such pictures too",
        f"dental{CONTROL}": "the same teeth, trained on such pictures too",
        f"angiography{SECOND}": "the same arteries, of other size and seed, that only judges",
    }.items()
}
"""By task."""
