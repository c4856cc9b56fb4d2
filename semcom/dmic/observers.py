"""Who judges a decoded image: frozen segmenters, and what each unit changes of what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
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

    def __call__(self, images: Tensor) -> Tensor:
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


def loss(p: Tensor, p0: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    """What a decoded image has lost of the diagnosis, so smoothly that units can be told apart.

    ::

        S = 1/2 sum(w (p - p0)^2) / sum(w (p^2 + p0^2)) + 1/2 sum(w |q - q0|) / sum(w (q + q0))

        q = p^4 / (p^4 + (1 - p)^4)

    The first half is half of 1 - soft Dice. The second comes near to half of 1 - diagnostic Dice,
    as ``q`` comes near to the mask ``p > 1/2``, but does not jump: at fine steps what masks lose is
    mostly luck.

    Args:
        p: probabilities in the decoded image, of any shape.
        p0: in the original.
        weights: how much each pixel counts.

    >>> p0 = torch.tensor([0.9, 0.9, 0.1])
    >>> round(float(loss(torch.tensor([0.9, 0.1, 0.1]), p0)), 3)
    0.297
    """
    soft = (weights * (p - p0).square()).sum() / (
        weights * (p.square() + p0.square())
    ).sum().clamp_min(_NOTHING)
    q, q0 = _sharpened(p), _sharpened(p0)
    sharp = (weights * (q - q0).abs()).sum() / (weights * (q + q0)).sum().clamp_min(_NOTHING)
    return (soft + sharp) / 2


def _sharpened(p: Tensor) -> Tensor:
    high, low = p.square().square(), (1 - p).square().square()
    return high / (high + low)


class Look(NamedTuple):
    """What an observer makes of a decoded image.

    Args:
        loss: of the diagnosis.
        slope: its derivative by the decoded samples, float32 ``[H, W]``.
    """

    loss: float
    slope: NDArray[np.float32]


def look(
    observer: Segmenter,
    decoded: NDArray[np.float32],
    before: NDArray[np.float64],
    weights: NDArray[np.float64] | float = 1.0,
) -> Look:
    """Let an observer look at a decoded image.

    Args:
        observer: who looks; what it gives must have a gradient.
        decoded: float32 ``[H, W]`` in [0, 1].
        before: what the observer finds in the original, ``[H, W]``.
        weights: how much each pixel's loss counts.

    Raises:
        InputError: if the observer has no gradient.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> round(look(lambda images: images, ramp, ramp).loss, 6)
    0.0
    """
    x = torch.from_numpy(decoded)[None, None].requires_grad_(True)
    with torch.enable_grad():
        p = probabilities(observer, x)[0, 0]
        if not p.requires_grad:
            raise InputError("an observer without a gradient cannot tell which unit took what")
        counted = torch.as_tensor(weights, dtype=torch.float32)
        lost = loss(p, torch.from_numpy(before).float(), counted)
        (slope,) = torch.autograd.grad(lost, x)
    return Look(float(lost.detach()), slope[0, 0].numpy())


def shares_of_loss(
    change: NDArray[np.float32], slope: NDArray[np.float32], lost: float
) -> NDArray[np.float64]:
    """What each unit's change of samples takes of the diagnosis, wherever it is missed.

    ::

        a_u = sum over the unit's pixels of change * slope
        S_u = a_u + |a_u| (lost - sum(a)) / sum(|a|)

    With the mean of the slopes before and after the change ``a`` adds up to what is lost where that
    is linear or quadratic in the change. It falls short where the loss has a kink; what is missing
    goes to those who move it most. A unit whose samples do not change takes nothing.

    Args:
        change: of samples, ``[H, W]``.
        slope: derivative of the loss by the samples, on the way, ``[H, W]``.
        lost: by the change.

    Returns:
        float64 ``[rows, columns]``; they add up to ``lost``.

    >>> change = np.zeros((32, 64), np.float32)
    >>> change[:, 32:] = 0.1
    >>> shares_of_loss(change, np.full((32, 64), 0.01, np.float32), 2.0).tolist()
    [[0.0, 2.0]]
    """
    moved = summed(change * slope)
    weight = np.abs(moved)
    if not weight.any():
        weight = np.ones_like(moved)
    shares: NDArray[np.float64] = moved + weight * ((lost - moved.sum()) / weight.sum())
    return shares
