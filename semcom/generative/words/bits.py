"""Bits as they are written and read one after another."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from channels.errors import shown

Bits: TypeAlias = NDArray[np.uint8]
"""0 or 1 each, ``[n]``, uint8, the first sent first."""


class BitWriter:
    """Appends numbers and bytes to a message.

    >>> writer = BitWriter()
    >>> writer.number(5, 4)
    >>> writer.count(2)
    >>> writer.bits().tolist()
    [0, 1, 0, 1, 0, 1, 1]
    """

    def __init__(self) -> None:
        self._text = ""

    def number(self, value: int, width: int) -> None:
        """Append a number in [0, 2^width), most significant bit first."""
        self._text += f"{value:0{width}b}" if width else ""

    def count(self, value: int) -> None:
        """Append a number from 0 on as an Elias gamma code of one more.

        Elias, IEEE Transactions on Information Theory 21 (2), 1975.
        """
        width = (value + 1).bit_length()
        self.number(value + 1, 2 * width - 1)

    def data(self, data: bytes) -> None:
        """Append bytes."""
        self.number(int.from_bytes(data, "big"), 8 * len(data))

    def bits(self) -> Bits:
        """All that was appended."""
        return (np.frombuffer(self._text.encode(), np.uint8) - ord("0")).astype(np.uint8)


class BitReader:
    """Undoes :class:`BitWriter`.

    Args:
        bits: 0 or 1 each, ``[n]``; what follows a message may be anything.

    Raises:
        InputError: if they are no bits.

    >>> reader = BitReader(np.array([0, 1, 0, 1, 0, 1, 1], np.uint8))
    >>> reader.number(4), reader.count()
    (5, 2)
    """

    def __init__(self, bits: object) -> None:
        try:
            row = np.asarray(bits)
        except (TypeError, ValueError, RuntimeError):  # rows of different lengths, say
            row = np.array(None)
        if row.ndim != 1 or row.dtype.kind not in "biuf" or not np.isin(row, (0, 1)).all():
            raise InputError(f"bits must be a row of 0 and 1, got {shown(bits)}")
        self._text = "".join("1" if bit else "0" for bit in row)
        self._at = 0

    @property
    def left(self) -> int:
        """How many bits have not been read."""
        return len(self._text) - self._at

    def number(self, width: int) -> int:
        """The next bits as a number.

        Raises:
            InputError: if the message ends within it.
        """
        if width > self.left:
            raise InputError("the bits end within the message: they are damaged or cut off")
        end = self._at + width
        value = int(self._text[self._at : end], 2) if width else 0
        self._at = end
        return value

    def ahead(self, width: int) -> int:
        """The next bits as a number, which stay unread; zeros follow the last one."""
        text = self._text[self._at : self._at + width]
        return int(text.ljust(width, "0"), 2) if width else 0

    def count(self) -> int:
        """The next number from 0 on.

        Raises:
            InputError: if the message ends within it.
        """
        zeros = 0
        while self.number(1) == 0:
            zeros += 1
        return (1 << zeros) + self.number(zeros) - 1

    def data(self, length: int) -> bytes:
        """The next bytes.

        Raises:
            InputError: if the message ends within them.
        """
        return self.number(8 * length).to_bytes(length, "big")
