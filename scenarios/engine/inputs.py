"""What a caller may hand to a scenario, checked before anything is computed or written."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard, TypeVar

import numpy as np
import torch
from torch import Tensor

import channels
from channels import InputError, Link
from channels.errors import check_name, check_number, real_number, shown, whole_number
from channels.real import on_grid
from channels.registry import READS_AS_OTHER, is_place
from scenarios.results.columns import COLUMNS, MAX_SNR_DB, SEPARATE, on_request
from scenarios.results.columns import metrics as known_metrics
from semcom import catalogue
from semcom.entries import CONTROL
from semcom.images import KINDS, as_sample, check_layout, check_tensor
from semcom.scheme import Scheme
from semcom.segmentation import Segmenter, UNetSegmenter
from semcom.segmentation.segmenter import probabilities

Images: TypeAlias = Tensor | Sequence[Tensor]
Masks: TypeAlias = Images | str | Segmenter | None
T = TypeVar("T")
S = TypeVar("S", bound=Scheme)
MAX_CBR = 8
Codecs: TypeAlias = str | Scheme | Sequence[str | Scheme] | Mapping[str, str | Scheme]
Links: TypeAlias = str | Link | Sequence[str | Link] | Mapping[str, str | Link]
Points: TypeAlias = float | Sequence[float] | Tensor


@dataclass(frozen=True, eq=False)
class Sample:
    """An image and its region of interest.

    Args:
        image: float32 ``[C, H, W]`` in [0, 1], C 1 (grey) or 3 (RGB).
        mask: bool ``[1, H, W]``, true in the region of interest, or ``None``.
    """

    image: Tensor
    mask: Tensor | None

    def to(self, device: str) -> Sample:
        """The same on a device."""
        mask = None if self.mask is None else self.mask.to(device)
        return Sample(self.image.to(device), mask)

    @property
    def digest(self) -> str:
        """Hash of the contents; no file name or patient field is kept anywhere."""
        digest = hashlib.sha256()
        for part in (self.image, self.mask):
            if part is None:
                digest.update(b"none")
            else:
                digest.update(str((part.dtype, tuple(part.shape))).encode())
                digest.update(part.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def samples(images: Images, masks: Masks) -> list[Sample]:
    """Check images and masks one by one.

    Args:
        images: float32 ``[n, C, H, W]``, or n tensors ``[C, H, W]`` of any sizes; C is 1 (grey) or
            3 (RGB).
        masks: bool, ``[n, 1, H, W]`` or n of ``[1, H, W]``; the name of a shipped segmenter
            (``"chest"``) or any other segmenter, to find them in the sent pictures, which are grey
            then; ``None`` without regions of interest.

    Raises:
        InputError: naming the index of the image that does not fit.

    >>> import torch
    >>> len(samples(torch.zeros(2, 1, 64, 64), None))
    2
    """
    images = _tensors("images", images)
    if not images:
        raise InputError("images hold no picture: pass at least one")
    segmenter = catalogue.segmenter(masks) if isinstance(masks, str) else masks
    given: list[Tensor] | None = None
    if segmenter is not None and not isinstance(segmenter, Segmenter):
        given = _tensors("masks", segmenter)
        if len(given) != len(images):
            raise InputError(
                f"{len(given)} masks do not fit {len(images)} images: pass one mask each"
            )
    found = []
    for index, image in enumerate(images):
        try:
            image, mask = as_sample(image, None if given is None else given[index], (1, 3))
            if isinstance(segmenter, Segmenter):
                if len(image) > 1:
                    raise InputError("segmenters take grey images: pass masks of RGB ones, or none")
                mask = probabilities(segmenter, image[None])[0] > 0.5
        except InputError as error:
            raise InputError(f"picture {index}: {error}") from None
        found.append(Sample(image, mask))
    return found


def check_channels(
    samples: Sequence[Sample], schemes: Mapping[str, Scheme], observers: Sequence[Segmenter]
) -> None:
    """Refuse grey or RGB images that not all can take.

    >>> check_channels([Sample(torch.zeros(3, 32, 32), None)], schemes(["deepjscc"]), [])
    Traceback (most recent call last):
    channels.errors.InputError: picture 0 is RGB, deepjscc takes grey images: average its ...
    """
    for index, sample in enumerate(samples):
        count = len(sample.image)
        for label, scheme in schemes.items():
            if count in scheme.channels:
                continue
            takes = " and ".join(KINDS[kind] for kind in scheme.channels)
            cure = "make it RGB, image.expand(3, -1, -1)"
            if count == 3:
                able = ", ".join(catalogue.TAKE_RGB)
                cure = f"average its channels, or take codecs of RGB: {able}"
            raise InputError(
                f"picture {index} is {KINDS[count]}, {label} takes {takes} images: {cure}"
            )
        if count != 1 and observers:
            raise InputError(
                f"picture {index} is {KINDS[count]}, segmenters take grey images: leave diagnosis "
                "out"
            )


def check_regions(samples: Sequence[Sample], schemes: Mapping[str, Scheme]) -> None:
    """Refuse images without a region of interest where one is needed.

    >>> check_regions([Sample(torch.zeros(1, 32, 32), None)], schemes(["generative"]))
    Traceback (most recent call last):
    channels.errors.InputError: picture 0 has no region of interest, which generative sends: pass...
    """
    needy = [label for label, scheme in schemes.items() if scheme.needs_roi]
    for index, sample in enumerate(samples):
        if needy and (sample.mask is None or not bool(sample.mask.any())):
            raise InputError(
                f"picture {index} has no region of interest, which {needy[0]} sends: pass masks "
                "in which every picture has one, or leave the picture or the codec out"
            )


def origin(masks: Masks) -> str:
    """Where regions of interest come from, in words.

    >>> origin("chest")
    "found in the sent pictures by semcom.segmenter('chest')"
    """
    if masks is None:
        return "none"
    if isinstance(masks, str):
        return f"found in the sent pictures by semcom.segmenter({masks!r})"
    if isinstance(masks, Segmenter):
        named = f" of {masks.task}" if isinstance(masks, UNetSegmenter) else ""
        return f"found in the sent pictures by {type(masks).__name__}{named}"
    return "given with the pictures"


def finder(name: str, segmenter: str | Segmenter | None) -> Segmenter | None:
    """A segmenter.

    Args:
        name: of the argument, for the error.
        segmenter: name of a shipped segmenter, or any other; ``None`` for none.

    Raises:
        InputError: on an unknown name, or something else.

    >>> finder("diagnosis", "chest").task
    'chest'
    """
    if isinstance(segmenter, str):
        return catalogue.segmenter(segmenter)
    if segmenter is not None and (isinstance(segmenter, type) or not callable(segmenter)):
        known = ", ".join(catalogue.segmenters())
        raise InputError(
            f"{name} must be a segmenter or the name of one ({known}), got {shown(segmenter)}"
        )
    return segmenter


def observers(diagnosis: str | Segmenter | None) -> tuple[Segmenter, ...]:
    """Who diagnoses: the segmenter, and its control where one is shipped for its task.

    >>> [type(found).__name__ for found in observers("chest")]
    ['UNetSegmenter', 'UNetSegmenter']
    """
    found = finder("diagnosis", diagnosis)
    if found is None:
        return ()
    control = catalogue.companion(found, CONTROL)
    return (found,) if control is None else (found, control)


def requested(metrics: str | Sequence[str]) -> dict[str, str]:
    """Metrics that are measured on request, in the order of tables, and what each depends on.

    Args:
        metrics: names, or one; those that are always measured may be among them.

    Raises:
        InputError: on an unknown name, or where the library or weights of one are missing.

    >>> requested(["roi_ssim", "psnr"])
    {'roi_ssim': ''}
    """
    named = {
        check_name("metric", name, known_metrics()) for name in _listed("metrics", metrics, (str,))
    }
    columns = [COLUMNS[name] for name in on_request() if name in named]
    return {column.name: column.basis() if column.basis else "" for column in columns}


def schemes(codecs: Codecs) -> dict[str, Scheme]:
    """Codecs and bounds by the label they carry in tables.

    Args:
        codecs: names, codecs or bounds, or one; ``"label=weights.safetensors"`` is the learned
            codec whose weights the file holds, ``"package.module:Class=weights.safetensors"`` one
            that no catalogue knows; a mapping gives labels of its own.

    Raises:
        InputError: on an unknown name, a label twice, no codec at all, or something else.

    >>> list(schemes(["hevc-ldpc", "hevc-capacity"]))
    ['hevc-ldpc', 'hevc-capacity']
    """
    if isinstance(codecs, Mapping):
        for label, codec in codecs.items():
            _check_type("a label of codecs", label, str)
            _check_type(f"codecs[{label!r}]", codec, (str, Scheme))
        labelled = [(label, _scheme(codec)) for label, codec in codecs.items()]
    else:
        listed = _listed("codecs", codecs, (str, Scheme))
        labelled = [_labelled(codec) for codec in listed]
    if any(label == SEPARATE for label, _ in labelled):
        raise InputError(f"codecs: {SEPARATE!r} is the best separate scheme: take another label")
    return _unique("codec", labelled, "in Python, {label: codec} tells two of a name apart")


def routes(links: Links) -> dict[str, Link]:
    """Links by name; a mapping gives names of its own.

    Raises:
        InputError: on an unknown name, a name twice, no link at all, or something else.

    >>> list(routes(["awgn", channels.link("ntn-tdl-c", speed_mps=0.0)]))
    ['awgn', 'ntn-tdl-c']
    >>> routes({"still": channels.link("ntn-tdl-c", speed_mps=0.0)})["still"].name
    'still'
    """
    named: list[tuple[str | None, str | Link]]
    if isinstance(links, Mapping):
        for label, link in links.items():
            _check_type("a name of links", label, str)
            _check_type(f"links[{label!r}]", link, (str, Link))
        named = list(links.items())
    else:
        named = [(None, link) for link in _listed("links", links, (str, Link))]
    labelled: list[tuple[str, Link]] = []
    for name, given in named:
        link = channels.link(given) if isinstance(given, str) else given
        labelled.append((name or link.name, link if name is None else replace(link, name=name)))
    return _unique("link", labelled, "in Python, {name: link} tells two of a name apart")


def points(snr_db: Points) -> tuple[float, ...]:
    """SNR points in dB, sorted, each once: equal to 12 digits is equal (:func:`on_grid`).

    >>> points([4, 0, 4, 0.1 + 0.2, 0.3])
    (0.0, 0.3, 4.0)
    """
    found = numbers("snr_db", snr_db, -MAX_SNR_DB, MAX_SNR_DB)
    if not found:
        raise InputError("snr_db holds no point: pass at least one, in dB")
    return found


def believed(snr_db: object) -> float | None:
    """The SNR in dB that transmitters believe, ``None`` for what is true.

    >>> believed(0.1 + 0.2)
    0.3
    """
    if snr_db is None:
        return None
    check_number("believed_snr_db", snr_db, -MAX_SNR_DB, MAX_SNR_DB)
    return numbers("believed_snr_db", snr_db, -MAX_SNR_DB, MAX_SNR_DB)[0]


def numbers(name: str, values: object, low: float, high: float) -> tuple[float, ...]:
    """Numbers, or one, sorted, each once; tensors and arrays hold them as lists do.

    What is equal to 12 digits is equal: see :func:`channels.real.on_grid`.

    Raises:
        InputError: if one is no number from ``low`` to ``high``.

    >>> numbers("speed_mps", np.array([3, 1, 3]), 0, 100), numbers("speed_mps", 3, 0, 100)
    ((1.0, 3.0), (3.0,))
    """
    listed = (check_number(name, value, low, high) for value in _one_by_one(name, values))
    return tuple(sorted({on_grid(number) for number in listed}))


def _one_by_one(name: str, values: object) -> list[object]:
    if real_number(values) is not None:
        return [_as_written(name, values)]
    if isinstance(values, Tensor | np.ndarray):
        values = _as_written(name, values)
    if not _holds_many(values):
        raise InputError(f"{name} must be a number or a list of numbers, got {shown(values)}")
    return [_as_written(name, value) for value in values]


def _holds_many(values: object) -> TypeGuard[Iterable[Any]]:
    """Whether it can be gone through; a tensor or array without dimensions cannot, text shall not.

    >>> _holds_many([1, 2]), _holds_many(torch.tensor(2)), _holds_many("12")
    (True, False, False)
    """
    if isinstance(values, str | bytes) or getattr(values, "ndim", 1) == 0:
        return False
    return isinstance(values, Iterable)


def _as_written(name: str, values: object) -> object:
    """Numbers of single precision as they are written, 0.3 and not 0.30000001192092896."""
    if isinstance(values, Tensor):
        check_tensor(name, values)
    if isinstance(values, Tensor | np.ndarray) and math.prod(values.shape) == 1:
        values = values.reshape(())
    if isinstance(values, Tensor) and values.dtype in (torch.float16, torch.float32):
        values = values.numpy(force=True)
    if isinstance(values, np.ndarray | np.floating) and values.dtype in (np.float16, np.float32):
        return values.astype(str).astype(float).tolist()
    return values.tolist() if isinstance(values, Tensor | np.ndarray) else values


def folder(out: str | Path) -> Path:
    """A folder's path.

    >>> folder("results").name
    'results'
    """
    _check_type("out", out, (str, Path))
    if not str(out).strip():
        raise InputError("out is empty: name a folder for the results")
    if "\0" in str(out):
        raise InputError(f"{shown(str(out))} is no name: name a folder for the results")
    return Path(out)


def rates(cbr: Points) -> tuple[float, ...]:
    """Rates in complex channel uses per image sample, sorted, each once, as :func:`points`.

    Raises:
        InputError: if there is none, or no picture can be sent at one.

    >>> rates([1 / 16, 1 / 64]), rates(1 / 4)
    ((0.015625, 0.0625), (0.25,))
    """
    found = [check_rate(value) for value in _one_by_one("cbr", cbr)]
    if not found:
        raise InputError(
            "cbr holds no rate: pass at least one, complex channel uses per image sample"
        )
    return tuple(sorted({on_grid(rate) for rate in found}))


def check_rate(cbr: object) -> float:
    """Return a rate as a float if a picture can be sent at it.

    >>> check_rate(-1 / 16)
    Traceback (most recent call last):
    channels.errors.InputError: cbr must lie in (0, 8] complex channel uses per image sample, ...
    """
    number = real_number(cbr)
    if number is None or not 0 < number <= MAX_CBR:
        raise InputError(
            f"cbr must lie in (0, {MAX_CBR}] complex channel uses per image sample, "
            f"got {shown(cbr)}"
        )
    return number


def _labelled(codec: str | Scheme) -> tuple[str, Scheme]:
    if isinstance(codec, str) and "=" in codec:
        label, path = (part.strip() for part in codec.split("=", 1))
        if not label or not path:
            raise InputError(f"weights need a label: label=weights.safetensors, got {shown(codec)}")
        if is_place(label):
            codec = _checked(catalogue.held(path, label))
            return codec.name, codec
        codec = _checked(catalogue.held(path))
        if label in catalogue.codecs() and not catalogue.may_be_called(codec, label):
            raise InputError(f"{path} holds weights of {codec.name!r}: label it otherwise")
        return label, codec
    built = _scheme(codec)
    return built.name, built


def _scheme(codec: str | Scheme) -> Scheme:
    if codec == SEPARATE:
        raise InputError(
            f"codecs: {SEPARATE!r}, the best separate scheme, is no codec to run: runs add it by "
            "themselves, and table, plot and rate-saving take it"
        )
    return _checked(catalogue.scheme(codec) if isinstance(codec, str) else codec)


def _checked(scheme: S) -> S:
    """Refuse what a class of one's own says of itself and tables cannot hold."""
    who = type(scheme).__name__
    name = getattr(scheme, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"{who}: name must be text, such as name = 'mine', got {shown(name)}")
    kinds = scheme.channels
    if (
        not isinstance(kinds, tuple | list)
        or not kinds
        or not all(whole_number(kind) in KINDS for kind in kinds)
    ):
        raise InputError(
            f"{who}: channels must be (1,) for grey images, (3,) for RGB or (1, 3) for both, got "
            f"{shown(kinds)}"
        )
    if not isinstance(scheme.fingerprint, str):
        raise InputError(
            f"{who}: fingerprint must be text that says what decides its results, got "
            f"{shown(scheme.fingerprint)}"
        )
    return scheme


