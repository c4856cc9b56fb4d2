"""Arithmetic coding in exact integers: a message of a few dozen bits, less than two too many.

An interval of [0, 1) shrinks with each symbol to the share that its frequency has (Rissanen and
Langdon, IBM Journal of Research and Development 23 (2), 1979). Frequencies add up to a power of
two, so the ends are integers over a power of two that grows by as many bits with each symbol, and
nothing is ever rounded. What is sent is the shortest binary fraction all of whose continuations
lie in the interval: fewer than 2 bits over ``-log2`` of its length, and whatever follows the
message does not matter.

>>> class Skewed:
...     def __len__(self) -> int:
...         return 40
...
...     def after(self, before: list[int]) -> list[int]:
...         return [TOTAL - 96, 96]
>>> writer = BitWriter()
>>> write([0] * 39 + [1], Skewed(), writer)
>>> len(writer.bits()), round(ideal_bits([0] * 39 + [1], Skewed()), 1)
(8, 6.7)
>>> read(Skewed(), BitReader(writer.bits()))[-3:]
[0, 0, 1]
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from math import log2
from typing import Protocol

from channels import InputError
from semcom.generative.words.bits import BitReader, BitWriter

TOTAL_BITS = 12
"""log2 of what frequencies add up to."""

TOTAL = 1 << TOTAL_BITS
"""What the frequencies of a symbol add up to."""


class Frequencies(Protocol):
    """Of a sequence of symbols, each given those before it."""

    def __len__(self) -> int:
        """How many symbols there are."""

    def after(self, before: list[int]) -> list[int]:
        """Frequencies of the next symbol, from 1 on each, adding up to ``TOTAL``."""


def write(symbols: list[int], frequencies: Frequencies, writer: BitWriter) -> None:
    """Append symbols to a message.

    Args:
        symbols: one for each that ``frequencies`` has.
        frequencies: of the symbols.
        writer: of the message.
    """
    low, length = 0, 1
    for index, symbol in enumerate(symbols):
        low, length = _within(low, length, frequencies.after(symbols[:index]), symbol)
    writer.number(*_shortest(low, length, TOTAL_BITS * len(frequencies)))


def read(frequencies: Frequencies, reader: BitReader) -> list[int]:
    """Undo :func:`write`; the reader stands behind the symbols' bits then.

    Raises:
        InputError: if the message ends within them, or :func:`write` does not write them so.
    """
    precision = TOTAL_BITS * len(frequencies)
    value = reader.ahead(precision)
    low, length = 0, 1
    symbols: list[int] = []
    for index in range(len(frequencies)):
        shares = frequencies.after(symbols)
        rest = precision - TOTAL_BITS * (index + 1)
        at = ((value >> rest) - (low << TOTAL_BITS)) // length
        symbols.append(bisect_right(list(accumulate(shares)), at))
        low, length = _within(low, length, shares, symbols[-1])
    fraction, width = _shortest(low, length, precision)
    if reader.number(width) != fraction:
        raise InputError("the bits stand for no caption: they are damaged")
    return symbols


def ideal_bits(symbols: list[int], frequencies: Frequencies) -> float:
    """What symbols cost in the model, ``-log2`` of their probability, in bits.

    >>> class Even:
    ...     def __len__(self) -> int:
    ...         return 3
    ...
    ...     def after(self, before: list[int]) -> list[int]:
    ...         return [TOTAL // 2, TOTAL // 2]
    >>> ideal_bits([0, 1, 1], Even())
    3.0
    """
    return sum(
        TOTAL_BITS - log2(frequencies.after(symbols[:index])[symbol])
        for index, symbol in enumerate(symbols)
    )


def _within(low: int, length: int, shares: list[int], symbol: int) -> tuple[int, int]:
    """The part of an interval that a symbol has, in units that are ``TOTAL`` times as small."""
    return (low << TOTAL_BITS) + length * sum(shares[:symbol]), length * shares[symbol]


def _shortest(low: int, length: int, precision: int) -> tuple[int, int]:
    """The shortest binary fraction all of whose continuations lie in [low, low + length).

    Args:
        low: lower end, in units of ``2^-precision``.
        length: of the interval, in the same units.
        precision: binary digits of the ends.

    Returns:
        The fraction's digits as a number, and how many they are.
    """
    width = precision - length.bit_length() + 1
    while True:
        step = 1 << (precision - width)
        first = -(-low // step)
        if (first + 1) * step <= low + length:
            return first, width
        width += 1
