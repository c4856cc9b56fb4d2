"""How a session's channel uses are divided: the map of rates, and the cells' numbers."""

from __future__ import annotations

from channels import InputError
from semcom.modem.adaptation import awgn_success
from semcom.modem.mcs import mcs_table
from semcom.modem.transport import ModulatedBlock, smallest_block
from semcom.ntscc.rate_map import LEAST_BYTES

MCS_TABLE = 3
SHARE = 1 / 10
MARGIN_DB = 6.0
SURE = 0.999
_BITS_A_CELL = 3


def map_mcs(channel_uses: int, cells: int, snr_db: float) -> int | None:
    """Index of the fastest MCS with which the map arrives at 6 dB below the believed SNR.

    ``None`` if a tenth of the channel uses would not hold the smallest map: then none is sent, and
    all cells get the same rate.

    >>> map_mcs(4096, 256, 10.0), map_mcs(256, 64, -5.0)
    (15, None)
    """
    success = awgn_success(snr_db - MARGIN_DB)
    for mcs in reversed(mcs_table(MCS_TABLE)):
        block = map_block(channel_uses, cells, mcs.index)
        if block is not None and success(block) >= SURE:
            return mcs.index
    return None


def map_block(channel_uses: int, cells: int, mcs: int | None) -> ModulatedBlock | None:
    """The block that carries the map: a tenth of the channel uses, or what 3 bits a cell take.

    A function of the session alone, so that both ends agree on it.

    Raises:
        InputError: if there is no such MCS.

    >>> map_block(4096, 256, 15).channel_uses <= SHARE * 4096
    True
    """
    if mcs is None:
        return None
    table = mcs_table(MCS_TABLE)
    if not 0 <= mcs < len(table):
        raise InputError(f"the session's mcs is {mcs}, not one of table {MCS_TABLE}")
    most = smallest_block(LEAST_BYTES + cells * _BITS_A_CELL // 8, table[mcs])
    uses = int(SHARE * channel_uses)
    if most.channel_uses <= uses:
        return most
    try:
        block = ModulatedBlock(uses, table[mcs])
    except InputError:
        return None
    return block if block.payload_bits >= 8 * LEAST_BYTES else None
