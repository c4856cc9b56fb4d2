"""Whether a picture is better sent without a digital part, because that would hardly arrive."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semcom.learned import pad_to
from semcom.medjscc import overview
from semcom.medjscc.layout import SURE, Layout
from semcom.medjscc.steps import in_steps
from semcom.medjscc.wavelet import STRIDE, analyse

_LEAST_ERROR = 1e-9
_AHEAD_DB = 1.0
"""By how much a plain picture must be expected to be better: a digital part that arrives does so in
a better than average state of the link, and its synthesis gains what is not foreseen."""


@torch.no_grad()
def serves_better(
    image: Tensor, log_step: Tensor, digital_error: float, parts: Layout, snr_db: float
) -> bool:
    """Compare expected qualities in dB: digital, or else the overview; or a finer overview alone.

    Args:
        image: float32 ``[1, 1, H, W]``, centred on zero.
        log_step: log2 of the step of each cell; errors count in these steps.
        digital_error: squared error in them that is left where the digital part arrives.
        parts: how the channel uses are divided, with the digital part's chance.
        snr_db: E_s/N_0 in dB that the transmitter believes.
    """
    if parts.chance >= SURE:
        return False
    lost, plain = (_left(image, log_step, uses, snr_db) for uses in (parts.overview, parts.rest))
    chance = parts.chance
    expected = chance * math.log2(digital_error + _LEAST_ERROR) + (1 - chance) * math.log2(lost)
    return math.log2(plain) + _AHEAD_DB / (10 * math.log10(2)) < expected


def _left(image: Tensor, log_step: Tensor, uses: int, snr_db: float) -> float:
    """Squared error in steps of an overview of so many channel uses, on one draw of noise."""
    numbers = overview.send(image, uses, snr_db)
    gain = math.sqrt(uses / (float(numbers.square().sum()) + _LEAST_ERROR))
    noise_var = 10 ** (-snr_db / 10) / 2
    noise = torch.randn(numbers.shape, generator=torch.Generator().manual_seed(0))
    heard = gain * numbers + math.sqrt(noise_var) * noise.to(numbers)
    shape = (image.shape[-2], image.shape[-1])
    coarse = overview.receive(heard, torch.full_like(heard, noise_var), shape, snr_db) / gain
    bands = in_steps(analyse(pad_to(image - coarse, STRIDE)), log_step)
    return sum(float(band.square().sum()) for band in bands) + _LEAST_ERROR
