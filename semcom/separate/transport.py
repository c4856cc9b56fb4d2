"""A 5G transport block: CRC, segmentation, LDPC, scrambling and QAM over given channel uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from sionna.phy.fec.crc import CRCDecoder, CRCEncoder
from sionna.phy.mapping import Demapper, Mapper
from sionna.phy.nr.utils import generate_prng_seq
from torch import Tensor

from channels import InputError
from semcom.separate.ldpc import BlockCode, block_code
from semcom.separate.mcs import MCS
from semcom.separate.segmentation import Segmentation, segment

_SCRAMBLING_SEED = 1 << 15
_NOISE_LIMITS = (1e-6, 1e6)
_CHUNK = 16


@dataclass(frozen=True)
class TransportBlock:
    """Carries exactly ``payload_bits`` bits over exactly ``channel_uses`` QAM symbols.

    The chain of TS 38.212 clause 7.2 and TS 38.211 clause 7.3.1: CRC24A, segmentation with
    CRC24B per code block where there are several, LDPC with rate matching, bit interleaving,
    scrambling (Gold sequence, RNTI 1, cell 0) and Gray-mapped QAM; one layer, redundancy version 0.
    It runs on the CPU.

    Args:
        channel_uses: complex symbols.
        mcs: modulation and code rate.

    Raises:
        InputError: if not one payload byte fits.

    >>> block = TransportBlock(512, MCS(4, 2, 308 / 1024))
    >>> block.payload_bits
    284
    >>> bits = torch.randint(0, 2, (2, 284)).float()
    >>> symbols = block.encode(bits)
    >>> decoded, ok = block.decode(symbols, torch.full((2, 512), 0.1))
    >>> bool((decoded == bits).all()), ok.tolist()
    (True, [True, True])
    """

    channel_uses: int
    mcs: MCS

    def __post_init__(self) -> None:
        segment(self.channel_uses, self.mcs)

    @property
    def segmentation(self) -> Segmentation:
        """Sizes of the code blocks."""
        return segment(self.channel_uses, self.mcs)

    @property
    def payload_bits(self) -> int:
        """Bits that the block carries, without any CRC."""
        return self.segmentation.payload_bits

    def encode(self, bits: Tensor) -> Tensor:
        """Encode bits, float ``[batch, payload_bits]``, into complex64 ``[batch, channel_uses]``.

        The symbols have unit power on average over the constellation.

        Raises:
            InputError: if the number of bits does not fit.
        """
        if bits.ndim != 2 or bits.shape[1] != self.payload_bits:
            raise InputError(f"bits must be [batch, {self.payload_bits}], got {list(bits.shape)}")
        sizes = self.segmentation
        bits = bits.to("cpu", torch.float32)
        with_crc = _crc("CRC24A", self.payload_bits)[0](bits)
        blocks = with_crc.reshape(len(bits), sizes.num_blocks, -1)
        if sizes.num_blocks > 1:
            blocks = _crc("CRC24B", blocks.shape[2])[0](blocks)
        coded = [torch.empty(0)] * sizes.num_blocks
        for coded_bits, places in self._by_length():
            code = self._code(coded_bits)
            block_bits = code.encode(blocks[:, places].flatten(0, 1))
            for place, column in zip(
                places, block_bits.reshape(len(bits), len(places), -1).unbind(1), strict=True
            ):
                coded[place] = column
        stream = torch.cat(coded, 1)
        scrambled = (stream - _gold(stream.shape[1])).abs()
        symbols: Tensor = _mapping(self.mcs.bits_per_symbol)[0](scrambled)
        return symbols

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
            parts = [
                self._decode_chunk(*chunk)
                for chunk in zip(
                    torch.split(symbols.detach().cpu(), _CHUNK),
                    torch.split(noise_var.detach().cpu(), _CHUNK),
                    strict=True,
                )
            ]
        return torch.cat([bits for bits, _ in parts]), torch.cat([ok for _, ok in parts])

    def _decode_chunk(self, symbols: Tensor, noise_var: Tensor) -> tuple[Tensor, Tensor]:
        llr = soft_bits(symbols, noise_var, self.mcs.bits_per_symbol)
        llr = llr * (1 - 2 * _gold(llr.shape[1]))
        sizes = self.segmentation
        columns = torch.split(llr, list(sizes.coded_bits), 1)
        blocks = torch.empty(len(symbols), sizes.num_blocks, sizes.info_bits)
        ok = torch.ones(len(symbols), dtype=torch.bool)
        name = "CRC24B" if sizes.num_blocks > 1 else "CRC24A"
        crc = _crc(name, sizes.info_bits - 24)[1]
        for coded_bits, places in self._by_length():
            stacked = torch.stack([columns[place] for place in places], 1).flatten(0, 1)
            bits, right = self._code(coded_bits).decode(stacked, lambda b: crc(b)[1][:, 0])
            blocks[:, places] = bits.reshape(len(symbols), len(places), -1)
            ok &= right.reshape(len(symbols), -1).all(1)
        kept = blocks[..., : sizes.info_bits - sizes.block_crc_bits].flatten(1)
        payload, whole = _crc("CRC24A", self.payload_bits)[1](kept)
        return payload, ok & whole[:, 0]

    def _by_length(self) -> list[tuple[int, list[int]]]:
        """Code blocks of equal length, which share a code: coded bits and positions."""
        lengths = self.segmentation.coded_bits
        return [
            (length, [place for place, other in enumerate(lengths) if other == length])
            for length in sorted(set(lengths))
        ]

    def _code(self, coded_bits: int) -> BlockCode:
        sizes = self.segmentation
        return block_code(sizes.info_bits, coded_bits, self.mcs.bits_per_symbol, sizes.base_graph)


def soft_bits(symbols: Tensor, noise_var: Tensor, bits_per_symbol: int) -> Tensor:
    """Exact log-likelihood ratios log p(1)/p(0) of Gray-mapped QAM (TS 38.211 clause 5.1).

    Args:
        symbols: complex64 ``[batch, K]``.
        noise_var: float32 ``[batch, K]``, per complex symbol; held within 1e-6 and 1e6.
        bits_per_symbol: 2, 4, 6 or 8.

    Returns:
        float32 ``[batch, K * bits_per_symbol]``.

    >>> soft_bits(torch.tensor([[1 + 1j]]) / 2**0.5, torch.tensor([[0.5]]), 2)
    tensor([[-4.0000, -4.0000]])
    """
    demapper = _mapping(bits_per_symbol)[1]
    llr: Tensor = demapper(symbols, noise_var.clamp(*_NOISE_LIMITS))
    return llr


@lru_cache(maxsize=8)
def _mapping(bits_per_symbol: int) -> tuple[Mapper, Demapper]:
    options = {"precision": "single", "device": "cpu"}
    mapper = Mapper("qam", bits_per_symbol, **options)
    return mapper, Demapper("app", "qam", bits_per_symbol, **options)


@lru_cache(maxsize=128)
def _crc(name: str, num_bits: int) -> tuple[CRCEncoder, CRCDecoder]:
    """CRC attached to and checked on ``num_bits`` bits (TS 38.212 clause 5.1)."""
    encoder = CRCEncoder(name, k=num_bits, precision="single", device="cpu")
    decoder = CRCDecoder(encoder, precision="single", device="cpu")
    decoder(encoder(torch.zeros(1, num_bits)))
    return encoder, decoder


@lru_cache(maxsize=64)
def _gold(num_bits: int) -> Tensor:
    """Scrambling sequence of TS 38.211 clause 7.3.1.1, float ``[num_bits]``."""
    return torch.as_tensor(generate_prng_seq(num_bits, _SCRAMBLING_SEED), dtype=torch.float32)
