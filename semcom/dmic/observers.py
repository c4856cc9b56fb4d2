"""Who judges a decoded image: frozen segmenters, and by how much each unit harms what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from semcom.dmic.units import summed
from semcom.segmentation.segmenter import Segmenter, probabilities

_NOTHING = 1e-6
_LEAST_NET = 0.3
"""Where units that happen to help leave less of what others take, they do not count."""


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
    soft = (weights * (p - p0) ** 2).sum() / (weights * (p**2 + p0**2)).sum().clamp_min(_NOTHING)
    q, q0 = _sharpened(p), _sharpened(p0)
    sharp = (weights * (q - q0).abs()).sum() / (weights * (q + q0)).sum().clamp_min(_NOTHING)
    return (soft + sharp) / 2


def _sharpened(p: Tensor) -> Tensor:
    return p**4 / (p**4 + (1 - p) ** 4)


def caused(
    observer: Segmenter,
    decoded: NDArray[np.float32],
    image: NDArray[np.float32],
    before: NDArray[np.float64],
    weights: NDArray[np.float64] | float = 1.0,
) -> NDArray[np.float64]:
    """What each unit's errors take of the diagnosis, wherever in the image it is missed.

    ::

        S_u = S a_u / sum(a),     a_u = sum over the unit's pixels of (dS / dx) (x - x0)

    ``sum(a)`` is one to two times ``S``, whose halves are linear and quadratic in small errors.
    What is lost *in* a unit falls short by half of what coding it more coarsely takes, for
    segmenters look around.

    Args:
        observer: who looks; what it gives must have a gradient.
        decoded: ``x``, float32 ``[H, W]`` in [0, 1].
        image: the original, ``x0``.
        before: what the observer finds in it, ``[H, W]``.
        weights: how much each pixel's loss counts.

    Returns:
        float64 ``[rows, columns]``; they add up to the whole loss ``S`` of
        :func:`loss`.

    Raises:
        InputError: if the observer has no gradient.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> coarse = ramp.copy()
    >>> coarse[:32, 32:] = 0.8
    >>> caused(lambda images: images, coarse, ramp, ramp).round(3).tolist()
    [[0.0, 0.014], [0.0, 0.0]]
    """
    x = torch.from_numpy(decoded)[None, None].requires_grad_(True)
    with torch.enable_grad():
        p = probabilities(observer, x)[0, 0].double()
        if not p.requires_grad:
            raise InputError("an observer without a gradient cannot tell which unit took what")
        known = torch.as_tensor(weights, dtype=torch.float64)
        lost = loss(p, torch.from_numpy(before), known)
        (slope,) = torch.autograd.grad(lost, x)
    shares = summed(slope[0, 0].numpy() * (decoded - image))
    taking = np.maximum(shares, 0)
    if shares.sum() < _LEAST_NET * taking.sum():
        shares = taking
    total, whole = shares.sum(), float(lost.detach())
    return shares * (whole / total) if total > 0 else np.full(shares.shape, whole / shares.size)
