"""How a session's channel uses are divided: header, analog base layer, digital part, analogue part.

A function of the session alone (and of the link's statistics, where they are known), so that both
ends agree on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from channels import InputError
from semcom.fec import largest_payload
from semcom.medjscc.header import BYTES, LENGTHS, Header
from semcom.medjscc.source.wavelet import BLOCK
from semcom.separate.adaptation import Success
from semcom.separate.mcs import MCS, mcs_table
from semcom.separate.quality import expected_gain_db
from semcom.separate.transport import TransportBlock

TABLE: Literal["all"] = "all"
SURE = 0.999
HEADER_SHARE = 1 / 12
_HEADER_SHARES = ((HEADER_SHARE, 0.99), (1 / 8, 0.99), (1 / 6, 0.0), (1 / 2, 0.0))
"""Shares of the channel uses that a header may take, with the least chance of one so short."""

_BASE_SHARE = 1 / 64
_BASE_DB = 6.0
_COARSEST = 2.0
_LEAST_BITS = 64
_SLOWER = 1.8
"""By how much fewer bits a channel use the header's MCS carries than the digital part's."""

_LESS_SURE = 0.005


@dataclass(frozen=True)
class Layout:
    """The parts of a transmission, one after another.

    Args:
        header: the block that holds the header.
        analog_base: channel uses of the coarse analogue image that needs no header.
        rest: channel uses of the digital and the analogue part together.
        mcs: modulation and code of the digital part.
        shortest: least length of a digital part that arrives as surely as a long one; only the
            transmitter knows it, and it decides nothing that both ends must agree on.
        chance: of the digital part to arrive, by what the transmitter knows.
        header_chance: the same of the header.
    """

    header: TransportBlock
    analog_base: int
    rest: int
    mcs: MCS
    shortest: int = field(default=0, compare=False)
    chance: float = field(default=1.0, compare=False)
    header_chance: float = field(default=1.0, compare=False)

    def digital_uses(self, length: int) -> int:
        """Channel uses of the digital part."""
        return self.rest * length // LENGTHS

    def digital_block(self, length: int) -> TransportBlock:
        """The digital part.

        Raises:
            InputError: if it is too short for a block.
        """
        return TransportBlock(self.digital_uses(length), self.mcs)

    def scale(self, header: Header, coefficients: int) -> float:
        """By how much the power constraint raises amplitudes where analogue symbols are silent."""
        analogue = self.rest - self.digital_uses(header.length)
        numbers = 0 if header.silent else min(2 * analogue, coefficients)
        total = self.header.channel_uses + self.analog_base + self.rest
        return math.sqrt(total / (total - analogue + numbers / 2))

    def capacity(self, length: int) -> int:
        """Bytes of the digital part; -1 if there is no block so short."""
        uses = self.digital_uses(length)
        order = self.mcs.bits_per_symbol
        try:
            bits = largest_payload(uses * order, self.mcs.code_rate, order)
        except InputError:
            return -1
        return bits // 8

    def fitting_length(self, num_bytes: int) -> int | None:
        """The least length of the digital part that holds so many bytes, as surely as a long one.

        ``None`` if none does.
        """
        if self.capacity(LENGTHS - 1) < num_bytes:
            return None
        low, high = self.shortest - 1, LENGTHS - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.capacity(middle) >= num_bytes else (middle, high)
        return high


def layout(
    channel_uses: int,
    header: Success,
    long_header: Success,
    digital: Success,
    worth: Callable[[float], float],
    mcs: int | None,
) -> Layout:
    """Divide a session's channel uses.

    Args:
        channel_uses: complex channel uses in all.
        header: chance of a block to arrive at the SNR that the header is made for.
        long_header: the same at the SNR that one of more than a twelfth of all is made for.
        digital: chance of a block to arrive at the SNR that the digital part is made for.
        worth: what a image gains in dB by a digital part of so many bits a channel use.
        mcs: index of the digital part's MCS if it is given.

    Raises:
        InputError: if the header does not fit, or the table has no such MCS.

    >>> from semcom.separate.adaptation import gaussian_success
    >>> success = gaussian_success(4.0)
    >>> headers = gaussian_success(-2.0), gaussian_success(1.0)
    >>> found = layout(4096, *headers, success, lambda bits: bits, None)
    >>> found.analog_base + found.header.channel_uses + found.rest
    4096
    """
    base = max(1, round(_BASE_SHARE * channel_uses))
    free = channel_uses - base
    table = mcs_table(TABLE)
    if mcs is not None:
        if mcs >= len(table):
            raise InputError(f"the session's mcs is {mcs}, not one of 0 to {len(table) - 1}")
        block = _header(free, header, long_header, table[mcs])
        return Layout(block, base, free - block.channel_uses, table[mcs])
    fastest = _header(free, header, long_header, table[-1])
    chosen = choose(free - fastest.channel_uses, digital, worth)
    block = _header(free, header, long_header, chosen)
    rest = free - block.channel_uses
    shortest, chance = _shortest(rest, chosen, digital)
    return Layout(block, base, rest, chosen, shortest, chance, digital(block))


def _shortest(rest: int, mcs: MCS, success: Success) -> tuple[int, float]:
    """The least length that arrives as surely as half of all, and how surely that is."""

    def chance(length: int) -> float:
        try:
            return success(TransportBlock(rest * length // LENGTHS, mcs))
        except InputError:
            return 0.0

    half = chance(LENGTHS // 2)
    enough = half - _LESS_SURE
    low, high = 0, LENGTHS // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= enough else (middle, high)
    return high, half


def choose(channel_uses: int, success: Success, worth: Callable[[float], float]) -> MCS:
    """The MCS of the greatest expected gain for a digital part of half the channel uses.

    The fastest if none gains anything.
    """
    gains = {}
    for mcs in mcs_table(TABLE):
        try:
            block = TransportBlock(max(channel_uses // 2, 1), mcs)
        except InputError:
            continue
        gain = worth(mcs.bits_per_use)
        gains[mcs] = gain if gain < 0 else success(block) * gain
    best = max(gains, key=lambda mcs: gains[mcs], default=None)
    return mcs_table(TABLE)[-1] if best is None or gains[best] <= 0 else best


def digital_gain_db(bits_per_use: float, channel_uses: int, snr_db: float, pixels: int) -> float:
    """What a digital part gains over the base layer alone, in dB; -1 if it could hold no image.

    An analogue part is reckoned as good as the channel's capacity, but only for as many bits again
    as the digital part has: so the two are as good as the harmonic mean of their rates.
    The analog base layer is reckoned 6 dB better than mid-grey, and the coarsest image at 2 bits a
    block and 64.

    >>> digital_gain_db(1.0, 4096, 6.0, 65536) < digital_gain_db(2.0, 4096, 6.0, 65536)
    True
    >>> digital_gain_db(0.1, 4096, 6.0, 65536 * 16)
    -1.0
    """
    if channel_uses * bits_per_use < _COARSEST * pixels / BLOCK**2 + _LEAST_BITS:
        return -1.0
    capacity = math.log2(1 + 10 ** (snr_db / 10))
    bits = channel_uses * 2 * bits_per_use * capacity / (bits_per_use + capacity)
    return max(expected_gain_db(bits, pixels) - _BASE_DB, 0.0)


def _header(
    channel_uses: int, success: Success, long_success: Success, digital: MCS
) -> TransportBlock:
    """The header's block.

    Of the MCS that are sure to arrive the fastest, but with at most 1/1.8 of the digital part's
    bits a channel use, since that one is chosen for the link. If that takes more than a twelfth of
    the channel uses, a faster MCS is taken, as long as it arrives with 0.99 where a long header
    must. Else it may take up to an eighth or a sixth, and up to half where not even the fastest is
    short enough.
    """
    table = mcs_table(TABLE)
    slow = [mcs for mcs in table if mcs.bits_per_use * _SLOWER <= digital.bits_per_use]
    for mcs in reversed(slow or table[:1]):
        found = smallest_block(BYTES, mcs)
        if success(found) >= SURE:
            break
    blocks = [smallest_block(BYTES, faster) for faster in table[mcs.index :]]
    for share, least in _HEADER_SHARES:
        fitting = [block for block in blocks if block.channel_uses <= share * channel_uses]
        if fitting and long_success(fitting[0]) >= least:
            return fitting[0]
    raise InputError(f"{channel_uses} channel uses hold no header of {BYTES} bytes: raise cbr")


def smallest_block(num_bytes: int, mcs: MCS) -> TransportBlock:
    """The block of fewest channel uses that holds so many bytes.

    >>> smallest_block(4, mcs_table(3)[14]).payload_bits >= 32
    True
    """
    order = mcs.bits_per_symbol
    uses = max(1, int(8 * num_bytes / mcs.bits_per_use))
    while True:
        try:
            if largest_payload(uses * order, mcs.code_rate, order) >= 8 * num_bytes:
                return TransportBlock(uses, mcs)
        except InputError:
            pass
        uses += max(1, uses // 64)
