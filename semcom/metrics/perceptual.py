"""How received images look: indices of saliency, features and gradients, by the library piq.

Constants are those of the papers. All are of pixels, without learned weights; images are reduced
to about 256 pixels at their shorter side first where the papers do so. Needs the extra
``perceptual``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from channels.surroundings import undisturbed
from semcom.metrics.checks import image_pair, library, seen_pair

_SCHARR_SIDE = 3
_PREWITT_SIDE = 6
"""Three pixels after the sides are halved."""


@undisturbed()
def vsi(out: Tensor, images: Tensor) -> Tensor:
    """Visual saliency-induced index.

    Zhang, Shen, Li, IEEE Trans. Image Process. 23(10), 2014: similarity of saliency maps (SDSP),
    gradients (Scharr) and chrominance, weighted by saliency; C1 = 1.27, C2 = 386, C3 = 130 on
    0..255, alpha = 0.40, beta = 0.020. A grey image is taken as three equal channels: chrominance
    then tells nothing, and the saliency of warm colours is 1 but at the brightest pixels.

    Args:
        out: received images in [0, 1], ``[batch, C, H, W]``, C 1 or 3.
        images: sent images, of the same shape, both sides at least 3.

    Returns:
        float32 ``[batch]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, the images are too small, or piq is missing.

    >>> vsi(torch.full((1, 1, 32, 32), 0.5), torch.full((1, 1, 32, 32), 0.5))
    tensor([1.])
    """
    out, images = image_pair(out, images)
    if images.shape[1] == 1:
        out, images = (side.expand(-1, 3, -1, -1) for side in (out, images))
    return _measured("vsi", out, images, _SCHARR_SIDE)


@undisturbed()
def fsim(out: Tensor, images: Tensor) -> Tensor:
    """Feature similarity index; of RGB images FSIMc, which adds their chrominance.

    Zhang, Zhang, Mou, Zhang, IEEE Trans. Image Process. 20(8), 2011: similarity of phase
    congruency and gradients (Scharr), weighted by phase congruency; T1 = 0.85, T2 = 160, T3 = T4 =
    200 on 0..255, lambda = 0.03; log-Gabor filters of four orientations and four scales, with
    wavelengths of 6 to 48 pixels.

    Args:
        out: received images in [0, 1], ``[batch, C, H, W]``, C 1 or 3.
        images: sent images, of the same shape, both sides at least 3.

    Returns:
        float32 ``[batch]``, 1 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, the images are too small, or piq is missing.

    >>> images = torch.rand(2, 1, 32, 32)
    >>> fsim(images, images)
    tensor([1., 1.])
    """
    out, images = image_pair(out, images)
    return _measured("fsim", out, images, _SCHARR_SIDE, chromatic=images.shape[1] > 1)


@undisturbed()
def gmsd(out: Tensor, images: Tensor) -> Tensor:
    """Gradient magnitude similarity deviation: the lower the better.

    Xue, Zhang, Mou, Bovik, IEEE Trans. Image Process. 23(2), 2014: standard deviation, over the
    image at half its size, of the similarity of gradients (Prewitt); c = 170 on 0..255. Of RGB
    images that of their luminance.

    Args:
        out: received images in [0, 1], ``[batch, C, H, W]``, C 1 or 3.
        images: sent images, of the same shape, both sides at least 6.

    Returns:
        float32 ``[batch]``, 0 where the two are equal.

    Raises:
        InputError: if shapes or dtypes do not fit, the images are too small, or piq is missing.

    >>> images = torch.rand(2, 1, 32, 32)
    >>> gmsd(images, images)
    tensor([0., 0.])
    """
    return _measured("gmsd", out, images, _PREWITT_SIDE)


def piq() -> Any:
    """The library piq.

    Raises:
        InputError: if it is not installed.

    >>> piq().__name__
    'piq'
    """
    return library("piq", "vsi, fsim and gmsd need")


def _measured(name: str, out: Tensor, images: Tensor, least: int, **options: Any) -> Tensor:
    """A metric of piq for each image; NaN of those that hold any."""
    seen, images, lost = seen_pair(name, out, images, least)
    metric = getattr(piq(), name)
    values: Tensor = metric(seen, images, reduction="none", data_range=1.0, **options)
    return torch.where(lost, torch.nan, values.reshape(-1))
