"""The normal approximation: what the best short codes can do."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from semcom.modem.information import SNRS_DB, Array, bicm


def normal_snr_db(
    info_bits: int, channel_uses: float, bits_per_symbol: int, bler: float | Array
) -> Array:
    """E_s/N_0 in dB at which the best code of bit-interleaved QAM fails at a rate.

    Normal approximation with the half-logarithmic term (Polyanskiy, Poor, Verdú, IEEE Trans. Inf.
    Theory 56(5), 2010, eq. 296).

    Args:
        info_bits: information bits.
        channel_uses: QAM symbols.
        bits_per_symbol: 2, 4, 6 or 8.
        bler: block error rate in (0, 1), a number or an array.

    Returns:
        float64 of the shape of ``bler``.

    >>> round(float(normal_snr_db(512, 512, 2, 0.01)), 2)
    0.89
    """
    information, dispersion = bicm(bits_per_symbol)
    bits = channel_uses * information + 0.5 * np.log2(channel_uses)
    rows = bits - np.sqrt(channel_uses * dispersion) * norm.isf(np.asarray(bler))[..., None]
    failing = rows.shape[-1] - 1 - np.argmax((rows < info_bits)[..., ::-1], axis=-1)
    low, high = (
        np.take_along_axis(rows, place[..., None], axis=-1)[..., 0]
        for place in (failing, failing + 1)
    )
    share = (info_bits - low) / (high - low)
    snr_db: Array = SNRS_DB[failing] + share * (SNRS_DB[failing + 1] - SNRS_DB[failing])
    return snr_db
