"""Which bits of a mother code word go on the air, and in which order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from channels.errors import keep_count
from semcom.fec.code import LDPCCode

# Start of each redundancy version in units of Z (TS 38.212 table 5.4.2.1-2, full buffer).
_STARTS = {"bg1": (0, 17, 33, 56), "bg2": (0, 13, 25, 43)}


@dataclass(frozen=True)
class RateMatching:
    """Bit selection and interleaving of TS 38.212 clause 5.4.2, with the full circular buffer.

    ``n`` bits are read off the buffer from where the redundancy version starts, fillers left out,
    round and round if there are not enough: that is repetition.

    Args:
        code: the mother code.
        n: coded bits to send, a multiple of ``num_bits_per_symbol``.
        num_bits_per_symbol: bits of a QAM symbol, over whose positions the bits are interleaved
            (clause 5.4.2.2); 1 leaves their order.
        rv: redundancy version, 0 to 3.

    Raises:
        InputError: on sizes that do not fit together.

    >>> RateMatching(LDPCCode(40, "bg2"), 6, num_bits_per_symbol=2).places.tolist()
    [14, 17, 15, 18, 16, 19]
    """

    code: LDPCCode
    n: int
    num_bits_per_symbol: int = 1
    rv: int = 0

    def __post_init__(self) -> None:
        keep_count(self, "num_bits_per_symbol", 1, 12)
        keep_count(self, "n", 1, 1 << 24)
        keep_count(self, "rv", 0, 3)
        if self.n % self.num_bits_per_symbol:
            raise InputError(
                f"n must be a multiple of num_bits_per_symbol = {self.num_bits_per_symbol}, got "
                f"{self.n}"
            )

    @cached_property
    def runs(self) -> NDArray[np.int64]:
        """Unbroken runs of selected bits, int64 ``[runs, 3]``, in the order of selection.

        Each is (place among the selected bits, place in the mother word, length).
        """
        code = self.code
        size = code.lifting_size
        start = _STARTS[code.bg][self.rv] * size + 2 * size
        end = code.buffer_bits + 2 * size
        parity = code.graph.num_info_columns * size
        pieces = [(2 * size, code.k), (parity, end)]
        around = [(max(a, start), b) for a, b in pieces if b > start]
        around += [(a, min(b, start)) for a, b in pieces if a < start]
        around = [(a, b) for a, b in around if b > a]
        runs, done = [], 0
        while done < self.n:
            for a, b in around:
                length = min(b - a, self.n - done)
                if length:
                    runs.append((done, a, length))
                done += length
        return np.array(runs, dtype=np.int64)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Place in the mother word of each coded bit in the order of sending, int64 ``[n]``."""
        selected = np.concatenate([np.arange(a, a + length) for _, a, length in self.runs])
        return selected.reshape(self.num_bits_per_symbol, -1).T.reshape(-1)

    @property
    def num_rows(self) -> int:
        """Check rows that a decoder needs: the four of the core, and those of parity sent."""
        code = self.code
        last = int((self.runs[:, 1] + self.runs[:, 2]).max())
        columns = math.ceil(last / code.lifting_size)
        return max(4, columns - code.graph.num_info_columns)
