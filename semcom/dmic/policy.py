"""The policy: a convolutional trunk that sees the image once, and a small actor-critic head."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_number
from channels.surroundings import undisturbed
from channels.tensorfile import store
from semcom.dmic.units import BASE_QPS, OFFSETS, UNIT, Map
from semcom.dmic.walk import walked
from semcom.image_coders.hevc import QP_MAX
from semcom.learned import pad_to
from semcom.weightfile import digest, halved, rebuilt, stored

FEATURES = 96
CHOSEN = 5
CONTEXT = CHOSEN + 2 + len(BASE_QPS)
_HIDDEN = 34
_PLANES = 3
FURTHEST = float(max(OFFSETS))
_TRIED = 3.0
"""Offsets in QPs that are tried at first, about: far from the anchor, losses saturate, and all that
is learned is to save bits."""


def planes(image: NDArray[np.float32], found: NDArray[np.floating]) -> Tensor:
    """What the trunk sees, float32 ``[1, 3, H', W']``, sides multiples of a unit.

    The image around zero, what a segmenter finds in it, and how unsure it is, ``4 p (1 - p)``.

    Args:
        image: ``[H, W]`` in [0, 1].
        found: probabilities ``[H, W]``.

    >>> planes(np.zeros((40, 64), np.float32), np.zeros((40, 64))).shape
    torch.Size([1, 3, 64, 64])
    """
    grey, p = torch.from_numpy(image), torch.from_numpy(np.asarray(found, np.float32))
    seen = torch.empty(1, _PLANES, *grey.shape)
    torch.sub(grey, 0.5, out=seen[0, 0])
    seen[0, 1] = p
    torch.sub(1, p, out=seen[0, 2])
    seen[0, 2] *= p
    seen[0, 2] *= 4
    return pad_to(seen, UNIT)


def near_levels(base_qps: NDArray[np.floating]) -> NDArray[np.float64]:
    """How near base QPs are to each of ``BASE_QPS``, ``[..., 8]``; it adds up to 1.

    What is learned at one of them is left alone by what is learned at others.

    >>> near_levels(np.array([35.0]))[0, 2:4].round(2).tolist()
    [0.67, 0.33]
    """
    at = np.clip(base_qps, BASE_QPS[0], BASE_QPS[-1])[..., None]
    near: NDArray[np.float64] = 1 - np.abs(at - np.array(BASE_QPS)) / (BASE_QPS[1] - BASE_QPS[0])
    return np.maximum(near, 0)


class Trunk(nn.Module):
    """Features of every unit at every base QP.

    Works at half the resolution and downwards; what all of the image shows reaches every unit
    through means over it.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (_PLANES, 16, 32, 64, 96)
        self.down = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.ReLU())
                for a, b in itertools.pairwise(widths)
            )
        )
        self.around = nn.Conv2d(widths[-1], 112, 3, padding=1)
        self.level = nn.Linear(len(BASE_QPS), 2 * 112)
        self.everywhere = nn.Linear(112, 112)
        self.last = nn.Conv2d(112, FEATURES, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # without it features fade from layer to layer
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, seen: Tensor, base_qps: Tensor) -> Tensor:
        """Features of units.

        Args:
            seen: :func:`planes` of images, ``[batch, 3, H, W]``.
            base_qps: ``[batch]``.

        Returns:
            float32 ``[batch, rows, columns, FEATURES]``.
        """
        found = self.down(_halved(seen))
        levels = torch.from_numpy(near_levels(base_qps.numpy())).to(found)
        scale, shift = self.level(levels)[:, :, None, None].chunk(2, 1)
        near = F.relu(self.around(found) * (1 + scale) + shift)
        far = self.everywhere(near.mean((-2, -1)))[:, :, None, None]
        features = F.relu(self.last(F.relu(near + far)))
        return F.layer_norm(features.movedim(1, -1), (FEATURES,))  # else the head's tanh saturates


def _halved(maps: Tensor) -> Tensor:
    """Means of 2 x 2; four slices take a quarter of the time of ``avg_pool2d``."""
    upper, lower = maps[..., ::2, :], maps[..., 1::2, :]
    rows = upper + lower
    return (rows[..., ::2] + rows[..., 1::2]) / 4


