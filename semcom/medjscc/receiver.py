"""From what arrives to an image: what the digital part says, refined by the analogue part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from channels import Reception, Session
from semcom.analogue import base_layer
from semcom.analogue.allocation import allocate
from semcom.fec.bits import packed
from semcom.medjscc.adaptive import condition
from semcom.medjscc.analogue import importance, refined
from semcom.medjscc.header import Header
from semcom.medjscc.layout import Layout
from semcom.medjscc.options import MedJSCCOptions
from semcom.medjscc.rate_map import RateMap, counted, per_block, spread
from semcom.medjscc.source import outline
from semcom.medjscc.source.bitstream import Reader, reading_from
from semcom.medjscc.source.border import Border
from semcom.medjscc.source.entropy_model import Code, EntropyModel, Group
from semcom.medjscc.source.levels import in_place
from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.source.region import around, covered, grey_around, told_log_steps
from semcom.medjscc.source.steps import block_pixels, in_image, pyramid
from semcom.medjscc.source.wavelet import BLOCK, Bands, Wavelet
from semcom.medjscc.synthesis import Synthesis, at_sixteenth
from semcom.medjscc.undecodable import Undecodable
from semcom.modem.transport import ModulatedBlock

_MISSING = 1e9
"""Noise variance that stands for symbols that were not received."""


class Shown(NamedTuple):
    """What a receiver makes of one image.

    Args:
        image: float32 ``[1, 1, H, W]``, not clamped.
        lost: whether it was.
        blocks: of the region of interest, bool ``[1, 1, H/16, W/16]``; ``None`` where there is no
            digital part to tell.
    """

    image: Tensor
    lost: bool
    blocks: Tensor | None


class Receiver:
    """Decodes images of one session.

    Args:
        wavelet: the codec's.
        entropy_model: the codec's, in evaluation mode.
        synthesis: the codec's.
        options: what both ends have chosen.
        layout: how the channel uses are divided.
    """

    def __init__(
        self,
        wavelet: Wavelet,
        entropy_model: EntropyModel,
        synthesis: Synthesis,
        options: MedJSCCOptions,
        layout: Layout,
    ) -> None:
        self._wavelet, self._model, self._synthesis = wavelet, entropy_model, synthesis
        self._options, self._layout = options, layout

    def image(self, rx: Reception, row: int) -> Shown:
        """One image; where it was lost its analog base layer."""
        _, height, width = rx.session.image_shape
        (head, coarse, body), (head_var, coarse_var, body_var) = self._divided(rx, row)
        header = self._header(head, head_var)
        if header is not None and header.analog_only:
            size, noise_var = (height, width), _twice(body_var / 2)
            image = base_layer.receive(_real(body), noise_var, size, rx.session.snr_db)
            return Shown(image / header.amplitude + 0.5, False, None)
        digital = self._digital(header, body, body_var, rx.session)
        if digital is None:
            image = base_layer.receive(
                _real(coarse), _twice(coarse_var / 2), (height, width), rx.session.snr_db
            )
            return Shown(image + 0.5, True, None)
        if not digital.whole:
            rough = self._wavelet.synthesise(in_image(digital.values, digital.log_step))
            return self._shown(rough, digital, height, width)
        start = body.shape[1] - self._layout.analogue_uses(digital.header.length)
        values, deviations = self._refined(
            digital, body[:, start:], body_var[:, start:], rx.session
        )
        roi = block_pixels(digital.blocks).to(values[0])
        image = restore(
            self._wavelet,
            self._synthesis if self._options.learned_synthesis else None,
            values,
            deviations,
            roi,
            digital.log_step.to(values[0]),
            rx.snr_db[row : row + 1] if self._options.channel_adaptive else None,
            rx.session.channel_uses / math.prod(rx.session.image_shape),
        )
        return self._shown(image, digital, height, width)

    def _shown(self, image: Tensor, digital: _Digital, height: int, width: int) -> Shown:
        """An image in the picture's size, of one grey where nothing was sent."""
        grey = 0.5
        if self._options.region_only:
            grey = grey_around(digital.header.roi)
            image = image * block_pixels(around(digital.blocks)).to(image)
        image = digital.border.restored(image[..., :height, :width] + grey)
        return Shown(image, False, digital.blocks)

    def rate_map(self, rx: Reception, row: int) -> RateMap | None:
        """Where one image's budget went; ``None`` if it was lost."""
        layout = self._layout
        (head, _, body), (head_var, _, body_var) = self._divided(rx, row)
        header = self._header(head, head_var)
        if header is not None and header.analog_only:
            return spread(_block_shape(rx.session), layout)
        costs = _Costs()
        digital = self._digital(header, body, body_var, rx.session, costs)
        if digital is None:
            return None
        left = layout.analogue_uses(digital.header.length)
        analogue = 0 if digital.header.silent or not digital.whole else left
        importances = importance(digital.errors, self._options.equal_rates)
        sent = allocate(importances, 2 * analogue, rx.session.snr_db)
        block_shape = _block_shape(rx.session)
        return RateMap(
            per_block(costs.bands(digital.values), block_shape),
            counted(sent.chosen, digital.values, block_shape) / 2,
            digital.blocks[0, 0],
            layout.header.channel_uses,
            layout.analog_base,
            layout.base_uses + layout.digital_uses(digital.header.length),
            left,
            outline.shipped().bits(digital.blocks[0, 0].numpy())
            if self._tells_blocks(digital.header)
            else 0.0,
        )

    def _divided(self, rx: Reception, row: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Symbols and noise variances of one image's header, analog base layer and the others."""
        symbols, noise_var = rx.symbols[row : row + 1], rx.noise_var[row : row + 1]
        missing = rx.session.channel_uses - symbols.shape[1]
        symbols, noise_var = (
            F.pad(symbols, (0, missing)),
            F.pad(noise_var, (0, missing), value=_MISSING),
        )
        layout = self._layout
        sizes = [
            layout.header.channel_uses,
            layout.analog_base,
            layout.base_uses + layout.shared_uses,
        ]
        return torch.split(symbols, sizes, dim=1), torch.split(noise_var, sizes, dim=1)

    def _header(self, symbols: Tensor, noise_var: Tensor) -> Header | None:
        """The header, ``None`` if it is lost."""
        data = _decoded(self._layout.header, symbols, noise_var)
        if data is None:
            return None
        try:
            return Header.parse(data)
        except Undecodable:
            return None

    def _digital(
        self,
        header: Header | None,
        body: Tensor,
        body_var: Tensor,
        session: Session,
        costs: _Costs | None = None,
    ) -> _Digital | None:
        """The digital part, ``None`` if it or the header is lost; ``costs`` takes its bits."""
        if header is None or self._layout.capacity(header.length) < 0:
            return None
        data, whole, start = b"", True, self._layout.base_uses
        if self._layout.base is not None:
            first = _decoded(self._layout.base, body[:, :start], body_var[:, :start])
            if first is None:
                return None
            data = first[: self._layout.base_bytes]
        block = self._layout.digital_block(header.length)
        if block is not None:
            place = slice(start, start + block.channel_uses)
            second = _decoded(block, body[:, place], body_var[:, place])
            whole = second is not None
            data += second or b""
        if not whole and not header.base_groups:
            return None
        try:
            return self._read(header, Reader(data), session, whole, costs)
        except Undecodable:
            return None

    @torch.no_grad()
    def _read(
        self,
        header: Header,
        reader: Reader,
        session: Session,
        whole: bool,
        costs: _Costs | None,
    ) -> _Digital:
        block_shape = _block_shape(session)
        alone = self._options.region_only
        border = Border() if alone else reader.border(*session.image_shape[1:])
        told = self._tells_blocks(header)
        blocks = reader.blocks(block_shape) if told else np.zeros(block_shape, dtype=np.bool_)
        held = torch.from_numpy(blocks)[None, None]
        log_step = told_log_steps(header, held, alone)
        groups = None if whole else header.base_groups
        read = reading_from([reader], groups)
        walked = self._model.walk(
            log_step,
            read if costs is None else costs.of(read),
            coded=covered(held) if alone else None,
        )
        return _Digital(header, border, held, log_step, walked.values, walked.errors, whole)

    def _tells_blocks(self, header: Header) -> bool:
        return bool(header.roi) or self._options.region_only

    def _refined(
        self, digital: _Digital, symbols: Tensor, noise_var: Tensor, session: Session
    ) -> tuple[Bands, Bands]:
        """Bands with what the analogue part says of their errors, and what is still uncertain."""
        importances = importance(digital.errors, self._options.equal_rates)
        sent = allocate(importances, 2 * symbols.shape[1], session.snr_db)
        amplitude = 0.0 if digital.header.silent else digital.header.amplitude
        received, noise = _real(symbols)[0], _twice(noise_var / 2)[0]
        return refined(digital.values, digital.errors, sent, received, noise, amplitude)


def restore(
    wavelet: Wavelet,
    synthesis: Synthesis | None,
    values: Bands,
    deviations: Bands,
    roi: Tensor,
    log_step: Tensor,
    snr_db: Tensor | None,
    cbr: float,
) -> Tensor:
    """Images centred on zero from bands in steps of the blocks.

    Args:
        wavelet: the codec's.
        synthesis: the network that corrects the bands; ``None`` for the inverse wavelet alone.
        values: the bands.
        deviations: standard deviations of their errors.
        roi: soft masks ``[batch, 1, H, W]``, sides multiples of 16.
        log_step: log2 of the step of each block.
        snr_db: what the receiver knows of the SNR, ``[batch]``; ``None`` leaves channel adaptive
            units out.
        cbr: complex channel uses per pixel.

    Returns:
        float32 ``[batch, 1, H, W]``.
    """
    shown = in_image(values, log_step)
    spread_out = in_image(deviations, log_step)
    bands, errors = at_sixteenth(shown, spread_out, wavelet)
    rough = wavelet.synthesise_from(bands)
    if synthesis is None:
        return rough
    adapting = None
    if snr_db is not None:
        square = sum((error.square().sum((1, 2, 3)) for error in errors), start=torch.tensor(0.0))
        pixels = rough[0].numel()
        adapting = condition(snr_db, cbr, torch.log2(square / pixels + 1e-9) / 2)
    scales = [torch.exp2(unit) for unit in (log_step, *pyramid(log_step)[-len(bands) + 1 :])]
    changes = synthesis(
        [band / scale for band, scale in zip(bands, scales, strict=True)],
        [error / scale for error, scale in zip(errors, scales, strict=True)],
        rough,
        roi,
        log_step,
        adapting,
    )
    return wavelet.synthesise_from(
        [band + change * scale for band, change, scale in zip(bands, changes, scales, strict=True)]
    )


class _Costs:
    """Collects the bits of each coefficient during a walk."""

    def __init__(self) -> None:
        self._levels: dict[int, Tensor] = {}

    def of(self, code: Code) -> Code:
        """The same code, with its bits collected."""

        def costed(group: Group) -> Tensor:
            integers = code(group)
            shape = (1, 4 if group.band == 0 else 12, *integers.shape[-2:])
            level = self._levels.setdefault(group.band, torch.zeros(shape))
            level[:, list(group.channels)] = group.prior.bits(integers) * group.inside
            return integers

        return costed

    def bands(self, like: Bands) -> Bands:
        """Bits of each coefficient of each band."""
        return [
            in_place(self._levels[i], (band.shape[-2], band.shape[-1]))
            for i, band in enumerate(like)
        ]


@dataclass(frozen=True)
class _Digital:
    """What arrived of an image's digital part."""

    header: Header
    border: Border
    blocks: Tensor
    log_step: Tensor
    values: Bands
    errors: list[ErrorPrior]
    whole: bool


def _block_shape(session: Session) -> tuple[int, int]:
    """Rows and columns of blocks."""
    _, height, width = session.image_shape
    return -(-height // BLOCK), -(-width // BLOCK)


def _decoded(block: ModulatedBlock, symbols: Tensor, noise_var: Tensor) -> bytes | None:
    """A block's bytes; ``None`` if its checksum fails, or not all of it was received."""
    if bool((noise_var >= _MISSING).any()):
        return None
    bits, ok = block.decode(symbols, noise_var)
    return packed(bits[0]) if bool(ok[0]) else None


def _real(symbols: Tensor) -> Tensor:
    return torch.view_as_real(symbols).flatten(1)


def _twice(values: Tensor) -> Tensor:
    return values.repeat_interleave(2, dim=1)
