"""Look-up tables of DICOM files, however their entries are packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from channels import InputError
from semcom.data.white import depth

_FULL = 0.9
"""Share of a depth that entries reach which use it; what a table maps to is to be shown."""


@dataclass(frozen=True, eq=False)
class LookUpTable:
    """What a value is replaced by.

    Args:
        entries: the new values, integers ``[n]``.
        first: the value that the first stands for; lower ones get it too, higher ones the last.
        bits: how many an entry has, as the table says.
    """

    entries: NDArray[np.int64]
    first: int
    bits: int

    def __call__(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Replace values, which may have fractions, one by one.

        >>> LookUpTable(np.array([0, 5, 9]), 10, 8)(np.array([3, 10.4, 11, 99])).tolist()
        [0, 0, 5, 9]
        """
        index = np.rint(values - self.first).astype(np.int64)
        replaced: NDArray[np.int64] = self.entries[np.clip(index, 0, len(self.entries) - 1)]
        return replaced

    def white(self) -> int:
        """The largest value of its depth: of the bits that it says, if its entries agree.

        Raises:
            InputError: if they do not, and no other depth is plain.

        >>> LookUpTable(np.array([0, 4095]), 0, 16).white()
        4095
        """
        brightest = int(self.entries.max())
        if 2**self.bits // 2 <= brightest < 2**self.bits:
            return int(2**self.bits - 1)
        filled = depth(brightest)
        if filled is not None and brightest >= _FULL * 2**filled:
            return int(2**filled - 1)
        raise InputError(
            f"has a look-up table whose values are not of the {self.bits} bits that it announces, "
            "so that white cannot be known: correct its descriptor, or export the image as shown"
        )


def look_up_table(item: Dataset, *, little: bool, signed: bool, prefix: str = "LUT") -> LookUpTable:
    """Read a table.

    Args:
        item: what holds its descriptor and data.
        little: whether the file's words have their low byte first.
        signed: whether the values that it replaces have a sign.
        prefix: of the names of its elements.

    Raises:
        InputError: if it holds fewer entries than it says.
    """
    descriptor = [int(number) & 0xFFFF for number in item[f"{prefix}Descriptor"].value]
    if len(descriptor) != 3:
        raise InputError("has a look-up table without a descriptor: export it again")
    length, first, bits = descriptor
    length = length or 2**16
    if signed and first >= 2**15:
        first -= 2**16
    entries = _entries(item[f"{prefix}Data"].value, length, bits, little)
    if len(entries) < length:
        raise InputError(
            f"has a look-up table of {len(entries)} entries where it announces {length}: "
            "export it again"
        )
    return LookUpTable(entries[:length], first, bits if 1 <= bits <= 16 else 16)


def _entries(data: Any, length: int, bits: int, little: bool) -> NDArray[np.int64]:
    """Entries of one word each, or two in a word, the low byte first."""
    if isinstance(data, bytes):
        data = data[: len(data) // 2 * 2] if len(data) > 1 else data + b"\0"
        words = np.frombuffer(data, "<u2" if little else ">u2").astype(np.int64)
    else:
        words = np.atleast_1d(np.array(data, np.int64)) & 0xFFFF
    if len(words) >= length or bits > 8:
        return words
    return np.stack([words & 255, words >> 8], axis=1).ravel()
