"""Codecs, bounds and segmenters by name; codecs of scripts and of other packages, too."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from textwrap import shorten
from typing import Any

from channels import InputError
from channels.errors import check_name, shown, unknown_name
from channels.registry import Registry
from semcom.codec import Codec
from semcom.entries import ENTRIES
from semcom.learned import LearnedCodec
from semcom.segmentation import UNetSegmenter
from semcom.separate import CapacityBound
from semcom.weightfile import stored

GROUP = "semcom.codecs"
"""Entry points by which a package offers codecs."""

PACKAGE = "package"
"""What stands for the shipped weights where a file of weights could."""

COMPARED = tuple(name for name, entry in ENTRIES.items() if entry.compared)
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


_others = Registry(
    "codec",
    "semcom.Codec",
    "class or function",
    "package.module:Class",
    GROUP,
    [*ENTRIES, *_BOUNDS],
)


def register(
    name: str, build: Callable[..., Codec], *, line: str | None = None, replace: bool = False
) -> None:
    """Add a codec to :func:`codecs`, so that :func:`codec` and all scenarios know it by name.

    >>> def strong(mcs=2):
    ...     "HEVC at one strong MCS."
    ...     return codec("hevc-ldpc", mcs=mcs)
    >>> register("hevc-strong", strong)
    >>> codec("hevc-strong", mcs=4).name, codecs()["hevc-strong"]
    ('hevc-strong', 'HEVC at one strong MCS.')

    An installed package needs no call; it names the class among its entry points::

        [project.entry-points."semcom.codecs"]
        mine = "mypackage.codecs:Mine"

    Args:
        name: letters, digits, ``.``, ``_`` and ``-``; the codec is called so in tables, too.
        build: a class, or a function that makes a new :class:`~semcom.Codec` each time; its
            parameters are the codec's options.
        line: what it is; by default the first line of ``build``'s docstring.
        replace: take the place of a codec that was registered before.

    Raises:
        InputError: on a name that is taken or cannot be one, or a ``build`` that is no function.
    """
    _others.register(name, build, line, replace=replace)


def codecs() -> dict[str, str]:
    """Every codec by name, with one line on what it is.

    >>> [name for name in codecs() if name.startswith("medjscc")]
    ['medjscc', 'medjscc-small', 'medjscc-uniform']
    """
    return {name: entry.line for name, entry in ENTRIES.items()} | _others.lines()


def codec(name: str, **options: Any) -> Codec:
    """Build a codec by name, with its shipped weights if it is a learned one.

    Args:
        name: one of :func:`codecs`, or ``"package.module:Class"``, a class or function such as
            :func:`register` takes; the codec is then called as it calls itself.
        **options: ``weights`` (path of a safetensors file, ``None`` for the shipped ones) for
            learned codecs; the arguments of :class:`semcom.separate.LayeredCodec` for
            ``"jpeg2000-layered-ldpc"``, of :class:`semcom.separate.SeparateCodec` but ``source``
            for the others that come with the package, of its class or function for any other.

    Raises:
        InputError: on an unknown name or option, weights that do not fit, or a class or function
            that cannot be loaded or makes no codec.

    >>> codec("hevc-ldpc").name
    'hevc-ldpc'
    """
    entry = ENTRIES.get(name) if isinstance(name, str) else None
    build = _others.find(name) if entry is None else entry.build
    if build is None:
        raise unknown_name("codec", name, codecs())
    made = _made(name, build, options)
    if ":" not in name and getattr(made, "name", None) != name:
        made.name = name
    return made


def held(path: str | Path) -> LearnedCodec:
    """The codec whose weights a file holds; the file says which one it is.

    Raises:
        InputError: if the file is missing or damaged, or holds weights of no codec known here.

    >>> with as_file(files("semcom").joinpath("weights/deepjscc.safetensors")) as path:
    ...     held(path).name
    'deepjscc'
    """
    _, metadata = stored(path)
    name = metadata.get("codec")
    if name is None:
        raise InputError(f"{path} does not say which codec's weights it holds")
    kinds: dict[str, object] = {kind.name: kind for kind in _kinds().values()}
    kind = kinds.get(name) or (_others.find(name) if name in _others.lines() else None)
    if not isinstance(kind, type) or not issubclass(kind, LearnedCodec):
        raise InputError(
            f"{path} holds weights of {shown(name)}, which is no learned codec known here: "
            "semcom.register its class under that name"
        )
    return kind.load(path)


def _made(name: str, build: Callable[..., Any], options: dict[str, Any]) -> Codec:
    if inspect.isabstract(build):
        missing = ", ".join(sorted(build.__abstractmethods__))  # type: ignore[attr-defined]
        raise InputError(f"codec {name!r} cannot be made: its class lacks {missing}")
    try:
        signature = inspect.signature(build)
        parameters = signature.parameters
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            _check_options(name, options, list(parameters))
        signature.bind(**options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"codec {name!r} cannot be made so: {error}") from error
    made = build(**options)
    if not isinstance(made, Codec):
        raise InputError(f"codec {name!r} must be made as a semcom.Codec, got {shown(made)}")
    if ":" in name and not isinstance(getattr(made, "name", None), str):
        raise InputError(f"codec {name!r} has no name: give its class one, name = 'mine'")
    return made


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
    kinds = {name: kind for name, kind in _kinds().items() if name == kind.name}
    if name not in kinds:
        known = ", ".join(kinds)
        if name in _kinds():
            raise InputError(f"{name!r} is {_kinds()[name].name!r} smaller; train one of {known}")
        if name in codecs():
            raise InputError(f"{name!r} has no weights to train; choose from {known}")
        raise unknown_name("learned codec", name, kinds)
    return kinds[name]()


def _kinds() -> dict[str, type[LearnedCodec]]:
    """Classes of learned codecs by name, those of which weights alone differ among them."""
    return {name: entry.learned for name, entry in ENTRIES.items() if entry.learned is not None}


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
    if name not in _kinds():
        learned(name)
    found = codec(name, weights=None if str(weights) == PACKAGE else weights)
    assert isinstance(found, LearnedCodec)
    found.name = _kinds()[name].name
    return found.requires_grad_(True)


def _check_options(name: str, options: dict[str, Any], known: list[str]) -> None:
    for option in options:
        if option not in known:
            raise unknown_name(f"option of {name!r}", option, known)
