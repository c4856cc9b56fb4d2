"""Quantisation steps of blocks of 16 x 16: finer ones inside the region of interest."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.medjscc.header import ROI_RATIOS, Header
from semcom.medjscc.source.wavelet import BLOCK, Bands, even

BLOCK_SHARE = 0.05
"""Share of a block in the region of interest from which on all of it is."""


def pyramid(log_step: Tensor) -> list[Tensor]:
    """log2 of the blocks' steps at the size of each level's bands, the coarsest first.

    >>> [tuple(level.shape[2:]) for level in pyramid(torch.zeros(1, 1, 4, 6))]
    [(1, 2), (2, 3), (4, 6), (8, 12), (16, 24), (32, 48)]
    """
    halved = F.avg_pool2d(even(log_step), 2)
    levels = [F.avg_pool2d(even(halved), 2), halved, log_step]
    for _ in range(3):
        levels.append(F.interpolate(levels[-1], scale_factor=2, mode="nearest"))
    return levels


def mask_blocks(roi: Tensor, least_share: float = BLOCK_SHARE) -> Tensor:
    """Which blocks belong to the region of interest: bool ``[batch, 1, H/16, W/16]``.

    Args:
        roi: soft masks ``[batch, 1, H, W]``, sides multiples of 16.
        least_share: of a block, beyond which it does.

    >>> mask_blocks(torch.ones(1, 1, 32, 48)).shape
    torch.Size([1, 1, 2, 3])
    """
    return F.avg_pool2d(roi, BLOCK) > least_share


def block_pixels(blocks: Tensor) -> Tensor:
    """Blocks as pixels: ``[batch, 1, H/16, W/16]`` to float32 ``[batch, 1, H, W]``.

    >>> block_pixels(torch.ones(1, 1, 2, 3) > 0).shape
    torch.Size([1, 1, 32, 48])
    """
    return F.interpolate(blocks.float(), scale_factor=BLOCK, mode="nearest")


def log_steps(index: int, blocks: Tensor, ratio: int) -> Tensor:
    """log2 of the step of each block, in 32nds, which are exact in any arithmetic.

    Args:
        index: of the step outside the region, see :class:`semcom.medjscc.header.Header`.
        blocks: bool ``[batch, 1, H/16, W/16]``, true in the region of interest.
        ratio: index into ``ROI_RATIOS``.

    >>> log_steps(40, torch.tensor([[[[True, False]]]]), 3).flatten().tolist()
    [-2.0, -1.0]
    """
    outside = Header(index, 0, 0, 0).log_step
    inside = outside - round(math.log2(ROI_RATIOS[ratio]) * 32) / 32
    return torch.where(blocks, inside, outside)


def in_steps(bands: Bands, log_step: Tensor) -> Bands:
    """Coefficients in steps of their blocks.

    >>> in_steps([torch.ones(1, 1, 1, 1)], torch.full((1, 1, 4, 4), -1.0))[0].item()
    2.0
    """
    levels = pyramid(log_step)
    return [
        band * torch.exp2(-level) for band, level in zip(bands, [levels[0], *levels], strict=False)
    ]


def in_image(values: Bands, log_step: Tensor) -> Bands:
    """Undo :func:`in_steps`.

    >>> in_image([torch.ones(1, 1, 1, 1)], torch.full((1, 1, 4, 4), -1.0))[0].item()
    0.5
    """
    return in_steps(values, -log_step)


def affordable_ratio(share: float) -> float:
    """Step outside over step inside a region that costs the whole image about 0.3 dB.

    Fitted to five training images at 0.12 bit per pixel.

    Args:
        share: share of the blocks that belong to the region, above 0.

    >>> [round(affordable_ratio(share), 1) for share in (0.1, 0.3, 0.45)]
    [3.2, 1.9, 1.6]
    """
    return float(2 ** (0.45 * share**-0.57))
