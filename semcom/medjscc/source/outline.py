"""How likely each block belongs to a region, from those before it: a small network in integers.

Both ends hold the same integers, so they agree to the last bit on any machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import shown
from channels.tensorfile import store
from semcom.weightfile import digest, packaged, stored

REACH = 4
BEFORE = (
    *((0, -across) for across in range(1, REACH + 1)),
    *((-1, across) for across in range(-4, 5)),
    *((-2, across) for across in range(-3, 4)),
    *((-3, across) for across in range(-2, 3)),
    *((-4, across) for across in range(-1, 2)),
)
"""Rows and columns from a block to those that its chance depends on."""

MIRRORED = (-1, 0, 1)
"""Columns from a block's mirror image to those that it depends on, in its row and that above."""

FEATURES = len(BEFORE) + 2 * len(MIRRORED) + 4
"""Numbers that a chance depends on: blocks, whether the mirror image is known, place."""

UNIT = 64
"""An integer for 1."""

_LOGITS = 16
_MOST_LOGIT = 8
_PARTS = 2**16
_LOGIT = np.arange(-_MOST_LOGIT * _LOGITS, _MOST_LOGIT * _LOGITS + 1) / _LOGITS
_CHANCES = np.rint(_PARTS / (1 + np.exp(-_LOGIT))) / _PARTS
_NAMES = ("first", "first_bias", "second", "second_bias", "last", "last_bias")

Blocks = NDArray[np.bool_]
_Integers = NDArray[np.int64]


class OutlineModel:
    """Chances of blocks by two hidden layers.

    ::

        h = relu(W1 x + b1),  h' = relu(W2 h + b2),  chance = 1 / (1 + exp(-(w3 h' + b3)))

    in 64ths, the chance by a logit in 16ths within ±8.

    Args:
        weights: ``first [hidden, FEATURES]``, ``second [hidden, hidden]``, ``last [1, hidden]``
            and a ``…_bias [outputs]`` of each, int16 in 64ths.

    Raises:
        InputError: on other weights.

    >>> some = np.zeros((8, 8), dtype=bool)
    >>> some[2:6, 2:6] = True
    >>> bool(shipped().bits(some) < 40)
    True
    """

    def __init__(self, weights: Mapping[str, NDArray[np.integer]]) -> None:
        if set(weights) != set(_NAMES):
            raise InputError(f"the weights of an outline model must be {', '.join(_NAMES)}")
        hidden = len(weights["first_bias"])
        shapes = ((hidden, FEATURES), (hidden,), (hidden, hidden), (hidden,), (1, hidden), (1,))
        for name, shape in zip(_NAMES, shapes, strict=True):
            if weights[name].dtype != np.int16 or weights[name].shape != shape:
                raise InputError(
                    f"{name} of an outline model must be int16 {list(shape)}, "
                    f"got {weights[name].dtype} {list(weights[name].shape)}"
                )
        self._weights = {name: np.asarray(weights[name], dtype=np.int16) for name in _NAMES}
        wide = {name: weight.astype(np.int64) for name, weight in self._weights.items()}
        self._layers = [
            (wide[name].T, UNIT * wide[f"{name}_bias"]) for name in ("first", "second", "last")
        ]

    def chances(self, features: _Integers) -> NDArray[np.float64]:
        """Chances that blocks belong to a region.

        Args:
            features: of each, ``[n, FEATURES]``, see :func:`features`.

        Returns:
            float64 ``[n]``, multiples of 2^-16.
        """
        *hidden, (last, last_bias) = self._layers
        x = features
        for weight, bias in hidden:
            x = np.maximum((x @ weight + bias) // UNIT, 0)
        logit = (x @ last + last_bias)[:, 0] // (UNIT * UNIT // _LOGITS)
        most = _MOST_LOGIT * _LOGITS
        chances: NDArray[np.float64] = _CHANCES[np.minimum(np.maximum(logit, -most), most) + most]
        return chances

    def bits(self, blocks: Blocks) -> float:
        """What a map costs, ``-log2`` of its probability.

        Args:
            blocks: bool ``[rows, columns]``.
        """
        chances = self.chances(features(blocks))
        return float(-np.log2(np.where(blocks.ravel(), chances, 1 - chances)).sum())

    @property
    def fingerprint(self) -> str:
        """Twelve digits that change with any weight."""
        return digest(self._tensors())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the weights to a safetensors file."""
        store(self._tensors(), path, {"outline_model": "blocks"})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: if the file is missing, damaged, or holds something else.
        """
        tensors, metadata = stored(path)
        if metadata.get("outline_model") != "blocks":
            raise InputError(f"{shown(Path(path).name)} holds no outline model")
        return cls({name: tensor.numpy() for name, tensor in tensors.items()})

    def _tensors(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(w) for name, w in self._weights.items()}


@cache
def shipped() -> OutlineModel:
    """The outline model that comes with the package."""
    with packaged("medjscc-outline") as path:
        return OutlineModel.load(path)


def features(blocks: Blocks) -> _Integers:
    """What the chances of all blocks depend on: of each only those before it, in raster order.

    Args:
        blocks: bool ``[rows, columns]``.

    Returns:
        ``[rows * columns, FEATURES]``, in 64ths.
    """
    table = FeatureTable(blocks.shape)
    table.blocks[:] = blocks
    return table.of(np.arange(blocks.size))


class FeatureTable:
    """Features of blocks while a map becomes known.

    Args:
        shape: rows and columns of the map.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        height, width = shape
        self._known = np.zeros((height + REACH, width + 2 * REACH), dtype=np.bool_)
        self.blocks = self._known[REACH:, REACH:-REACH]
        """The map ``[rows, columns]``, to be filled in; false where it is not known yet."""
        rows, columns = np.indices(shape).reshape(2, -1, 1)
        mirror = width - 1 - columns + _MIRRORED
        seen = mirror < columns
        self._from = np.concatenate(
            [
                self._place(rows + _BEFORE[:, 0], columns + _BEFORE[:, 1]),
                np.where(seen, self._place(rows, mirror), _NEVER),
                self._place(rows - 1, mirror),
            ],
            axis=1,
        )
        y = (2 * UNIT * rows + UNIT) // height - UNIT
        x = (2 * UNIT * columns + UNIT) // width - UNIT
        self._fixed = np.concatenate([UNIT * seen[:, 1:2], y, np.abs(x), x], axis=1)

    def of(self, numbers: _Integers) -> _Integers:
        """``[n, FEATURES]`` of some blocks, by their numbers in raster order."""
        said = self._known.ravel()[self._from[numbers]] * UNIT
        return np.concatenate([said, self._fixed[numbers]], axis=1)

    def _place(self, rows: _Integers, columns: _Integers) -> _Integers:
        """Where blocks stand among all that are known, and those around them."""
        place: _Integers = (rows + REACH) * self._known.shape[1] + columns + REACH
        return place


_NEVER = 0
"""Place of a block that is outside any map."""

_BEFORE = np.array(BEFORE, dtype=np.int64)
_MIRRORED = np.array(MIRRORED, dtype=np.int64)
