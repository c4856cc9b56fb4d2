"""Blocks of bits sent until enough of them are wrong, and counted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import torch
from torch import Tensor

from channels import Link
from channels.surroundings import undisturbed
from scenarios.engine.task import TURN
from semcom.modem.mcs import MCS, modulation_name
from semcom.modem.qam import soft_bits, symbols_of
from semcom.modem.transport import ModulatedBlock

BATCH = 50


@dataclass(frozen=True)
class Series:
    """What is sent: a transport block of an MCS, or bits as they are.

    Args:
        bits_per_symbol: 2, 4, 6 or 8.
        mcs: modulation and code; ``None`` sends uncoded bits.
        channel_uses: QAM symbols of a block.

    >>> Series(4, None, 512).label, Series(4, None, 512).info_bits
    ('uncoded 16-QAM', 2048)
    """

    bits_per_symbol: int
    mcs: MCS | None
    channel_uses: int

    @property
    def label(self) -> str:
        """Its name in tables."""
        name = modulation_name(self.bits_per_symbol)
        if self.mcs is None:
            return f"uncoded {name}"
        return f"MCS {self.mcs.index}: {name}, rate {self.mcs.code_rate:.2f}"

    @property
    def info_bits(self) -> int:
        """Bits of a block that are counted."""
        if self.mcs is None:
            return self.channel_uses * self.bits_per_symbol
        return self.block.payload_bits

    @property
    def block(self) -> ModulatedBlock:
        """The transport block of a series that has a code."""
        assert self.mcs is not None
        return ModulatedBlock(self.channel_uses, self.mcs)

    def encode(self, bits: Tensor) -> Tensor:
        """Symbols of bits ``[batch, info_bits]``."""
        if self.mcs is None:
            return symbols_of(bits, self.bits_per_symbol)
        return self.block.encode(bits)

    def decode(self, symbols: Tensor, noise_var: Tensor) -> Tensor:
        """Bits of received symbols."""
        if self.mcs is None:
            return (soft_bits(symbols, noise_var, self.bits_per_symbol) > 0).float()
        return self.block.decode(symbols, noise_var)[0]


@dataclass(frozen=True)
class Counts:
    """What was counted at one point.

    Args:
        blocks: sent.
        block_errors: blocks with a wrong bit.
        bit_errors: wrong bits.
        squares: sum over blocks of their wrong bits squared.
    """

    blocks: int
    block_errors: int
    bit_errors: int
    squares: int


def count(
    series: Series, link: Link, snr_db: float, seed: int, min_errors: int, max_blocks: int
) -> Counts:
    """Send blocks until enough are wrong, in batches of 50.

    Every block meets fading and noise of its own; those of two series of the same length are the
    same.

    Args:
        series: what is sent.
        link: over what.
        snr_db: average E_s/N_0 in dB.
        seed: seeds bits, fading and noise.
        min_errors: wrong blocks that are enough.
        max_blocks: blocks that are enough in any case.

    >>> import channels
    >>> counts = count(Series(2, None, 100), channels.link("awgn"), 6.0, 0, 10, 1000)
    >>> counts.blocks, counts.block_errors > 10
    (50, True)
    """
    blocks = block_errors = bit_errors = squares = 0
    with TURN, undisturbed(), torch.inference_mode():
        while blocks < max_blocks and block_errors < min_errors:
            size = min(BATCH, max_blocks - blocks)
            wrong = _wrong_bits(series, link, snr_db, _seed(seed, link, snr_db, blocks), size)
            blocks += size
            block_errors += int((wrong > 0).sum())
            bit_errors += int(wrong.sum())
            squares += int(wrong.square().sum())
    return Counts(blocks, block_errors, bit_errors, squares)


def _wrong_bits(series: Series, link: Link, snr_db: float, seed: int, size: int) -> Tensor:
    """Wrong bits of each block, int64 ``[size]``."""
    draws = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, 2, (size, series.info_bits), generator=draws).float()
    got = link.propagate(series.encode(bits), snr_db, seed)
    return (series.decode(got.symbols, got.noise_var) != bits).sum(1)


def _seed(seed: int, link: Link, snr_db: float, blocks: int) -> int:
    text = json.dumps(["ber", seed, link.name, float(snr_db), blocks])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
