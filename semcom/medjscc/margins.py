"""Lines of one level along a picture's sides, as of a black frame: told in a few bits, not coded.

A line one pixel wide at the border has coefficients in every level of a wavelet. Instead, the
picture inside is continued over the lines, and the receiver paints them anew.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

LINES, GREYS = 64, 256
_TOLERANCE = 4 / 255
_LEAST_INSIDE = 16


class Margins(NamedTuple):
    """How many lines of one level there are at each side.

    Args:
        left, right, top, bottom: lines, below ``LINES``.
        level: in 255ths.

    >>> picture = torch.rand(1, 1, 32, 32)
    >>> picture[..., :2], picture[..., -1:, :] = 0, 0
    >>> margins(picture)
    Margins(left=2, right=0, top=0, bottom=1, level=0)
    >>> bool((margins(picture).painted(picture + 0.1)[..., :2] == 0).all())
    True
    """

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0
    level: int = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any(self[:4])

    def continued(self, image: Tensor) -> Tensor:
        """``[1, 1, H, W]`` with the picture inside continued over the margins."""
        return F.pad(self._inside(image), self[:4], mode="replicate") if self else image

    def painted(self, image: Tensor) -> Tensor:
        """``[1, 1, H, W]`` with the margins at their level."""
        return F.pad(self._inside(image), self[:4], value=self.level / 255) if self else image

    def _inside(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        rows, columns = slice(self.top, height - self.bottom), slice(self.left, width - self.right)
        return image[..., rows, columns]


def margins(image: Tensor) -> Margins:
    """Those of a picture ``[1, 1, H, W]`` in [0, 1]: lines within 4/255 of one level."""
    columns = image.detach()[0, 0].T
    rows = columns.T
    sides = [columns, columns.flip(0), rows, rows.flip(0)]
    for side in sides:
        level = int(side[0].median() * 255 + 0.5)
        if _count(side, level):
            left, right, top, bottom = (_count(lines, level) for lines in sides)
            return Margins(left, right, top, bottom, level)
    return Margins()


def _count(lines: Tensor, level: int) -> int:
    """Lines at the level before the first that is not."""
    most = min(LINES - 1, (len(lines) - _LEAST_INSIDE) // 2)
    uniform = (lines[:most] - level / 255).abs().amax(1) <= _TOLERANCE
    return int(torch.cumprod(uniform.int(), 0).sum())
