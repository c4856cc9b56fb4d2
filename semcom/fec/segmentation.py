"""How a transport block is cut into code blocks (TS 38.212 clauses 5.2.2, 5.4.2.1, 7.2.1-7.2.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from channels import InputError
from channels.errors import check_count, check_number, keep_count
from semcom.fec.base_graph import MAX_INFO_BITS
from semcom.fec.code import choose_base_graph
from semcom.fec.crc import crc_bits

BLOCK_CRC = "CRC24B"
_MOST_SMALL_BITS = 3824
_MOST_BITS = 1 << 30


@dataclass(frozen=True)
class Segmentation:
    """Sizes of the code blocks of one transport block, whose payload may have any length.

    The payload gets a CRC. Where that is more than one code block holds, it is cut into blocks of
    equal length, each with a CRC of its own. 5G allows only payloads that divide evenly; any other
    is followed by up to ``num_blocks`` − 1 zeros here, which both ends know of. One layer.

    The first two columns of a mother code word are never sent, so that belief propagation may fail
    even without noise where few parity bits are: at code rates of a block above 0.95 (receivers
    may skip those, TS 38.214 clause 5.1.3), and above 0.91 in blocks of at most 192 bits.

    Args:
        payload_bits: bits to carry, CRCs not counted, at least 1.
        coded_bits: bits on the air, a multiple of ``num_bits_per_symbol``.
        code_rate: the rate of the MCS, by which the base graph is chosen.
        num_bits_per_symbol: bits of a QAM symbol, 1 to 12.

    Raises:
        InputError: on sizes that do not fit together.

    >>> sizes = Segmentation(20000, 40000, 0.5, 2)
    >>> sizes.base_graph, sizes.num_blocks, sizes.info_bits, sizes.padding_bits
    ('bg1', 3, 6699, 1)
    >>> sizes.block_coded_bits
    (13332, 13334, 13334)
    """

    payload_bits: int
    coded_bits: int
    code_rate: float
    num_bits_per_symbol: int = 1

    def __post_init__(self) -> None:
        keep_count(self, "payload_bits", 1, _MOST_BITS)
        checked = _channel(self.coded_bits, self.code_rate, self.num_bits_per_symbol)
        names = ("coded_bits", "code_rate", "num_bits_per_symbol")
        for name, value in zip(names, checked, strict=True):
            object.__setattr__(self, name, value)
        if self.info_bits > self.block_coded_bits[0]:
            raise InputError(
                f"{self.payload_bits} payload bits become code blocks of {self.info_bits} bits "
                f"with their CRCs, more than the {self.block_coded_bits[0]} coded bits of a block: "
                "raise coded_bits or lower payload_bits"
            )

    @property
    def crc(self) -> str:
        """CRC of the transport block: ``"CRC24A"`` above 3824 bits, else ``"CRC16"``."""
        return "CRC24A" if self.payload_bits > _MOST_SMALL_BITS else "CRC16"

    @property
    def base_graph(self) -> str:
        """``"bg1"`` or ``"bg2"`` (clause 7.2.2)."""
        return choose_base_graph(self.payload_bits, self.code_rate)

    @property
    def num_blocks(self) -> int:
        """C: code blocks."""
        return _num_blocks(self._crc_payload_bits, self.base_graph)

    @property
    def block_crc_bits(self) -> int:
        """Bits of the CRC of each code block, CRC24B: 24 where there are several blocks, else 0."""
        return crc_bits(BLOCK_CRC) if self.num_blocks > 1 else 0

    @property
    def info_bits(self) -> int:
        """K': information bits of each code block, its CRC and padding included."""
        return -(-self._crc_payload_bits // self.num_blocks) + self.block_crc_bits

    @property
    def padding_bits(self) -> int:
        """Zeros after the last bits of the last code block, before its CRC."""
        return -self._crc_payload_bits % self.num_blocks

    @cached_property
    def block_coded_bits(self) -> tuple[int, ...]:
        """E_r: coded bits of each code block, the shorter ones first."""
        order, blocks = self.num_bits_per_symbol, self.num_blocks
        fewest, longer = divmod(self.coded_bits // order, blocks)
        return (order * fewest,) * (blocks - longer) + (order * (fewest + 1),) * longer

    @property
    def _crc_payload_bits(self) -> int:
        """B: payload bits with the CRC of the transport block."""
        return self.payload_bits + crc_bits(self.crc)


def largest_payload(coded_bits: int, code_rate: float, num_bits_per_symbol: int = 1) -> int:
    """Most payload bits whose code blocks all have a code rate of at most ``code_rate``.

    The rate of a block is K' / E_r, so that every CRC counts. The quantised sizes of TS 38.214
    clause 5.1.3.2 are not applied.

    Args:
        coded_bits: bits on the air, a multiple of ``num_bits_per_symbol``.
        code_rate: rate of the MCS, in (0, 1].
        num_bits_per_symbol: bits of a QAM symbol, 1 to 12.

    Raises:
        InputError: on sizes that do not fit together, or if not even 8 bits fit.

    >>> largest_payload(8192, 120 / 1024, 2), largest_payload(120000, 948 / 1024, 6)
    (944, 110688)
    """
    coded_bits, code_rate, num_bits_per_symbol = _channel(
        coded_bits, code_rate, num_bits_per_symbol
    )
    symbols = coded_bits // num_bits_per_symbol
    graph = choose_base_graph(_MOST_BITS, code_rate)
    limit, block_crc = MAX_INFO_BITS[graph], crc_bits(BLOCK_CRC)
    most_blocks = math.ceil(coded_bits * code_rate / (limit - block_crc))
    for blocks in range(most_blocks, 0, -1):
        most = min(_most_info(symbols // blocks * num_bits_per_symbol, code_rate), limit)
        bits = most if blocks == 1 else blocks * (most - block_crc)
        payload = bits - crc_bits("CRC24A")
        if payload > _MOST_SMALL_BITS and _num_blocks(bits, graph) == blocks:
            return payload
    payload = min(_most_info(coded_bits, code_rate) - crc_bits("CRC16"), _MOST_SMALL_BITS)
    if payload < 8:
        raise InputError(
            f"{coded_bits} coded bits at a code rate of {code_rate:.4g} leave {max(payload, 0)} "
            "payload bits after the CRC, fewer than 8: raise coded_bits or code_rate"
        )
    return payload


def _channel(coded_bits: int, code_rate: float, num_bits_per_symbol: int) -> tuple[int, float, int]:
    """What the air lets through, checked."""
    coded_bits = check_count("coded_bits", coded_bits, 1, _MOST_BITS)
    num_bits_per_symbol = check_count("num_bits_per_symbol", num_bits_per_symbol, 1, 12)
    if coded_bits % num_bits_per_symbol:
        raise InputError(
            f"coded_bits must be a multiple of num_bits_per_symbol = {num_bits_per_symbol}, got "
            f"{coded_bits}"
        )
    code_rate = check_number("code_rate", code_rate, 0, 1)
    if not code_rate:
        raise InputError("code_rate must be above 0")
    return coded_bits, code_rate, num_bits_per_symbol


def _num_blocks(bits: int, graph: str) -> int:
    """Code blocks for a payload with its CRC (TS 38.212 clause 5.2.2)."""
    limit = MAX_INFO_BITS[graph]
    return 1 if bits <= limit else math.ceil(bits / (limit - crc_bits(BLOCK_CRC)))


def _most_info(coded_bits: int, code_rate: float) -> int:
    """Most information bits for which their ratio to ``coded_bits`` is at most the code rate."""
    bits = math.floor(coded_bits * code_rate)
    return next(most for most in (bits + 1, bits, bits - 1) if most / coded_bits <= code_rate)
