"""A transport block: CRC, segmentation, LDPC and rate matching, from payload to coded bits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from channels import InputError
from channels.errors import shown
from semcom.fec.crc import attach, check
from semcom.fec.decoder import LDPCDecoder
from semcom.fec.encoder import LDPCEncoder
from semcom.fec.segmentation import BLOCK_CRC, Segmentation


@dataclass(frozen=True)
class TransportBlockInfo:
    """What a receiver knows about decoded transport blocks.

    Args:
        ok: bool ``[batch]``, true where every CRC holds and every bit is decided.
        block_ok: bool ``[batch, num_blocks]``, true where the CRC of the code block holds; where
            there is only one, that of the transport block. Never where soft bits leave a bit
            undecided: zeros have the CRC of zeros.
        num_iter: int32 ``[batch, num_blocks]``, iterations of the decoder.
    """

    ok: Tensor
    block_ok: Tensor
    num_iter: Tensor


class TransportBlock:
    """Carries payloads of any length over a given number of coded bits.

    The chain of TS 38.212 clauses 7.2.1 to 7.2.6 for one layer: CRC, segmentation with a CRC for
    each code block, LDPC, rate matching with bit interleaving, concatenation. No payload bit is
    ever dropped: see :class:`~semcom.fec.segmentation.Segmentation`.

    Args:
        payload_bits: A, bits to carry, at least 1.
        coded_bits: G, bits on the air, a multiple of ``num_bits_per_symbol``.
        code_rate: rate of the MCS, in (0, 1], by which the base graph is chosen.
        num_bits_per_symbol: bits of a QAM symbol, 1 to 12.
        rv: redundancy version, 0 to 3.
        num_threads: threads at most; ``None`` means as many as torch uses.
        **decoder_options: as :class:`~semcom.fec.decoder.LDPCDecoder` takes them, for example
            ``num_iter``.

    Attributes:
        segmentation: sizes of the code blocks.

    Raises:
        InputError: on sizes that do not fit together.

    >>> block = TransportBlock(20000, 40000, 0.5, 2)
    >>> payload = torch.randint(0, 2, (5, 20000), dtype=torch.uint8)
    >>> decoded, info = block.decode(8.0 * block.encode(payload) - 4)
    >>> bool((decoded == payload).all()), bool(info.ok.all()), info.block_ok.shape
    (True, True, torch.Size([5, 3]))
    """

    def __init__(
        self,
        payload_bits: int,
        coded_bits: int,
        code_rate: float,
        num_bits_per_symbol: int = 1,
        *,
        rv: int = 0,
        num_threads: int | None = None,
        **decoder_options: Any,
    ) -> None:
        sizes = Segmentation(payload_bits, coded_bits, code_rate, num_bits_per_symbol)
        self.segmentation = sizes
        options: dict[str, Any] = {
            "bg": sizes.base_graph,
            "num_bits_per_symbol": sizes.num_bits_per_symbol,
            "rv": rv,
            "num_threads": num_threads,
        }
        # Code blocks of equal length stand together: at most two lengths, each with its coder.
        self._blocks = Counter(sizes.block_coded_bits)
        self._encoders = [LDPCEncoder(sizes.info_bits, n, **options) for n in self._blocks]
        self._decoders = [
            LDPCDecoder(sizes.info_bits, n, return_info=True, **options, **decoder_options)
            for n in self._blocks
        ]

    def encode(self, bits: Tensor) -> Tensor:
        """Encode payloads.

        Args:
            bits: ``[batch, payload_bits]`` of 0 and 1, any real dtype.

        Returns:
            ``[batch, coded_bits]``, dtype and device of ``bits``.

        Raises:
            InputError: on another shape or on values that are not bits.
        """
        sizes = self.segmentation
        _check_shape("bits", bits, sizes.payload_bits)
        stream = torch.nn.functional.pad(attach(bits, sizes.crc), (0, sizes.padding_bits))
        width = sizes.info_bits - sizes.block_crc_bits
        blocks = stream.reshape(len(bits), sizes.num_blocks, width)
        if sizes.num_blocks > 1:
            blocks = attach(blocks, BLOCK_CRC)
        parts = torch.split(blocks, list(self._blocks.values()), 1)
        coded = [encoder(part) for encoder, part in zip(self._encoders, parts, strict=True)]
        return torch.cat([part.flatten(1) for part in coded], 1)

    def decode(self, llr: Tensor) -> tuple[Tensor, TransportBlockInfo]:
        """Decode payloads.

        Args:
            llr: float ``[batch, coded_bits]``, log p(1)/p(0) of each coded bit.

        Returns:
            Bits ``[batch, payload_bits]``, dtype of ``llr``, and which payloads are right.

        Raises:
            InputError: on another shape.
        """
        sizes = self.segmentation
        _check_shape("llr", llr, sizes.coded_bits)
        parts = torch.split(llr, [length * count for length, count in self._blocks.items()], 1)
        decoded = [
            decoder(part.reshape(len(llr), count, length))
            for decoder, part, (length, count) in zip(
                self._decoders, parts, self._blocks.items(), strict=True
            )
        ]
        blocks = torch.cat([bits for bits, _ in decoded], 1)
        stream = blocks[..., : sizes.info_bits - sizes.block_crc_bits].flatten(1)
        stream = stream[:, : stream.shape[1] - sizes.padding_bits]
        heard = torch.cat([info.decided for _, info in decoded], 1)
        ok = check(stream, sizes.crc)
        block_ok = check(blocks, BLOCK_CRC) if sizes.num_blocks > 1 else ok[:, None]
        block_ok = block_ok & heard
        num_iter = torch.cat([info.num_iter for _, info in decoded], 1)
        info = TransportBlockInfo(ok & block_ok.all(1), block_ok, num_iter)
        return stream[:, : sizes.payload_bits], info


def _check_shape(name: str, values: Tensor, width: int) -> None:
    if not isinstance(values, Tensor):
        raise InputError(f"{name} must be a Tensor, got {shown(values)}")
    if values.ndim != 2 or values.shape[1] != width:
        raise InputError(f"{name} must be [batch, {width}], got {list(values.shape)}")
