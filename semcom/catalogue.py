"""Codecs, bounds and segmenters by name: those of the package, of scripts, of other packages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

from channels import InputError
from channels.errors import check_name, shown, unknown_name
from channels.registry import Registry, check_own_name, not_ending, reason
from channels.surroundings import undisturbed
from semcom import entries
from semcom.codec import Codec
from semcom.learned import LearnedCodec
from semcom.scheme import SEPARATE, Scheme
from semcom.segmentation import Segmenter, UNetSegmenter
from semcom.weightfile import stored

PACKAGE = "package"
"""What stands for the shipped weights where a file of weights could."""

COMPARED = tuple(name for name, entry in entries.CODECS.items() if entry.compared)
"""Codecs that are compared where none is named."""

TAKE_RGB = tuple(name for name, entry in entries.CODECS.items() if entry.family == SEPARATE)
"""Codecs of the package that take RGB images as well as grey ones."""

_SCHEMES = entries.CODECS | entries.BOUNDS
_SHIPPED = _SCHEMES | entries.SEGMENTERS
_TAKEN = (*_SCHEMES, SEPARATE)
_MADE = "class or function", "package.module:Class"
CODECS = Registry("codec", "semcom.Codec", *_MADE, "semcom.codecs", _TAKEN)
BOUNDS = Registry("bound", "semcom.Scheme", *_MADE, "semcom.bounds", _TAKEN)
SEGMENTERS = Registry(
    "segmenter", "semcom.segmentation.Segmenter", *_MADE, "semcom.segmenters", entries.SEGMENTERS
)
_REGISTRIES = {registry.kind: registry for registry in (CODECS, BOUNDS, SEGMENTERS)}
T = TypeVar("T")


def register(
    name: str,
    build: Callable[..., Any],
    *,
    kind: str = "codec",
    line: str | None = None,
    replace: bool = False,
) -> None:
    """Add a codec, bound or segmenter, so that its function here and all scenarios know its name.

    >>> def strong(mcs=2):
    ...     "HEVC at one strong MCS."
    ...     return codec("hevc-ldpc", mcs=mcs)
    >>> register("hevc-strong", strong)
    >>> codec("hevc-strong", mcs=4).name, codecs()["hevc-strong"]
    ('hevc-strong', 'HEVC at one strong MCS.')

    An installed package needs no call; it names the class among its entry points, in the group
    ``semcom.codecs``, ``semcom.bounds`` or ``semcom.segmenters``::

        [project.entry-points."semcom.codecs"]
        mine = "mypackage.codecs:Mine"

    Args:
        name: letters, digits, ``.``, ``_`` and ``-``; tables call it so, too.
        build: a class, or a function that makes a new :class:`~semcom.Codec` each time (of a
            bound, a :class:`~semcom.Scheme`; of a segmenter, what keeps the contract of
            :class:`~semcom.segmentation.Segmenter`); its parameters are the options.
        kind: ``"codec"``, ``"bound"`` or ``"segmenter"``.
        line: what it is; by default the first line of ``build``'s docstring.
        replace: take the place of one that was registered before.

    Raises:
        InputError: on a name that is taken or cannot be one, or a ``build`` that is no function.
    """
    check_name("kind", kind, _REGISTRIES)
    if kind != "segmenter":
        if name == SEPARATE:
            raise InputError(f"{name!r} is the best separate scheme in tables: take another name")
        if kind == "codec" and isinstance(build, type) and not issubclass(build, Codec):
            raise InputError(f"{shown(build)} is no semcom.Codec: derive it, or kind='bound'")
        other = BOUNDS if kind == "codec" else CODECS
        if name in other.lines():
            raise InputError(f"{other.kind} {name!r} is there already: take another name")
    _REGISTRIES[kind].register(name, build, line, replace=replace)


def codecs() -> dict[str, str]:
    """Every codec by name, with one line on what it is.

    >>> [name for name in codecs() if name.startswith("medjscc")]
    ['medjscc', 'medjscc-small', 'medjscc-uniform']
    """
    return _lines(entries.CODECS, CODECS)


def bounds() -> dict[str, str]:
    """Every bound by name, with one line on what it is.

    >>> "hevc-capacity" in bounds()
    True
    """
    return _lines(entries.BOUNDS, BOUNDS)


def segmenters() -> dict[str, str]:
    """Every segmenter by name, with what it finds; a shipped one is called by its task.

    >>> [name for name in segmenters() if not name.endswith("-control")]
    ['chest', 'angiography', 'dental', 'angiography-second']
    """
    return _lines(entries.SEGMENTERS, SEGMENTERS)


def _lines(shipped: Mapping[str, entries.Entry], others: Registry) -> dict[str, str]:
    return {name: entry.line for name, entry in shipped.items()} | others.lines()


def codec(name: str, **options: Any) -> Codec:
    """Build a codec by name, with its shipped weights if it is a learned one.

    Args:
        name: one of :func:`codecs`, or ``"package.module:Class"``, a class or function such as
            :func:`register` takes; the codec is then called as it calls itself.
        **options: ``weights`` (path of a safetensors file, ``None`` for the shipped ones) for
            learned codecs; the arguments of :class:`semcom.separate.LayeredCodec` for
            ``"jpeg2000-layered-ldpc"``, of :class:`semcom.dmic.codec.DMIC` for ``"dmic-ldpc"``,
            of :class:`semcom.generative.Generative` for ``"generative"``, of
            :class:`semcom.separate.SeparateCodec` but ``source`` for the others that come with the
            package, of its class or function for any other.

    Raises:
        InputError: on an unknown name or option, weights that do not fit, or a class or function
            that cannot be loaded or makes no codec.

    >>> codec("hevc-ldpc").name
    'hevc-ldpc'
    """
    return _named(_made(CODECS, codecs(), Codec, name, options), name)  # type: ignore[type-abstract]


def bound(name: str, **options: Any) -> Scheme:
    """Build a bound by name.

    Args:
        name: one of :func:`bounds`, or ``"package.module:Class"``.
        **options: the arguments of :class:`semcom.separate.CapacityBound` but ``source`` for those
            that come with the package, of its class or function for any other.

    Raises:
        InputError: on an unknown name or option.

    >>> bound("hevc-capacity", kind="ergodic").name
    'hevc-capacity'
    """
    return _named(_made(BOUNDS, bounds(), Scheme, name, options), name)  # type: ignore[type-abstract]


def scheme(name: str, **options: Any) -> Scheme:
    """Build a codec or a bound by name, as :func:`codec` and :func:`bound` do.

    >>> scheme("hevc-capacity").name
    'hevc-capacity'
    """
    if isinstance(name, str) and ":" in name:
        return _named(_made(CODECS, {}, Scheme, name, options), name)  # type: ignore[type-abstract]
    if name in bounds():
        return bound(name, **options)
    if name not in codecs():
        raise unknown_name("codec", name, codecs() | bounds())
    return codec(name, **options)


def segmenter(
    task: str | None = None, weights: str | Path | None = None, **options: Any
) -> Segmenter:
    """A mask source by name, see :mod:`semcom.segmentation`; by default a small shipped network.

    Args:
        task: one of :func:`segmenters`, by default ``"chest"``, or ``"package.module:Class"``; with
            ``weights`` the task that they must be of, by default any.
        weights: path of a safetensors file that ``semcom train segmenter`` wrote; ``None`` for the
            shipped ones. Handed on to a class or function that did not come with the package.
        **options: of a class or function that did not come with the package.

    Raises:
        InputError: on an unknown task, or weights that do not fit or are of another task.

    >>> import torch
    >>> images = torch.rand(1, 1, 64, 48)
    >>> segmenter("chest")(images).shape
    torch.Size([1, 1, 64, 48])
    """
    name = "chest" if task is None else task
    if weights is not None:
        if task is None or SEGMENTERS.find(task) is None:
            return _segmenter_of(weights, task)
        options["weights"] = weights
    return _made(SEGMENTERS, segmenters(), Segmenter, name, options)  # type: ignore[type-abstract]


def companion(found: object, ending: str) -> Segmenter | None:
    """The segmenter that looks beside another of the same task, where the catalogue has one.

    Args:
        found: a segmenter, whose ``task`` tells; one without is of none.
        ending: of its name: :data:`~semcom.entries.CONTROL` or :data:`~semcom.entries.SECOND`.

    >>> companion(segmenter("chest"), "-control").task, companion(segmenter("chest"), "-second")
    ('chest', None)
    """
    name = f"{getattr(found, 'task', None)}{ending}"
    return segmenter(name) if name in segmenters() else None


def _segmenter_of(weights: str | Path, task: str | None) -> UNetSegmenter:
    network = UNetSegmenter.load(weights)
    if task not in (None, network.task):
        raise InputError(f"{Path(weights).name} holds a segmenter of {network.task}, not {task}")
    return network


def _made(
    registry: Registry, known: dict[str, str], cls: type[T], name: str, options: dict[str, Any]
) -> T:
    """One of a kind by name, or by its place ``package.module:Class``."""
    entry = _SHIPPED.get(name) if isinstance(name, str) and name in known else None
    build = registry.find(name) if entry is None else entry.build
    if build is None:
        raise unknown_name(registry.kind, name, known)
    kind = registry.kind
    if inspect.isabstract(build):
        missing = ", ".join(sorted(build.__abstractmethods__))  # type: ignore[attr-defined]
        raise InputError(f"{kind} {name!r} cannot be made: its class lacks {missing}")
    try:
        signature = inspect.signature(build)
        parameters = signature.parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            for option in options:
                if option not in parameters:
                    raise unknown_name(f"option of {name!r}", option, list(parameters))
        signature.bind(**options)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{kind} {name!r} cannot be made so: {error}") from error
    with undisturbed(), not_ending(f"{kind} {name!r}"):
        try:
            built = build(**options)
        except OSError as error:
            raise InputError(f"{kind} {name!r} cannot be made ({reason(error)})") from error
    if not isinstance(built, cls):
        raise InputError(f"{kind} {name!r} must be made as a {registry.made}, got {shown(built)}")
    return built


S = TypeVar("S", bound=Scheme)


def _named(scheme: S, name: str) -> S:
    """Called as the catalogue calls it; at a place, as it calls itself."""
    if ":" not in name:
        if getattr(scheme, "name", None) != name:
            scheme.name = name
    elif not hasattr(scheme, "name"):
        raise InputError(f"{name!r} has no name: give its class one, name = 'mine'")
    elif not name.startswith("semcom."):
        check_own_name("codec", scheme.name, _TAKEN)
    return scheme


def held(path: str | Path, place: str | None = None) -> LearnedCodec:
    """The codec whose weights a file holds; the file says which one it is.

    Args:
        path: of a safetensors file that :meth:`semcom.learned.LearnedCodec.save` wrote.
        place: ``"package.module:Class"`` of its class, where no catalogue knows its name.

    Raises:
        InputError: if the file is missing or damaged, or holds weights of no codec known here.

    >>> held(files("semcom").joinpath("weights/deepjscc.safetensors")).name
    'deepjscc'
    """
    if place is not None:
        return _learned_class(place, CODECS.find(place)).load(path)
    _, metadata = stored(path)
    name = metadata.get("codec")
    if name is None:
        raise InputError(f"{path} does not say which codec's weights it holds")
    shipped = {cls.name: cls for cls in _shipped_classes().values()}
    if name not in shipped and name not in CODECS.lines():
        raise InputError(
            f"{path} holds weights of {shown(name)}, which is no learned codec known here: "
            "semcom.register its class under that name, or name it package.module:Class"
        )
    return _learned_class(name, shipped.get(name) or CODECS.find(name)).load(path)


def may_be_called(codec: LearnedCodec, name: str) -> bool:
    """Whether a name of the catalogue does not mislead about a codec.

    >>> may_be_called(begun("deepjscc", "package"), "hevc-ldpc")
    False
    """
    cls = _shipped_classes().get(name) or CODECS.find(name)
    return isinstance(cls, type) and isinstance(codec, cls)


def _learned_class(name: str, build: object) -> type[LearnedCodec]:
    if not isinstance(build, type) or not issubclass(build, LearnedCodec):
        raise InputError(f"codec {name!r} has no weights: it is no class of semcom.LearnedCodec")
    return build


def weights() -> dict[str, str]:
    """Every file of weights in the package, with its size and the first words of its card.

    >>> "medjscc.safetensors" in weights()
    True
    """
    folder = files("semcom").joinpath("weights")
    summaries = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".safetensors"):
            card = folder.joinpath(file.name.replace(".safetensors", ".md")).read_text("utf-8")
            size = len(file.read_bytes()) / 2**20
            summary = re.sub(r" \(\[.*?\)\)|[*`]", "", card.split("\n", 1)[1].split("|", 1)[0])
            summaries[file.name] = f"{size:.1f} MiB: {shorten(summary, 80, placeholder=' …')}"
    return summaries


def learned(name: str) -> LearnedCodec:
    """An untrained learned codec, ready for ``semcom.training.train``.

    Args:
        name: of a learned codec, or of a class of one that was registered, or its place.

    >>> learned("deepjscc").name
    'deepjscc'
    """
    shipped = _shipped_classes()
    registered = None if name in shipped else CODECS.find(name)
    if isinstance(registered, type) and issubclass(registered, LearnedCodec):
        with undisturbed():
            return registered()
    known = {name: cls for name, cls in shipped.items() if name == cls.name}
    if name in known:
        with undisturbed():
            return known[name]()
    if name in shipped:
        raise InputError(
            f"{name!r} is {shipped[name].name!r} smaller; train one of {', '.join(known)}"
        )
    if name in codecs():
        raise InputError(f"{name!r} has no weights to train; choose from {', '.join(known)}")
    raise unknown_name("learned codec", name, known)


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
    if name not in _shipped_classes():
        return type(learned(name)).load(weights).requires_grad_(True)
    further = codec(name, weights=None if str(weights) == PACKAGE else weights)
    assert isinstance(further, LearnedCodec)
    further.name = _shipped_classes()[name].name
    return further.requires_grad_(True)


def _shipped_classes() -> dict[str, type[LearnedCodec]]:
    """Classes of learned codecs by name, those of which weights alone differ among them."""
    return {
        name: entry.learned for name, entry in entries.CODECS.items() if entry.learned is not None
    }
