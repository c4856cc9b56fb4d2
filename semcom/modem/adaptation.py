"""Which MCS a transmitter picks that knows its link's long-term statistics only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from channels import InputError, Link
from channels.renamed import renamed
from semcom.modem.awgn_bler import block_error_rate, code_block_error_rate
from semcom.modem.information import Array, effective_snr_db, mutual_information
from semcom.modem.mcs import MCSTable, mcs_table
from semcom.modem.quality import expected_gain_db
from semcom.modem.realisations import noise_variances, stride
from semcom.modem.transport import ModulatedBlock

_NEVER = 1e-3

SuccessProbability = Callable[[ModulatedBlock], float]
"""Block success probability of a block: 1 - BLER."""

SuccessProbabilities = Callable[[ModulatedBlock, int], Array]
"""The same in each realisation, of a block that starts at a symbol: float64 ``[realisations]``."""


def awgn_success(snr_db: float) -> SuccessProbability:
    """Success probability of a block over Gaussian noise of 10^(-snr_db / 10) a complex symbol.

    >>> awgn_success(20.0)(ModulatedBlock(512, mcs_table(1)[4]))
    1.0
    """
    return lambda block: 1 - float(block_error_rate(block, snr_db))


def link_success(link: Link, channel_uses: int, snr_db: float) -> SuccessProbability:
    """Success probability of a block over a link: the mean of :func:`link_success_probabilities`.

    >>> import channels
    >>> success = link_success(channels.link("rayleigh"), 512, 10.0)
    >>> 0.5 < success(ModulatedBlock(512, mcs_table(1)[4])) < 1
    True
    """
    chances = link_success_probabilities(link, channel_uses, snr_db)
    return lambda block: float(np.mean(chances(block, 0)))


def awgn_success_probabilities(snr_db: float) -> SuccessProbabilities:
    """The one realisation of Gaussian noise; see :func:`awgn_success`.

    >>> awgn_success_probabilities(20.0)(ModulatedBlock(512, mcs_table(1)[4]), 0)
    array([1.])
    """
    success = awgn_success(snr_db)
    return lambda block, start: np.array([success(block)])


def link_success_probabilities(
    link: Link, channel_uses: int, snr_db: float
) -> SuccessProbabilities:
    """Success probability of a block in each of some realisations of a link, drawn once and kept.

    Each realisation's symbols have their own noise variance. The mean mutual information over
    the symbols of a code block is mapped to the Gaussian channel that has the same (mutual
    information effective SNR mapping), on which the block's error rate is known. The draws have
    seeds of their own and are never those over which an image is sent. In one realisation the
    noise of two blocks is independent: both arrive with the product of their
    probabilities.

    >>> import channels
    >>> chances = link_success_probabilities(channels.link("rayleigh"), 512, 10.0)
    >>> chances(ModulatedBlock(256, mcs_table(1)[4]), 256).shape
    (200,)
    """
    noise_var, apart = noise_variances(link, channel_uses, round(snr_db, 1)), stride(channel_uses)
    snrs_db = -10 * np.log10(noise_var)

    @cache
    def informations(order: int) -> Array:
        return mutual_information(snrs_db, order)

    def chances(block: ModulatedBlock, start: int) -> Array:
        order = block.mcs.bits_per_symbol
        lengths = np.array(block.segmentation.block_coded_bits) // order
        ends = -(-(start + np.concatenate([[0], np.cumsum(lengths)])) // apart)
        information = informations(order)[:, : ends[-1]]
        first = ends[:-1].clip(max=information.shape[1] - 1)
        means = np.add.reduceat(information, first, axis=1) / np.diff(ends).clip(1)
        failing = code_block_error_rate(block, effective_snr_db(means, order))
        arriving: Array = np.prod(1 - failing, axis=1)
        return arriving

    return chances


def layered_gain_db(arriving: Array, following: Array, whole_db: float, base_db: float) -> float:
    """Expected gain of two layers that meet the same realisation, in which noise is independent.

    The probability of both times what both are worth, and that of the first alone times what it is
    worth; a lost first layer counts 0.

    Args:
        arriving: success probability of the first layer in each realisation, ``[realisations]``.
        following: the same of the second.
        whole_db: gain of both in dB.
        base_db: gain of the first in dB.

    >>> layered_gain_db(np.array([1.0, 1.0]), np.array([1.0, 0.0]), 20.0, 10.0)
    15.0
    """
    both = float(np.mean(arriving * following))
    return both * whole_db + (float(np.mean(arriving)) - both) * base_db


def choose_mcs(
    channel_uses: int,
    pixels: int,
    smallest_bytes: int,
    table: MCSTable,
    success: SuccessProbability,
    target_bler: float | None = None,
    header_bytes: int = 0,
    lost_db: float = 0.0,
) -> int:
    """The MCS of the highest expected image quality, or of the highest goodput.

    Quality is counted in dB above a grey image, by
    :func:`semcom.modem.quality.expected_gain_db`; a lost image counts ``lost_db``. With a target
    the payload times the chance to arrive counts, among the MCS whose error rate is within the
    target. Blocks too small for an image are left out. If none arrives at all, or none meets the
    target, the lowest rate that holds an image is taken.

    Args:
        channel_uses: complex symbols of an image.
        pixels: pixels of an image.
        smallest_bytes: bytes that hold the coarsest image.
        table: number of the MCS table, or ``"all"``.
        success: success probability of a block.
        target_bler: highest share of blocks that may be lost; ``None`` means the quality decides.
        header_bytes: bytes of a payload that say nothing about the image.
        lost_db: PSNR above that of a grey image, in dB, that a lost image still has.

    Returns:
        Index in the table.

    Raises:
        InputError: if not even the highest rate holds an image.

    >>> choose_mcs(4096, 65536, 66, 1, awgn_success(6.0))
    13
    """
    blocks = _blocks_that_hold(channel_uses, smallest_bytes, table)
    chances = np.array([success(block) for block in blocks])
    if target_bler is None:
        worth = chances * [
            max(expected_gain_db(block.payload_bits, pixels, header_bytes) - lost_db, 0.0)
            for block in blocks
        ]
    else:
        worth = chances * [block.payload_bits for block in blocks]
        worth[chances < 1 - target_bler] = 0.0
    best = int(np.argmax(worth))
    return blocks[best if worth[best] > _NEVER else 0].mcs.index


def _blocks_that_hold(channel_uses: int, num_bytes: int, table: MCSTable) -> list[ModulatedBlock]:
    """Transport blocks of at least ``num_bytes``, by rising payload."""
    blocks = []
    for mcs in mcs_table(table):
        try:
            block = ModulatedBlock(channel_uses, mcs)
        except InputError:
            continue
        if block.payload_bits >= 8 * num_bytes:
            blocks.append(block)
    if not blocks:
        raise InputError(
            f"{channel_uses} channel uses hold less than the {num_bytes} bytes of the coarsest "
            "image at any MCS: raise cbr"
        )
    return sorted(blocks, key=lambda block: block.payload_bits)


__getattr__ = renamed(
    __name__,
    Success="SuccessProbability",
    Chances="SuccessProbabilities",
    gaussian_success="awgn_success",
    gaussian_chances="awgn_success_probabilities",
    link_chances="link_success_probabilities",
)
