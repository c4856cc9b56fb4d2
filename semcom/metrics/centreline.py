"""How well two masks of thin branching things, such as vessels, agree along their centrelines."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels.surroundings import undisturbed
from semcom.metrics.masks import check_masks


@undisturbed()
def cldice(a: Tensor, b: Tensor) -> Tensor:
    """Centreline Dice of two masks: a thin branch that is lost counts as much as a thick one.

    ::

        clDice = 2 P Q / (P + Q),  P = |skeleton(a) & b| / |skeleton(a)|,  Q = the same of b in a

    Shit et al., *clDice - a novel topology-preserving loss function for tubular structure
    segmentation*, CVPR 2021; skeletons by :func:`skeleton`.

    Args:
        a: bool ``[batch, 1, H, W]``.
        b: bool, of the same shape.

    Returns:
        float32 ``[batch]`` in [0, 1], 1 where both masks are empty, 0 where one is.

    Raises:
        InputError: if a mask is not bool, or the shapes differ.

    >>> a = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    >>> a[..., 8:11, :] = True
    >>> cldice(a, a.roll(1, -2)), cldice(a, a.roll(8, -2))
    (tensor([1.]), tensor([0.]))
    """
    check_masks(a, b)
    found = []
    pairs = (mask.flatten(0, -3).cpu().numpy() for mask in (a, b))
    for one, other in zip(*pairs, strict=True):
        if not (one.any() or other.any()):
            found.append(1.0)
            continue
        inside = [
            float(whole[skeleton(thinned)].mean()) if thinned.any() else 0.0
            for thinned, whole in ((one, other), (other, one))
        ]
        total = sum(inside)
        found.append(2 * inside[0] * inside[1] / total if total else 0.0)
    return torch.tensor(found, dtype=torch.float32, device=a.device)


def skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a mask to lines one pixel wide that hang together as it did.

    Parallel thinning in two passes (Guo and Hall, *Communications of the ACM* 32(3), 1989,
    algorithm A1), until nothing more goes; beyond the image is outside.

    Args:
        mask: bool ``[H, W]``.

    Returns:
        bool ``[H, W]``, a part of the mask.

    >>> bar = np.zeros((5, 9), bool)
    >>> bar[1:4, 1:8] = True
    >>> skeleton(bar).sum(0).tolist()
    [0, 0, 1, 1, 1, 1, 1, 0, 0]
    """
    wide = np.pad(mask, 1)
    flat, row = wide.ravel(), wide.shape[1]
    around = np.array([-row, 1 - row, 1, 1 + row, row, row - 1, -1, -1 - row])
    left = np.flatnonzero(flat)
    quiet = 0
    for removable in itertools.cycle(_REMOVABLE):
        codes = (flat[left[:, None] + around] << np.arange(8)).sum(1)
        gone = removable[codes]
        flat[left[gone]] = False
        left = left[~gone]
        quiet = 0 if gone.any() else quiet + 1
        if quiet == 2:
            break
    return wide[1:-1, 1:-1]


def _removable() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether a pixel goes in the first and in the second pass, by the code of its neighbours.

    Bit ``k`` of the code is neighbour ``k``, clockwise from the one above (Guo and Hall's P2 to
    P9).
    """
    n = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    after = np.roll(n, -1, 1)
    sides = range(0, 8, 2)
    parts = sum((~n[:, k] & (n[:, k + 1] | n[:, (k + 2) % 8])).astype(int) for k in sides)
    pairs = n | after
    fewest = np.minimum(pairs[:, 0::2].sum(1), pairs[:, 1::2].sum(1))
    inner = (parts == 1) & (fewest >= 2) & (fewest <= 3)
    first = inner & ~((n[:, 0] | n[:, 1] | ~n[:, 3]) & n[:, 2])
    second = inner & ~((n[:, 4] | n[:, 5] | ~n[:, 7]) & n[:, 6])
    return first, second


_REMOVABLE = _removable()
