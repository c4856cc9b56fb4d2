"""How good a region and the rest of received images are, apart.

PSNR over the region is :func:`semcom.metrics.roi_psnr`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.metrics.checks import image_pair, weights_of
from semcom.metrics.image_quality import roi_psnr, ssim_map


@undisturbed()
def roi_ssim(out: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """SSIM over the region of interest: its map, averaged with the mask as weights.

    With weights ``w``, a mask of one channel repeated over all ``C``::

        ROI-SSIM = sum(w SSIM map) / sum(w)

    Also called key-SSIM. The windows of :func:`semcom.metrics.ssim`, 11 x 11, stand around the
    pixels of the region, so that those at its edge reach beyond it by up to five pixels.

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape, both sides at least 11.
        masks: bool, or float weights from 0 on, ``[batch, C or 1, H, W]``.

    Returns:
        float32 ``[batch]``, 1 where the region and five pixels around it are equal, NaN where it is
        empty.

    Raises:
        InputError: if shapes or dtypes do not fit, a weight is negative or not finite, or the
            images are too small.

    >>> masks = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> masks[..., 16:] = True
    >>> images = torch.rand(1, 1, 32, 32)
    >>> roi_ssim(images * (masks | masks.roll(-5, -1)), images, masks)
    tensor([1.])
    """
    out, images = image_pair(out, images)
    weights = weights_of(masks, images)
    total = weights.sum(dim=(1, 2, 3))
    weighted = (weights * ssim_map(out, images)).sum(dim=(1, 2, 3))
    return torch.where(total > 0, weighted / torch.where(total > 0, total, 1.0), torch.nan)


@undisturbed()
def nroi_psnr(out: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """PSNR over everything outside the region of interest, see :func:`semcom.metrics.roi_psnr`.

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape.
        masks: of the region, bool, or float in [0, 1], ``[batch, C or 1, H, W]``.

    Returns:
        float32 ``[batch]`` in dB, infinite where the rest is equal, NaN where the region is all.

    Raises:
        InputError: if shapes or dtypes do not fit, or a weight is not in [0, 1].

    >>> masks = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> masks[..., :16] = True
    >>> images = torch.full((1, 1, 32, 32), 0.5)
    >>> nroi_psnr(images + 0.1 * ~masks, images, masks)
    tensor([20.0000])
    """
    return roi_psnr(out, images, _rest(masks, images))


@undisturbed()
def nroi_ssim(out: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """SSIM over everything outside the region of interest, see :func:`roi_ssim`.

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape, both sides at least 11.
        masks: of the region, bool, or float in [0, 1], ``[batch, C or 1, H, W]``.

    Returns:
        float32 ``[batch]``, NaN where the region is all.

    Raises:
        InputError: if shapes or dtypes do not fit, a weight is not in [0, 1], or the images are
            too small.

    >>> masks = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    >>> nroi_ssim(torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32), masks)
    tensor([nan])
    """
    return roi_ssim(out, images, _rest(masks, images))


def _rest(masks: Tensor, images: Tensor) -> Tensor:
    """Weights of what is outside."""
    _, images = image_pair(images, images)
    weights = weights_of(masks, images)
    if bool((weights > 1).any()):
        raise InputError("mask weights above 1 leave no rest: divide by the largest")
    return 1 - weights
