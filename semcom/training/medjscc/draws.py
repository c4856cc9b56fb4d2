"""What a step of Med-JSCC's training draws: steps of quantisers, integers, a channel."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from semcom.medjscc.source.entropy_model import Code
from semcom.medjscc.source.quantiser import Quantiser, Rounder
from semcom.medjscc.source.region import IN_REGION, region_blocks
from semcom.medjscc.source.steps import mask_blocks
from semcom.medjscc.source.wavelet import LEVELS, Bands
from semcom.medjscc.step_search import likely_log_step
from semcom.training.medjscc.plan import MedJSCCPlan


class Channel(NamedTuple):
    """SNR in dB, symbols per pixel, which link, and its seed."""

    snr_db: float
    cbr: float
    link: int
    seed: int


def drawn_steps(
    plan: MedJSCCPlan, roi: Tensor, channel: Channel | None, draws: torch.Generator
) -> Tensor:
    """log2 of the step of each block, finer in the region for half of the images.

    Where the channel is drawn, steps lie within an octave of what its rate lets expect.
    """
    low, high = plan.log_step
    step, finer, which = torch.rand(3, len(roi), 1, 1, 1, generator=draws)
    if channel is None:
        outside = low + (high - low) * step
    else:
        bits = channel.cbr * math.log2(1 + 10 ** (channel.snr_db / 10))
        outside = (likely_log_step(bits) + 2 * step - 1).clamp(low, high)
    finer = 2.5 * finer * (which < 0.5)
    blocks = mask_blocks(roi.cpu()).float()
    log_step: Tensor = outside + finer * (1 - blocks)
    return torch.round(log_step * 32) / 32


def drawn_regions(plan: MedJSCCPlan, roi: Tensor, draws: torch.Generator) -> Tensor:
    """Blocks that are coded, bool ``[batch, 1, H/16, W/16]``: all, or those of a region alone.

    Where a crop lies wholly inside its region or outside, the region is a rectangle.
    """
    regions = region_blocks(roi.cpu() > IN_REGION)
    rows, columns = regions.shape[-2:]
    down, across, height, width = torch.rand(4, len(roi), 1, 1, 1, generator=draws)
    y, x = (torch.arange(rows)[:, None] + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    near = ((y - down).abs() < 0.1 + 0.3 * height) & ((x - across).abs() < 0.1 + 0.3 * width)
    mixed = regions.flatten(1).any(1) & ~regions.flatten(1).all(1)
    regions = torch.where(mixed[:, None, None, None], regions, near)
    alone = torch.rand(len(roi), 1, 1, 1, generator=draws) < plan.alone
    return ~alone | regions


def drawn_jitter(batch: int, draws: torch.Generator) -> Tensor:
    """Offsets of the bands' steps for a third of the images, ``[batch, LEVELS, 3]``."""
    offsets = torch.rand(batch, LEVELS, 3, generator=draws) - 0.5
    return offsets * (torch.rand(batch, 1, 1, generator=draws) < 0.3)


def drawn_quantiser(plan: MedJSCCPlan, bands: Bands, draws: torch.Generator) -> Code:
    """Mostly as in use; for the source part in two of five steps dead zones alone."""
    batch = len(bands[0])
    low, high = plan.lagrange
    which, share = torch.rand(1, generator=draws), torch.rand(batch, 1, 1, 1, generator=draws)
    share = share.to(bands[0])
    if plan.stage == "source" and which < 0.4:
        return Rounder(bands, 0.25 + 0.25 * share)
    return Quantiser(bands, low + (high - low) * share)


def drawn_channel(plan: MedJSCCPlan, draws: torch.Generator, cbr: tuple[float, float]) -> Channel:
    """A link at an SNR, both uniform, and a rate between these two, log-uniform."""
    where, rate = torch.rand(2, generator=draws).tolist()
    few, many = cbr
    shares = torch.tensor([share for _, share in plan.links])
    link = int(torch.multinomial(shares, 1, generator=draws))
    seed = int(torch.randint(2**62, (1,), generator=draws))
    snr_db = plan.snr_db[0] + (plan.snr_db[1] - plan.snr_db[0]) * where
    return Channel(snr_db, few * (many / few) ** rate, link, seed)
