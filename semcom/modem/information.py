"""What bit-interleaved QAM can carry over Gaussian noise, and what a short block loses of it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from semcom.modem.qam import amplitudes

Array = NDArray[np.float64]

SNRS_DB: Array = np.arange(-30.0, 50.01, 0.1)
_NODES = 48


@cache
def bicm(bits_per_symbol: int) -> tuple[Array, Array]:
    """Mutual information and dispersion of BICM over the grid ``SNRS_DB`` of E_s/N_0.

    Square Gray-mapped QAM (TS 38.211 clause 5.1) is two independent PAMs; the integral over the
    noise of each is a 48-point Gauss-Hermite sum. The dispersion is the variance of the summed
    information density of a symbol's bits, the V of the normal approximation (Polyanskiy, Poor,
    Verdú, IEEE Trans. Inf. Theory 56(5), 2010).

    Returns:
        bits per complex symbol, and bits squared per complex symbol.

    >>> information, _ = bicm(2)
    >>> float(np.interp(0.0, SNRS_DB, information).round(3))
    0.972
    """
    order = bits_per_symbol // 2
    points, labels = (part.double().numpy() for part in amplitudes(bits_per_symbol))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    information, dispersion = np.zeros_like(SNRS_DB), np.zeros_like(SNRS_DB)
    for place, snr_db in enumerate(SNRS_DB):
        deviation = np.sqrt(0.5 * 10 ** (-snr_db / 10))
        received = points[:, None] + deviation * nodes
        exponent = -((received[..., None] - points) ** 2) / (2 * deviation**2)
        exponent -= exponent.max(-1, keepdims=True)
        likelihood = np.exp(exponent)
        density = np.full(received.shape, float(order))
        for bit in range(order):
            same = labels[:, bit][:, None] == labels[:, bit]
            matching = np.einsum("xny,xy->xn", likelihood, same)
            density += np.log2(np.maximum(matching, 1e-300) / likelihood.sum(-1))
        mean = np.sum(density.mean(0) * weights)
        information[place] = 2 * mean
        dispersion[place] = 2 * np.sum(((density - mean) ** 2).mean(0) * weights)
    return information, dispersion


def mutual_information(snr_db: float | Array, bits_per_symbol: int) -> Array:
    """BICM mutual information in bits per complex symbol at an E_s/N_0 in dB.

    >>> mutual_information(np.array([-100.0, 100.0]), 6).round(2).tolist()
    [0.0, 6.0]
    """
    result: Array = np.interp(np.asarray(snr_db), SNRS_DB, bicm(bits_per_symbol)[0])
    return result


def effective_snr_db(information: float | Array, bits_per_symbol: int) -> Array:
    """The E_s/N_0 in dB of a Gaussian channel of this mutual information (MIESM).

    >>> float(effective_snr_db(mutual_information(3.0, 4), 4).round(3))
    3.0
    """
    rising, first = np.unique(bicm(bits_per_symbol)[0], return_index=True)
    result: Array = np.interp(np.asarray(information), rising, SNRS_DB[first])
    return result
