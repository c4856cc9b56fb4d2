"""Masks that are wrong on purpose: what does it cost a codec?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import check_count, check_number, shown
from semcom.images import check_tensor


def corrupt(
    masks: Tensor,
    *,
    dilate: float = 0,
    erode: float = 0,
    drop: float = 0,
    shift: tuple[int, int] = (0, 0),
    seed: int = 0,
) -> Tensor:
    """Spoil masks: first ``drop``, then ``erode``, ``dilate``, ``shift``.

    Args:
        masks: bool ``[..., H, W]``.
        dilate: pixels by which regions grow on all sides (Euclidean distance).
        erode: pixels by which they shrink; the border of the image does not eat at them.
        drop: chance of each connected region (4-neighbourhood) to be left out, 0 to 1.
        shift: pixels down and to the right; what leaves the image is lost.
        seed: of the regions that are dropped.

    Returns:
        bool, shaped like ``masks``.

    Raises:
        InputError: if an argument does not fit.

    >>> masks = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> masks[..., 8:16, 8:16] = True
    >>> ways = {"erode": 1}, {"shift": (20, 0)}, {"drop": 1}
    >>> [corrupt(masks, **way).sum().item() for way in ways]
    [36, 32, 0]
    """
    if check_tensor("masks", masks).dtype != torch.bool or masks.ndim < 2:
        kind = f"{masks.dtype} {list(masks.shape)}" if isinstance(masks, Tensor) else shown(masks)
        raise InputError(f"masks must be a bool tensor [..., H, W], got {kind}: use masks > 0.5")
    dilate, erode = check_number("dilate", dilate, 0, 1e6), check_number("erode", erode, 0, 1e6)
    drop = check_number("drop", drop, 0, 1)
    if not isinstance(shift, tuple | list) or len(shift) != 2:
        raise InputError(f"shift must be two numbers, down and to the right, got {shown(shift)}")
    down, right = (check_count("shift", value, -(10**6), 10**6) for value in shift)
    seed = check_count("seed", seed, 0, 2**63)
    draws = np.random.default_rng(seed)
    corrupted = [
        _shifted(_resized(_dropped(mask, drop, draws), erode, dilate), (down, right))
        for mask in masks.reshape(-1, *masks.shape[-2:]).cpu().numpy()
    ]
    stacked = np.stack(corrupted) if corrupted else np.zeros((0, *masks.shape[-2:]), bool)
    return torch.from_numpy(stacked).reshape(masks.shape).to(masks.device)


Mask = NDArray[np.bool_]


def _dropped(mask: Mask, chance: float, draws: np.random.Generator) -> Mask:
    from scipy import ndimage

    regions, count = ndimage.label(mask)
    kept = np.concatenate([[False], draws.random(count) >= chance])
    remaining: Mask = kept[regions]
    return remaining


def _resized(mask: Mask, erode: float, dilate: float) -> Mask:
    from scipy import ndimage

    if erode and not mask.all():
        mask = ndimage.distance_transform_edt(mask) > erode
    if dilate and mask.any():
        mask = ndimage.distance_transform_edt(~mask) <= dilate
    return mask


def _shifted(mask: Mask, shift: tuple[int, int]) -> Mask:
    moved = np.zeros_like(mask)
    places = np.argwhere(mask) + np.array(shift)
    inside = places[((places >= 0) & (places < mask.shape)).all(1)]
    moved[tuple(inside.T)] = True
    return moved
