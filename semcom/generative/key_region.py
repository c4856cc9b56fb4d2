"""What of a picture is sent as it is: a mask and what is next to it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

MARGIN_PX = 4
"""Pixels around a mask that belong to its key region as well."""


def key_region(masks: Tensor, margin_px: int = MARGIN_PX) -> Tensor:
    """Masks with a margin around them, bool ``[batch, 1, H, W]``.

    Args:
        masks: ``[batch, 1, H, W]``, in the region beyond 0.5.
        margin_px: in pixels.

    >>> import torch
    >>> masks = torch.zeros(1, 1, 32, 32) > 0
    >>> masks[..., 8:16, 8:16] = True
    >>> int(key_region(masks).sum())
    256
    """
    return F.max_pool2d((masks > 0.5).float(), 2 * margin_px + 1, 1, margin_px) > 0
