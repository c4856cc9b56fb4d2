"""What theory says of errors: uncoded QAM exactly, short codes at their best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from semcom.modem.normal_approximation import normal_snr_db
from semcom.modem.qam import amplitudes

Array = NDArray[np.float64]


def uncoded_ber(bits_per_symbol: int, snr_db: float | Sequence[float] | Array) -> Array:
    """Bit error rate of Gray-mapped QAM over Gaussian noise, decided bit by bit.

    Real and imaginary part are two amplitude modulations; every pair of a sent and a decided
    amplitude counts with its wrong bits (Cho, Yoon, IEEE Trans. Commun. 50(7), 2002, summed up
    rather than written out). Decisions are for the nearest amplitude.

    Args:
        bits_per_symbol: 2, 4, 6 or 8.
        snr_db: E_s/N_0 in dB.

    Returns:
        float64 of the shape of ``snr_db``.

    >>> [f"{rate:.4f}" for rate in uncoded_ber(2, [0.0, 6.0])]
    ['0.1587', '0.0230']
    """
    points, labels = (part.double().numpy() for part in amplitudes(bits_per_symbol))
    order = np.argsort(points)
    points, labels = points[order], labels[order]
    edges = np.concatenate([[-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]])
    deviation = np.sqrt(0.5 * 10 ** (-np.asarray(snr_db, dtype=np.float64) / 10))[..., None, None]
    above = norm.cdf((edges[1:] - points[:, None]) / deviation)
    below = norm.cdf((edges[:-1] - points[:, None]) / deviation)
    wrong = (labels[:, None] != labels).mean(-1)
    rates: Array = ((above - below) * wrong).sum((-1, -2)) / len(points)
    return rates


def rayleigh_ber(bits_per_symbol: int, snr_db: float | Sequence[float] | Array) -> Array:
    """The same over Rayleigh fading that the receiver knows: the mean over its power.

    Args:
        bits_per_symbol: 2, 4, 6 or 8.
        snr_db: average E_s/N_0 in dB.

    >>> [f"{rate:.4f}" for rate in rayleigh_ber(2, [0.0, 10.0])]
    ['0.2113', '0.0436']
    """
    quantiles = (np.arange(4000) + 0.5) / 4000
    power_db = 10 * np.log10(-np.log1p(-quantiles))
    snrs_db = np.asarray(snr_db, dtype=np.float64)[..., None] + power_db
    rates: Array = uncoded_ber(bits_per_symbol, snrs_db).mean(-1)
    return rates


def best_snr_db(info_bits: int, channel_uses: int, bits_per_symbol: int, bler: Array) -> Array:
    """E_s/N_0 in dB that the best code of this length needs over Gaussian noise.

    The normal approximation, see :func:`semcom.modem.normal_approximation.normal_snr_db`.

    >>> best_snr_db(512, 512, 2, np.array([0.01])).round(2).tolist()
    [0.89]
    """
    return normal_snr_db(info_bits, channel_uses, bits_per_symbol, bler)
