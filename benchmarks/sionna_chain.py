"""Sionna's own coded chain over Gaussian noise, as :func:`sionna.phy.utils.sim_ber` calls it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sionna.phy.channel import AWGN
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.mapping import Constellation, Demapper, Mapper
from torch import Tensor

from scenarios.comparisons.bits.block_errors import Series


def sionna_chain(
    series: Series, snr_db: float, draws: torch.Generator
) -> Callable[[int, object], tuple[Tensor, Tensor]]:
    """Bits and what 50 iterations of boxplus-phi make of them, by batch size.

    Its mapper, noise and exact demapper; no CRC and no scrambling. Its code carries in as many
    coded bits what ours does, CRC included.
    """
    order = series.bits_per_symbol
    k, n = series.block.segmentation.info_bits, series.channel_uses * order
    encoder = LDPC5GEncoder(k, n, num_bits_per_symbol=order, device="cpu")
    decoder = LDPC5GDecoder(encoder, num_iter=50, hard_out=True, device="cpu")
    points = Constellation("qam", order, device="cpu")
    mapper, demapper = Mapper(constellation=points), Demapper("app", constellation=points)
    noise, variance = AWGN(device="cpu"), torch.tensor(10 ** (-snr_db / 10))

    def chain(batch_size: int, ebno_db: object) -> tuple[Tensor, Tensor]:
        bits = torch.randint(0, 2, (batch_size, k), generator=draws).float()
        return bits, decoder(demapper(noise(mapper(encoder(bits)), variance), variance))

    return chain
