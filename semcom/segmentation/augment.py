"""Random geometry and exposure of training pictures, the same for a picture and its labels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.segmentation.unet import shrunk

TURN_DEG, ZOOM, MOVE = 15.0, 0.25, 0.1


def squared(image: Tensor, side: int) -> Tensor:
    """A picture shrunk to a longest side and set in the middle of a square.

    Args:
        image: float or bool ``[1, H, W]``.
        side: of the square.

    Returns:
        float32 ``[1, side, side]``; the border is the picture's own edge.

    >>> squared(torch.rand(1, 100, 50), 64).shape
    torch.Size([1, 64, 64])
    """
    small = shrunk(image.float()[None], side)[0]
    height, width = small.shape[1:]
    top, left = (side - height) // 2, (side - width) // 2
    rows = torch.arange(side).sub(top).clamp(0, height - 1)
    columns = torch.arange(side).sub(left).clamp(0, width - 1)
    return small[:, rows][:, :, columns]


def moved(pictures: Tensor, masks: Tensor | None, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turn, zoom, shift and mirror each picture at random.

    Args:
        pictures: float32 ``[batch, 1, S, S]`` in [0, 1].
        masks: float32, of the same shape, or ``None``.
        draws: source of randomness, on the CPU.

    Returns:
        pictures float32 ``[batch, 1, S, S]``, and the class of each pixel, int64 ``[batch, S, S]``
        (zero without masks).

    >>> pictures = torch.rand(3, 1, 64, 64)
    >>> [part.shape for part in moved(pictures, pictures, torch.Generator())]
    [torch.Size([3, 1, 64, 64]), torch.Size([3, 64, 64])]
    """
    draw = 2 * torch.rand(5, len(pictures), generator=draws) - 1
    turn, zoom = draw[0] * math.radians(TURN_DEG), 1 + ZOOM * draw[1]
    mirror = torch.where(draw[2] < 0, -1.0, 1.0)
    rows = [
        torch.stack([mirror * turn.cos() * zoom, -turn.sin() * zoom, MOVE * draw[3]], 1),
        torch.stack([mirror * turn.sin() * zoom, turn.cos() * zoom, MOVE * draw[4]], 1),
    ]
    where = torch.stack(rows, 1).to(pictures)
    grid = F.affine_grid(where, list(pictures.shape), align_corners=False)
    both = pictures if masks is None else torch.cat([pictures, masks], 1)
    warped = F.grid_sample(both, grid, padding_mode="border", align_corners=False)
    labels = torch.zeros_like(pictures[:, 0]) if masks is None else warped[:, 1]
    return warped[:, :1], (labels > 0.5).long()


def exposed(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """Change contrast, brightness and gamma of each picture at random.

    Args:
        pictures: float32 ``[batch, 1, S, S]`` in [0, 1].
        draws: source of randomness, on the CPU.

    Returns:
        float32 ``[batch, 1, S, S]`` in [0, 1].

    >>> exposed(torch.zeros(1, 1, 2, 2), torch.Generator()).unique().shape
    torch.Size([1])
    """
    draw = 2 * torch.rand(3, len(pictures), generator=draws) - 1
    contrast, light, gamma = (part.view(-1, 1, 1, 1).to(pictures) for part in draw)
    seen = pictures.clamp(1e-4, 1) ** torch.exp2(0.7 * gamma)
    changed: Tensor = (1 + 0.3 * contrast) * (seen - 0.5) + 0.5 + 0.15 * light
    return changed.clamp(0, 1)
