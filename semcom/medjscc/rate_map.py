"""Where an image's budget went: digital bits and analogue symbols of each block of 16 x 16."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from semcom.medjscc.analogue import flattened, unflattened
from semcom.medjscc.layout import Layout
from semcom.medjscc.source.wavelet import Bands


@dataclass(frozen=True)
class RateMap:
    """One image's budget, over the image and over the parts of a transmission.

    Args:
        bits: float64 ``[H/16, W/16]``, information in the quantised coefficients of each block, in
            bits. Mask blocks are not in it.
        symbols: float64 ``[H/16, W/16]``, analogue channel uses of each block, ``k_i / 2`` for
            ``k_i`` real numbers.
        blocks: bool ``[H/16, W/16]``, true in the region of interest.
        header: channel uses of the header.
        analog_base: of the coarse image.
        digital: of the digital part.
        analogue: of what is left.
        outline_bits: information in the mask blocks, in bits.
    """

    bits: Tensor
    symbols: Tensor
    blocks: Tensor
    header: int
    analog_base: int
    digital: int
    analogue: int
    outline_bits: float = 0.0


def spread(block_shape: tuple[int, int], layout: Layout) -> RateMap:
    """The budget of an image that is sent as an analog base layer alone: alike everywhere."""
    return RateMap(
        torch.zeros(block_shape, dtype=torch.float64),
        torch.full(
            block_shape,
            (layout.base_uses + layout.shared_uses) / math.prod(block_shape),
            dtype=torch.float64,
        ),
        torch.zeros(block_shape, dtype=torch.bool),
        layout.header.channel_uses,
        layout.analog_base,
        0,
        layout.base_uses + layout.shared_uses,
    )


def per_block(bands: Bands, block_shape: tuple[int, int]) -> Tensor:
    """Sums over the coefficients of each block; one that serves several is shared among them.

    Args:
        bands: one image's numbers, the coarsest first.
        block_shape: rows and columns of blocks.

    Returns:
        float64 ``[H/16, W/16]``.

    >>> from semcom.medjscc.source.wavelet import Wavelet
    >>> bands = Wavelet().analyse(torch.zeros(1, 1, 64, 128))
    >>> per_block([torch.ones_like(band) for band in bands], (4, 8)).unique().tolist()
    [256.0]
    """
    rows, columns = block_shape
    totals = torch.zeros(rows, columns, dtype=torch.float64)
    for band in bands:
        total = band[0].detach().double().cpu().sum(0)
        height, width = total.shape
        if height >= rows and width >= columns:
            totals += total.reshape(rows, height // rows, columns, width // columns).sum((1, 3))
            continue
        side = 2 if 2 * height >= rows and 2 * width >= columns else 4
        served = torch.ones(rows, columns, dtype=torch.float64)
        served = F.pad(served, (0, side * width - columns, 0, side * height - rows))
        shares = F.avg_pool2d(served[None], side)[0] * side**2
        spread_out = (total / shares).repeat_interleave(side, 0).repeat_interleave(side, 1)
        totals += spread_out[:rows, :columns]
    return totals


def counted(places: Tensor, like: Bands, block_shape: tuple[int, int]) -> Tensor:
    """How many of some places in the flattened bands each block holds, float64 ``[H/16, W/16]``.

    >>> from semcom.medjscc.source.wavelet import Wavelet
    >>> bands = Wavelet().analyse(torch.zeros(1, 1, 64, 64))
    >>> counted(torch.tensor([0]), bands, (4, 4)).unique().tolist()
    [0.0625]
    """
    chosen = torch.zeros_like(flattened(like), device=places.device)
    chosen[0, places] = 1
    return per_block(unflattened(chosen, like), block_shape)
