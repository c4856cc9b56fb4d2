"""The numbers that words stand for: where a grade ends, and what its middle is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcom.generative.words.shares import NOTHING, said
from semcom.generative.words.vocabulary import COLUMNS, OVERALL, ROWS, check_choices


class Grades(NamedTuple):
    """The grades of a measured number, from low to high.

    Args:
        ends: between one grade and the next; a number at an end has the higher grade.
        middles: what each grade stands for.
    """

    ends: tuple[float, ...]
    middles: tuple[float, ...]

    def of(self, value: float) -> int:
        """The grade of a number.

        >>> Grades((0.25, 0.75), (0.0, 0.5, 1.0)).of(0.25)
        1
        """
        return int(np.searchsorted(self.ends, value, side="right"))


EXPOSURE = Grades((0.35, 0.45, 0.55, 0.65), (0.32, 0.40, 0.50, 0.60, 0.70))
"""Mean grey value in [0, 1]."""

CONTRAST = Grades((0.06, 0.11, 0.18), (0.045, 0.085, 0.145, 0.22))
"""RMS difference between the places and the whole picture, in grey values."""

BRIGHTER = Grades((-1.1, -0.4, 0.4, 1.1), (-1.5, -0.75, 0.0, 0.75, 1.5))
"""Difference between a place and the whole picture, over the contrast."""

BORDER = (None, 0.0, 1.0)
"""Grey value of the outermost pixels, where there is a border."""

GRAIN = ((0.0, 0), (0.01, 1), (0.01, 2))
"""Standard deviation of the grain in grey values, and the side of a grain in pixels."""

EDGES = (0.0, 1.2, -1.2)
"""log2 of the power of horizontal differences over that of vertical ones."""


class Levels(NamedTuple):
    """What a caption says, in numbers.

    Args:
        kind: index of the kind of picture.
        exposure: mean grey value.
        contrast: RMS difference between places and the whole, in grey values.
        places: grey value of each place, float32 ``[4, 4]`` in [0, 1].
        border: grey value of the border; ``None``: there is none.
        grain: standard deviation of the grain, in grey values.
        grain_side: side of a grain in pixels; 0: there is none.
        edges: log2 of the power of horizontal differences over that of vertical ones.
    """

    kind: int
    exposure: float
    contrast: float
    places: NDArray[np.float32]
    border: float | None
    grain: float
    grain_side: int
    edges: float


def levels(choices: Sequence[int]) -> Levels:
    """The numbers that a caption's words stand for, the middles of their grades.

    The grey value of a place is ``exposure + contrast * BRIGHTER.middles[grade]``, within [0, 1].

    Args:
        choices: of each slot the index of a phrase, ``[22]``.

    Raises:
        InputError: unless there is one for each slot, each within its phrases.

    >>> levels([0, 2, 1, 0, 0, 0] + [0] + [2] * 14 + [4]).places[[0, 1, 3], [0, 1, 3]].tolist()
    [0.37..., 0.5, 0.62...]
    """
    checked = check_choices(choices)
    kind, exposure, contrast, border, grain, edges = checked[: len(OVERALL)]
    return Levels(
        kind,
        EXPOSURE.middles[exposure],
        CONTRAST.middles[contrast],
        grey_places(said([checked]))[0].numpy(),
        BORDER[border],
        *GRAIN[grain],
        EDGES[edges],
    )


def grey_places(words: Tensor) -> Tensor:
    """Grey values of the places, as :func:`levels` has them, with gradients.

    Args:
        words: shares of phrases, see :func:`semcom.generative.words.shares.said`.

    Returns:
        float32 ``[batch, 4, 4]``; 0.5 where nothing is said.

    >>> grey_places(said([None])).unique().tolist()
    [0.5]
    """
    mean, spread = (
        words[:, slot, : len(grades.middles)] @ words.new_tensor(grades.middles)
        for slot, grades in ((_EXPOSURE, EXPOSURE), (_CONTRAST, CONTRAST))
    )
    middles = words.new_tensor(BRIGHTER.middles)
    relative = words[:, len(OVERALL) :, : len(middles)] @ middles
    spoken = 1 - words[:, len(OVERALL) :, NOTHING]
    places = torch.lerp(
        torch.full_like(relative, 0.5), mean[:, None] + spread[:, None] * relative, spoken
    )
    return places.clamp(0, 1).reshape(-1, len(ROWS), len(COLUMNS))


_EXPOSURE, _CONTRAST = (
    [slot.name for slot in OVERALL].index(name) for name in ("exposure", "contrast")
)
