"""From coefficients to integers: each is worth the bits that it costs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semcom.medjscc.entropy_model import EntropyModel, bits
from semcom.medjscc.wavelet import Bands

_DEAD_ZONE = 0.4
TRADE = 0.06
"""Squared error, in squared steps, that a bit is worth: by how much a bit lessens it in training
pictures at 0.03 to 0.15 bit per pixel (ln 2 / 6 at high rate)."""


def rounded(bands: Bands, dead_zone: float | Tensor = _DEAD_ZONE) -> Bands:
    """Nearest integers, the details' drawn towards zero.

    Args:
        bands: coefficients in steps.
        dead_zone: what is added to a detail's magnitude before the fraction is dropped.

    >>> rounded([torch.tensor([0.55]), torch.tensor([0.55, -0.7])])
    [tensor([1.]), tensor([ 0., -1.])]
    """
    return [
        torch.round(bands[0]),
        *(torch.sign(band) * torch.floor(band.abs() + dead_zone) for band in bands[1:]),
    ]


def likely_log_step(bits_per_pixel: float) -> float:
    """log2 of the step at which a picture takes about so many bits; pictures differ by an octave.

    >>> round(likely_log_step(1 / 16), 6)
    -1.75
    """
    return -(math.log2(bits_per_pixel) + 6.1) / 1.2


@torch.no_grad()
def worthwhile(model: EntropyModel, bands: Bands, log_step: Tensor, trade: float = TRADE) -> Bands:
    """Integers that minimise squared error plus ``trade`` times the bits, given their contexts.

    What a choice does to the contexts of others is not looked at.

    Args:
        model: the entropy model, in evaluation mode.
        bands: coefficients in steps.
        log_step: log2 of the step of each cell.
        trade: squared steps per bit.
    """
    chosen = rounded(bands)
    expected = model(chosen, log_step, foresee=False).expected
    for index in range(1, len(bands)):
        values = bands[index]
        inner = torch.sign(values) * torch.floor(values.abs())
        fewer = torch.sign(inner) * (inner.abs() - 1).clamp_min(0)
        offers = torch.stack([torch.round(values), inner, fewer])
        costs = (offers - values).square() + trade * bits(offers, expected[index])
        chosen[index] = offers.gather(0, costs.argmin(0, keepdim=True))[0]
    return chosen
