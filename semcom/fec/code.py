"""One 5G LDPC code: a base graph lifted to a number of information bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from channels import InputError
from channels.errors import check_count, check_name, keep_count
from semcom.fec.base_graph import LIFTING_SIZES, MAX_INFO_BITS, BaseGraph, Rows, base_graph


def choose_base_graph(info_bits: int, code_rate: float) -> str:
    """Base graph for a payload and a code rate (TS 38.212 clauses 6.2.2 and 7.2.2).

    Args:
        info_bits: payload bits, without CRC.
        code_rate: information bits per coded bit.

    >>> choose_base_graph(292, 0.9), choose_base_graph(3825, 0.5), choose_base_graph(9000, 0.2)
    ('bg2', 'bg1', 'bg2')
    """
    small = info_bits <= 292 or (info_bits <= 3824 and code_rate <= 0.67) or code_rate <= 0.25
    return "bg2" if small else "bg1"


@dataclass(frozen=True)
class LDPCCode:
    """The code block of TS 38.212 clauses 5.2.2 and 5.3.2 for ``k`` information bits.

    The mother code word is ``[information | filler zeros | parity]``. Its first two columns are
    never sent, filler bits neither.

    Args:
        k: information bits, CRC included, 1 to 8448 (base graph 1) or 3840 (base graph 2).
        bg: ``"bg1"`` or ``"bg2"``.

    Raises:
        InputError: on a size that the base graph does not have.

    >>> code = LDPCCode(4000, "bg1")
    >>> code.lifting_size, code.filler_bits, code.buffer_bits
    (192, 224, 12672)
    """

    k: int
    bg: str

    def __post_init__(self) -> None:
        keep_count(self, "k", 1, MAX_INFO_BITS[base_graph(self.bg).name])

    @property
    def graph(self) -> BaseGraph:
        """The base graph."""
        return base_graph(self.bg)

    @cached_property
    def lifting_size(self) -> int:
        """Z: the smallest that holds the information bits (TS 38.212 clause 5.2.2)."""
        columns = 22
        if self.bg == "bg2":
            columns = 10 if self.k > 640 else 9 if self.k > 560 else 8 if self.k > 192 else 6
        return next(size for size in LIFTING_SIZES if columns * size >= self.k)

    @property
    def filler_bits(self) -> int:
        """Zeros between information and parity bits."""
        return self.graph.num_info_columns * self.lifting_size - self.k

    @property
    def buffer_bits(self) -> int:
        """Length of the circular buffer, fillers included: 66 Z or 50 Z."""
        return (self.graph.num_columns - 2) * self.lifting_size

    @property
    def distinct_bits(self) -> int:
        """Bits that can be sent before any repeats.

        >>> LDPCCode(100, "bg2").distinct_bits
        820
        """
        sent = max(self.k - 2 * self.lifting_size, 0)
        return sent + self.graph.num_rows * self.lifting_size

    @cached_property
    def rows(self) -> Rows:
        """For each check row its columns and cyclic shifts."""
        return self.graph.rows(self.lifting_size)


def code_for(k: int, n: int, bg: str | None = None) -> LDPCCode:
    """The code for ``k`` information and ``n`` coded bits.

    Args:
        k: information bits, CRC included.
        n: coded bits.
        bg: base graph; ``None`` chooses by clause 7.2.2, and base graph 1 where 2 is too small.

    Raises:
        InputError: if no code has that many information bits or ``n`` is below ``k``.

    >>> code_for(512, 1024).bg, code_for(8448, 12672).bg
    ('bg2', 'bg1')
    """
    k = check_count("k", k, 1, MAX_INFO_BITS["bg1"])
    n = check_count("n", n, 1, 1 << 24)
    if n < k:
        raise InputError(f"n must be at least k = {k}, as a code rate above 1 has no decoder: {n}")
    if bg is not None:
        check_name("base graph", bg, MAX_INFO_BITS)
    else:
        bg = "bg1" if k > MAX_INFO_BITS["bg2"] else choose_base_graph(k, k / n)
    return LDPCCode(k, bg)
