"""From an image to its symbols: header, analog base layer, digital part, analogue part."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from channels import Link
from semcom.analogue import base_layer
from semcom.analogue.allocation import allocate
from semcom.fec.bits import unpacked
from semcom.learned import pad_to, to_symbols
from semcom.medjscc.analog_only import AnalogOnly
from semcom.medjscc.analogue import filling, flattened, importance, modulated
from semcom.medjscc.header import (
    ANALOG_ONLY,
    GROUPS,
    LAST_STEP,
    ROI_RATIOS,
    SILENT,
    Header,
    gain_index,
    step_index,
)
from semcom.medjscc.layout import Layout
from semcom.medjscc.options import MedJSCCOptions
from semcom.medjscc.source.bitstream import Writer, writing
from semcom.medjscc.source.border import Border, find_border
from semcom.medjscc.source.entropy_model import EntropyModel
from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.source.quantiser import Quantiser
from semcom.medjscc.source.region import (
    IN_REGION,
    covered,
    grey_around,
    nearest_grey,
    region_bands,
    region_blocks,
    told_log_steps,
)
from semcom.medjscc.source.steps import affordable_ratio, in_steps, mask_blocks
from semcom.medjscc.source.wavelet import BLOCK, Bands, Wavelet
from semcom.medjscc.step_search import StepSearch, classed
from semcom.modem.transport import ModulatedBlock

_MUCH_COARSER = 4
"""Steps by which the digital part may become coarser before it is asked what it is worth."""

_AT_ONCE = 2**20
"""Pixels that are coded at once, which bounds the memory."""


class Sender:
    """Codes images of one session.

    Args:
        wavelet: the codec's.
        entropy_model: the codec's, in evaluation mode.
        options: what both ends have chosen.
        link: whose statistics the transmitter knows; ``None`` for Gaussian noise.
        layout: how the channel uses are divided.
        snr_db: E_s/N_0 in dB that the transmitter believes.
    """

    def __init__(
        self,
        wavelet: Wavelet,
        entropy_model: EntropyModel,
        options: MedJSCCOptions,
        link: Link | None,
        layout: Layout,
        snr_db: float,
    ) -> None:
        self._wavelet, self._model, self._options = wavelet, entropy_model, options
        self._link, self._layout, self._snr_db = link, layout, snr_db

    def symbols(self, images: Tensor, roi: Tensor) -> Tensor:
        """All symbols of images ``[batch, 1, H, W]``: complex64 ``[batch, uses]``.

        Args:
            images: float32 in [0, 1].
            roi: soft masks ``[batch, 1, H, W]``.
        """
        pixels = images[0].numel()
        rows = max(1, _AT_ONCE // pixels)
        parts = [
            self._coded_rows(images[first : first + rows], roi[first : first + rows])
            for first in range(0, len(images), rows)
        ]
        return torch.cat(parts)

    def _coded_rows(self, images: Tensor, roi: Tensor) -> Tensor:
        batch = [self.prepare(images[i : i + 1], roi[i : i + 1]) for i in range(len(images))]
        sent: dict[int, Tensor] = {}
        while open_rows := [row for row in range(len(batch)) if row not in sent]:
            coded = [row for row in open_rows if batch[row].step != ANALOG_ONLY]
            for row in set(open_rows) - set(coded):
                sent[row] = self._analog_only(batch[row])
            for row, digital in zip(coded, self._coded([batch[row] for row in coded]), strict=True):
                length = self._layout.fitting_length(len(digital.data))
                if length is None:
                    batch[row] = coarser(batch[row])
                elif self._too_coarse(batch[row], digital, length):
                    batch[row] = replace(batch[row], step=ANALOG_ONLY)
                else:
                    sent[row] = self._hybrid(batch[row], digital, length)
        return torch.cat([sent[row] for row in range(len(batch))])

    def prepare(self, image: Tensor, roi: Tensor) -> PreparedImage:
        """What one image is sent as."""
        alone = self._options.region_only
        border = Border() if alone else find_border(image)
        centred = image - 0.5
        padded = pad_to(roi, BLOCK)
        blocks = region_blocks(padded > IN_REGION) if alone else mask_blocks(padded)
        if alone:
            whole = pad_to(image, BLOCK)
            told = nearest_grey(whole, blocks)
            grey = grey_around(told)
            bands = region_bands(self._wavelet, whole - grey, blocks)
            continued = self._wavelet.synthesise(bands) + grey
            centred = continued[..., : image.shape[-2], : image.shape[-1]] - 0.5
        else:
            told = self._ratio_index(blocks)
            bands = self._wavelet.analyse(pad_to(border.removed(centred), BLOCK))
        prepared = PreparedImage(centred, border, blocks, told, bands, 0, 0, alone)
        first_bytes = len(prepared.begin_writing().bytes())
        search = StepSearch(bands, prepared.log_steps, self._snr_db, self._layout, first_bytes)
        step = search.finest() if self._options.digital_only else search.best()
        if self._analog_only_of(prepared).serves_better(search.expected_error(step), self._layout):
            step = ANALOG_ONLY
        return replace(prepared, step=step, initial_step=step)

    def _analog_only_of(self, prepared: PreparedImage) -> AnalogOnly:
        log_step = prepared.log_steps(step_index(0.0))
        return AnalogOnly(prepared.image, log_step, self._snr_db, self._link, self._wavelet)

    def _too_coarse(self, prepared: PreparedImage, digital: _Digital, length: int) -> bool:
        """Whether steps that became much coarser than at first leave more than no digital part."""
        if prepared.step < prepared.initial_step + _MUCH_COARSER:
            return False
        estimate = classed(
            length,
            torch.from_numpy(importance(digital.errors)),
            flattened(digital.missing)[0].square(),
        )
        left = estimate.left(2 * self._layout.analogue_uses(length), self._snr_db)
        error = left * 4 ** Header(prepared.step, 0, 0, 0).log_step
        return self._analog_only_of(prepared).serves_better(error, self._layout, surely=False)

    def _ratio_index(self, blocks: Tensor) -> int:
        if not bool(blocks.any()) or bool(blocks.all()):
            return 0
        wanted = self._options.roi_ratio
        if wanted == "auto":
            share = float(blocks.float().mean())
            wanted = affordable_ratio(share)
        return int(np.argmin(np.abs(np.array(ROI_RATIOS) - wanted)))

    def _coded(self, batch: list[PreparedImage]) -> list[_Digital]:
        """The digital parts of some images, by one walk through the entropy model."""
        if not batch:
            return []
        bands = [
            torch.cat(level) for level in zip(*(prepared.bands for prepared in batch), strict=True)
        ]
        log_step = torch.cat([prepared.log_step for prepared in batch])
        writers = [prepared.begin_writing() for prepared in batch]
        bands, log_step = [band.cpu() for band in bands], log_step.cpu()
        coded = None
        if self._options.region_only:
            coded = covered(torch.cat([prepared.blocks for prepared in batch]).cpu())
        walked = self._model.walk(log_step, writing(writers, Quantiser(bands)), coded=coded)
        missing = walked.missing(in_steps(bands, log_step))
        return [
            _Digital(
                writer.bytes(),
                min(writer.groups_within(self._layout.base_bytes), GROUPS - 1),
                [band[row : row + 1] for band in missing],
                walked.row(row).errors,
            )
            for row, writer in enumerate(writers)
        ]

    def _hybrid(self, prepared: PreparedImage, digital: _Digital, length: int) -> Tensor:
        """A digital part, and its errors as analogue symbols."""
        layout, device = self._layout, prepared.image.device
        analogue = layout.analogue_uses(length)
        importances = importance(digital.errors, self._options.equal_rates)
        sent = allocate(importances, 2 * analogue, self._snr_db)
        numbers, gain = _unit(modulated(digital.missing, sent))
        numbers = torch.cat([numbers, padding_numbers(2 * analogue - len(numbers)).to(numbers)])
        data, first = digital.data, layout.base_bytes
        blocks = []
        if layout.base is not None:
            blocks.append(_block(data[:first], layout.base, device))
        block = layout.digital_block(length)
        if block is not None:
            blocks.append(_block(data[first:], block, device))
        header = Header(prepared.step, prepared.told, length, SILENT, digital.base_groups)
        return self._whole(header, prepared.image, blocks, numbers.to(device), gain)

    def _analog_only(self, prepared: PreparedImage) -> Tensor:
        """A finer analog base layer in the place of digital and analogue part."""
        uses = self._layout.base_uses + self._layout.shared_uses
        numbers, gain = _unit(base_layer.send(prepared.image, uses, self._snr_db)[0])
        if not len(numbers):
            numbers = padding_numbers(2 * uses).to(prepared.image)
        return self._whole(Header(ANALOG_ONLY, 0, 0, SILENT), prepared.image, [], numbers, gain)

    def _whole(
        self,
        header: Header,
        image: Tensor,
        blocks: list[Tensor],
        numbers: Tensor,
        gain: float | None,
    ) -> Tensor:
        """All symbols of an image, at unit power on average by the amplitude of the numbers alone.

        Blocks of bits and the analog base layer are received by their nominal amplitudes.

        Args:
            header: without the numbers' gain.
            image: centred on zero.
            blocks: symbols of the digital part.
            numbers: the analogue ones, of power 1/2 on average.
            gain: by which they have been made so; ``None`` if they say nothing.
        """
        base = base_layer.send(image, self._layout.analog_base, self._snr_db)
        fixed = [to_symbols(base, self._layout.analog_base), *blocks]
        spent = sum(float(part.abs().square().sum()) for part in fixed)
        energy = float(self._layout.header.channel_uses)
        for _ in range(2):
            # The header's own energy depends a little on the gain that it tells.
            amplitude = filling(numbers, self._layout.channel_uses - spent - energy)
            if gain is not None:
                header = replace(header, gain=gain_index(gain * amplitude))
            opening = _block(header.pack(), self._layout.header, image.device)
            energy = float(opening.abs().square().sum())
        amplitude = filling(numbers, self._layout.channel_uses - spent - energy)
        sent = to_symbols(amplitude * numbers[None], len(numbers) // 2)
        return torch.cat([opening, *fixed, sent], dim=1)


@dataclass(frozen=True)
class PreparedImage:
    """What one image is sent as.

    Args:
        image: float32 ``[1, 1, H, W]``, centred on zero.
        border: what runs along its sides.
        blocks: which blocks belong to the region of interest, bool ``[1, 1, H/16, W/16]``.
        told: index of the step outside over that inside; of a region that is sent alone, of the
            grey level around it.
        bands: of what is inside the border.
        step: index of the step outside, or of that inside a region that is sent alone, or
            ``ANALOG_ONLY``.
        initial_step: the same, as it was before the digital part had to fit.
        alone: whether there is nothing but the region of interest.
    """

    image: Tensor
    border: Border
    blocks: Tensor
    told: int
    bands: Bands
    step: int
    initial_step: int
    alone: bool = False

    @property
    def log_step(self) -> Tensor:
        """log2 of the step of each block."""
        return self.log_steps(self.step)

    def log_steps(self, step: int) -> Tensor:
        """The same for another step."""
        return told_log_steps(Header(step, self.told, 0, 0), self.blocks, self.alone)

    def begin_writing(self) -> Writer:
        """A writer at the end of border and, where it tells anything, the region's map."""
        writer = Writer()
        if not self.alone:
            writer.border(self.border)
        if self.told or self.alone:
            writer.blocks(self.blocks[0, 0].cpu().numpy())
        return writer


