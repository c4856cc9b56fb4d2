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
    channels.errors.InputError: images have 3 channels where grey ones are taken: average them, ...
    """
    tensor = as_floats(images, called)
    if tensor.ndim != 4:
        layout = known[0] if len(known) == 1 else "C"
        raise InputError(
            f"{called} must be [batch, {layout}, H, W], got {list(tensor.shape)}: "
            "reshape them, images[None] adds a dimension in front"
        )
    batch, channels, height, width = tensor.shape
    if batch == 0:
        raise InputError(f"{called} hold no image: pass at least one")
    if channels not in (known or (channels,)):
        kinds = " or ".join(KINDS[kind] for kind in known)
        raise InputError(
            f"{called} have {channels} channels where {kinds} ones are taken: "
            "average them, images.mean(1, keepdim=True), to make them grey"
        )
    if min(height, width) < least:
        raise InputError(
            f"{called} are {height} x {width}, but both sides must be at least {least}: "
            "enlarge them"
        )
    return in_unit_range(tensor, called)


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
    tensor = check_tensor(called, roi)
    shape = [len(images), 1, *images.shape[-2:]]
    if list(tensor.shape) != shape:
        raise InputError(
            f"{called} must have the images' batch and size, {shape}, got {list(tensor.shape)}"
        )
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
    images = as_images(check_tensor("images", image)[None], known)
    if mask is None:
        return images[0], None
    return images[0], as_roi(check_tensor("masks", mask)[None], images)[0]


def check_tensor(called: str, value: object) -> Tensor:
    """Return ``value`` if it is a tensor; ``called`` is for the error.

    >>> check_tensor("images", "chest.png")
    Traceback (most recent call last):
    channels.errors.InputError: images must be a tensor, got 'chest.png'
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        raise InputError(f"{called} must be a tensor, got a NumPy array: torch.from_numpy(array)")
    raise InputError(f"{called} must be a tensor, got {shown(value)}")
