"""How often a transport block fails over Gaussian noise with this library's LDPC decoder."""

from __future__ import annotations

import csv
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.stats import norm

from semcom.fec.code import LDPCCode, choose_base_graph
from semcom.modem.information import Array
from semcom.modem.normal_approximation import normal_snr_db
from semcom.modem.transport import ModulatedBlock

TARGET_BLER = 0.01
_ANCHORS: Array = norm.isf([0.5, 0.1, 0.01])
_DEVIATES: Array = np.linspace(-4, 4, 65)


def code_block_error_rate(block: ModulatedBlock, snr_db: float | Array) -> Array:
    """Share of a transport block's code blocks that fail over Gaussian noise.

    The shortest code block stands for all. It needs what the normal approximation says and, on
    top, what was measured of codes of its modulation, rate and length (``data/awgn_bler.csv``, made
    by ``benchmarks/awgn_bler.py``). Repetition gains its factor in SNR.

    Args:
        block: the transport block.
        snr_db: E_s/N_0 in dB, a number or an array.

    Returns:
        float64 of the shape of ``snr_db``.

    >>> from semcom.modem.mcs import mcs_table
    >>> block = ModulatedBlock(4096, mcs_table(1)[9])
    >>> code_block_error_rate(block, np.array([2.0, 5.0])).round(3).tolist()
    [1.0, 0.0]
    """
    needed = _snrs_db(block)
    deviates = np.interp(snr_db, needed, _DEVIATES, left=-np.inf, right=np.inf)
    share: Array = norm.sf(deviates)
    return share


def block_error_rate(block: ModulatedBlock, snr_db: float | Array) -> Array:
    """Share of transport blocks that fail over Gaussian noise.

    Arguments and result are those of :func:`code_block_error_rate`; code blocks fail independently.

    >>> from semcom.modem.mcs import mcs_table
    >>> float(block_error_rate(ModulatedBlock(4096, mcs_table(1)[9]), 20.0))
    0.0
    """
    share: Array = 1 - (1 - code_block_error_rate(block, snr_db)) ** block.segmentation.num_blocks
    return share


def required_snr_db(block: ModulatedBlock, bler: float = TARGET_BLER) -> float:
    """E_s/N_0 in dB at which a share of transport blocks fails over Gaussian noise.

    Args:
        block: the transport block.
        bler: that share, in (0, 1).

    >>> from semcom.modem.mcs import mcs_table
    >>> 2.5 < required_snr_db(ModulatedBlock(4096, mcs_table(1)[9])) < 3.6
    True
    """
    each = 1 - (1 - bler) ** (1 / block.segmentation.num_blocks)
    return float(np.interp(norm.isf(each), _DEVIATES, _snrs_db(block)))


@lru_cache(maxsize=4096)
def _snrs_db(block: ModulatedBlock) -> Array:
    """E_s/N_0 in dB at which a code block fails with the probabilities of ``_DEVIATES``."""
    sizes, order = block.segmentation, block.mcs.bits_per_symbol
    coded_bits, k = min(sizes.block_coded_bits), sizes.info_bits
    sent_once = min(coded_bits, LDPCCode(k, sizes.base_graph).distinct_bits)
    best = normal_snr_db(k, sent_once / order, order, norm.sf(_DEVIATES))
    loss = _loss(order)
    at = [
        np.clip(value, axis[0], axis[-1])
        for value, axis in zip((k / sent_once, np.log2(k)), loss.grid, strict=True)
    ]
    lost = np.interp(_DEVIATES, _ANCHORS, loss(at)[0])
    snrs_db = best + lost - 10 * np.log10(coded_bits / sent_once)
    return np.maximum.accumulate(snrs_db)


@cache
def _loss(bits_per_symbol: int) -> RegularGridInterpolator:
    """Loss to the normal approximation in dB at ``_ANCHORS``, over code rate and log2 k."""
    measured = _measured()[bits_per_symbol]
    rates = sorted({rate for rate, _ in measured})
    sizes = sorted({k for _, k in measured})
    losses_db = np.empty((len(rates), len(sizes), len(_ANCHORS)))
    for i, rate in enumerate(rates):
        for j, k in enumerate(sizes):
            # Long blocks of low rate are segmented, so the longest that there is stands for them.
            known = max(size for other, size in measured if other == rate and size <= k)
            losses_db[i, j] = measured[rate, known]
    return RegularGridInterpolator((rates, np.log2(sizes)), losses_db)


@cache
def _measured() -> dict[int, dict[tuple[float, int], Array]]:
    """Loss in dB at ``_ANCHORS`` of each measured code, by bits per symbol, rate and k."""
    points: dict[tuple[int, float, int, int], list[tuple[float, float, float]]] = {}
    with files("semcom.modem").joinpath("data", "awgn_bler.csv").open() as file:
        for row in csv.DictReader(file):
            code = (int(row["bits_per_symbol"]), float(row["rate_1024"]), int(row["k"]))
            counts = (float(row["snr_db"]), float(row["errors"]), float(row["blocks"]))
            points.setdefault((*code, int(row["n"])), []).append(counts)
    losses: dict[int, dict[tuple[float, int], Array]] = {}
    for (order, rate_1024, k, n), curve in points.items():
        losses.setdefault(order, {})[rate_1024 / 1024, k] = _fitted_loss(order, k, n, curve)
    return losses


def _fitted_loss(order: int, k: int, n: int, curve: list[tuple[float, float, float]]) -> Array:
    """Loss of one code, by a line through the normal deviates of its error rates."""
    snr_db, errors, blocks = np.array(curve).T
    sent_once = min(n, LDPCCode(k, choose_base_graph(k, k / n)).distinct_bits)
    share = (errors + 0.5) / (blocks + 1)
    slope, offset = np.polyfit(snr_db, norm.isf(share), 1, w=np.sqrt(errors + 1))
    reached = (_ANCHORS - offset) / slope + 10 * np.log10(n / sent_once)
    best = normal_snr_db(k, sent_once / order, order, norm.sf(_ANCHORS))
    return np.array(reached - best)