@dataclass(frozen=True)
class _Digital:
    """A digital part: its bytes, how many groups the first layer decodes, and what bands miss."""

    data: bytes
    base_groups: int
    missing: Bands
    errors: list[ErrorPrior]


def coarser(prepared: PreparedImage) -> PreparedImage:
    """The next settings to try where the digital part does not fit."""
    if prepared.step < LAST_STEP:
        return replace(prepared, step=prepared.step + 1)
    if prepared.told and not prepared.alone:
        return replace(prepared, told=0)
    return replace(prepared, step=ANALOG_ONLY)


def _block(data: bytes, block: ModulatedBlock, device: torch.device) -> Tensor:
    """Symbols of bytes."""
    return block.encode(unpacked(data, block.payload_bits)[None]).to(device)


def padding_numbers(count: int) -> Tensor:
    """Numbers that say nothing, with the power that the receiver expects of all."""
    signs = torch.arange(count) % 3 == 0
    return torch.where(signs, math.sqrt(0.5), -math.sqrt(0.5))


def _unit(numbers: Tensor) -> tuple[Tensor, float | None]:
    """Numbers at power 1/2 on average, and by which gain; none at all if they say nothing."""
    gain = filling(numbers, len(numbers) / 2)
    if not len(numbers) or gain_index(gain) == SILENT:
        return numbers[:0], None
    return gain * numbers, gain
