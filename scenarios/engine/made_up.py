"""What of received images nobody sent: in words, and where to mark it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scenarios.engine.task import Arrived, Measured
from semcom.scheme import MadeUp

_MOST_LETTERS = 600
_BAND = 1 / 40
"""Width of the marked band over the image's longer side."""


def divided(
    arrived: Mapping[str, Arrived],
) -> tuple[dict[str, tuple[Tensor, Measured]], dict[str, MadeUp]]:
    """By codec: images with what was measured of them; and what is made up, where anything is."""
    received = {label: (one.image, one.outcome.measured) for label, one in arrived.items()}
    told = {label: one.made_up for label, one in arrived.items() if one.made_up is not None}
    return received, told


def origin(made_up: MadeUp) -> str:
    """What is made up of one image, and from which words.

    >>> import torch
    >>> painted = torch.zeros(1, 1, 4, 4) == 0
    >>> origin(MadeUp(painted, ["dark"])), origin(MadeUp(painted, [None]))
    ('100 % painted from the words: dark', '100 % painted, words lost')
    >>> origin(MadeUp(~painted, ["dark"]))
    'nothing painted'
    """
    (share,), (text,) = made_up.shares, made_up.texts
    if share == 0:
        return "nothing painted"
    if text is None:
        return f"{share:.0%} painted, words lost".replace("%", " %")
    told = f"from the words: {_plain(text)}" if text else "without words"
    return f"{share:.0%} painted ".replace("%", " %") + told


def _plain(text: str) -> str:
    """One line of letters: words come over the air, and whoever sent them may have sent any."""
    line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return textwrap.shorten(line, _MOST_LETTERS, placeholder=" …")


def description(made_up: Mapping[str, MadeUp]) -> str:
    """A line for each codec that makes something up: what a file of the figure says of it.

    >>> import torch
    >>> description({"mine": MadeUp(torch.zeros(1, 1, 4, 4) == 0, [""])})
    'mine: 100 % painted without words'
    """
    return "\n".join(f"{label}: {origin(one)}" for label, one in made_up.items())


def border(made_up: MadeUp) -> NDArray[np.bool_]:
    """The band of one image's painted pixels next to those that were received, ``[H, W]``.

    >>> import torch
    >>> painted = torch.zeros(1, 1, 32, 32) == 0
    >>> painted[..., :16] = False
    >>> border(MadeUp(painted, [""]))[0].nonzero()[0].tolist()
    [16, 17]
    """
    painted = made_up.painted[:1]
    width = max(2, round(_BAND * max(painted.shape[-2:])))
    near = F.max_pool2d((~painted).float(), 2 * width + 1, 1, width) > 0
    band: NDArray[np.bool_] = (painted & near)[0, 0].numpy()
    return band
