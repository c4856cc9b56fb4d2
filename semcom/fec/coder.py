"""What an encoder and a decoder of one code block have in common."""

from __future__ import annotations

from channels.errors import check_count
from semcom.fec.code import code_for
from semcom.fec.rate_matching import RateMatching


class BlockCoder:
    """Sizes of a code block and threads for a batch of them.

    Arguments are those of :class:`semcom.fec.LDPCEncoder`.

    Attributes:
        matching: the mother code and which of its bits are sent.
        num_threads: threads at most; ``None`` means as many as torch uses.

    >>> BlockCoder(512, 1024, None, None, 0, None).matching.num_rows
    10
    """

    def __init__(
        self,
        k: int,
        n: int,
        bg: str | None,
        num_bits_per_symbol: int | None,
        rv: int,
        num_threads: int | None,
    ) -> None:
        interleaved = 1 if num_bits_per_symbol is None else num_bits_per_symbol
        self.matching = RateMatching(code_for(k, n, bg), n, interleaved, rv)
        if num_threads is not None:
            num_threads = check_count("num_threads", num_threads, 1, 1024)
        self.num_threads = num_threads

    @property
    def k(self) -> int:
        """Information bits."""
        return self.matching.code.k

    @property
    def n(self) -> int:
        """Coded bits."""
        return self.matching.n
