"""The LDPC encoder of 5G with its rate matching, eight code words at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semcom.compiled import compiled
from semcom.fec.bits import Rows, like, not_bits, rows_of
from semcom.fec.coder import BlockCoder
from semcom.fec.parity import parity_equations
from semcom.fec.rate_matching import RateMatching
from semcom.fec.threads import over_batch

_LANES = 8


class LDPCEncoder(BlockCoder):
    """Encodes code blocks after TS 38.212 clauses 5.3.2 and 5.4.2.

    Eight code words are encoded at once, one in each bit of a byte, on the CPU.

    Args:
        k: information bits of a block, CRC included, 1 to 8448 (base graph 1) or 3840 (2).
        n: coded bits of a block, at least k. Below the mother code's rate bits are repeated.
        bg: ``"bg1"`` or ``"bg2"``; ``None`` chooses by clause 7.2.2.
        num_bits_per_symbol: bits of a QAM symbol, over whose positions coded bits are interleaved
            (clause 5.4.2.2); ``None`` leaves their order.
        rv: redundancy version, 0 to 3: where reading of the circular buffer starts.
        num_threads: threads at most; ``None`` means as many as torch uses.

    Attributes:
        matching: the mother code and which of its bits are sent, a
            :class:`~semcom.fec.rate_matching.RateMatching`.

    Raises:
        InputError: on sizes that 5G does not have.

    >>> import torch
    >>> encoder = LDPCEncoder(4000, 8000)
    >>> encoder(torch.ones(2, 3, 4000, dtype=torch.uint8)).shape
    torch.Size([2, 3, 8000])
    """

    def __init__(
        self,
        k: int,
        n: int,
        *,
        bg: str | None = None,
        num_bits_per_symbol: int | None = None,
        rv: int = 0,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(k, n, bg, num_bits_per_symbol, rv, num_threads)
        self._plan = _plan(self.matching)

    def __call__(self, bits: Tensor) -> Tensor:
        """Encode blocks.

        Args:
            bits: ``[..., k]`` of 0 and 1, any real dtype; uint8 is fastest, then float32.

        Returns:
            ``[..., n]``, dtype and device of ``bits``.

        Raises:
            InputError: on another length or on values that are not bits.
        """
        rows = rows_of(bits, self.k)
        coded = np.empty((len(rows), self.n), rows.dtype)
        right = []

        def encode(first: int, last: int) -> None:
            part = slice(first * _LANES, last * _LANES)
            right.append(_encode(rows[part], coded[part], *self._plan))

        over_batch(encode, -(-len(rows) // _LANES), self.num_threads)
        if not all(right):
            raise not_bits()
        return like(coded, bits)


class _Plan(NamedTuple):
    """What a compiled encoder follows, int64.

    Columns stand one after the other in its memory, each twice in a row: any rotation of a column
    is an unbroken run.

    Args:
        targets: place of each equation's target ``[equations]``.
        edges: the first of its terms, and the end of all ``[equations + 1]``.
        sources: place where the rotated column of each term starts ``[terms]``.
        places: place of each coded bit ``[n]``.
        size: Z.
    """

    targets: NDArray[np.int64]
    edges: NDArray[np.int64]
    sources: NDArray[np.int64]
    places: NDArray[np.int64]
    size: int


def _plan(matching: RateMatching) -> _Plan:
    size = matching.code.lifting_size
    equations = parity_equations(matching.code, matching.num_rows)
    places = matching.places
    return _Plan(
        np.array([2 * size * equation.target for equation in equations]),
        np.cumsum([0, *(len(equation.terms) for equation in equations)]),
        np.array([2 * size * c + shift for equation in equations for c, shift in equation.terms]),
        places + places // size * size,
        size,
    )


@compiled
def _encode(
    bits: Rows,
    coded: Rows,
    targets: NDArray[np.int64],
    edges: NDArray[np.int64],
    sources: NDArray[np.int64],
    places: NDArray[np.int64],
    size: int,
) -> bool:
    """Encode ``[batch, k]`` into ``[batch, n]``; false where a value is no bit."""
    columns = -(-bits.shape[1] // size)
    packed = np.zeros(columns * size, np.uint8)
    word = np.empty(targets.max() + 2 * size, np.uint8)
    sent = np.empty(len(places), np.uint8)
    right = True
    for first in range(0, len(bits), _LANES):
        lanes = min(_LANES, len(bits) - first)
        packed[:] = 0
        for lane in range(lanes):
            right &= _pack(bits[first + lane], packed, np.uint8(lane))
        for column in range(columns):
            place = 2 * size * column
            _copy(packed[size * column : size * (column + 1)], word[place : place + size])
            _copy(word[place : place + size], word[place + size : place + 2 * size])
        for equation, place in enumerate(targets):
            target = word[place : place + size]
            target[:] = 0
            for edge in range(edges[equation], edges[equation + 1]):
                _add(word[sources[edge] : sources[edge] + size], target)
            _copy(target, word[place + size : place + 2 * size])
        for index in range(len(places)):
            sent[index] = word[places[index]]
        for lane in range(lanes):
            _unpack(sent, coded[first + lane], np.uint8(lane))
    return right


@compiled
def _pack(bits: Rows, packed: NDArray[np.uint8], lane: np.uint8) -> bool:
    """Put a row into one bit of each byte; false where a value is no bit."""
    zero, one = bits.dtype.type(0), bits.dtype.type(1)
    strange = False
    for place in range(bits.size):
        value = bits[place]
        strange |= (value != zero) & (value != one)
        packed[place] |= np.uint8(np.uint8(value == one) << lane)
    return not strange


@compiled
def _unpack(packed: NDArray[np.uint8], bits: Rows, lane: np.uint8) -> None:
    for place in range(bits.size):
        bits[place] = np.uint8(np.uint8(packed[place] >> lane) & np.uint8(1))


@compiled
def _add(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    for place in range(target.size):
        target[place] ^= source[place]


@compiled
def _copy(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    for place in range(target.size):
        target[place] = source[place]
