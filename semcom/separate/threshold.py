"""The E_s/N_0 that a transport block needs with this library's LDPC decoder."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.stats import norm

from semcom.separate.information import SNR_GRID_DB, bicm
from semcom.separate.ldpc import mother_bits
from semcom.separate.transport import TransportBlock

TARGET_BLER = 0.01


def decoder_loss_db(info_bits: int) -> float:
    """What the LDPC code and its decoder lose to the normal approximation, in dB.

    A line through measured block error rates, 8 + 32 flooding iterations, 240 to 8000 bits.

    >>> round(decoder_loss_db(1600), 2)
    0.8
    """
    return float(0.7 + 4 / np.sqrt(info_bits))


@lru_cache(maxsize=4096)
def required_snr_db(block: TransportBlock) -> float:
    """E_s/N_0 in dB at which about one transport block in a hundred fails over Gaussian noise.

    The normal approximation (Polyanskiy, Poor, Verdú 2010, eq. 296) of bit-interleaved QAM for
    the shortest code block at its share of 1 % block errors, plus
    :func:`decoder_loss_db`. A repeated code gains the repetition factor in SNR and no more.

    >>> from semcom.separate.mcs import mcs_table
    >>> 3.0 < required_snr_db(TransportBlock(4096, mcs_table(1)[9])) < 3.6
    True
    """
    sizes = block.segmentation
    order = block.mcs.bits_per_symbol
    coded_bits = min(sizes.coded_bits)
    sent_once = mother_bits(sizes.info_bits, coded_bits, sizes.base_graph)
    uses = sent_once / order
    information, dispersion = bicm(order)
    bits = uses * information + 0.5 * np.log2(uses)
    bits -= np.sqrt(uses * dispersion) * norm.isf(TARGET_BLER / sizes.num_blocks)
    failing = int(np.flatnonzero(bits < sizes.info_bits)[-1])
    edge = slice(failing, failing + 2)
    single = float(np.interp(sizes.info_bits, bits[edge], SNR_GRID_DB[edge]))
    return single - 10 * float(np.log10(coded_bits / sent_once)) + decoder_loss_db(sizes.info_bits)
