"""Checks that metrics of images, masks and bits share."""

from __future__ import annotations

import torch
from torch import Tensor

from channels import InputError
from semcom.images import as_floats, check_tensor, in_unit_range


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
