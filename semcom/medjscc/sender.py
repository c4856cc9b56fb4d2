"""From an image to its symbols: header, analog base layer, digital part, analogue part."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from channels import Link
from semcom.fec.bits import unpacked
from semcom.learned import pad_to, to_symbols
from semcom.medjscc import analog_base
from semcom.medjscc.analog_only import AnalogOnly
from semcom.medjscc.analogue import allocate, importance, modulated
from semcom.medjscc.header import (
    ANALOG_ONLY,
    GROUPS,
    LAST_STEP,
    ROI_RATIOS,
    Header,
    gain_index,
    step_index,
)
from semcom.medjscc.layout import Layout
from semcom.medjscc.options import MedJSCCOptions
from semcom.medjscc.source.bitstream import Writer, writing
from semcom.medjscc.source.entropy_model import EntropyModel
from semcom.medjscc.source.frame import Frame, frame
from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.source.quantiser import Quantiser
from semcom.medjscc.source.steps import affordable_ratio, in_steps, log_steps, mask_blocks
from semcom.medjscc.source.wavelet import BLOCK, Bands, Wavelet
from semcom.medjscc.split import Split
from semcom.separate.transport import TransportBlock

_AT_ONCE = 2**20
"""Pixels that are coded at once, which bounds the memory."""


class Sender:
    """Codes images of one session.

    Args:
        wavelet: the codec's.
        entropy_model: the codec's, in evaluation mode.
        options: what both ends have chosen.
        link: whose statistics the transmitter knows; ``None`` for Gaussian noise.
        parts: how the channel uses are divided.
        snr_db: E_s/N_0 in dB that the transmitter believes.
    """

    def __init__(
        self,
        wavelet: Wavelet,
        entropy_model: EntropyModel,
        options: MedJSCCOptions,
        link: Link | None,
        parts: Layout,
        snr_db: float,
    ) -> None:
        self._wavelet, self._model, self._options = wavelet, entropy_model, options
        self._link, self._parts, self._snr_db = link, parts, snr_db

    def symbols(self, images: Tensor, roi: Tensor) -> Tensor:
        """All symbols of images ``[batch, 1, H, W]``: complex64 ``[batch, uses]``.

        Args:
            images: float32 in [0, 1].
            roi: soft masks ``[batch, 1, H, W]``.
        """
        pixels = images[0].numel()
        rows = max(1, _AT_ONCE // pixels)
        parts = [
            self._some(images[first : first + rows], roi[first : first + rows])
            for first in range(0, len(images), rows)
        ]
        return torch.cat(parts)

    def _some(self, images: Tensor, roi: Tensor) -> Tensor:
        plans = [self.plan(images[i : i + 1], roi[i : i + 1]) for i in range(len(images))]
        sent: dict[int, Tensor] = {}
        while open_rows := [row for row in range(len(plans)) if row not in sent]:
            coded = [row for row in open_rows if plans[row].step != ANALOG_ONLY]
            for row in set(open_rows) - set(coded):
                sent[row] = self._analog_only(plans[row])
            for row, digital in zip(coded, self._coded([plans[row] for row in coded]), strict=True):
                length = self._parts.fitting_length(len(digital.data))
                if length is None:
                    plans[row] = coarser(plans[row])
                else:
                    sent[row] = self._hybrid(plans[row], digital, length)
        return torch.cat([sent[row] for row in range(len(plans))])

    def plan(self, image: Tensor, roi: Tensor) -> Plan:
        """What one image is sent as."""
        around = frame(image)
        centred = image - 0.5
        blocks = mask_blocks(pad_to(roi, BLOCK))
        ratio = self._ratio_index(blocks)
        bands = self._wavelet.analyse(pad_to(around.removed(centred), BLOCK))
        plan = Plan(centred, around, blocks, ratio, bands, 0)
        first_bytes = len(plan.begun().bytes())
        split = Split(bands, blocks, ratio, self._snr_db, self._parts, first_bytes)
        step = split.finest() if self._options.digital_only else split.best()
        alone = AnalogOnly(
            centred, log_steps(step_index(0.0), blocks, ratio), self._snr_db, self._link,
            self._wavelet,
        )  # fmt: skip
        if alone.serves_better(split.expected_error(step), self._parts):
            step = ANALOG_ONLY
        return replace(plan, step=step)

    def _ratio_index(self, blocks: Tensor) -> int:
        if not bool(blocks.any()) or bool(blocks.all()):
            return 0
        wanted = self._options.roi_ratio
        if wanted == "auto":
            wanted = affordable_ratio(float(blocks.float().mean()))
        return int(np.argmin(np.abs(np.array(ROI_RATIOS) - wanted)))

    def _coded(self, plans: list[Plan]) -> list[_Digital]:
        """The digital parts of some images, by one walk through the entropy model."""
        if not plans:
            return []
        bands = [torch.cat(level) for level in zip(*(plan.bands for plan in plans), strict=True)]
        log_step = torch.cat([plan.log_step for plan in plans])
        writers = [plan.begun() for plan in plans]
        bands, log_step = [band.cpu() for band in bands], log_step.cpu()
        walked = self._model.walk(log_step, writing(writers, Quantiser(bands)))
        missing = walked.missing(in_steps(bands, log_step))
        return [
            _Digital(
                writer.bytes(),
                min(writer.groups_within(self._parts.base_bytes), GROUPS - 1),
                [band[row : row + 1] for band in missing],
                walked.row(row).errors,
            )
            for row, writer in enumerate(writers)
        ]

    def _hybrid(self, plan: Plan, digital: _Digital, length: int) -> Tensor:
        """A digital part, and its errors as analogue symbols."""
        parts, device = self._parts, plan.image.device
        analogue = parts.analogue_uses(length)
        importances = importance(digital.errors, self._options.equal_rates)
        sent = allocate(importances, 2 * analogue, self._snr_db)
        numbers = modulated(digital.missing, sent)
        header = Header(plan.step, plan.ratio, length, _unit_gain(numbers), digital.base_groups)
        numbers = (numbers[:0] if header.silent else numbers * header.amplitude).to(device)
        numbers = torch.cat([numbers, _nothing(2 * analogue - len(numbers)).to(device)])
        pieces = self._opening(header, plan.image)
        data, first = digital.data, parts.base_bytes
        if parts.base is not None:
            pieces.append(_block(data[:first], parts.base, device))
        block = parts.digital_block(length)
        if block is not None:
            pieces.append(_block(data[first:], block, device))
        return torch.cat([*pieces, to_symbols(numbers[None], analogue)], dim=1)

    def _analog_only(self, plan: Plan) -> Tensor:
        """A finer analog base layer in the place of digital and analogue part."""
        uses = self._parts.base_uses + self._parts.rest
        numbers = analog_base.send(plan.image, uses, self._snr_db)
        header = Header(ANALOG_ONLY, 0, 0, _unit_gain(numbers))
        numbers = numbers * header.amplitude
        if header.silent:
            numbers = _nothing(2 * uses)[None].to(numbers)
        opening = self._opening(header, plan.image)
        return torch.cat([*opening, to_symbols(numbers, uses)], dim=1)

    def _opening(self, header: Header, image: Tensor) -> list[Tensor]:
        """Symbols of the header's block and of the analog base layer."""
        parts = self._parts
        base = analog_base.send(image, parts.analog_base, self._snr_db)
        return [
            _block(header.pack(), parts.header, image.device),
            to_symbols(base, parts.analog_base),
        ]


