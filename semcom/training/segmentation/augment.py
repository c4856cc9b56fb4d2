"""Random geometry and exposure of training images, the same for an image and its labels."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.segmentation.unet import shrunk

SHIFT = 0.1
"""Largest shift of an image, either way, as a share of half its side."""
BENDS = 4
"""Knots of a random displacement along each side."""


def squared(image: Tensor, side: int) -> Tensor:
    """An image shrunk to a longest side and set in the middle of a square.

    Args:
        image: float or bool ``[1, H, W]``.
        side: of the square.

    Returns:
        float32 ``[1, side, side]``; the border is the image's own edge.

    >>> squared(torch.rand(1, 100, 50), 64).shape
    torch.Size([1, 64, 64])
    """
    small = shrunk(image.float()[None], side)[0]
    height, width = small.shape[1:]
    top, left = (side - height) // 2, (side - width) // 2
    rows = torch.arange(side).sub(top).clamp(0, height - 1)
    columns = torch.arange(side).sub(left).clamp(0, width - 1)
    return small[:, rows][:, :, columns]


def moved(
    images: Tensor,
    masks: Tensor | None,
    draws: torch.Generator,
    turn_deg: float = 15.0,
    zoom: float = 0.25,
    bend: float = 0.0,
    stretch: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Turn, zoom, stretch, shift, mirror and bend each image at random.

    Every second image is mirrored, on average: hearts lie on either side, and so do cameras.

    Args:
        images: float32 ``[batch, 1, S, S]`` in [0, 1].
        masks: float32, of the same shape, or ``None``.
        draws: source of randomness, on the CPU.
        turn_deg: largest turn, either way.
        zoom: largest change of scale, either way; 0.25 is 0.75 to 1.25.
        bend: standard deviation of a smooth displacement, as a share of half the side.
        stretch: largest change of the ratio of width to height, either way, in octaves.

    Returns:
        images float32 ``[batch, 1, S, S]``, and the class of each pixel, int64 ``[batch, S, S]``
        (zero without masks).

    >>> images = torch.rand(3, 1, 64, 64)
    >>> [part.shape for part in moved(images, images, torch.Generator())]
    [torch.Size([3, 1, 64, 64]), torch.Size([3, 64, 64])]
    """
    draw = 2 * torch.rand(5, len(images), generator=draws) - 1
    turn, scale = draw[0] * math.radians(turn_deg), 1 + zoom * draw[1]
    mirror = torch.where(draw[2] < 0, -1.0, 1.0)
    rows = [
        torch.stack([mirror * turn.cos() * scale, -turn.sin() * scale, SHIFT * draw[3]], 1),
        torch.stack([mirror * turn.sin() * scale, turn.cos() * scale, SHIFT * draw[4]], 1),
    ]
    if stretch:
        wide = torch.exp2(stretch * (torch.rand(len(images), 1, generator=draws) - 0.5))
        rows = [rows[0] / wide, rows[1] * wide]
    where = torch.stack(rows, 1).to(images)
    grid = F.affine_grid(where, list(images.shape), align_corners=False)
    if bend:
        knots = torch.randn(len(images), 2, BENDS, BENDS, generator=draws).to(images)
        size = list(images.shape[2:])
        field = F.interpolate(knots, size, mode="bicubic", align_corners=True)
        grid = grid + bend * field.movedim(1, -1)
    both = images if masks is None else torch.cat([images, masks], 1)
    warped = F.grid_sample(both, grid, padding_mode="border", align_corners=False)
    labels = torch.zeros_like(images[:, 0]) if masks is None else warped[:, 1]
    return warped[:, :1], (labels > 0.5).long()


def exposed(images: Tensor, draws: torch.Generator) -> Tensor:
    """Change contrast, brightness and gamma of each image at random.

    Args:
        images: float32 ``[batch, 1, S, S]`` in [0, 1].
        draws: source of randomness, on the CPU.

    Returns:
        float32 ``[batch, 1, S, S]`` in [0, 1].

    >>> exposed(torch.zeros(1, 1, 2, 2), torch.Generator()).unique().shape
    torch.Size([1])
    """
    draw = 2 * torch.rand(3, len(images), generator=draws) - 1
    contrast, light, gamma = (part.view(-1, 1, 1, 1).to(images) for part in draw)
    seen = images.clamp(1e-4, 1) ** torch.exp2(0.7 * gamma)
    changed: Tensor = (1 + 0.3 * contrast) * (seen - 0.5) + 0.5 + 0.15 * light
    return changed.clamp(0, 1)
