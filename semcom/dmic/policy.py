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
from channels.surroundings import undisturbed
from channels.tensorfile import store
from semcom.dmic.units import BASE_QPS, OFFSETS, UNIT, Map
from semcom.learned import pad_to
from semcom.weightfile import complaint, digest, halved, stored

FEATURES = 96
CONTEXT = 7 + len(BASE_QPS)
_HIDDEN = 34
_PLANES = 3
_FURTHEST = float(max(OFFSETS))
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
    return pad_to(torch.stack([grey - 0.5, p, 4 * p * (1 - p)])[None], UNIT)


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
        found = self.down(F.avg_pool2d(seen, 2))
        levels = torch.from_numpy(near_levels(base_qps.numpy())).to(found)
        scale, shift = self.level(levels)[:, :, None, None].chunk(2, 1)
        near = F.relu(self.around(found) * (1 + scale) + shift)
        far = self.everywhere(near.mean((-2, -1)))[:, :, None, None]
        features = F.relu(self.last(F.relu(near + far)))
        return F.layer_norm(features.movedim(1, -1), (FEATURES,))  # else the head's tanh saturates


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
            base_qp: what the offsets are added to.

        >>> Policy().offsets(np.zeros((64, 96), np.float32), np.zeros((64, 96)), 37).shape
        (2, 3)
        """
        level = torch.tensor([float(base_qp)])
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
        with torch.random.fork_rng(devices=[]):
            policy = cls()
        try:
            policy.load_state_dict(state)
        except RuntimeError as error:
            told = complaint(error)
            raise InputError(f"{Path(path).name} does not hold such weights: {told}") from error
        return policy.eval().requires_grad_(False)

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
        own = features.detach().double().numpy() @ into[:, :FEATURES].T + shift
        into = into[:, FEATURES:].T
        state = Choices(batch, rows, columns, base_qps.double().numpy())
        for row in range(rows):
            for column in range(columns):
                hidden = np.tanh(own[:, row, column] + state.context(row, column) @ into)
                logits = hidden @ out.T + bias
                if uniform is None:
                    action = logits.argmax(1)
                else:
                    chances = np.exp(logits - logits.max(1, keepdims=True))
                    reached = chances.cumsum(1) / chances.sum(1, keepdims=True)
                    action = (reached < uniform[row, column][:, None]).sum(1)
                state.take(row, column, np.minimum(action, len(OFFSETS) - 1))
        return state.actions


class Choices:
    """Which offsets have been chosen so far, and what the head is told of them.

    Args:
        batch: images.
        rows: of units.
        columns: of units.
        base_qps: ``[batch]``.

    >>> choices = Choices(1, 2, 2, np.array([38.0]))
    >>> choices.take(0, 0, np.array([len(OFFSETS) - 1]))
    >>> choices.context(0, 1)[0].round(3).tolist()
    [1.0, 0.0, 0.0, 0.0, 1.0, 0.75, 1.0, 0.0, 0.0, 0.0, 0.667, 0.333, 0.0, 0.0, 0.0]
    """

    def __init__(self, batch: int, rows: int, columns: int, base_qps: NDArray[np.float64]) -> None:
        self.actions = np.zeros((batch, rows, columns), np.int64)
        self._wide = np.zeros((batch, rows + 1, columns + 2))
        self._sum, self._count, self._all = np.zeros(batch), 0, rows * columns
        self._levels = near_levels(base_qps)

    def context(self, row: int, column: int) -> NDArray[np.float64]:
        """What the head knows at a unit, float64 ``[batch, CONTEXT]``.

        Offsets over the largest one, of the units to the left, above left, above, above right, 0
        where there is none, and their mean so far; the share of the units that remains; 1 in the
        first row and column; :func:`near_levels` of the base QP.
        """
        above, here = self._wide[:, row], self._wide[:, row + 1]
        ones = np.ones(len(self._levels))
        chosen = np.stack(
            [
                here[:, column],
                above[:, column],
                above[:, column + 1],
                above[:, column + 2],
                self._sum / max(self._count, 1),
                ones * (1 - self._count / self._all),
                ones * (row == 0 or column == 0),
            ],
            1,
        )
        return np.concatenate([chosen, self._levels], 1)

    def take(self, row: int, column: int, action: NDArray[np.int64]) -> None:
        """Note what was chosen."""
        self.actions[:, row, column] = action
        offset = np.asarray(OFFSETS)[action] / _FURTHEST
        self._wide[:, row + 1, column + 1] = offset
        self._sum += offset
        self._count += 1


def contexts(actions: NDArray[np.int64], base_qps: Tensor) -> Tensor:
    """What the head knew at each unit of finished choices.

    Args:
        actions: int64 ``[batch, rows, columns]``.
        base_qps: ``[batch]``.

    Returns:
        float32 ``[batch, rows, columns, CONTEXT]``.

    >>> contexts(np.zeros((1, 2, 3), np.int64), torch.tensor([38.0])).shape
    torch.Size([1, 2, 3, 15])
    """
    batch, rows, columns = actions.shape
    state = Choices(batch, rows, columns, base_qps.double().numpy())
    told = np.empty((batch, rows, columns, CONTEXT))
    for row in range(rows):
        for column in range(columns):
            told[:, row, column] = state.context(row, column)
            state.take(row, column, actions[:, row, column])
    return torch.from_numpy(told).float()


def offsets_of(actions: NDArray[np.int64]) -> Map:
    """QP offsets of actions.

    >>> offsets_of(np.array([[0, 2]])).tolist()
    [[-6, 0]]
    """
    return np.asarray(OFFSETS)[actions]
