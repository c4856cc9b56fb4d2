"""What a realisation of a link carries with an ideal code, and which rate to send at."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from semcom.modem.information import SNRS_DB, Array, bicm, mutual_information
from semcom.modem.quality import expected_gain_db

EPSILON = 1e-2
"""Block error rate of the normal approximation."""


def carried(
    noise_var: Array,
    bits_per_symbol: int | None = None,
    finite: bool = False,
    channel_uses: int | None = None,
) -> Array:
    """Bits per channel use that an ideal code carries over realisations of a link.

    The mean over the symbols of ``log2(1 + 1/noise_var)`` for Gaussian inputs, or of the BICM
    information of a QAM. A code of finite length that fails in 1 % of cases carries
    ``sqrt(V/n) Q^-1(0.01) - log2(n) / (2n)`` less: the normal approximation (Polyanskiy, Poor,
    Verdú, IEEE Trans. Inf. Theory 56(5), 2010, eq. 296), with V the mean dispersion of the symbols,
    ``(1 - (1 + snr)^-2) log2(e)^2`` for Gaussian inputs (ibid., theorem 54, both real dimensions).

    Args:
        noise_var: of each symbol of mean power 1, or of some, float64 ``[realisations, symbols]``.
        bits_per_symbol: 2, 4, 6 or 8 of a QAM; ``None`` for Gaussian inputs.
        finite: whether a code has the length n only, or any.
        channel_uses: n; by default as many as there are noise variances.

    Returns:
        float64 ``[realisations]``, at least 0.

    >>> noise_var = np.full((1, 4096), 0.1)
    >>> [carried(noise_var, 6, finite).round(3).tolist() for finite in (False, True)]
    [[3.169], [3.111]]
    """
    if bits_per_symbol is None:
        information = np.log2(1 + 1 / noise_var)
    else:
        snr_db = -10 * np.log10(noise_var)
        information = mutual_information(snr_db, bits_per_symbol)
    bits: Array = information.mean(1)
    if finite:
        if bits_per_symbol is None:
            dispersion = (1 - (1 + 1 / noise_var) ** -2) / np.log(2) ** 2
        else:
            dispersion = np.interp(snr_db, SNRS_DB, bicm(bits_per_symbol)[1])
        n = channel_uses or noise_var.shape[1]
        bits = bits - np.sqrt(dispersion.mean(1) / n) * norm.isf(EPSILON) + np.log2(n) / (2 * n)
    return np.maximum(bits, 0.0)


def outage_rate(
    rates: Array, channel_uses: int, pixels: int, smallest_bytes: int, header_bytes: int = 0
) -> tuple[float, float]:
    """The rate of the highest expected quality where a realisation carries it or nothing.

    Quality is counted as in :func:`semcom.modem.adaptation.choose_mcs`: in dB above a grey
    image, a lost one counting 0. If no realisation carries the coarsest image, that image's
    rate is taken.

    Args:
        rates: bits per channel use that equally likely realisations carry, ``[realisations]``.
        channel_uses: complex symbols of an image.
        pixels: pixels of an image.
        smallest_bytes: bytes that hold the coarsest image.
        header_bytes: bytes of a payload that say nothing about the image.

    Returns:
        The rate in bits per channel use, and its expected quality in dB.

    >>> outage_rate(np.array([0.1, 1.0, 1.1, 4.0]), 4096, 65536, 145)[0]
    1.0
    """
    ordered = np.sort(rates)
    enough = np.unique(ordered[ordered * channel_uses >= 8 * smallest_bytes])
    if not len(enough):
        return 8 * smallest_bytes / channel_uses, 0.0
    chances = 1 - np.searchsorted(ordered, enough) / len(ordered)
    worth = chances * [
        expected_gain_db(rate * channel_uses, pixels, header_bytes) for rate in enough
    ]
    best = int(np.argmax(worth))
    return float(enough[best]), float(worth[best])
