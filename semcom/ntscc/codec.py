"""NTSCC: latents of a learned transform, each cell sent at the rate that its entropy asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError, Reception, Session, Transmission
from channels.errors import check_count, shown
from channels.power import normalize_power
from semcom.fec.bits import packed, unpacked
from semcom.learned import (
    LearnedCodec,
    TrainingOutput,
    from_symbols,
    pad_to,
    to_symbols,
    transmission,
)
from semcom.ntscc.allocation import Allocation, blockwise, filled, spread
from semcom.ntscc.hyperprior import Hyperprior, noisy
from semcom.ntscc.map_block import SHARE, map_block, map_mcs
from semcom.ntscc.matching import MOST, Decoder, Encoder
from semcom.ntscc.rate_map import BLOCKS, rate_map, read_map
from semcom.ntscc.transforms import STRIDE, Analysis, Synthesis

BIT_WEIGHT = 2e-3
"""What a bit per pixel weighs beside a squared error, in training; 130 on the scale of 0…255."""

_UNKNOWN = 1e6
_MOST_POWER = 4.0


class NTSCC(LearnedCodec):
    """Nonlinear transform source-channel codec for grey images, without masks.

    After Dai et al., "Nonlinear transform source-channel coding for semantic communications", IEEE
    JSAC 2022: a hyperprior says how many bits the latents of each cell of 16 x 16 pixels are
    worth, and ``k = Q(eta * bits)`` real numbers carry them. Here transforms are convolutional;
    ``eta`` is found for each image so that the channel uses are spent; and one set of weights
    serves all SNRs, by attention features, and all rates.

    The rates are sent first, under LDPC for a channel 6 dB worse than believed, in at most a tenth
    of the channel uses: for blocks of cells where single cells take too many bytes. If they are
    lost, mid-grey is shown. Where not even a small map fits, all cells get the same rate.

    Args:
        widths: features of the transforms at 1/2, 1/4, 1/8 and 1/16.
        latents: maps of latents.
        hyper: hyper-latents.

    >>> codec = NTSCC((4, 8, 8, 8), 16, 8)
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/16, snr_db=6.0).used
    tensor([256])
    """

    name = "ntscc"
    stride = STRIDE

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (16, 40, 80, 128),
        latents: int = 128,
        hyper: int = 64,
    ) -> None:
        super().__init__()
        if not isinstance(widths, list | tuple) or len(widths) != 4:
            raise InputError(f"widths must be 4 numbers of features, got {shown(widths)}")
        sizes = [check_count("widths", width, 2, 1024) for width in widths]
        latents = check_count("latents", latents, 2, 1024)
        hyper = check_count("hyper", hyper, 2, 1024)
        self._config = {"widths": sizes, "latents": latents, "hyper": hyper}
        half, quarter, eighth, sixteenth = sizes
        self.analysis = Analysis((half, quarter, eighth, sixteenth), latents)
        self.synthesis = Synthesis((half, quarter, eighth, sixteenth), latents)
        self.hyperprior = Hyperprior(latents, hyper)
        self.encoder = Encoder(latents, sixteenth)
        self.decoder = Decoder(latents, sixteenth)

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return dict(self._config)

    def training_forward(
        self,
        images: Tensor,
        roi: Tensor,
        cbr: float,
        snr_db: float,
        through: Callable[[Transmission], Reception],
        draws: torch.Generator,
    ) -> TrainingOutput:
        """Send images without their map, and beside it decode latents that were only quantised.

        The second is what the entropy model learns from: ``10 log10`` of its squared error and
        weighted bits is the penalty.
        """
        latents = self.analysis(pad_to(images, STRIDE) - 0.5)
        bits, hyper_bits = self.hyperprior(latents, draws)
        quantised = self.synthesis(noisy(latents, draws))
        share, which = torch.rand(2, generator=draws).tolist()
        uses = max(round(cbr * images[0].numel() * (1 - SHARE * share)), 1)
        side = (*BLOCKS, None)[int(which * (len(BLOCKS) + 1))]
        exact = self._bits(latents)
        allocations = [_coarse(cells, 2 * uses, side) for cells in _cell_bits(exact)]
        sent = self._numbers(latents, exact, allocations, snr_db)
        session = Session(self.name, (1, *images.shape[2:]), uses, snr_db)
        rx = through(transmission(sent, session))
        received = self._decoded_images(
            rx.symbols, rx.noise_var, rx.snr_db, allocations, latents.shape[2:]
        )
        height, width = images.shape[2:]
        received, quantised = (p[..., :height, :width] + 0.5 for p in (received, quantised))
        spent = (bits.sum((1, 2, 3)) + hyper_bits.sum((1, 2, 3))) / images[0].numel()
        cost = (quantised - images).square().mean((1, 2, 3)) + BIT_WEIGHT * spent
        return TrainingOutput((received,), 10 * torch.log10(cost).mean())

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        latents = self.analysis(pad_to(images, STRIDE) - 0.5)
        map_shape = latents.shape[2:]
        if session.channel_uses < map_shape.numel():
            raise InputError(
                f"{session.channel_uses} channel uses are less than one for each of "
                f"{map_shape.numel()} cells of 16 x 16 pixels: raise cbr"
            )
        mcs = map_mcs(session.channel_uses, map_shape.numel(), session.snr_db)
        session = replace(session, mcs=mcs)
        block = map_block(session.channel_uses, map_shape.numel(), mcs)
        bits = self._bits(latents)
        if block is None:
            budget = 2 * session.channel_uses
            allocations = [filled(np.zeros(map_shape.numel(), np.int64), budget) for _ in latents]
            return transmission(self._numbers(latents, bits, allocations, session.snr_db), session)
        budget = 2 * (session.channel_uses - block.channel_uses)
        allocations, maps = [], []
        for cells in _cell_bits(bits):
            data, levels = rate_map(cells, budget, block.payload_bits // 8)
            allocations.append(filled(levels.ravel(), budget))
            maps.append(unpacked(data, block.payload_bits))
        head = block.encode(torch.stack(maps)).to(images.device)
        numbers = self._numbers(latents, bits, allocations, session.snr_db)
        return transmission(torch.cat([head, numbers], dim=1), session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        images, lost = self._received(rx)
        return images.clamp(0, 1), lost

    def reconstruct(self, rx: Reception) -> Tensor:
        """Image before clamping, float32 ``[batch, 1, H, W]``."""
        return self._received(rx)[0]

    def _received(self, rx: Reception) -> tuple[Tensor, Tensor]:
        """Images, and which were lost: those are grey."""
        session = rx.session
        _, height, width = session.image_shape
        map_shape = torch.Size([-(-height // STRIDE), -(-width // STRIDE)])
        block = map_block(session.channel_uses, map_shape.numel(), session.mcs)
        missing = session.channel_uses - rx.symbols.shape[1]
        symbols = F.pad(rx.symbols, (0, missing))
        noise_var = F.pad(rx.noise_var, (0, missing), value=_UNKNOWN)
        start = 0 if block is None else block.channel_uses
        budget = 2 * (session.channel_uses - start)
        if block is None:
            equal = filled(np.zeros(map_shape.numel(), np.int64), budget)
            allocations: list[Allocation | None] = [equal] * len(symbols)
        else:
            payloads, good = block.decode(symbols[:, :start], noise_var[:, :start])
            allocations = [
                _allocation(payload, tuple(map_shape), budget) if ok else None
                for payload, ok in zip(payloads, good.tolist(), strict=True)
            ]
        lost = torch.tensor([each is None for each in allocations], device=symbols.device)
        # Grey hangs on what was received, so that a batch of lost images has a graph as well.
        images = 0.5 + 0 * symbols.real.sum(1)[:, None, None, None].expand(-1, 1, height, width)
        arrived = [each for each in allocations if each is not None]
        if arrived:
            kept = ~lost
            decoded = self._decoded_images(
                symbols[kept, start:], noise_var[kept, start:], rx.snr_db[kept], arrived, map_shape
            )
            decoded = decoded[..., :height, :width].to(images) + 0.5
            images = images.index_put((kept.nonzero()[:, 0],), decoded)
        return images, lost

    @torch.no_grad()
    def _bits(self, latents: Tensor) -> Tensor:
        bits: Tensor = self.hyperprior(latents)[0]
        return bits

    def _numbers(
        self, latents: Tensor, bits: Tensor, allocations: list[Allocation], snr_db: float
    ) -> Tensor:
        """The cells' numbers as symbols of power 1 per image, complex ``[batch, K]``.

        A cell's power saturates: without that, cells along a black border took most of the
        image's, and all others were 7 dB weaker than in training's crops.
        """
        levels, chosen = _tensors(allocations, latents.shape[2:], latents.device)
        known = latents.new_full((len(latents),), snr_db)
        numbers = self.encoder(latents, bits, levels, known) * chosen
        sizes = chosen.sum(-1, keepdim=True).clamp(min=1)
        power = numbers.square().sum(-1, keepdim=True) / sizes
        numbers = numbers * torch.rsqrt(1 + power / _MOST_POWER)
        # Every image of a session sends as many numbers as any other.
        flat = numbers[chosen].reshape(len(latents), -1)
        return normalize_power(to_symbols(flat, flat.shape[1]))

    def _decoded_images(
        self,
        symbols: Tensor,
        noise_var: Tensor,
        snr_db: Tensor,
        allocations: list[Allocation],
        map_shape: torch.Size,
    ) -> Tensor:
        """Images around zero, padded to whole cells."""
        levels, chosen = _tensors(allocations, map_shape, symbols.device)
        flat = from_symbols(symbols / (1 + noise_var), int(allocations[0].sizes.sum()))
        numbers = torch.zeros(chosen.shape, device=flat.device, dtype=flat.dtype)
        numbers = numbers.masked_scatter(chosen, flat)
        images: Tensor = self.synthesis(self.decoder(numbers, levels, snr_db))
        return images


def _tensors(
    allocations: list[Allocation], map_shape: torch.Size, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Levels ``[batch, rows, columns]``, and which of ``[batch, cells, MOST]`` numbers are sent."""
    levels = torch.from_numpy(np.stack([each.levels for each in allocations])).to(device)
    sizes = torch.from_numpy(np.stack([each.sizes for each in allocations])).to(device)
    chosen = torch.arange(MOST, device=device) < sizes[..., None]
    return levels.reshape(-1, *map_shape), chosen


def _coarse(cells: NDArray[np.float64], budget: int, side: int | None) -> Allocation:
    """The rates of blocks of cells; of all cells together without a side."""
    levels = np.zeros(cells.shape, dtype=np.int64)
    if side is not None:
        levels = spread(blockwise(cells, side, budget), side, cells.shape)
    return filled(levels.ravel(), budget)


def _cell_bits(bits: Tensor) -> list[NDArray[np.float64]]:
    """Bits of each cell, float64 ``[rows, columns]`` for each image."""
    return list(bits.sum(1).double().cpu().numpy())


def _allocation(payload: Tensor, map_shape: tuple[int, ...], budget: int) -> Allocation | None:
    """What a received map says; ``None`` if it is none of this codec."""
    try:
        levels = read_map(packed(payload), map_shape)
    except InputError:
        return None
    allocation = filled(levels.ravel(), budget)
    return allocation if allocation.sizes.sum() <= budget else None
