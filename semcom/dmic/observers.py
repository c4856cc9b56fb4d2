"""Who judges a decoded image: frozen segmenters, and by how much each unit harms what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from semcom.dmic.units import summed
from semcom.segmentation.segmenter import Segmenter, probabilities

_NOTHING = 1e-6


@dataclass(frozen=True)
class Turned:
    """A segmenter that looks at the image turned or mirrored, and turns its answer back.

    Not a second network, but it errs elsewhere: what it finds as well is there.

    Args:
        segmenter: the one that looks.
        quarters: by how many quarters of a circle the image is turned.
        mirrored: whether it is mirrored, left to right, before.

    >>> Turned(lambda images: images, 1, mirrored=True)(torch.rand(1, 1, 32, 48)).shape
    torch.Size([1, 1, 32, 48])
    """

    segmenter: Segmenter
    quarters: int = 0
    mirrored: bool = False

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """What the segmenter finds, ``[batch, 1, H, W]``."""
        seen = images.flip(-1) if self.mirrored else images
        found = self.segmenter(seen.rot90(self.quarters, (-2, -1))).rot90(-self.quarters, (-2, -1))
        return found.flip(-1) if self.mirrored else found


def seen(observers: Sequence[Segmenter], image: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each observer finds, float64 ``[observers, H, W]``.

    >>> seen([lambda images: images], np.ones((32, 32), np.float32)).shape
    (1, 32, 32)
    """
    batch = torch.from_numpy(image)[None, None]
    with torch.no_grad():
        return np.stack([probabilities(one, batch)[0, 0].double().numpy() for one in observers])


def losses(now: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a decoded image has lost of the diagnosis, pixel by pixel and observer by observer.

    ::

        S = 1/2 (p - p0)^2 / sum(p^2 + p0^2) + 1/2 |m - m0| / sum(m + m0),   m = p > 1/2

    Over all pixels it adds up to the mean of 1 - soft Dice and 1 - diagnostic Dice.

    Args:
        now: probabilities in the decoded image, ``[observers, H, W]``.
        before: in the original.

    Returns:
        float64 ``[observers, H, W]``.

    >>> p0 = np.array([[[0.9, 0.9, 0.1]]])
    >>> round(float(losses(np.array([[[0.9, 0.1, 0.1]]]), p0).sum()), 3)
    0.297
    """
    axes = (-2, -1)
    soft = (now - before) ** 2
    total = (now**2 + before**2).sum(axes, keepdims=True)
    masks, originals = now > 0.5, before > 0.5
    hard = (masks != originals).astype(np.float64)
    size = (masks.astype(np.int64) + originals).sum(axes, keepdims=True)
    halves: NDArray[np.float64] = soft / np.maximum(total, _NOTHING) + hard / np.maximum(size, 1)
    return halves / 2


def unit_losses(now: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """The losses of each unit, ``[rows, columns]``, the mean over observers."""
    total: NDArray[np.float64] = summed(losses(now, before)).mean(0)
    return total
