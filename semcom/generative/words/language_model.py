"""How likely captions are: integer tables of each slot, given the kind and a few earlier slots."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from channels import InputError
from channels.errors import shown
from channels.tensorfile import store
from semcom.generative.words.arithmetic import TOTAL, ideal_bits
from semcom.generative.words.vocabulary import (
    COLUMNS,
    OVERALL,
    SLOTS,
    check_choices,
)
from semcom.weightfile import digest, packaged, stored

_SMOOTHING = 10.0
_EVEN = 1 / 16
_KIND = 0

_Tables = NDArray[np.int64]


def _context(at: int) -> tuple[int, ...]:
    """The earlier slots that the probabilities of a slot depend on."""
    place = at - len(OVERALL)
    if place < 0:
        others = {"kind": (), "contrast": (_KIND, at - 1), "border": (_KIND, at - 1)}
        return others.get(SLOTS[at].name, (_KIND,))
    row, column = divmod(place, len(COLUMNS))
    return (_KIND, *[at - 1] * (column > 0), *[at - len(COLUMNS)] * (row > 0))


CONTEXTS = tuple(_context(at) for at in range(len(SLOTS)))
"""Of each slot, the earlier slots that its probabilities depend on.

Contrast depends on kind and exposure, border on kind and contrast, a place on kind and on the
places to its left and above it, anything else on the kind; the kind on nothing.
"""

_SHAPES = tuple(
    (*(len(SLOTS[other].phrases) for other in context), len(slot.phrases))
    for slot, context in zip(SLOTS, CONTEXTS, strict=True)
)


class LanguageModel:
    """Probabilities of a caption's choices, one slot after another, in integers.

    Both ends of a link hold the same integers, so they agree to the last bit on any machine.

    Args:
        tables: of each slot, by its name, frequencies ``[phrases of each slot of its context…,
            phrases]``, at least 1 each, which add up to ``TOTAL`` over the last dimension.

    Raises:
        InputError: on other tables.

    >>> model = LanguageModel.counted([])
    >>> model.after([1])  # of five exposures, without having seen any
    [820, 819, 819, 819, 819]
    """

    def __init__(self, tables: Mapping[str, NDArray[np.integer]]) -> None:
        if set(tables) != {slot.name for slot in SLOTS}:
            raise InputError("the tables of a language model must be named as its slots")
        self._tables: list[_Tables] = []
        for slot, shape in zip(SLOTS, _SHAPES, strict=True):
            table = np.asarray(tables[slot.name])
            if table.dtype.kind not in "iu" or table.shape != shape:
                raise InputError(
                    f"the table of {slot.name} must be integers {list(shape)}, "
                    f"got {table.dtype} {list(table.shape)}"
                )
            table = table.astype(np.int64)
            if (table < 1).any() or (table.sum(-1) != TOTAL).any():
                raise InputError(f"frequencies of {slot.name} must be from 1 on, in all {TOTAL}")
            table.flags.writeable = False
            self._tables.append(table)

    @classmethod
    def counted(cls, captions: Iterable[Sequence[int]]) -> Self:
        """The model of captions that were seen.

        Of a slot with the context (kind, others) the probability of a phrase is ``n`` over their
        sum, smoothed towards what all kinds have in common, and that towards the same for all
        (additive smoothing; MacKay and Peto, Natural Language Engineering 1 (3), 1995)::

            q = (n(phrase, others) + a / phrases) / (n(others) + a),  a = 10
            p = (n(phrase, kind, others) + a q) / (n(kind, others) + a)

        A 16th of ``p`` is then spread evenly, for captions that are chosen rather than measured.
        All kinds are equally likely, however many were seen. In integers:
        ``1 + floor(p (TOTAL - phrases))``, the likeliest phrase has what remains.

        Args:
            captions: choices, ``[22]`` each.

        Raises:
            InputError: if one is no caption.
        """
        seen = np.array([check_choices(caption) for caption in captions], dtype=np.int64)
        seen = seen.reshape(-1, len(SLOTS))
        tables = {}
        for at, (slot, context) in enumerate(zip(SLOTS, CONTEXTS, strict=True)):
            counts = np.zeros(_SHAPES[at])
            if at != _KIND:
                np.add.at(counts, tuple(seen[:, [*context, at]].T), 1)
            p = np.full(len(slot.phrases), 1 / len(slot.phrases))
            for known in (counts.sum(0), counts) if context else (counts,):
                p = (known + _SMOOTHING * p) / (known.sum(-1, keepdims=True) + _SMOOTHING)
            tables[slot.name] = _integers((1 - _EVEN) * p + _EVEN / len(slot.phrases))
        return cls(tables)

    def __len__(self) -> int:
        """How many slots there are."""
        return len(self._tables)

    def after(self, before: Sequence[int]) -> list[int]:
        """Frequencies of the next slot's phrases, which add up to ``TOTAL``.

        Args:
            before: the choices for the slots before it.
        """
        at = len(before)
        frequencies: list[int] = self._tables[at][tuple(before[i] for i in CONTEXTS[at])].tolist()
        return frequencies

    def bits(self, choices: Sequence[int]) -> float:
        """What a caption costs, ``-log2`` of its probability, in bits.

        Args:
            choices: of each slot the index of a phrase, ``[22]``.

        Raises:
            InputError: unless there is one for each slot, each within its phrases.

        >>> round(LanguageModel.counted([]).bits([0] * 22), 1)  # log2(4 5 4 3 3 3 5^16)
        48.2
        """
        return ideal_bits(check_choices(choices), self)

    @property
    def fingerprint(self) -> str:
        """Twelve digits that change with any frequency."""
        return digest(self._tensors())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tables to a safetensors file, int16."""
        store(self._tensors(), path, {"language_model": "words"})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: if the file is missing, damaged, or holds something else.
        """
        tensors, metadata = stored(path)
        if metadata.get("language_model") != "words":
            raise InputError(f"{shown(Path(path).name)} holds no language model of captions")
        return cls({name: tensor.numpy() for name, tensor in tensors.items()})

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {
            slot.name: torch.from_numpy(table.astype(np.int16))
            for slot, table in zip(SLOTS, self._tables, strict=True)
        }


@cache
def shipped() -> LanguageModel:
    """The language model that comes with the package.

    >>> angiogram = [1, 1, 1, 0, 1, 0]
    >>> [round(shipped().bits(angiogram + places)) for places in (8 * [2] + 8 * [1], 8 * [0, 4])]
    [28, 47]
    """
    with packaged("generative-words") as path:
        return LanguageModel.load(path)


def _integers(p: NDArray[np.float64]) -> _Tables:
    """Probabilities as frequencies of ``TOTAL``, at least 1 each."""
    frequencies: _Tables = 1 + np.floor(p * (TOTAL - p.shape[-1])).astype(np.int64)
    likeliest = p.argmax(-1)[..., None] == np.arange(p.shape[-1])
    frequencies += likeliest * (TOTAL - frequencies.sum(-1, keepdims=True))
    return frequencies
