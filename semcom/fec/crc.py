"""The cyclic redundancy checks of 5G (TS 38.212 clause 5.1)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import check_name
from semcom.compiled import compiled
from semcom.fec.bits import Rows, like, not_bits, rows_of

# Powers of each generator polynomial, the highest first.
POLYNOMIALS = {
    "CRC24A": (24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0),
    "CRC24B": (24, 23, 6, 5, 1, 0),
    "CRC24C": (24, 23, 21, 20, 17, 15, 13, 12, 8, 4, 2, 1, 0),
    "CRC16": (16, 12, 5, 0),
    "CRC11": (11, 10, 9, 5, 0),
    "CRC6": (6, 5, 0),
}

# Multiplied by this, eight bytes of one bit each hold those bits in the highest byte, the first
# on top.
_TO_BYTE = np.uint64(0x8040201008040201)


def crc_bits(name: str) -> int:
    """Parity bits of a CRC.

    Args:
        name: ``"CRC24A"``, ``"CRC24B"``, ``"CRC24C"``, ``"CRC16"``, ``"CRC11"`` or ``"CRC6"``.

    Raises:
        InputError: on another name.

    >>> crc_bits("CRC16")
    16
    """
    return POLYNOMIALS[check_name("CRC", name, POLYNOMIALS)][0]


def attach(bits: Tensor, name: str) -> Tensor:
    """Append the parity bits of a CRC (TS 38.212 clause 5.1).

    Args:
        bits: ``[..., k]`` of 0 and 1, any real dtype.
        name: the CRC, as :func:`crc_bits` takes it.

    Returns:
        ``[..., k + crc_bits(name)]``, dtype and device of ``bits``.

    Raises:
        InputError: on an unknown CRC, without bits, or on values that are not bits.

    >>> attach(torch.tensor([1, 0, 1, 1]), "CRC6").tolist()
    [1, 0, 1, 1, 1, 0, 1, 1, 0, 1]
    """
    length = crc_bits(name)
    rows = rows_of(bits)
    attached = np.empty((rows.shape[0], rows.shape[1] + length), rows.dtype)
    attached[:, :-length] = rows
    parity = _remainders(rows, name)
    attached[:, -length:] = parity[:, None] >> np.arange(31, 31 - length, -1, dtype=np.uint32) & 1
    return like(attached, bits)


def check(bits: Tensor, name: str) -> Tensor:
    """Whether the last bits are the CRC of those before (TS 38.212 clause 5.1).

    Args:
        bits: ``[..., k + crc_bits(name)]`` of 0 and 1, any real dtype.
        name: the CRC, as :func:`crc_bits` takes it.

    Returns:
        bool ``[...]``, on the device of ``bits``.

    Raises:
        InputError: on an unknown CRC, on fewer bits than the CRC and one more, or on values that
            are not bits.

    >>> check(torch.tensor([[1, 1, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1, 1]]), "CRC6")
    tensor([ True, False])
    """
    length = crc_bits(name)
    rows = rows_of(bits)
    if rows.shape[1] <= length:
        raise InputError(
            f"bits must be more than the {length} of {name}, got {rows.shape[1]}: attach it first"
        )
    holds = torch.from_numpy(_remainders(rows, name) == 0)
    return holds.reshape(bits.shape[:-1]).to(bits.device)


def _remainders(rows: Rows, name: str) -> NDArray[np.uint32]:
    """Remainder of each row times x^length, uint32 ``[rows]``, its highest power in bit 31."""
    remainders = np.empty(len(rows), np.uint32)
    if not _divide(rows, _table(name), remainders):
        raise not_bits()
    return remainders


@cache
def _table(name: str) -> NDArray[np.uint32]:
    """Remainders after a further byte, uint32 ``[256]``."""
    length, *powers = POLYNOMIALS[name]
    generator = sum(1 << (32 - length + power) for power in powers)
    table = np.arange(256, dtype=np.uint32) << np.uint32(24)
    for _ in range(8):
        carry = table >> np.uint32(31)
        table = (table << np.uint32(1)) ^ carry * np.uint32(generator)
    return table


@compiled
def _divide(rows: Rows, table: NDArray[np.uint32], remainders: NDArray[np.uint32]) -> bool:
    """Divide each row by the generator, a byte at a time; false where a value is no bit.

    Zeros in front do not change a remainder, so they fill the first byte.
    """
    zero, one = rows.dtype.type(0), rows.dtype.type(1)
    width = rows.shape[1]
    aligned = np.zeros(-(-width // 8) * 8, np.uint8)
    last = aligned[aligned.size - width :]
    eights = aligned.view(np.uint64)
    strange = False
    for row in range(rows.shape[0]):
        for place in range(width):
            value = rows[row, place]
            strange |= (value != zero) & (value != one)
            last[place] = value == one
        remainder = np.uint32(0)
        for eight in eights:
            byte = np.uint32((eight * _TO_BYTE) >> np.uint64(56))
            index = np.uint32(remainder >> np.uint32(24)) ^ byte
            remainder = np.uint32(remainder << np.uint32(8)) ^ table[index]
        remainders[row] = remainder
    return not strange
