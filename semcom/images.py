"""The one door for images and masks: what is surely meant is converted, all else refused."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from channels import InputError
from channels.errors import shown

MIN_SIDE = 32
ROUNDING = 1e-6
"""By how much a value may miss [0, 1]: what arithmetic in float32 leaves behind."""

KINDS = {1: "grey", 3: "RGB"}
"""Of images, by their number of channels."""
_STORED = (1, 3, 4)
"""Channels of pictures in files: grey, RGB, RGB with alpha."""
_WHITES = {torch.uint8: "255", torch.uint16: "65535, or by the white of your data"}


def as_images(
    images: object, known: tuple[int, ...] = (1,), *, called: str = "images", least: int = MIN_SIDE
) -> Tensor:
    """A batch of images as float32 in [0, 1], or one line that says what to do.

    Other floating-point dtypes are converted (of float64 what is below 6e-8 is lost), and values
    that miss [0, 1] by rounding, up to 1e-6, are clamped; float32 in [0, 1] comes back as it is.
    Gradients flow.

    Args:
        images: what should be float ``[batch, C, H, W]`` in [0, 1].
        known: the numbers of channels that C may be; none: any.
        called: what they are, for errors.
        least: the shortest side that will do, in pixels.

    Raises:
        InputError: on anything else.

    >>> as_images(torch.full((1, 1, 32, 32), 1 + 1e-7, dtype=torch.float64)).max()
    tensor(1.)
    >>> as_images(torch.zeros(1, 1, 64, 64, dtype=torch.uint8))
    Traceback (most recent call last):
    channels.errors.InputError: images must be floats in [0, 1], got torch.uint8: divide by 255
    >>> as_images(torch.zeros(1, 3, 64, 64))
    Traceback (most recent call last):
    channels.errors.InputError: images [1, 3, 64, 64] have 3 channels where grey ones are ...
    """
    tensor = as_floats(images, called)
    check_layout(tensor, known, called, least, ["batch"])
    return in_unit_range(tensor, called)


def check_layout(
    images: Tensor, known: tuple[int, ...], called: str, least: int, front: list[str]
) -> None:
    """Refuse images of another shape than ``[*front, C, H, W]``.

    Args:
        images: any tensor.
        known: the numbers of channels that C may be; none: any.
        called: what they are, for errors.
        least: the shortest side that will do, in pixels.
        front: the dimension that stands in front, as errors call it, or none.

    Raises:
        InputError: with the shape that was given, and how to change it.

    >>> check_layout(torch.zeros(5, 64, 48, 3), (1, 3), "images", 32, ["batch"])
    Traceback (most recent call last):
    channels.errors.InputError: images [5, 64, 48, 3] have 64 channels where grey or RGB ones ...
    """
    shape = list(images.shape)
    at = len(front)
    if len(shape) != at + 3:
        layout = ", ".join([*front, str(known[0]) if len(known) == 1 else "C", "H", "W"])
        cure = _channels_first(shape, called, at) or _more_dimensions(shape, known, called, at)
        raise InputError(f"{called} must be [{layout}], got {shape}: reshape them{cure}")
    channels, height, width = shape[at:]
    if 0 in shape[:at]:
        raise InputError(f"{called} hold no image: pass at least one")
    if channels not in (known or (channels,)):
        kinds = " or ".join(KINDS[kind] for kind in known)
        raise InputError(
            f"{called} {shape} have {channels} channels where {kinds} ones are taken: "
            f"{_cure_of_channels(shape, known, called, at)}"
        )
    if min(height, width) < least:
        raise InputError(
            f"{called} are {height} x {width}, but both sides must be at least {least}: "
            "enlarge them"
        )


def _cure_of_channels(shape: list[int], known: tuple[int, ...], called: str, at: int) -> str:
    """What to do with channels that are not taken; they are dimension ``at``."""
    last = _channels_first(shape, called, at).removeprefix(", ")
    every = ":, " * at
    if last:
        return f"put channels in front of the sides, {last}"
    if shape[at] == 4:
        kept = f"{called}[{every}:3]"
        return f"drop alpha, {kept}" + ("" if 3 in known else f".mean({at}, keepdim=True)")
    return f"average them, {called}.mean({at}, keepdim=True), to make them grey"


def _channels_first(shape: list[int], called: str, at: int) -> str:
    """How to move channels that stand last; empty where none do."""
    if len(shape) not in (3, 4) or shape[-1] not in _STORED or shape[-3] in _STORED:
        return ""
    if len(shape) == 4:
        return f", {called}.permute(0, 3, 1, 2)"
    return f", {called}.permute(2, 0, 1)" + "[None]" * at


def _more_dimensions(shape: list[int], known: tuple[int, ...], called: str, at: int) -> str:
    """How to add what is missing in front of the sides; empty where nothing is."""
    if len(shape) == 2:
        return f", {called}[None, None]" if at else f", {called}[None]"
    if len(shape) == 3:
        return f", {called}[None]" if shape[0] in (known or shape) else f", {called}[:, None]"
    return ""


def as_floats(images: object, called: str = "images") -> Tensor:
    """Images of any shape and values as float32; see :func:`as_images`.

    >>> as_floats(np.zeros((1, 1, 64, 64)))
    Traceback (most recent call last):
    channels.errors.InputError: images must be a tensor, got a NumPy array: torch.from_numpy(...)
    """
    tensor = check_tensor(called, images)
    if tensor.is_floating_point():
        return tensor.float()
    remedy = f"divide by {_WHITES.get(tensor.dtype, 'the white of your data')}"
    if tensor.dtype == torch.bool:
        remedy = "convert them, images.float()"
    elif tensor.is_complex():
        remedy = "take their real part or magnitude"
    raise InputError(f"{called} must be floats in [0, 1], got {tensor.dtype}: {remedy}")


def in_unit_range(
    images: Tensor, called: str = "images", remedy: str = "divide by the white of your data"
) -> Tensor:
    """Floats in [0, 1]; those that miss it by rounding are clamped.

    >>> in_unit_range(torch.tensor([0.5, 1.00001]))
    Traceback (most recent call last):
    channels.errors.InputError: images must lie in [0, 1], got [0.5, 1.00001001]: divide by ...
    """
    low, high = (float(end) for end in images.detach().aminmax())
    if not -np.inf < low <= high < np.inf:
        raise InputError(f"{called} hold NaN or infinite values: replace them, torch.nan_to_num")
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(f"{called} must lie in [0, 1], got [{low:.9g}, {high:.9g}]: {remedy}")
    return clamped(images)


def clamped(images: Tensor) -> Tensor:
    """Clamp to [0, 1] what is not in it; images that are come back as they are, gradients too.

    >>> clamped(torch.tensor([0.5, 1 + 1e-7])).tolist()
    [0.5, 1.0]
    """
    inside = bool(((images >= 0) & (images <= 1)).all())
    return images if inside else images.clamp(0, 1)


def as_roi(roi: object, images: Tensor, called: str = "roi") -> Tensor:
    """A mask of images: bool, or weights float32 in [0, 1].

    Integers that are 0 or 1 become bool, floats float32.

    Args:
        roi: what should be bool or float ``[batch, 1, H, W]``.
        images: float ``[batch, C, H, W]``.
        called: what it is, for errors.

    Raises:
        InputError: on another shape, or other values.

    >>> as_roi(torch.ones(1, 1, 32, 32, dtype=torch.uint8), torch.zeros(1, 1, 32, 32)).dtype
    torch.bool
    >>> as_roi(torch.full((1, 1, 32, 32), 255), torch.zeros(1, 1, 32, 32))
    Traceback (most recent call last):
    channels.errors.InputError: roi must be bool, or floats in [0, 1], got [255, 255]: use roi > 0.5
    """
    return _mask(roi, [len(images), 1, *images.shape[-2:]], called)


def _mask(roi: object, shape: list[int], called: str) -> Tensor:
    tensor = check_tensor(called, roi)
    if list(tensor.shape) != shape:
        whose = "the images' batch and size" if len(shape) == 4 else "the image's size"
        raise InputError(f"{called} must have {whose}, {shape}, got {list(tensor.shape)}")
    if tensor.dtype == torch.bool:
        return tensor
    if tensor.is_complex():
        raise InputError(f"{called} must be bool, or floats in [0, 1], got {tensor.dtype}")
    low, high = (float(end) for end in tensor.detach().aminmax())
    if not -ROUNDING <= low <= high <= 1 + ROUNDING:
        raise InputError(
            f"{called} must be bool, or floats in [0, 1], got [{low:.9g}, {high:.9g}]: "
            f"use {called} > 0.5"
        )
    return tensor.float().clamp(0, 1) if tensor.is_floating_point() else tensor.bool()


def as_sample(
    image: object, mask: object = None, known: tuple[int, ...] = (1,)
) -> tuple[Tensor, Tensor | None]:
    """One image ``[C, H, W]`` and its mask ``[1, H, W]``, or ``None``; C is one of ``known``.

    Both as :func:`as_images` and :func:`as_roi` give them.

    >>> image, mask = as_sample(torch.rand(1, 64, 64).double(), torch.ones(1, 64, 64).int())
    >>> image.dtype, mask.dtype
    (torch.float32, torch.bool)
    """
    found = as_floats(image)
    check_layout(found, known, "images", MIN_SIDE, [])
    found = in_unit_range(found)
    if mask is None:
        return found, None
    return found, _mask(mask, [1, *found.shape[-2:]], "roi")


def check_tensor(called: str, value: object) -> Tensor:
    """Return ``value`` if it is a tensor that holds its values; ``called`` is for the error.

    >>> check_tensor("images", "chest.png")
    Traceback (most recent call last):
    channels.errors.InputError: images must be a tensor, got 'chest.png'
    """
    if isinstance(value, Tensor):
        _check_readable(called, value)
        return value
    if isinstance(value, np.ndarray):
        raise InputError(f"{called} must be a tensor, got a NumPy array: torch.from_numpy(array)")
    raise InputError(f"{called} must be a tensor, got {shown(value)}")


def _check_readable(called: str, tensor: Tensor) -> None:
    if tensor.is_meta:
        raise InputError(
            f"{called} must hold values, got a tensor on the meta device: make it on the cpu"
        )
    if tensor.layout != torch.strided or tensor.is_nested:
        kind = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        cure = "torch.nested.to_padded_tensor" if tensor.is_nested else "take its to_dense()"
        raise InputError(f"{called} must be a dense tensor, got a {kind} one: {cure}")
