"""Which two layers a transmitter sends, if two, that knows its link's statistics only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from channels import InputError
from semcom.modem.adaptation import SuccessProbabilities, choose_mcs, layered_gain_db
from semcom.modem.information import Array
from semcom.modem.mcs import MCSTable, mcs_table
from semcom.modem.quality import expected_gain_db
from semcom.modem.transport import ModulatedBlock
from semcom.separate.layers import PARTS, Layers, layers_code

LAYER_BYTES = 16
"""What the second layer's packet headers take, about."""


def choose_layers(
    channel_uses: int,
    pixels: int,
    smallest_bytes: int,
    table: MCSTable,
    chances: SuccessProbabilities,
    header_bytes: int = 0,
) -> int:
    """The number of the layers of the highest expected quality, which may be one layer.

    The highest :func:`layers_gain_db` of all pairs of MCS and eighths of the channel uses stands
    against what one layer by :func:`~semcom.modem.adaptation.choose_mcs` is expected to bring:
    two layers are taken only if they bring more.

    Args:
        channel_uses: complex symbols of an image.
        pixels: pixels of an image.
        smallest_bytes: bytes that hold the coarsest image, of which the base has no less.
        table: number of the MCS table, or ``"all"``.
        chances: of a block that starts at a symbol to arrive, in each realisation.
        header_bytes: bytes of a payload that say nothing about the image.

    Returns:
        Index in the table for one layer, or a number of
        :func:`~semcom.separate.layers.layers_code`.

    Raises:
        InputError: if not even the highest rate holds an image.

    >>> from semcom.modem.adaptation import awgn_success_probabilities
    >>> choose_layers(4096, 65536, 66, 1, awgn_success_probabilities(6.0))
    13
    """

    def success(block: ModulatedBlock) -> float:
        return float(np.mean(chances(block, 0)))

    best = choose_mcs(
        channel_uses, pixels, smallest_bytes, table, success, header_bytes=header_bytes
    )
    whole = ModulatedBlock(channel_uses, mcs_table(table)[best])
    most = success(whole) * expected_gain_db(whole.payload_bits, pixels, header_bytes)
    for eighths in range(1, PARTS):
        uses = channel_uses * eighths // PARTS
        bases = [
            (block, chances(block, 0))
            for block in _blocks(channel_uses - uses, table)
            if block.payload_bits >= 8 * smallest_bytes
        ]
        refinements = [
            (block, chances(block, channel_uses - uses)) for block in _blocks(uses, table)
        ]
        for base, arriving in bases:
            for refinement, following in refinements:
                gain = layers_gain_db(
                    Layers(base, refinement), arriving, following, pixels, header_bytes
                )
                if gain > most:
                    most = gain
                    best = layers_code(base.mcs.index, refinement.mcs.index, eighths, table)
    return best


def layers_gain_db(
    layers: Layers, arriving: Array, following: Array, pixels: int, header_bytes: int = 0
) -> float:
    """Expected PSNR above that of a grey image, in dB.

    :func:`~semcom.modem.adaptation.layered_gain_db` of what all bytes and what those of the base
    are worth by :func:`~semcom.modem.quality.expected_gain_db`.

    Args:
        layers: the blocks.
        arriving: chance of the base in each realisation, ``[realisations]``.
        following: the same of the refinement.
        pixels: pixels of an image.
        header_bytes: bytes of a payload that say nothing about the image.

    >>> from semcom.separate.layers import split
    >>> layers, fade = split(8192, 0, 9, 4, table=1), np.array([1.0, 0.0])
    >>> both_lost, base_left = (
    ...     layers_gain_db(layers, arriving, fade, 65536) for arriving in (fade, np.ones(2))
    ... )
    >>> round(both_lost, 2), round(base_left, 2)  # the base is worth 12.5 dB
    (10.36, 16.63)
    """
    base = expected_gain_db(8 * layers.base_bytes, pixels, header_bytes)
    gain = expected_gain_db(8 * layers.bytes, pixels, header_bytes + LAYER_BYTES)
    return layered_gain_db(arriving, following, gain, base)


def _blocks(channel_uses: int, table: MCSTable) -> Iterator[ModulatedBlock]:
    """The blocks of all MCS that hold a byte."""
    for mcs in mcs_table(table):
        try:
            yield ModulatedBlock(channel_uses, mcs)
        except InputError:
            continue
