"""The loss of a segmentation under labels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def dice_cross_entropy(logits: Tensor, labels: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean of the cross-entropy and the Dice loss of the foreground.

    Args:
        logits: float ``[batch, C, H, W]``.
        labels: int64 ``[batch, H, W]``.
        where: bool ``[batch, H, W]``, pixels that count; ``None`` for all.

    >>> sure = torch.tensor([[[[-20.0]], [[20.0]]]])
    >>> round(dice_cross_entropy(sure, torch.ones(1, 1, 1, dtype=torch.int64)).item(), 4)
    0.0
    """
    logits = logits.float()
    weight = torch.ones_like(labels, dtype=logits.dtype) if where is None else where.to(logits)
    entropy = (weight * F.cross_entropy(logits, labels, reduction="none")).sum()
    probabilities = logits.softmax(1)[:, 1:]
    wanted = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].to(logits)
    weight = weight[:, None]
    overlap = (weight * probabilities * wanted).sum((0, 2, 3))
    total = (weight * (probabilities.square() + wanted)).sum((0, 2, 3))
    dice = 1 - ((2 * overlap + 1) / (total + 1)).mean()
    return (entropy / weight.sum().clamp_min(1) + dice) / 2
