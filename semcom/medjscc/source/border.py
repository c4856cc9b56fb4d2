"""What runs along an image's sides, as a black border: told in a few bits, not coded.

A line one pixel wide at the edge has coefficients in every level of a wavelet. So lines of one
level are left out, the image inside is continued over them, and the receiver paints them anew;
and next to them lines that are on average brighter or darker than the image are brought near it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

MOST_LINES, LEVELS = 63, 256
MOST_OFFSETS, LARGEST_OFFSET = 8, 63
_TOLERANCE = 4 / 255
_OFFSET_STEP = 4 / 255
_JUMP = 10 / 255
"""Offsets reach to the last line that differs from the next by so much, on average."""

_LEAST_INSIDE = 16
_Pixels = NDArray[np.float32]


class Border(NamedTuple):
    """What runs along the left, right, upper and lower side.

    Args:
        lines: how many lines of one level there are at each side.
        level: theirs, in 255ths.
        offsets: of the lines next to them, from the outside to the inside, in steps of 4/255.

    >>> image = torch.full((1, 1, 32, 32), 0.4)
    >>> image[..., -1, :] = 0.8
    >>> image[..., 0] = 0
    >>> border = find_border(image)
    >>> border
    Border(lines=(1, 0, 0, 0), level=0, offsets=((), (), (), (25,)))
    >>> round(float(border.removed(image).std()), 2)
    0.0
    >>> torch.allclose(border.restored(border.removed(image)), image)
    True
    """

    lines: tuple[int, int, int, int] = (0, 0, 0, 0)
    level: int = 0
    offsets: tuple[tuple[int, ...], ...] = ((), (), (), ())

    def fits(self, height: int, width: int) -> bool:
        """Whether an image of this size can have it."""
        left, right, top, bottom = self.lines
        inside = min(height - top - bottom, width - left - right)
        return inside >= max(1, *map(len, self.offsets))

    def removed(self, image: Tensor) -> Tensor:
        """``[1, 1, H, W]`` without the border."""
        if self == Border():
            return image
        inside = self._inside(image)
        return F.pad(inside - self._profile(inside), self.lines, mode="replicate")

    def restored(self, image: Tensor) -> Tensor:
        """``[1, 1, H, W]`` with the border."""
        if self == Border():
            return image
        inside = self._inside(image)
        return F.pad(inside + self._profile(inside), self.lines, value=self.level / 255)

    def _inside(self, image: Tensor) -> Tensor:
        left, right, top, bottom = self.lines
        height, width = image.shape[-2:]
        return image[..., top : height - bottom, left : width - right]

    def _profile(self, inside: Tensor) -> Tensor:
        """Offsets of the lines inside, one added to the other where sides meet."""
        profile = np.zeros(inside.shape[-2:], dtype=np.float32)
        for side, offsets in zip(_sides(profile), self.offsets, strict=True):
            side[: len(offsets)] += _heights(offsets)
        return torch.from_numpy(profile).to(inside)


def find_border(image: Tensor) -> Border:
    """The border of an image ``[1, 1, H, W]`` in [0, 1].

    Lines count as of one level within 4/255.
    """
    pixels = image[0, 0].detach().cpu().numpy()
    lines, level = _flat_lines(pixels)
    inside = Border(lines)._inside(image)[0, 0].detach().cpu().numpy().copy()
    offsets = []
    for side in _sides(inside):
        steps = _offsets(side[: MOST_OFFSETS + 1].mean(1))
        side[: len(steps)] -= _heights(steps)
        offsets.append(steps)
    return Border(lines, level, tuple(offsets))


def _sides(pixels: _Pixels) -> list[_Pixels]:
    """Views whose first lines are those at the left, right, upper and lower edge."""
    return [pixels.T, pixels.T[::-1], pixels, pixels[::-1]]


def _flat_lines(pixels: _Pixels) -> tuple[tuple[int, int, int, int], int]:
    """Lines of one level at each side, and the level."""
    sides = _sides(pixels)
    for side in sides:
        level = round(float(np.median(side[0])) * 255)
        if _uniform(side, level):
            left, right, top, bottom = (_uniform(lines, level) for lines in sides)
            return (left, right, top, bottom), level
    return (0, 0, 0, 0), 0


def _uniform(lines: _Pixels, level: int) -> int:
    """How many lines are at the level before the first that is not."""
    most = min(MOST_LINES, (len(lines) - _LEAST_INSIDE) // 2)
    at_level = np.abs(lines[:most] - level / 255).max(1) <= _TOLERANCE
    return int(np.cumprod(at_level).sum())


def _offsets(means: _Pixels) -> tuple[int, ...]:
    """Steps by which outer lines' means differ from that of the first line within them."""
    jumps = np.flatnonzero(np.abs(np.diff(means)) > _JUMP)
    count = int(jumps[-1]) + 1 if len(jumps) else 0
    steps = np.rint((means[:count] - means[count]) / _OFFSET_STEP)
    return tuple(int(step) for step in steps.clip(-LARGEST_OFFSET, LARGEST_OFFSET))


def _heights(offsets: tuple[int, ...]) -> _Pixels:
    """Offsets as a column that adds to lines."""
    return np.array(offsets, dtype=np.float32)[:, None] * np.float32(_OFFSET_STEP)
