"""Checks that metrics of images, masks and bits share."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from channels import InputError
from semcom.images import KINDS, as_floats, check_tensor, in_unit_range
from semcom.weightfile import complaint


def check_alike(what: str, a: Tensor, b: Tensor) -> None:
    """Refuse two tensors of different shapes; ``what`` is for the error.

    >>> import torch
    >>> check_alike("masks", torch.ones(1), torch.ones(1))
    """
    if a.shape != b.shape:
        raise InputError(
            f"{what} have different shapes, {list(a.shape)} and {list(b.shape)}: "
            "compare like with like"
        )


def described(value: object) -> str:
    """What something is, for an error.

    >>> described([1])
    'list'
    """
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__


def image_pair(out: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Received and sent images in float32, checked.

    >>> import torch
    >>> image_pair(torch.zeros(1, 1, 2, 2, dtype=torch.float64), torch.ones(1, 1, 2, 2))[0].dtype
    torch.float32
    """
    out, images = as_floats(out), as_floats(images)
    for batch in (out, images):
        if batch.ndim != 4 or batch.numel() == 0:
            raise InputError(
                f"images must be a float tensor [batch, C, H, W], not empty, got {described(batch)}"
            )
    check_alike("images", out, images)
    if bool(torch.isinf(out).any()) or not bool(torch.isfinite(images).all()):
        raise InputError("images hold infinite values: whatever made them is at fault")
    return out, in_unit_range(images, "sent images", "rescale both")


def weights_of(masks: Tensor, images: Tensor) -> Tensor:
    """Weights of pixels, float32 and shaped like the images.

    >>> weights_of(torch.ones(1, 1, 2, 2, dtype=torch.bool), torch.zeros(1, 3, 2, 2)).shape
    torch.Size([1, 3, 2, 2])
    """
    batch, channels, height, width = images.shape
    shapes = ([batch, 1, height, width], [batch, channels, height, width])
    if list(check_tensor("masks", masks).shape) not in shapes:
        raise InputError(f"masks must have the shape {list(images.shape)}, got {described(masks)}")
    if masks.dtype != torch.bool and not masks.is_floating_point():
        raise InputError(f"masks must be bool or float, got {masks.dtype}: use masks > 0.5")
    if not bool(((masks >= 0) & torch.isfinite(masks)).all()):
        raise InputError("mask weights must be finite and not negative: clamp them")
    return masks.float().expand_as(images)


def check_side(name: str, images: Tensor, least: int, remedy: str) -> None:
    """Refuse images that a metric's windows do not fit into.

    >>> check_side("ssim", torch.zeros(1, 1, 8, 32), 11, "enlarge the images")
    Traceback (most recent call last):
    channels.errors.InputError: ssim needs both sides at least 11, got 8 x 32: enlarge the images
    """
    height, width = images.shape[-2:]
    if min(height, width) < least:
        raise InputError(
            f"{name} needs both sides at least {least}, got {height} x {width}: {remedy}"
        )


def seen_pair(name: str, out: Tensor, images: Tensor, least: int) -> tuple[Tensor, Tensor, Tensor]:
    """Grey or RGB images in [0, 1] for a metric that knows no others, checked.

    Args:
        name: of the metric, for errors.
        out: received images, or NaN in their place.
        images: sent images.
        least: the shortest side that will do, in pixels.

    Returns:
        Received images, with sent ones in the place of those that hold NaN; sent images; bool
        ``[batch]``, true where there was NaN.

    >>> seen_pair("vsi", torch.zeros(1, 2, 32, 32), torch.zeros(1, 2, 32, 32), 3)
    Traceback (most recent call last):
    channels.errors.InputError: vsi takes grey and RGB images, got 2 channels: take them apart
    """
    out, images = image_pair(out, images)
    if images.shape[1] not in KINDS:
        raise InputError(
            f"{name} takes grey and RGB images, got {images.shape[1]} channels: take them apart"
        )
    check_side(name, images, least, "enlarge the images")
    lost = out.isnan().flatten(1).any(1)
    seen = torch.where(lost[:, None, None, None], images, out)
    return in_unit_range(seen, "received images"), images, lost


def library(name: str, asking: str) -> Any:
    """A library of the extra ``perceptual``.

    Args:
        name: of the module.
        asking: how the message begins.

    Raises:
        InputError: if it cannot be imported.

    >>> library("no_such_library", "vsi needs")
    Traceback (most recent call last):
    channels.errors.InputError: vsi needs no_such_library (No module named 'no_such_library'): ...
    """
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:  # torchvision of another torch
        raise InputError(
            f"{asking} {name} ({complaint(error)}): pip install 'semcom[perceptual]'"
        ) from None
