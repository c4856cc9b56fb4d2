"""The modulation and coding schemes of 3GPP TS 38.214."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from channels import InputError
from channels.cached import cached
from channels.errors import check_count, shown

MCSTable: TypeAlias = int | Literal["all"]
"""1, 2 or 3, a PDSCH table of TS 38.214; ``"all"``: the schemes of all three."""

_SIZES = {1: 29, 2: 28, 3: 29}


@dataclass(frozen=True)
class MCS:
    """A modulation and coding scheme.

    Args:
        index: its index in the table.
        bits_per_symbol: 2, 4, 6 or 8 coded bits per QAM symbol.
        code_rate: information bits per coded bit.

    >>> MCS(9, 2, 679 / 1024).bits_per_use
    1.326171875
    """

    index: int
    bits_per_symbol: int
    code_rate: float

    @property
    def bits_per_use(self) -> float:
        """Information bits per complex channel use."""
        return self.bits_per_symbol * self.code_rate


def modulation_name(bits_per_symbol: int) -> str:
    """What the modulation of so many bits per symbol is called.

    >>> modulation_name(2), modulation_name(6)
    ('QPSK', '64-QAM')
    """
    return "QPSK" if bits_per_symbol == 2 else f"{2**bits_per_symbol}-QAM"


def check_table(number: object) -> MCSTable:
    """Return the number of an MCS table, or ``"all"``.

    >>> check_table(4)
    Traceback (most recent call last):
    channels.errors.InputError: mcs_table must be 1, 2, 3 or 'all', got 4
    """
    if isinstance(number, str) and number == "all":
        return "all"
    try:
        return check_count("mcs_table", number, 1, 3)
    except InputError:
        raise InputError(f"mcs_table must be 1, 2, 3 or 'all', got {shown(number)}") from None


def mcs_table(number: MCSTable = 1) -> tuple[MCS, ...]:
    """The schemes of a PDSCH table, TS 38.214 tables 5.1.3.1-1 (64-QAM), -2 (256-QAM), -3 (low SE).

    Args:
        number: 1, 2 or 3; ``"all"`` for the schemes of all three, each once, by rising rate and
            numbered in that order.

    Raises:
        InputError: on another number.

    >>> mcs_table(1)[4]
    MCS(index=4, bits_per_symbol=2, code_rate=0.30078125)
    >>> mcs_table(3)[0].code_rate * 1024
    30.0
    >>> len(mcs_table("all"))
    43
    """
    return _table(check_table(number))


def mcs_name(index: int, table: MCSTable = "all") -> str:
    """What labels call a scheme: its index in table 1 of TS 38.214, or ``"table:index"``.

    Args:
        index: where it stands, a session's ``mcs``, say.
        table: the table that ``index`` counts in, as a codec's ``mcs_table`` is.

    Raises:
        InputError: if the table has no such scheme.

    >>> mcs_name(19), mcs_name(42), mcs_name(0), mcs_name(4, table=2)
    ('13', '2:27', '3:0', '8')
    """
    for number in _SIZES:
        try:
            place = place_of(index, table, number)
        except InputError:
            if number == max(_SIZES):
                raise
            continue
        return str(place) if number == 1 else f"{number}:{place}"
    raise AssertionError("every scheme stands in a table")


@cached()
def _table(number: MCSTable) -> tuple[MCS, ...]:
    from sionna.phy.nr.utils import decode_mcs_index

    if isinstance(number, str):
        schemes = {(m.bits_per_symbol, m.code_rate) for n in _SIZES for m in mcs_table(n)}
        rising = sorted(schemes, key=lambda scheme: (scheme[0] * scheme[1], scheme[0]))
        return tuple(MCS(index, *scheme) for index, scheme in enumerate(rising))
    indices = torch.arange(_SIZES[number], dtype=torch.int32)
    bits, rates = decode_mcs_index(indices, table_index=number, is_pusch=False, device="cpu")
    return tuple(
        MCS(index, int(order), float(rate))
        for index, (order, rate) in enumerate(zip(bits, rates, strict=True))
    )


def place_of(index: int, number: MCSTable, table: MCSTable) -> int:
    """Where a scheme of one table stands in another.

    Args:
        index: of the scheme.
        number: the table that ``index`` counts in.
        table: the table that it is looked for in.

    Raises:
        InputError: if either has no such scheme.

    >>> place_of(13, 1, "all")
    19
    """
    number, table = check_table(number), check_table(table)
    known = mcs_table(number)
    wanted = known[check_count(f"mcs of table {number}", index, 0, len(known) - 1)]
    for mcs in mcs_table(table):
        if (mcs.bits_per_symbol, mcs.code_rate) == (wanted.bits_per_symbol, wanted.code_rate):
            return mcs.index
    raise InputError(
        f"MCS {index} of table {number} does not stand in table {table}: take mcs_table='all'"
    )
