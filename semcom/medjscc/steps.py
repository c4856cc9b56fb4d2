"""Quantisation steps of cells of 16 x 16: finer ones inside the region of interest."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.medjscc.header import ROI_RATIOS, Header
from semcom.medjscc.wavelet import STRIDE, Bands

CELL_SHARE = 0.05
"""Share of a cell in the region of interest from which on all of it is."""


def mask_cells(roi: Tensor) -> Tensor:
    """Which cells belong to the region of interest: bool ``[batch, 1, H/16, W/16]``."""
    return F.avg_pool2d(roi, STRIDE) > CELL_SHARE


def log_steps(index: int, cells: Tensor, ratio: int) -> Tensor:
    """log2 of the step of each cell, on the grid of exact arithmetic."""
    outside = Header(index, 0, 0, 0, 0).log_step
    inside = outside - round(math.log2(ROI_RATIOS[ratio]) * 256) / 256
    return torch.where(cells, inside, outside)


def enlarged(cells: Tensor, like: Tensor) -> Tensor:
    """A value of each cell at the size of a band."""
    return F.interpolate(cells, like.shape[-2:], mode="nearest")


def in_steps(bands: Bands, log_step: Tensor) -> Bands:
    """Coefficients in units of their cell's step.

    >>> in_steps([torch.ones(1, 1, 2, 2)], torch.full((1, 1, 1, 1), -1.0))[0].unique().item()
    2.0
    """
    return [band * torch.exp2(-enlarged(log_step, band)) for band in bands]


def affordable_ratio(share: float) -> float:
    """Step outside over step inside a region that costs the whole picture about 0.3 dB.

    Fitted to five training pictures at 0.12 bit per pixel.

    Args:
        share: share of the cells that belong to the region, above 0.

    >>> [round(affordable_ratio(share), 1) for share in (0.1, 0.3, 0.45)]
    [3.2, 1.9, 1.6]
    """
    return float(2 ** (0.45 * share**-0.57))
