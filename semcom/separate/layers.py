"""Two transport blocks for one image, base and refinement, and the number that names them."""

from __future__ import annotations

from dataclasses import dataclass

from channels import InputError
from semcom.modem.mcs import MCSTable, mcs_table
from semcom.modem.transport import ModulatedBlock

PARTS = 8
"""A refinement takes so many parts of the channel uses: 1 to 7 eighths."""


@dataclass(frozen=True)
class Layers:
    """An image's channel uses: the base's block, then the refinement's.

    Args:
        base: holds the first bytes of a payload.
        refinement: holds the others.

    >>> layers = layers_of(layers_code(2, 9, 4, table=1), 4096, table=1)
    >>> layers.base.channel_uses, layers.base.mcs.index, layers.refinement.mcs.index
    (2048, 2, 9)
    >>> layers.base_bytes, layers.bytes
    (94, 431)
    """

    base: ModulatedBlock
    refinement: ModulatedBlock

    @property
    def base_bytes(self) -> int:
        """Whole bytes that the base carries."""
        return self.base.payload_bits // 8

    @property
    def bytes(self) -> int:
        """Whole bytes that both carry."""
        return self.base_bytes + self.refinement.payload_bits // 8


def layers_code(base: int, refinement: int, eighths: int, table: MCSTable) -> int:
    """The number that a session holds as its ``mcs`` for two layers.

    ``base + T·(refinement + T·eighths)`` with T schemes in the table. Numbers below T stay what
    they are for one layer: the index of its MCS.

    Args:
        base: index of the base's MCS.
        refinement: index of the refinement's MCS.
        eighths: share of the channel uses that the refinement takes, 1 to 7.
        table: number of the MCS table, or ``"all"``.

    >>> layers_code(2, 9, 4, table=1)
    3627
    """
    schemes = len(mcs_table(table))
    return base + schemes * (refinement + schemes * eighths)


def layers_numbers(code: int, table: MCSTable) -> tuple[int, int, int] | None:
    """The arguments of :func:`layers_code`; ``None`` for a number below T, one layer.

    Raises:
        InputError: if the number means nothing.

    >>> layers_numbers(3627, table=1), layers_numbers(28, table=1)
    ((2, 9, 4), None)
    """
    schemes = len(mcs_table(table))
    rest, base = divmod(code, schemes)
    eighths, refinement = divmod(rest, schemes)
    if rest == 0:
        return None
    if not 1 <= eighths < PARTS:
        raise InputError(
            f"mcs is {code}, neither an index of table {table} nor the number of two layers: "
            "decode with the codec that encoded"
        )
    return base, refinement, eighths


def layers_of(code: int, channel_uses: int, table: MCSTable) -> Layers | None:
    """The blocks that a number of :func:`layers_code` names; ``None`` if it means one layer.

    Args:
        code: the number.
        channel_uses: complex symbols of an image.
        table: number of the MCS table, or ``"all"``.

    Raises:
        InputError: if the number means nothing, or a block holds no byte.

    >>> layers_of(9, 4096, table=1) is None
    True
    """
    numbers = layers_numbers(code, table)
    return None if numbers is None else split(channel_uses, *numbers, table)


def split(channel_uses: int, base: int, refinement: int, eighths: int, table: MCSTable) -> Layers:
    """The blocks of two MCS, the second over ``eighths`` of the channel uses, rounded down.

    Raises:
        InputError: if a block holds no byte.

    >>> split(1003, 0, 0, 1, table=1).refinement.channel_uses
    125
    """
    schemes, uses = mcs_table(table), channel_uses * eighths // PARTS
    return Layers(
        ModulatedBlock(channel_uses - uses, schemes[base]),
        ModulatedBlock(uses, schemes[refinement]),
    )
