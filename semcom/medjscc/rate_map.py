"""Where a picture's budget went: digital bits and analogue symbols of each cell of 16 x 16."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from semcom.medjscc.allocation import flattened, unflattened
from semcom.medjscc.layout import Layout
from semcom.medjscc.wavelet import Bands


@dataclass(frozen=True)
class RateMap:
    """One picture's budget, over the picture and over the parts of a transmission.

    Args:
        bits: float64 ``[H/16, W/16]``, information in the quantised coefficients of each cell, in
            bits. Hyper-latents and mask cells are not in it.
        symbols: float64 ``[H/16, W/16]``, analogue channel uses of each cell, ``k_i / 2`` for
            ``k_i`` real numbers.
        cells: bool ``[H/16, W/16]``, true in the region of interest.
        header: channel uses of the header.
        overview: of the coarse picture.
        digital: of the digital part.
        analogue: of what is left.
    """

    bits: Tensor
    symbols: Tensor
    cells: Tensor
    header: int
    overview: int
    digital: int
    analogue: int


def spread(grid: tuple[int, int], parts: Layout) -> RateMap:
    """The budget of a picture that is sent as an overview alone: alike everywhere."""
    return RateMap(
        torch.zeros(grid, dtype=torch.float64),
        torch.full(grid, parts.rest / math.prod(grid), dtype=torch.float64),
        torch.zeros(grid, dtype=torch.bool),
        parts.header.channel_uses,
        parts.overview,
        0,
        parts.rest,
    )


def per_cell(bands: Bands) -> Tensor:
    """Sums over the coefficients of each cell.

    Args:
        bands: one picture's numbers, see :func:`semcom.medjscc.wavelet.analyse`.

    Returns:
        float64 ``[H/16, W/16]``.

    >>> from semcom.medjscc.wavelet import analyse
    >>> per_cell([torch.ones_like(band) for band in analyse(torch.zeros(1, 1, 32, 48))])
    tensor([[256., 256., 256.],
            [256., 256., 256.]], dtype=torch.float64)
    """
    rows, columns = bands[0].shape[-2:]
    found = torch.zeros(rows, columns, dtype=torch.float64)
    for band in bands:
        count, height, width = band[0].shape
        blocks = band[0].reshape(count, rows, height // rows, columns, width // columns)
        found += blocks.double().sum((0, 2, 4)).cpu()
    return found


def counted(places: Tensor, like: Bands) -> Tensor:
    """How many of some places in the flattened bands each cell holds, float64 ``[H/16, W/16]``.

    >>> from semcom.medjscc.wavelet import analyse
    >>> counted(torch.tensor([0, 1, 3]), analyse(torch.zeros(1, 1, 32, 32)))
    tensor([[1., 1.],
            [0., 1.]], dtype=torch.float64)
    """
    chosen = torch.zeros_like(flattened(like), device=places.device)
    chosen[0, places] = 1
    return per_cell(unflattened(chosen, like))
