"""How white was found: said by every reader, and summed up for a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that detectors have, and files of 16 bits are filled with."""
MAX_PIXELS = 178_956_970
"""Of an image that is decoded at all, as in Pillow: a small file can announce any number."""


class Reading(NamedTuple):
    """An image, and what its values were measured with.

    Args:
        image: float32 ``[H, W]`` in [0, 1], or ``[3, H, W]`` where RGB was asked for.
        white: how white was found, in words; nothing of the file's contents but a depth.
        chosen: whether the file leaves white open, and the reader chose it from the values.
    """

    image: NDArray[np.float32]
    white: str
    chosen: bool = False


def depth(brightest: float) -> int | None:
    """The smallest depth in bits that holds a value, ``None`` where none does.

    >>> depth(4000), depth(255), depth(70_000)
    (12, 8, None)
    """
    return next((bits for bits in DEPTHS if brightest < 2**bits), None)


def by_bits(bits: int, *, declared: bool) -> str:
    """White at the end of a depth, in words.

    >>> by_bits(12, declared=False)
    '4095, the least depth that holds the brightest pixel'
    """
    how = "the least depth that holds the brightest pixel"
    if declared:
        how = f"the file's {bits} bit{'s' * (bits > 1)}"
    return f"{2**bits - 1}, {how}"


def summed_up(whites: Iterable[str]) -> str:
    """How white was found in many images, on one line, the most frequent way first.

    >>> summed_up(["a window", "255, the file's 8 bits", "255, the file's 8 bits"])
    "white of 3 images: 255, the file's 8 bits (2); a window (1)"
    """
    ways = Counter(whites)
    listed = "; ".join(f"{way} ({count})" for way, count in ways.most_common())
    return f"white of {ways.total()} image{'s' * (ways.total() != 1)}: {listed}"