@dataclass(frozen=True)
class Plan:
    """What one image is sent as.

    Args:
        image: float32 ``[1, 1, H, W]``, centred on zero.
        frame: what runs along its sides.
        blocks: which blocks belong to the region of interest, bool ``[1, 1, H/16, W/16]``.
        ratio: index of the step outside over that inside.
        bands: of what is inside the frame.
        step: index of the step outside, or ``ANALOG_ONLY``.
    """

    image: Tensor
    frame: Frame
    blocks: Tensor
    ratio: int
    bands: Bands
    step: int

    @property
    def log_step(self) -> Tensor:
        """log2 of the step of each block."""
        return log_steps(self.step, self.blocks, self.ratio)

    def begun(self) -> Writer:
        """The digital part's beginning: frame and, where there are two steps, mask blocks."""
        writer = Writer()
        writer.frame(self.frame)
        if self.ratio:
            writer.blocks(self.blocks[0, 0].cpu().numpy())
        return writer


@dataclass(frozen=True)
class _Digital:
    """A digital part: its bytes, how many groups the first layer decodes, and what bands miss."""

    data: bytes
    base_groups: int
    missing: Bands
    errors: list[ErrorPrior]


def coarser(plan: Plan) -> Plan:
    """The next plan to try where the digital part does not fit."""
    if plan.step < LAST_STEP:
        return replace(plan, step=plan.step + 1)
    return replace(plan, ratio=0) if plan.ratio else replace(plan, step=ANALOG_ONLY)


def _block(data: bytes, block: TransportBlock, device: torch.device) -> Tensor:
    """Symbols of bytes."""
    return block.encode(unpacked(data, block.payload_bits)[None]).to(device)


def _nothing(count: int) -> Tensor:
    """Numbers that say nothing, with the power that the receiver expects of all."""
    signs = torch.arange(count) % 3 == 0
    return torch.where(signs, math.sqrt(0.5), -math.sqrt(0.5))


def _unit_gain(numbers: Tensor) -> int:
    """Index of the gain that gives pairs of numbers unit power."""
    strength = math.sqrt(2 * float(numbers.square().sum()) / max(numbers.numel(), 1))
    return gain_index(1 / max(strength, 1e-9))
