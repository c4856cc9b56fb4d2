"""How a session's channel uses are divided: header, analog base layer, digital part, analogue part.

A function of the session alone (and of the link's statistics, where they are known), so that both
ends agree on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from channels import InputError
from semcom.analogue import base_layer
from semcom.fec import largest_payload
from semcom.medjscc.header import BYTES, LENGTHS
from semcom.medjscc.source.wavelet import BLOCK
from semcom.modem.adaptation import SuccessProbabilities, SuccessProbability, layered_gain_db
from semcom.modem.mcs import MCS, mcs_table
from semcom.modem.quality import expected_gain_db
from semcom.modem.transport import ModulatedBlock, smallest_block

MCS_TABLE: Literal["all"] = "all"
SURE = 0.999
HEADER_SHARE = 1 / 12
_SAFE, _LIKELY = 0.99, 0.9
_LONG_HEADER, _LONGEST_HEADER = 1 / 6, 1 / 2
_HEADER_SHARES = ((HEADER_SHARE, _SAFE), (1 / 8, _SAFE), (_LONG_HEADER, _LIKELY))
"""Shares of the channel uses that a header may take, with the least chance of one so short."""

_LOW_RATE_DB = 4.0
_COARSEST = 0.3
_LEAST_BITS = 128
_SLOWER = 1.8
"""By how much fewer bits a channel use the header's MCS carries than the digital part's."""

_LESS_SURE = 0.005
_LAYER_SHARES = (1 / 32, 1 / 16, 1 / 8)
"""Shares of the channel uses of digital and analogue part that a first layer may take."""

_LAYERS_AHEAD_DB = 0.0
"""By how much two layers must be expected to be better than one."""


@dataclass(frozen=True)
class Layout:
    """The parts of a transmission, one after another.

    Args:
        header: the block that holds the header.
        analog_base: channel uses of the coarse analogue image that needs no header.
        base: the digital part's first layer under an MCS of its own; ``None`` if it has one layer.
        shared_uses: channel uses that digital part (without ``base``) and analogue part share.
        mcs: modulation and code of the digital part, without ``base``.
        code: what a session holds as its ``mcs``: which layers there are.
        shortest: least length of a digital part that arrives as surely as a long one; only the
            transmitter knows it, and it decides nothing that both ends must agree on.
        digital_success: that the digital part arrives, by what the transmitter knows.
        header_success: the same of the header.
    """

    header: ModulatedBlock
    analog_base: int
    base: ModulatedBlock | None
    shared_uses: int
    mcs: MCS
    code: int
    shortest: int = field(default=0, compare=False)
    digital_success: float = field(default=1.0, compare=False)
    header_success: float = field(default=1.0, compare=False)

    @property
    def base_uses(self) -> int:
        """Channel uses of the digital part's first layer."""
        return 0 if self.base is None else self.base.channel_uses

    @property
    def base_bytes(self) -> int:
        """Bytes that the first layer holds."""
        return 0 if self.base is None else self.base.payload_bits // 8

    @property
    def channel_uses(self) -> int:
        """All of them."""
        return self.header.channel_uses + self.analog_base + self.base_uses + self.shared_uses

    def digital_uses(self, length: int) -> int:
        """Channel uses of the digital part, without its first layer."""
        return self.shared_uses * length // LENGTHS

    def analogue_uses(self, length: int) -> int:
        """Channel uses of the analogue part, the last of all."""
        return self.shared_uses - self.digital_uses(length)

    def digital_block(self, length: int) -> ModulatedBlock | None:
        """The digital part without its first layer; ``None`` if it is too short for a block."""
        try:
            return ModulatedBlock(self.digital_uses(length), self.mcs)
        except InputError:
            return None

    def capacity(self, length: int) -> int:
        """Bytes of the digital part; -1 if there is no block so short."""
        if length == 0 and self.base is not None:
            return self.base_bytes
        uses, order = self.digital_uses(length), self.mcs.bits_per_symbol
        try:
            bits = largest_payload(uses * order, self.mcs.code_rate, order)
        except InputError:
            return -1
        return self.base_bytes + bits // 8

    def fitting_length(self, num_bytes: int) -> int | None:
        """The least length of the digital part that holds so many bytes, as surely as a long one.

        ``None`` if none does.
        """
        if self.base is not None and num_bytes <= self.base_bytes:
            return 0
        if self.capacity(LENGTHS - 1) < num_bytes:
            return None
        low, high = self.shortest - 1, LENGTHS - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.capacity(middle) >= num_bytes else (middle, high)
        return high


class HeaderSuccess(NamedTuple):
    """Probabilities that a block arrives over Gaussian noise, by the SNR that it is made for.

    Args:
        sure: at the believed SNR less the header's margin.
        long: less half of that, for a header of more than a twelfth of all channel uses.
        nominal: at the believed SNR.
    """

    sure: SuccessProbability
    long: SuccessProbability
    nominal: SuccessProbability


