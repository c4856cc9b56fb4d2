"""How a transport block is cut into LDPC code blocks (TS 38.212 clauses 5.2.2 and 5.4.2.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from channels import InputError
from semcom.separate.mcs import MCS

CRC_BITS = 24
_MAX_INFO = {"bg1": 8448, "bg2": 3840}
_MIN_INFO = CRC_BITS + 8


@dataclass(frozen=True)
class Segmentation:
    """Sizes of the code blocks of one transport block.

    Args:
        base_graph: ``"bg1"`` or ``"bg2"``.
        info_bits: information bits of each code block, its CRC included.
        coded_bits: coded bits of each code block, after rate matching.

    >>> Segmentation("bg2", 960, (8192,)).payload_bits
    936
    """

    base_graph: str
    info_bits: int
    coded_bits: tuple[int, ...]

    @property
    def num_blocks(self) -> int:
        """Code blocks in the transport block."""
        return len(self.coded_bits)

    @property
    def block_crc_bits(self) -> int:
        """Bits of the CRC of each code block: 24 where there are several, else 0."""
        return CRC_BITS if self.num_blocks > 1 else 0

    @property
    def payload_bits(self) -> int:
        """Bits left for the payload after all CRCs."""
        return self.num_blocks * (self.info_bits - self.block_crc_bits) - CRC_BITS


@lru_cache(maxsize=4096)
def segment(channel_uses: int, mcs: MCS) -> Segmentation:
    """Choose the largest transport block whose code rate, CRCs included, is at most the MCS's.

    The base graph follows TS 38.212 clause 7.2.2, the number of blocks clause 5.2.2 and the coded
    bits of each clause 5.4.2.1. The quantised sizes of TS 38.214 clause 5.1.3.2 are not applied:
    both ends know the channel uses and the MCS, so any size may be agreed on and no coded bit
    is lost.

    Args:
        channel_uses: complex symbols that carry the block.
        mcs: modulation and code rate.

    Raises:
        InputError: if not even one payload byte fits.

    >>> segment(4096, MCS(0, 2, 120 / 1024))
    Segmentation(base_graph='bg2', info_bits=960, coded_bits=(8192,))
    >>> segment(20000, MCS(28, 6, 948 / 1024)).num_blocks
    14
    """
    rate = mcs.code_rate
    bits = math.floor(rate * channel_uses * mcs.bits_per_symbol)
    payload = bits - CRC_BITS
    small = payload <= 292 or (payload <= 3824 and rate <= 0.67) or rate <= 0.25
    base_graph = "bg2" if small else "bg1"
    blocks = 1
    while True:
        uses, longer = divmod(channel_uses, blocks)
        info_bits = math.floor(rate * uses * mcs.bits_per_symbol)
        if info_bits <= _MAX_INFO[base_graph]:
            break
        blocks += 1
    if info_bits < _MIN_INFO:
        raise InputError(
            f"{channel_uses} channel uses at MCS {mcs.index} carry {info_bits} bits but the "
            f"smallest transport block takes {_MIN_INFO}: raise cbr or the MCS"
        )
    coded = [uses * mcs.bits_per_symbol] * (blocks - longer)
    coded += [(uses + 1) * mcs.bits_per_symbol] * longer
    return Segmentation(base_graph, info_bits, tuple(coded))