class Head(nn.Module):
    """The actor-critic head: what is tuned when the policy is transferred."""

    def __init__(self) -> None:
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(FEATURES + CONTEXT, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, len(OFFSETS))
        )
        self.critic = nn.Sequential(
            nn.Linear(FEATURES + CONTEXT, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, 2)
        )
        with torch.no_grad():
            choice = self.actor[-1]
            assert isinstance(choice, nn.Linear)
            choice.weight.mul_(0.1)
            choice.bias.copy_(-torch.tensor(OFFSETS).abs() / _TRIED)

    def forward(self, features: Tensor, contexts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is chosen and what is expected of it.

        Returns:
            Log-probabilities of the offsets ``[..., actions]``; of what a unit's choice will bring,
            the middle and the logarithm of the mean distance from it, ``[...]`` each.
        """
        state = torch.cat([features, contexts], -1)
        middle, log_spread = self.critic(state).unbind(-1)
        return F.log_softmax(self.actor(state), -1), middle, log_spread


class Policy(nn.Module):
    """Chooses an offset for each unit in raster order, knowing those before it.

    >>> policy = Policy()
    >>> head = sum(p.numel() for p in policy.head.parameters())
    >>> round(100 * head / sum(p.numel() for p in policy.parameters()), 1)
    2.7
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head = Trunk(), Head()

    @property
    def fingerprint(self) -> str:
        """Twelve digits that change with any weight."""
        return digest(self.state_dict())

    @torch.no_grad()
    def offsets(
        self, image: NDArray[np.float32], found: NDArray[np.floating], base_qp: float
    ) -> Map:
        """The likeliest QP offsets of an image, ``[rows, columns]``.

        Args:
            image: float32 ``[H, W]`` in [0, 1].
            found: what a segmenter finds in it, probabilities ``[H, W]``.
            base_qp: what the offsets are added to, 0 to 51.

        Raises:
            InputError: if image and ``found`` are not of one size, or an argument is out of range.

        >>> Policy().offsets(np.zeros((64, 96), np.float32), np.zeros((64, 96)), 37).shape
        (2, 3)
        """
        level = torch.tensor([check_number("base_qp", base_qp, 0, QP_MAX)])
        image, found = np.asarray(image, np.float32), np.asarray(found, np.float32)
        if image.ndim != 2 or image.shape != found.shape:
            raise InputError(
                f"image and found must be [H, W] alike, got {list(image.shape)} and "
                f"{list(found.shape)}"
            )
        if not (np.isfinite(image).all() and np.isfinite(found).all()):
            raise InputError("image and found must be finite: there is a NaN or an infinity")
        with undisturbed():
            return offsets_of(self.choose(self.trunk(planes(image, found), level), level)[0])

    def save(self, path: str | Path) -> None:
        """Write the weights to a safetensors file, in half precision."""
        store(halved(self.state_dict()), path, {"policy": "dmic"})

    @classmethod
    @undisturbed()
    def load(cls, path: str | Path) -> Self:
        """Rebuild a policy from a file that :meth:`save` wrote, frozen.

        Raises:
            InputError: if the file is missing, damaged, or holds something else.
        """
        state, metadata = stored(path)
        if metadata.get("policy") != "dmic":
            raise InputError(f"{Path(path).name} holds no weights of a bit allocation policy")
        return rebuilt(cls, state, path)

    @torch.no_grad()
    def choose(
        self, features: Tensor, base_qps: Tensor, uniform: NDArray[np.float64] | None = None
    ) -> NDArray[np.int64]:
        """Actions of units, one after another.

        Args:
            features: of the trunk, ``[batch, rows, columns, FEATURES]``.
            base_qps: ``[batch]``.
            uniform: numbers in [0, 1), ``[rows, columns, batch]``, that draw actions by their
                probabilities, the finest below; ``None`` takes the likeliest.

        Returns:
            Indices of ``OFFSETS``, int64 ``[batch, rows, columns]``.
        """
        batch, rows, columns, _ = features.shape
        weights = [p.detach().double().numpy() for p in self.head.actor.parameters()]
        into, shift, out, bias = weights
        known = contexts(np.zeros((batch, rows, columns), np.int64), base_qps)[..., CHOSEN:]
        inputs = torch.cat([features.detach(), known], -1).double().numpy()
        before = slice(FEATURES, FEATURES + CHOSEN)
        fixed = inputs @ np.delete(into, before, 1).T + shift
        draws = np.empty((0, 0, 0)) if uniform is None else uniform
        actions: NDArray[np.int64] = walked(
            fixed, into[:, before].copy(), out, bias, np.array(OFFSETS) / FURTHEST, draws
        )
        return actions


def contexts(actions: NDArray[np.int64], base_qps: Tensor) -> Tensor:
    """What the head knows at each unit of choices, finished or not: nothing later than it.

    The first :data:`CHOSEN` are offsets over the largest one, of the units to the left, above left,
    above, above right, 0 where there is none, and their mean so far. Then the share of the units
    that remains; 1 in the first row and column; :func:`near_levels` of the base QP.

    Args:
        actions: int64 ``[batch, rows, columns]``.
        base_qps: ``[batch]``.

    Returns:
        float32 ``[batch, rows, columns, CONTEXT]``.

    >>> told = contexts(np.array([[[len(OFFSETS) - 1, 0], [0, 0]]]), torch.tensor([38.0]))
    >>> [round(value, 3) for value in told[0, 0, 1].tolist()]
    [1.0, 0.0, 0.0, 0.0, 1.0, 0.75, 1.0, 0.0, 0.0, 0.0, 0.667, 0.333, 0.0, 0.0, 0.0]
    """
    batch, rows, columns = actions.shape
    offsets = offsets_of(actions) / FURTHEST
    wide = np.pad(offsets, ((0, 0), (1, 0), (1, 1)))
    before = np.arange(rows * columns)
    so_far = offsets.reshape(batch, -1).cumsum(1) - offsets.reshape(batch, -1)
    edge = np.zeros((rows, columns))
    edge[0], edge[:, 0] = 1, 1
    told = np.empty((batch, rows, columns, CONTEXT))
    told[..., 0] = wide[:, 1:, :columns]
    for place in range(3):
        told[..., 1 + place] = wide[:, :rows, place : place + columns]
    told[..., 4] = (so_far / np.maximum(before, 1)).reshape(actions.shape)
    told[..., 5] = (1 - before / (rows * columns)).reshape(rows, columns)
    told[..., 6] = edge
    told[..., 7:] = near_levels(base_qps.double().numpy())[:, None, None]
    return torch.from_numpy(told).float()


def offsets_of(actions: NDArray[np.int64]) -> Map:
    """QP offsets of actions.

    >>> offsets_of(np.array([[0, 2]])).tolist()
    [[-6, 0]]
    """
    return np.asarray(OFFSETS)[actions]
