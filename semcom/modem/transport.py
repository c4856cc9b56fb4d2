"""A 5G transport block as QAM symbols over given channel uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from channels import InputError
from channels.cached import cached
from channels.errors import keep_count
from channels.renamed import renamed
from channels.surroundings import undisturbed
from semcom import fec
from semcom.modem.mcs import MCS
from semcom.modem.qam import soft_bits, symbols_of

NUM_ITER = 50
DECODER = f"layered A-min*, int16, {NUM_ITER} iterations at most"
_SCRAMBLING_SEED = 1 << 15
_CHUNK = 16


@dataclass(frozen=True)
class ModulatedBlock:
    """Carries exactly ``payload_bits`` bits over exactly ``channel_uses`` QAM symbols.

    The chain of TS 38.212 clause 7.2 and TS 38.211 clause 7.3.1: CRC, segmentation, LDPC with rate
    matching and bit interleaving (:class:`semcom.fec.TransportBlock`), scrambling (Gold sequence,
    RNTI 1, cell 0) and Gray-mapped QAM; one layer, redundancy version 0. The payload is the
    largest whose code blocks, CRCs included, have at most the code rate of the MCS. The decoder
    does up to 50 layered A-min* iterations in int16. It runs on the CPU.

    Args:
        channel_uses: complex symbols.
        mcs: modulation and code rate.

    Raises:
        InputError: if not one payload byte fits.

    >>> block = ModulatedBlock(512, MCS(4, 2, 308 / 1024))
    >>> block.payload_bits
    292
    >>> bits = torch.randint(0, 2, (2, 292)).float()
    >>> symbols = block.encode(bits)
    >>> decoded, ok = block.decode(symbols, torch.full((2, 512), 0.1))
    >>> bool((decoded == bits).all()), ok.tolist()
    (True, [True, True])
    """

    channel_uses: int
    mcs: MCS

    def __post_init__(self) -> None:
        keep_count(self, "channel_uses", 1, 2**31 - 1)
        _sizes(self.channel_uses, self.mcs)

    @property
    def segmentation(self) -> fec.Segmentation:
        """Sizes of the code blocks."""
        return _sizes(self.channel_uses, self.mcs)

    @property
    def payload_bits(self) -> int:
        """Bits that the block carries, without any CRC."""
        return self.segmentation.payload_bits

    @undisturbed()
    def encode(self, bits: Tensor) -> Tensor:
        """Encode bits, float ``[batch, payload_bits]``, into complex64 ``[batch, channel_uses]``.

        The symbols have unit power on average over the constellation.

        Raises:
            InputError: if the number of bits does not fit.
        """
        stream = _code(self.channel_uses, self.mcs).encode(bits.to("cpu", torch.float32))
        scrambled = (stream - _gold(stream.shape[1])).abs()
        return symbols_of(scrambled, self.mcs.bits_per_symbol)

    @undisturbed()
    def decode(self, symbols: Tensor, noise_var: Tensor) -> tuple[Tensor, Tensor]:
        """Decode received symbols.

        Args:
            symbols: complex64 ``[batch, channel_uses]``, equalised.
            noise_var: float32 of the same shape, the error variance of each symbol.

        Returns:
            Bits, float32 ``[batch, payload_bits]``, and bool ``[batch]``: true where every CRC
            holds. Both on the CPU.

        Raises:
            InputError: if a shape does not fit.
        """
        expected = (len(symbols), self.channel_uses)
        if tuple(symbols.shape) != expected or noise_var.shape != symbols.shape:
            raise InputError(
                f"symbols and noise_var must be [batch, {self.channel_uses}], "
                f"got {list(symbols.shape)} and {list(noise_var.shape)}"
            )
        with torch.inference_mode():
            parts = zip(
                torch.split(symbols.detach().cpu(), _CHUNK),
                torch.split(noise_var.detach().cpu(), _CHUNK),
                strict=True,
            )
            llr = torch.cat([soft_bits(*part, self.mcs.bits_per_symbol) for part in parts])
            llr *= 1 - 2 * _gold(llr.shape[1])
            bits, info = _code(self.channel_uses, self.mcs).decode(llr)
        return bits, info.ok


@lru_cache(maxsize=4096)
def _sizes(channel_uses: int, mcs: MCS) -> fec.Segmentation:
    """Sizes of a block's code blocks, found without building its code."""
    order = mcs.bits_per_symbol
    coded_bits = channel_uses * order
    try:
        payload_bits = fec.largest_payload(coded_bits, mcs.code_rate, order)
    except InputError as error:
        raise InputError(
            f"{channel_uses} channel uses at MCS {mcs.index} hold no payload byte beside its CRC: "
            "raise cbr or the MCS"
        ) from error
    return fec.Segmentation(payload_bits, coded_bits, mcs.code_rate, order)


def smallest_block(num_bytes: int, mcs: MCS) -> ModulatedBlock:
    """The block of fewest channel uses that holds so many bytes.

    >>> from semcom.modem.mcs import mcs_table
    >>> smallest_block(4, mcs_table(3)[14]).payload_bits >= 32
    True
    """
    order = mcs.bits_per_symbol
    uses = max(1, int(8 * num_bytes / mcs.bits_per_use))
    while True:
        try:
            if fec.largest_payload(uses * order, mcs.code_rate, order) >= 8 * num_bytes:
                return ModulatedBlock(uses, mcs)
        except InputError:
            pass
        uses += max(1, uses // 64)


@lru_cache(maxsize=64)
def _code(channel_uses: int, mcs: MCS) -> fec.TransportBlock:
    """The channel code of a block, built once and kept."""
    order, sizes = mcs.bits_per_symbol, _sizes(channel_uses, mcs)
    return fec.TransportBlock(
        sizes.payload_bits, sizes.coded_bits, mcs.code_rate, order, num_iter=NUM_ITER
    )


@cached(maxsize=64)
def _gold(num_bits: int) -> Tensor:
    """Scrambling sequence of TS 38.211 clause 7.3.1.1, float ``[num_bits]``."""
    from sionna.phy.nr.utils import generate_prng_seq

    return torch.as_tensor(generate_prng_seq(num_bits, _SCRAMBLING_SEED), dtype=torch.float32)


__getattr__ = renamed(__name__, TransportBlock="ModulatedBlock")
