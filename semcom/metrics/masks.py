"""How well two masks overlap."""

from __future__ import annotations

import torch
from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.images import check_tensor
from semcom.metrics.checks import check_alike, described


@undisturbed()
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


@undisturbed()
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


def check_masks(a: Tensor, b: Tensor) -> None:
    """Refuse what are not two bool masks of one shape.

    >>> check_masks(torch.ones(1, 2), torch.ones(1, 2))
    Traceback (most recent call last):
    channels.errors.InputError: masks must be bool [batch, ...], got ...: use masks > 0.5
    """
    for mask in (a, b):
        if check_tensor("masks", mask).dtype != torch.bool or mask.ndim < 2:
            raise InputError(
                f"masks must be bool [batch, ...], got {described(mask)}: use masks > 0.5"
            )
    check_alike("masks", a, b)