def _tensors(name: str, values: object) -> list[Tensor]:
    if isinstance(values, Tensor | np.ndarray):
        tensor, known = check_tensor(name, values), (1, 3) if name == "images" else (1,)
        if name == "images" or tensor.ndim != 4:
            check_layout(tensor, known, name, 0, ["n"])
    if not _holds_many(values):
        raise InputError(f"{name} must be a list of Tensor, got {type(values).__name__}")
    return [check_tensor(f"{name}[{index}]", value) for index, value in enumerate(values)]


def _listed(name: str, values: object, kinds: tuple[type, ...]) -> list[Any]:
    """A list of such things; one alone is put into a list."""
    if isinstance(values, kinds):
        return [values]
    if not _holds_many(values):
        raise InputError(f"{name} must be a list of {_named(kinds)}, got {type(values).__name__}")
    listed = list(values)
    for index, value in enumerate(listed):
        _check_type(f"{name}[{index}]", value, kinds)
    return listed


def _check_type(name: str, value: object, kinds: type | tuple[type, ...]) -> None:
    if not isinstance(value, kinds):
        words = _named(kinds if isinstance(kinds, tuple) else (kinds,))
        raise InputError(f"{name} must be {words}, got {type(value).__name__}")


def _named(kinds: tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in kinds)


def _unique(kind: str, labelled: list[tuple[str, T]], remedy: str) -> dict[str, T]:
    if not labelled:
        raise InputError(f"no {kind} to compare: name at least one")
    names = [name for name, _ in labelled]
    for name in names:
        if READS_AS_OTHER.fullmatch(name.strip()) or name != name.strip():
            raise InputError(
                f"{kind} {name!r} would be read from a CSV as a number, a truth value or nothing: "
                f"take another name, such as {kind} {name.strip() or 1}"
            )
        if not name.isprintable():
            raise InputError(f"{kind} {shown(name)} holds control characters: take another name")
        if names.count(name) > 1:
            raise InputError(f"{kind} {name!r} appears twice: name each once ({remedy})")
    return dict(labelled)
