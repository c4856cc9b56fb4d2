"""How good received images are.

Every metric takes ``out`` and ``images`` alike, float ``[batch, C, H, W]`` in [0, 1]. An image of
NaN (lost and dropped) has a quality of NaN; infinite values, and sent images out of range, are
refused.
"""

from __future__ import annotations

import torch
from torch import Tensor

from channels.errors import check_name
from channels.surroundings import undisturbed
from semcom.metrics.checks import check_side, image_pair, weights_of

_SSIM_SIDE = 11
_MS_SSIM_SIDE = 176
"""torchmetrics' limit: after four halvings the window of 11 must still fit."""


@undisturbed()
def psnr(out: Tensor, images: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, peak 1.

    ::

        PSNR = -10 log10(mean over C, H, W of (out - images)^2)

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape.

    Returns:
        float32 ``[batch]`` in dB, infinite where the two are equal (with a gradient of zero).

    Raises:
        InputError: if shapes or dtypes do not fit.

    >>> psnr(torch.full((1, 1, 32, 32), 0.6), torch.full((1, 1, 32, 32), 0.5))
    tensor([20.0000])
    """
    out, images = image_pair(out, images)
    return _decibels((out - images).square().mean(dim=(1, 2, 3)))


@undisturbed()
def roi_psnr(out: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """PSNR over the region of interest alone, each squared error weighted by the mask.

    With weights ``w``, a mask of one channel repeated over all ``C``::

        ROI-PSNR = -10 log10(sum(w (out - images)^2) / sum(w))

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape.
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
    out, images = image_pair(out, images)
    weights = weights_of(masks, images)
    total = weights.sum(dim=(1, 2, 3))
    error = (weights * (out - images).square()).sum(dim=(1, 2, 3))
    decibels = _decibels(error / torch.where(total > 0, total, 1.0))
    return torch.where(total > 0, decibels, torch.nan)


@undisturbed()
def ssim(out: Tensor, images: Tensor, *, border: str = "mirrored") -> Tensor:
    """Structural similarity with a Gaussian window of 11 x 11 (sigma 1.5).

    Wang et al., IEEE Trans. Image Process. 13(4), 2004; population covariances, K1 = 0.01, K2 =
    0.03. The two ways to treat the border differ by up to 0.01: compare only what was measured
    with one.

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape, both sides at least 11.
        border: ``"mirrored"``: every pixel is the middle of one window, and the border is mirrored
            (torchmetrics' way, that of tables here); ``"none"``: the mean over windows that lie
            inside (that of scikit-image with ``gaussian_weights`` and of piq).

    Returns:
        float32 ``[batch]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, the images are too small, or on another border.

    >>> ssim(torch.full((1, 1, 32, 32), 0.5), torch.full((1, 1, 32, 32), 0.5))
    tensor([1.])
    """
    check_name("border", border, ("mirrored", "none"))
    similarity = ssim_map(out, images)
    half = _SSIM_SIDE // 2
    if border == "none":
        similarity = similarity[..., half:-half, half:-half]
    return similarity.flatten(1).mean(1)


@undisturbed()
def ssim_map(out: Tensor, images: Tensor) -> Tensor:
    """Structural similarity of the window around each pixel, see :func:`ssim`; mirrored borders.

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape, both sides at least 11.

    Returns:
        float32 ``[batch, C, H, W]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, or the images are too small.

    >>> ssim_map(torch.full((1, 1, 32, 32), 0.5), torch.full((1, 1, 32, 32), 0.5)).unique()
    tensor([1.])
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    out, images = image_pair(out, images)
    check_side("ssim", images, _SSIM_SIDE, "enlarge the images")
    similarity: Tensor = structural_similarity_index_measure(
        out, images, data_range=1.0, reduction="none", return_full_image=True
    )[1]
    return similarity


@undisturbed()
def ms_ssim(out: Tensor, images: Tensor) -> Tensor:
    """Multi-scale structural similarity over the five standard scales.

    Args:
        out: received images, ``[batch, C, H, W]``.
        images: sent images, of the same shape, both sides at least 176.

    Returns:
        float32 ``[batch]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, or the images are too small.

    >>> ms_ssim(torch.full((1, 1, 176, 176), 0.5), torch.full((1, 1, 176, 176), 0.5))
    tensor([1.])
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    out, images = image_pair(out, images)
    check_side("ms_ssim", images, _MS_SSIM_SIDE, "use ssim for smaller images")
    return _per_image(
        multiscale_structural_similarity_index_measure(
            out, images, data_range=1.0, reduction="none"
        )
    )


def _decibels(error: Tensor) -> Tensor:
    """``-10 log10(error)``, with a gradient of zero instead of NaN where the error is zero."""
    positive = torch.where(error == 0, 1.0, error)
    return torch.where(error == 0, torch.inf, -10 * torch.log10(positive))


def _per_image(values: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    assert isinstance(values, Tensor)
    return values.reshape(-1)