def lay_out(
    channel_uses: int,
    header: HeaderSuccess,
    digital: SuccessProbabilities,
    gain_db: Callable[[float], float],
    base_gain_db: Callable[[float], float],
    code: int | None,
) -> Layout:
    """Divide a session's channel uses.

    Args:
        channel_uses: complex channel uses in all.
        header: chances of a header to arrive.
        digital: chance of a block to arrive in each realisation of the link, at the SNR that the
            digital part is made for.
        gain_db: what an image gains in dB by a digital part of so many bits a channel use.
        base_gain_db: what it gains by so many bits of the first layer alone.
        code: :attr:`Layout.code` if it is given.

    Raises:
        InputError: if the header does not fit, or the code means nothing.

    >>> from semcom.modem.adaptation import awgn_success_probabilities, awgn_success
    >>> headers = HeaderSuccess(*(awgn_success(snr_db) for snr_db in (-2.0, 1.0, 4.0)))
    >>> chances = awgn_success_probabilities(4.0)
    >>> layout = lay_out(4096, headers, chances, lambda bits: bits, lambda bits: 0.0, None)
    >>> layout.analog_base + layout.header.channel_uses + layout.shared_uses
    4096
    """
    analog_base = base_layer.uses_of(channel_uses)
    free = channel_uses - analog_base
    table = mcs_table(MCS_TABLE)

    def divided(first: MCS | None, share: int, mcs: MCS) -> Layout:
        block = _header(free, header, first or mcs)
        base = _layer(free - block.channel_uses, share, first)
        shared_uses = free - block.channel_uses - (base.channel_uses if base else 0)
        return Layout(block, analog_base, base, shared_uses, mcs, _code(base, share, mcs))

    if code is not None:
        layers, index = divmod(code, len(table))
        share, base_index = divmod(layers - 1, len(table))
        if code < 0 or share >= len(_LAYER_SHARES):
            raise InputError(f"the session's mcs is {code}, which names no layers of this codec")
        return divided(table[base_index] if layers else None, share, table[index])

    def success(block: ModulatedBlock, start: int = 0) -> float:
        return float(digital(block, start).mean())

    fastest = _header(free, header, table[-1])
    chosen = choose(free - fastest.channel_uses, success, gain_db)
    spare = free - fastest.channel_uses
    first, share, chosen = choose_layers(spare, digital, gain_db, base_gain_db, chosen)
    layout = divided(first, share, chosen)
    shortest, success_probability = _shortest(layout.shared_uses, chosen, success)
    if layout.base is not None:
        success_probability = success(layout.base)
    return replace(
        layout,
        shortest=shortest,
        digital_success=success_probability,
        header_success=success(layout.header),
    )


