"""Codecs, bounds and segmenters by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from textwrap import shorten
from typing import Any

from channels import InputError
from channels.errors import check_name, unknown_name
from semcom.adjscc import ADJSCC
from semcom.codec import Codec
from semcom.deepjscc import DeepJSCC
from semcom.learned import LearnedCodec
from semcom.medjscc import MedJSCC
from semcom.ntscc import NTSCC
from semcom.segmentation import UNetSegmenter
from semcom.separate import CapacityBound, LayeredCodec, SeparateCodec

_LEARNED: dict[str, type[LearnedCodec]] = {
    "medjscc": MedJSCC,
    "deepjscc": DeepJSCC,
    "adjscc": ADJSCC,
    "ntscc": NTSCC,
}
_VARIANTS = {"medjscc-small": "medjscc", "medjscc-uniform": "medjscc"}
"""Other forms of a learned codec: weights of their own, or the same ones used otherwise."""

_UNIFORM = "medjscc-uniform"

_SUMMARIES = {
    "medjscc": "learned, guided by the region of interest, adapts to SNR and rate",
    "deepjscc": "learned, convolutional, a network for each of a few rates, knows no channel",
    "adjscc": "the same, with features weighted by the SNR",
    "ntscc": "learned, rates assigned by an entropy model, no masks",
    "hevc-ldpc": "HEVC intra + 5G LDPC + QAM, MCS adapted to SNR and link",
    "hevc-roi-ldpc": "the same with finer steps in the region of interest",
    "avif-ldpc": "AV1 still picture + 5G LDPC + QAM, MCS adapted to SNR and link",
    "jpegxl-ldpc": "JPEG XL + 5G LDPC + QAM, MCS adapted to SNR and link",
    "jpeg2000-ldpc": "JPEG 2000 + 5G LDPC + QAM, MCS adapted to SNR and link",
    "medjscc-small": "medjscc with fewer parameters",
    _UNIFORM: "medjscc with one quantisation step everywhere, for whole images",
    "jpeg2000-layered-ldpc": "JPEG 2000 in two layers, each with an MCS of its own",
}
_BEHIND = ("ntscc",)
"""Codecs whose shipped weights are far from what their paper shows: no fair opponents."""

PACKAGE = "package"
"""What stands for the shipped weights where a file of weights could."""

_LAYERED = "jpeg2000-layered-ldpc"

COMPARED = tuple(name for name in _SUMMARIES if name not in (*_VARIANTS, *_BEHIND, _LAYERED))
"""Codecs that are compared where none is named."""

_BOUNDS = {
    f"{source}-capacity": f"bound: {coder} + an ideal code at the link's capacity"
    for source, coder in {
        "hevc": "HEVC intra",
        "hevc-roi": "HEVC intra with finer steps in the region of interest",
        "avif": "AV1 still picture",
        "jpegxl": "JPEG XL",
        "jpeg2000": "JPEG 2000",
    }.items()
}
_SEGMENTERS = {
    "chest": "lungs in frontal chest X-rays",
    "angiography": "coronary arteries in X-ray angiograms",
    "dental": "teeth in panoramic X-rays",
}


def codecs() -> dict[str, str]:
    """Every codec by name, with one line on what it is.

    >>> [name for name in codecs() if not name.endswith("-ldpc")]
    ['medjscc', 'deepjscc', 'adjscc', 'ntscc', 'medjscc-small', 'medjscc-uniform']
    """
    return dict(_SUMMARIES)


def codec(name: str, **options: Any) -> Codec:
    """Build a codec by name, with its shipped weights if it is a learned one.

    Args:
        name: one of :func:`codecs`.
        **options: ``weights`` (path of a safetensors file, ``None`` for the shipped ones) for
            learned codecs; the arguments of :class:`semcom.separate.LayeredCodec` for
            ``"jpeg2000-layered-ldpc"``, of
            :class:`semcom.separate.SeparateCodec` but ``source`` for the others.

    Raises:
        InputError: on an unknown name or option, or weights that do not fit.

    >>> codec("hevc-ldpc").name
    'hevc-ldpc'
    """
    check_name("codec", name, _SUMMARIES)
    kind = _LEARNED.get(_VARIANTS.get(name, name))
    if kind is not None:
        _check_options(name, options, ["weights"])
        if options.get("weights") is not None:
            found = kind.load(options["weights"])
        else:
            held = _VARIANTS[name] if name == _UNIFORM else name
            with as_file(files("semcom").joinpath(f"weights/{held}.safetensors")) as path:
                found = kind.load(path)
        if name == _UNIFORM:
            assert isinstance(found, MedJSCC)
            found = found.with_options(roi_ratio=1.0)
        if name != kind.name:
            found.name = name
        return found
    if name == _LAYERED:
        _check_options(name, options, list(inspect.signature(LayeredCodec).parameters))
        return LayeredCodec(**options)
    source = name.removesuffix("-ldpc")
    _check_options(name, options, list(inspect.signature(SeparateCodec).parameters)[1:])
    build: Callable[..., Codec] = SeparateCodec
    return build(source, **options)


def bounds() -> dict[str, str]:
    """Every bound by name, with one line on what it is.

    >>> "hevc-capacity" in bounds()
    True
    """
    return dict(_BOUNDS)


def bound(name: str, **options: Any) -> CapacityBound:
    """Build a bound by name.

    Args:
        name: one of :func:`bounds`.
        **options: the arguments of :class:`semcom.separate.CapacityBound` but ``source``.

    Raises:
        InputError: on an unknown name or option.

    >>> bound("hevc-capacity", kind="ergodic").name
    'hevc-capacity'
    """
    check_name("bound", name, _BOUNDS)
    _check_options(name, options, list(inspect.signature(CapacityBound).parameters)[1:])
    return CapacityBound(name.removesuffix("-capacity"), **options)


def segmenters() -> dict[str, str]:
    """Every shipped segmenter by task, with what it finds.

    >>> list(segmenters())
    ['chest', 'angiography', 'dental']
    """
    return dict(_SEGMENTERS)


def segmenter(task: str | None = None, weights: str | Path | None = None) -> UNetSegmenter:
    """A small network that finds the region of interest, see :mod:`semcom.segmentation`.

    Args:
        task: one of :func:`segmenters`, by default ``"chest"``; with ``weights`` the task that
            they must be of, by default any.
        weights: path of a safetensors file that ``semcom train segmenter`` wrote; ``None`` for the
            shipped ones.

    Raises:
        InputError: on an unknown task, or weights that do not fit or are of another task.

    >>> import torch
    >>> images = torch.rand(1, 1, 64, 48)
    >>> segmenter("chest")(images).shape
    torch.Size([1, 1, 64, 48])
    """
    if weights is not None:
        found = UNetSegmenter.load(weights)
        if task not in (None, found.task):
            raise InputError(f"{Path(weights).name} holds a segmenter of {found.task}, not {task}")
        return found
    task = check_name("segmenter", "chest" if task is None else task, _SEGMENTERS)
    with as_file(files("semcom").joinpath(f"weights/segmenter-{task}.safetensors")) as path:
        return UNetSegmenter.load(path)


def weights() -> dict[str, str]:
    """Every file of weights in the package, with its size and the first words of its card.

    >>> "medjscc.safetensors" in weights()
    True
    """
    folder = files("semcom").joinpath("weights")
    found = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".safetensors"):
            card = folder.joinpath(file.name.replace(".safetensors", ".md")).read_text("utf-8")
            size = len(file.read_bytes()) / 2**20
            said = re.sub(r" \(\[.*?\)\)|[*`]", "", card.split("\n", 1)[1].split("|", 1)[0])
            found[file.name] = f"{size:.1f} MiB: {shorten(said, 80, placeholder=' …')}"
    return found


def learned(name: str) -> LearnedCodec:
    """An untrained learned codec, ready for ``semcom.training.train``.

    >>> learned("deepjscc").name
    'deepjscc'
    """
    if name not in _LEARNED:
        known = ", ".join(_LEARNED)
        if name in _VARIANTS:
            raise InputError(f"{name!r} is {_VARIANTS[name]!r} smaller; train one of {known}")
        if name in _SUMMARIES:
            raise InputError(f"{name!r} has no weights to train; choose from {known}")
        raise unknown_name("learned codec", name, _LEARNED)
    return _LEARNED[name]()


def begun(name: str, weights: str | Path) -> LearnedCodec:
    """A learned codec that has learned something, to be trained further.

    Args:
        name: of a learned codec, or ``"medjscc-small"``.
        weights: path of a safetensors file, or ``"package"`` for the shipped ones.

    Raises:
        InputError: on a name without weights, or weights that do not fit.

    >>> begun("deepjscc", "package").name
    'deepjscc'
    """
    kind = _VARIANTS.get(name, name)
    if kind not in _LEARNED:
        learned(name)
    found = codec(name, weights=None if str(weights) == PACKAGE else weights)
    assert isinstance(found, LearnedCodec)
    found.name = kind
    return found.requires_grad_(True)


def _check_options(name: str, options: dict[str, Any], known: list[str]) -> None:
    for option in options:
        if option not in known:
            raise unknown_name(f"option of {name!r}", option, known)
