"""One 5G LDPC code block with the repetition that Sionna's encoder lacks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from torch import Tensor

FIRST_ITERATIONS = 8
MAX_ITERATIONS = 40
_LOWEST_RATE_INVERSE = {"bg1": 3, "bg2": 5}
_CHUNK = 16


def mother_bits(info_bits: int, coded_bits: int, base_graph: str) -> int:
    """Coded bits that are sent once; the rest of ``coded_bits`` repeats them.

    >>> mother_bits(100, 2048, "bg2"), mother_bits(100, 400, "bg2")
    (500, 400)
    """
    return min(coded_bits, _LOWEST_RATE_INVERSE[base_graph] * info_bits)


class BlockCode:
    """Encoder and decoder of TS 38.212 clauses 5.3.2 and 5.4.2 for one size, on the CPU.

    Where the rate is below the lowest of Sionna's encoder (1/3 for base graph 1, 1/5 for 2), the
    block is coded at that rate and read cyclically, as the circular buffer of clause 5.4.2.1
    is; the receiver adds the log-likelihood ratios of each repeated bit. Bits are then
    interleaved over the modulation's bit positions (clause 5.4.2.2).

    The decoder is belief propagation (boxplus-phi, flooding). All blocks get 8 iterations; those
    that then fail their check go on, from where they stopped, to 40.

    Args:
        info_bits: information bits k, CRC included, 12 to 8448.
        coded_bits: coded bits, a multiple of ``bits_per_symbol``.
        bits_per_symbol: bits of a QAM symbol.
        base_graph: ``"bg1"`` or ``"bg2"``.

    >>> code = BlockCode(40, 400, 2, "bg2")
    >>> code.encode(torch.ones(3, 40)).shape
    torch.Size([3, 400])
    """

    def __init__(
        self, info_bits: int, coded_bits: int, bits_per_symbol: int, base_graph: str
    ) -> None:
        self._coded_bits = coded_bits
        self._bits_per_symbol = bits_per_symbol
        self._mother_bits = mother_bits(info_bits, coded_bits, base_graph)
        self._encoder = LDPC5GEncoder(
            info_bits, self._mother_bits, bg=base_graph, precision="single", device="cpu"
        )
        self._decoder = LDPC5GDecoder(
            self._encoder, return_state=True, precision="single", device="cpu"
        )

    def encode(self, bits: Tensor) -> Tensor:
        """Encode float ``[batch, info_bits]`` into float ``[batch, coded_bits]``."""
        mother = torch.cat([self._encoder(chunk) for chunk in torch.split(bits, _CHUNK)])
        place = torch.arange(self._coded_bits) % self._mother_bits
        columns = mother[:, place].reshape(len(bits), self._bits_per_symbol, -1)
        return columns.transpose(1, 2).reshape(len(bits), -1)

    def decode(self, llr: Tensor, check: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            llr: float ``[batch, coded_bits]``, log p(1)/p(0) of each coded bit.
            check: bits ``[n, info_bits]`` → bool ``[n]``, true where a block is right.

        Returns:
            Bits, float ``[batch, info_bits]``, and bool ``[batch]``: the check of each block.
        """
        rows = llr.reshape(len(llr), -1, self._bits_per_symbol).transpose(1, 2)
        rows = rows.reshape(len(llr), -1)
        short = -self._coded_bits % self._mother_bits
        rows = torch.nn.functional.pad(rows, (0, short))
        mother = rows.reshape(len(llr), -1, self._mother_bits).sum(1)
        decoded = [self._decode_chunk(chunk, check) for chunk in torch.split(mother, _CHUNK)]
        return torch.cat([bits for bits, _ in decoded]), torch.cat([right for _, right in decoded])

    def _decode_chunk(
        self, llr: Tensor, check: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        bits, messages = self._decoder(llr, num_iter=FIRST_ITERATIONS)
        right = check(bits)
        if not bool(right.all()):
            rest = ~right
            bits[rest], _ = self._decoder(
                llr[rest], num_iter=MAX_ITERATIONS - FIRST_ITERATIONS, msg_v2c=messages[rest]
            )
            right[rest] = check(bits[rest])
        return bits, right


@lru_cache(maxsize=32)
def block_code(info_bits: int, coded_bits: int, bits_per_symbol: int, base_graph: str) -> BlockCode:
    """The code of one size, built once and kept.

    >>> block_code(40, 400, 2, "bg2") is block_code(40, 400, 2, "bg2")
    True
    """
    return BlockCode(info_bits, coded_bits, bits_per_symbol, base_graph)
