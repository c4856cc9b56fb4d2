"""Captions as shares of phrases: ones and zeros, or what a network is undecided between."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semcom.generative.words.vocabulary import SLOTS

NOTHING = max(len(slot.phrases) for slot in SLOTS)
"""Beyond the phrases of every slot: nothing is said."""


def said(captions: Sequence[Sequence[int] | None]) -> Tensor:
    """The shares of captions.

    Args:
        captions: choices, ``[22]`` each; ``None`` where nothing is said.

    Returns:
        float32 ``[batch, 22, NOTHING + 1]``, one where a phrase is chosen, or nothing is said.

    >>> said([[0] * 22, None]).argmax(-1)[:, :3].tolist()
    [[0, 0, 0], [5, 5, 5]]
    """
    chosen = [[NOTHING] * len(SLOTS) if one is None else list(one) for one in captions]
    return torch.nn.functional.one_hot(torch.tensor(chosen), NOTHING + 1).float()
