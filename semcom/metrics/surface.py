"""How far apart the outlines of two masks lie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.metrics.masks import check_masks


def hausdorff_95(a: Tensor, b: Tensor) -> Tensor:
    """95th percentile of the distances from each outline to the other, both ways together.

    The outline of a mask are its pixels with a 4-neighbour outside; beyond the image is outside.

    Args:
        a: bool ``[batch, 1, H, W]``.
        b: bool, of the same shape.

    Returns:
        float32 ``[batch]`` in pixels; 0 where both masks are empty, infinite where one is.

    Raises:
        InputError: if a mask is not bool, or the shapes differ.

    >>> a = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> a[..., 8:16, 8:16] = True
    >>> hausdorff_95(a, a.roll(3, -1))
    tensor([3.])
    """
    return _each(a, b, lambda there, back: float(np.percentile(np.concatenate([there, back]), 95)))


def surface_distance(a: Tensor, b: Tensor) -> Tensor:
    """Average distance from each outline to the other, both ways together (ASSD).

    Arguments, result and errors are those of :func:`hausdorff_95`.

    >>> a = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> a[..., 8:16, 8:16] = True
    >>> surface_distance(a, a)
    tensor([0.])
    """
    return _each(a, b, lambda there, back: float(np.concatenate([there, back]).mean()))


Distances = NDArray[np.floating]


@undisturbed()
def _each(a: Tensor, b: Tensor, summary: Callable[[Distances, Distances], float]) -> Tensor:
    from scipy import ndimage

    check_masks(a, b)
    if a.ndim != 4 or a.shape[1] != 1:
        raise InputError(f"masks must be [batch, 1, H, W], got {list(a.shape)}")
    distances = []
    for first, second in zip(a.cpu().numpy(), b.cpu().numpy(), strict=True):
        if not first.any() or not second.any():
            distances.append(0.0 if first.any() == second.any() else np.inf)
            continue
        outline_a, outline_b = _outline(first[0]), _outline(second[0])
        there = ndimage.distance_transform_edt(~outline_b)[outline_a]
        back = ndimage.distance_transform_edt(~outline_a)[outline_b]
        distances.append(summary(there, back))
    return torch.tensor(distances, dtype=torch.float32, device=a.device)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy import ndimage

    outline: NDArray[np.bool_] = mask & ~ndimage.binary_erosion(mask)
    return outline