def choose_layers(
    channel_uses: int,
    chances: SuccessProbabilities,
    gain_db: Callable[[float], float],
    base_gain_db: Callable[[float], float],
    single: MCS,
) -> tuple[MCS | None, int, MCS]:
    """Whether a first layer under a slower MCS is expected to gain, and which.

    A digital part of half the channel uses is looked at. Both layers meet the same realisation of
    the link; where only the first arrives, the image gains what that is worth.

    Args:
        channel_uses: of digital and analogue part.
        chances: chance of a block to arrive in each realisation.
        gain_db: gain in dB of a whole digital part, by its bits a channel use.
        base_gain_db: gain in dB of the first layer, by its bits.
        single: the best MCS of a digital part in one layer.

    Returns:
        MCS of the first layer (``None`` for one layer), index of its share, MCS of the rest.
    """
    half = max(channel_uses // 2, 1)
    try:
        alone = float(chances(ModulatedBlock(half, single), 0).mean()) * gain_db(
            single.bits_per_use
        )
    except InputError:
        return None, 0, single
    best = alone + _LAYERS_AHEAD_DB
    choice: tuple[MCS | None, int, MCS] = (None, 0, single)
    table = mcs_table(MCS_TABLE)
    for second in table[single.index : single.index + 7 : 2]:
        for first in table[: second.index : 2]:
            if not 1.5 <= second.bits_per_use / first.bits_per_use <= 8:
                continue
            for share in range(len(_LAYER_SHARES)):
                base = _layer(channel_uses, share, first)
                if base is None or half <= base.channel_uses:
                    continue
                try:
                    refinement = ModulatedBlock(half - base.channel_uses, second)
                except InputError:
                    continue
                arriving = chances(base, 0)
                bits = base.payload_bits + refinement.payload_bits
                gain = layered_gain_db(
                    arriving,
                    chances(refinement, base.channel_uses),
                    gain_db(bits / half),
                    base_gain_db(base.payload_bits),
                )
                if gain > best:
                    best, choice = gain, (first, share, second)
    return choice


def _code(base: ModulatedBlock | None, share: int, mcs: MCS) -> int:
    """The one number that names the MCS of both layers and the first one's share."""
    schemes = len(mcs_table(MCS_TABLE))
    return mcs.index + (0 if base is None else schemes * (1 + base.mcs.index + schemes * share))


def _layer(channel_uses: int, share: int, mcs: MCS | None) -> ModulatedBlock | None:
    """The first layer's block; ``None`` without an MCS, or if it would hold nothing."""
    if mcs is None:
        return None
    try:
        return ModulatedBlock(round(channel_uses * _LAYER_SHARES[share]), mcs)
    except InputError:
        return None


def _shortest(shared_uses: int, mcs: MCS, success: SuccessProbability) -> tuple[int, float]:
    """The least length that arrives as surely as half of all, and how surely that is."""

    def success_at(length: int) -> float:
        try:
            return success(ModulatedBlock(shared_uses * length // LENGTHS, mcs))
        except InputError:
            return 0.0

    half = success_at(LENGTHS // 2)
    enough = half - _LESS_SURE
    low, high = 0, LENGTHS // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if success_at(middle) >= enough else (middle, high)
    return high, half


def choose(
    channel_uses: int, success: SuccessProbability, gain_db: Callable[[float], float]
) -> MCS:
    """The MCS of the greatest expected gain for a digital part of half the channel uses.

    If none gains anything, the slowest that could hold an image, or else the fastest.
    """
    gains = {}
    for mcs in mcs_table(MCS_TABLE):
        try:
            block = ModulatedBlock(max(channel_uses // 2, 1), mcs)
        except InputError:
            continue
        gain = gain_db(mcs.bits_per_use)
        if gain >= 0:
            gains[mcs] = success(block) * gain
    best = max(gains, key=lambda mcs: gains[mcs], default=None)
    if best is None:
        return mcs_table(MCS_TABLE)[-1]
    return best if gains[best] > 0 else min(gains, key=lambda mcs: mcs.bits_per_use)


def digital_gain_db(bits_per_use: float, channel_uses: int, snr_db: float, pixels: int) -> float:
    """What a digital part gains over the base layer alone, in dB; -1 if it could hold no image.

    An analogue part is reckoned as good as the channel's capacity, but only for as many bits again
    as the digital part has: so the two are as good as the harmonic mean of their rates.
    The analog base layer is reckoned 6 dB better than mid-grey, and the coarsest image at 0.3
    bits a block and 128.

    >>> digital_gain_db(1.0, 4096, 6.0, 65536) < digital_gain_db(2.0, 4096, 6.0, 65536)
    True
    >>> digital_gain_db(0.1, 4096, 6.0, 65536 * 16)
    -1.0
    """
    if channel_uses * bits_per_use < _COARSEST * pixels / BLOCK**2 + _LEAST_BITS:
        return -1.0
    capacity = math.log2(1 + 10 ** (snr_db / 10))
    bits = channel_uses * 2 * bits_per_use * capacity / (bits_per_use + capacity)
    return max(expected_gain_db(bits, pixels) - base_layer.GAIN_DB, 0.0)


def first_layer_gain_db(bits: float, pixels: int) -> float:
    """What a first layer gains over the analog base layer alone, in dB.

    At the low rates of a first layer the codec's wavelet is 4 dB above the line of
    :func:`semcom.modem.quality.expected_gain_db`.

    >>> first_layer_gain_db(8192, 262144) > first_layer_gain_db(4096, 262144) > 0
    True
    """
    return max(expected_gain_db(bits, pixels) + _LOW_RATE_DB - base_layer.GAIN_DB, 0.0)


def _header(channel_uses: int, success: HeaderSuccess, digital: MCS) -> ModulatedBlock:
    """The header's block.

    Of the MCS that are sure to arrive the fastest, but with at most 1/1.8 of the digital part's
    bits a channel use, since that one is chosen for the link. If that takes more than a twelfth of
    the channel uses, a faster MCS is taken, as long as it arrives with 0.99 where a long header
    must. Else it may take up to an eighth or a sixth; or, still slower than the digital part, a
    sixth and be sure at the SNR itself. Else the fastest is taken that arrives with 0.9, or the
    slowest, that takes up to half.
    """
    table = mcs_table(MCS_TABLE)
    slow = [mcs for mcs in table if mcs.bits_per_use * _SLOWER <= digital.bits_per_use]
    for mcs in reversed(slow or table[:1]):
        block = smallest_block(BYTES, mcs)
        if success.sure(block) >= SURE:
            break
    blocks = [smallest_block(BYTES, faster) for faster in table[mcs.index :]]

    def within(share: float) -> list[ModulatedBlock]:
        return [block for block in blocks if block.channel_uses <= share * channel_uses]

    for share, least in _HEADER_SHARES:
        fitting = within(share)
        if fitting and success.long(fitting[0]) >= least:
            return fitting[0]
    for block in within(_LONG_HEADER):
        if block.mcs in slow and success.nominal(block) >= _SAFE:
            return block
    fitting = within(_LONGEST_HEADER)
    for block in reversed(fitting):
        if success.long(block) >= _LIKELY:
            return block
    if fitting:
        return fitting[0]
    raise InputError(f"{channel_uses} channel uses hold no header of {BYTES} bytes: raise cbr")
