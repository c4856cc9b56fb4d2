"""How good the received pictures, masks and bits are, one number for each picture.

Every picture metric takes ``out`` and ``images`` alike, float ``[batch, C, H, W]`` in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from channels import InputError

_SSIM_SIDE = 11
_MS_SSIM_SIDE = 176
"""torchmetrics' limit: after four halvings the window of 11 must still fit."""


def psnr(out: Tensor, images: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, peak 1.

    Args:
        out: received pictures, ``[batch, C, H, W]``.
        images: sent pictures, of the same shape.

    Returns:
        float32 ``[batch]`` in dB, infinite where the two are equal (with a gradient of zero).

    Raises:
        InputError: if shapes or dtypes do not fit.

    >>> psnr(torch.full((1, 1, 32, 32), 0.6), torch.full((1, 1, 32, 32), 0.5))
    tensor([20.0000])
    """
    _check_pictures(out, images)
    return _decibels((out.float() - images.float()).square().mean(dim=(1, 2, 3)))


def roi_psnr(out: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """PSNR over the region of interest alone, each squared error weighted by the mask.

    Args:
        out: received pictures, ``[batch, C, H, W]``.
        images: sent pictures, of the same shape.
        masks: bool, or float weights from 0 on, ``[batch, C or 1, H, W]``.

    Returns:
        float32 ``[batch]`` in dB, infinite where the region is equal, NaN where it is empty.

    Raises:
        InputError: if shapes or dtypes do not fit, or a weight is negative or not finite.

    >>> masks = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> masks[..., :16] = True
    >>> images = torch.full((1, 1, 32, 32), 0.5)
    >>> roi_psnr(images + 0.1 * masks, images, masks)
    tensor([20.0000])
    """
    _check_pictures(out, images)
    _check_masks(masks, images)
    weights = masks.float().expand_as(images)
    total = weights.sum(dim=(1, 2, 3))
    error = (weights * (out.float() - images.float()).square()).sum(dim=(1, 2, 3))
    decibels = _decibels(error / torch.where(total > 0, total, 1.0))
    return torch.where(total > 0, decibels, torch.nan)


def ssim(out: Tensor, images: Tensor) -> Tensor:
    """Structural similarity with a Gaussian window of 11 x 11 (sigma 1.5).

    Every pixel is the middle of one window, and the border is mirrored (torchmetrics' way; others
    average over the windows that lie inside, and differ in the third digit).

    Args:
        out: received pictures, ``[batch, C, H, W]``.
        images: sent pictures, of the same shape, both sides at least 11.

    Returns:
        float32 ``[batch]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, or the pictures are too small.

    >>> ssim(torch.full((1, 1, 32, 32), 0.5), torch.full((1, 1, 32, 32), 0.5))
    tensor([1.])
    """
    _check_pictures(out, images)
    _check_side("ssim", images, _SSIM_SIDE, "enlarge the pictures")
    return _per_picture(
        structural_similarity_index_measure(
            out.float(), images.float(), data_range=1.0, reduction="none"
        )
    )


def ms_ssim(out: Tensor, images: Tensor) -> Tensor:
    """Multi-scale structural similarity over the five standard scales.

    Args:
        out: received pictures, ``[batch, C, H, W]``.
        images: sent pictures, of the same shape, both sides at least 176.

    Returns:
        float32 ``[batch]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, or the pictures are too small.

    >>> ms_ssim(torch.full((1, 1, 176, 176), 0.5), torch.full((1, 1, 176, 176), 0.5))
    tensor([1.])
    """
    _check_pictures(out, images)
    _check_side("ms_ssim", images, _MS_SSIM_SIDE, "use ssim for smaller pictures")
    return _per_picture(
        multiscale_structural_similarity_index_measure(
            out.float(), images.float(), data_range=1.0, reduction="none"
        )
    )


def dice(a: Tensor, b: Tensor) -> Tensor:
    """Dice overlap of two masks.

    Args:
        a: bool ``[batch, ...]``.
        b: bool, of the same shape.

    Returns:
        float32 ``[batch]`` in [0, 1], 1 where both masks are empty.

    Raises:
        InputError: if a mask is not bool, or the shapes differ.

    >>> dice(torch.tensor([[True, True]]), torch.tensor([[True, False]]))
    tensor([0.6667])
    """
    check_masks(a, b)
    first, second = a.flatten(1), b.flatten(1)
    both = (first & second).sum(dim=1)
    total = first.sum(dim=1) + second.sum(dim=1)
    return torch.where(total > 0, 2 * both / total.clamp(min=1), 1.0)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of two masks (Jaccard index).

    Args:
        a: bool ``[batch, ...]``.
        b: bool, of the same shape.

    Returns:
        float32 ``[batch]`` in [0, 1], 1 where both masks are empty.

    Raises:
        InputError: if a mask is not bool, or the shapes differ.

    >>> iou(torch.tensor([[True, True]]), torch.tensor([[True, False]]))
    tensor([0.5000])
    """
    overlap = dice(a, b)
    return overlap / (2 - overlap)


def ber(bits: Tensor, bits_hat: Tensor) -> Tensor:
    """Bit error rate of each row.

    Args:
        bits: sent bits 0 and 1, bool, integer or float, ``[batch, n]``.
        bits_hat: received bits (hard decisions), of the same shape.

    Returns:
        float32 ``[batch]``.

    Raises:
        InputError: if the shapes do not fit or a value is neither 0 nor 1.

    >>> ber(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor([0.2500])
    """
    return _wrong(bits, bits_hat).float().mean(dim=-1)


def bler(bits: Tensor, bits_hat: Tensor) -> Tensor:
    """Block error rate: the share of blocks with at least one wrong bit.

    Args:
        bits: sent bits 0 and 1, ``[blocks, n]``, or ``[batch, blocks, n]`` for a rate per picture.
        bits_hat: received bits (hard decisions), of the same shape.

    Returns:
        float32, a scalar or ``[batch]``.

    Raises:
        InputError: if the shapes do not fit or a value is neither 0 nor 1.

    >>> bler(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0, 1], [1, 1]]))
    tensor(0.5000)
    """
    return _wrong(bits, bits_hat).any(dim=-1).float().mean(dim=-1)


def _decibels(error: Tensor) -> Tensor:
    """``-10 log10(error)``, with a gradient of zero instead of NaN where the error is zero."""
    positive = torch.where(error == 0, 1.0, error)
    return torch.where(error == 0, torch.inf, -10 * torch.log10(positive))


def _per_picture(values: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    assert isinstance(values, Tensor)
    return values.reshape(-1)


def _wrong(bits: Tensor, bits_hat: Tensor) -> Tensor:
    for row in (bits, bits_hat):
        if not isinstance(row, Tensor) or row.ndim < 2 or row.numel() == 0:
            raise InputError(f"bits must be a tensor [rows, n], not empty, got {_kind(row)}")
        if not bool(((row == 0) | (row == 1)).all()):
            raise InputError("bits must be 0 or 1: decide first, e.g. llr > 0")
    _check_alike("bits", bits, bits_hat)
    return bits.bool() != bits_hat.bool()


def check_masks(a: Tensor, b: Tensor) -> None:
    """Refuse what are not two bool masks of one shape.

    >>> check_masks(torch.ones(1, 2), torch.ones(1, 2))
    Traceback (most recent call last):
    channels.errors.InputError: masks must be bool [batch, ...], got ...: use masks > 0.5
    """
    for mask in (a, b):
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.ndim < 2:
            raise InputError(f"masks must be bool [batch, ...], got {_kind(mask)}: use masks > 0.5")
    _check_alike("masks", a, b)


def _check_pictures(out: Tensor, images: Tensor) -> None:
    for pictures in (out, images):
        if (
            not isinstance(pictures, Tensor)
            or not pictures.is_floating_point()
            or pictures.ndim != 4
            or pictures.numel() == 0
        ):
            raise InputError(
                "pictures must be a float tensor [batch, C, H, W], not empty, "
                f"got {_kind(pictures)}"
            )
    _check_alike("pictures", out, images)


def _check_masks(masks: Tensor, images: Tensor) -> None:
    batch, channels, height, width = images.shape
    shapes = ([batch, 1, height, width], [batch, channels, height, width])
    if not isinstance(masks, Tensor) or list(masks.shape) not in shapes:
        raise InputError(f"masks must have the shape {list(images.shape)}, got {_kind(masks)}")
    if masks.dtype != torch.bool and not masks.is_floating_point():
        raise InputError(f"masks must be bool or float, got {masks.dtype}: use masks > 0")
    if not bool(((masks >= 0) & torch.isfinite(masks)).all()):
        raise InputError("mask weights must be finite and not negative: clamp them")


def _check_side(name: str, images: Tensor, least: int, remedy: str) -> None:
    height, width = images.shape[-2:]
    if min(height, width) < least:
        raise InputError(
            f"{name} needs both sides at least {least}, got {height} x {width}: {remedy}"
        )


def _check_alike(what: str, a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise InputError(
            f"{what} have different shapes, {list(a.shape)} and {list(b.shape)}: "
            "compare like with like"
        )


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
