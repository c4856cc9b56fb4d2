"""Drawn radiographs: images to work with where no real ones are at hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from channels import InputError
from channels.errors import check_whole, unknown_name
from semcom.data.angiography import angiography
from semcom.data.chest import chest
from semcom.data.dental import dental
from semcom.data.film import Array
from semcom.images import MIN_SIDE

_KINDS: dict[str, Callable[[np.random.Generator, int], tuple[Array, Array]]] = {
    "chest": chest,
    "dental": dental,
    "angiography": angiography,
}
_MAX_SIDE = 4096


def phantoms(kind: str, n: int = 4, size: int = 256, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw radiographs, and the region of interest of each.

    Image i depends on ``kind``, ``size``, ``seed`` and i, and not on how many are drawn.

    Args:
        kind: "chest" (frontal; the region is both lungs), "dental" (panoramic; the teeth) or
            "angiography" (one coronary artery under contrast medium; its named branches).
        n: number of images.
        size: side in pixels, 32 to 4096.
        seed: which patients; a whole number from 0 on.

    Returns:
        ``(images, masks)``: float32 and bool, both ``[n, 1, size, size]``; images in [0, 1],
        bright where the body is dense, but for "angiography", which is shown as is usual there.

    Raises:
        InputError: if the kind is unknown or a number is out of range.

    >>> images, masks = phantoms("chest", n=2, size=64)
    >>> images.shape, images.dtype, masks.dtype
    (torch.Size([2, 1, 64, 64]), torch.float32, torch.bool)
    """
    if kind not in _KINDS:
        raise unknown_name("phantom", kind, _KINDS)
    n, size = check_whole("n", n, 1), check_whole("size", size, MIN_SIDE)
    seed = check_whole("seed", seed, 0)
    if size > _MAX_SIDE:
        raise InputError(f"size must be at most {_MAX_SIDE}, got {size}")
    draws = [_KINDS[kind](np.random.default_rng([seed, i]), size) for i in range(n)]
    images = torch.from_numpy(np.stack([image for image, _ in draws]).astype(np.float32))
    masks = torch.from_numpy(np.stack([region > 0.5 for _, region in draws]))
    return images[:, None], masks[:, None]
