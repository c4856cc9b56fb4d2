"""A2C for bit allocation: play, code, let observers look, credit every unit, update.

The loop is ours and not that of stable-baselines3: that asks the whole network anew for each unit
where one pass of the trunk serves a picture's 256, and wants a reward at every step where all
rewards are known when the picture has been coded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr
from torch import Tensor, nn

from channels import InputError
from semcom.dmic.episode import Exchange, Scene, returns
from semcom.dmic.policy import Policy, contexts, offsets_of, planes
from semcom.dmic.rules import two_levels
from semcom.dmic.units import OFFSETS, Map
from semcom.metrics import bd_rate
from semcom.training.dmic.plan import PolicyPlan
from semcom.training.loop import digest

T = TypeVar("T", bound=np.generic)

_QUARTERS = 4
TURNS = 2 * _QUARTERS
"""Ways to turn and mirror a square."""

_NOTHING = 1e-9
_NEAR_QPS = 1.5
"""How far apart, in QPs, offsets are by which the chance to imitate one falls to 1 / e."""

_LOG_SPREAD = (-5.0, 5.0)
_SHARED = 0.2, 0.2, 0.4
"""Of the variance of what is tried, what a whole image shares, what neighbours share, and what
units share that the trunk describes alike."""


def explored(draws: np.random.Generator, features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Uniform numbers that draw actions, alike in units that are alike.

    Each unit by itself draws by its own probabilities. Together they try what a map could be: all
    of an image coarser, a corner of it, or all units of a kind, along a random direction of the
    trunk's features (state-dependent exploration: Raffin et al., CoRL 2021). Units that are coarser
    one here and one there take bits to say so, and what each of them does is lost in what all do.

    Args:
        draws: random numbers.
        features: of units, ``[batch, rows, columns, F]``.

    Returns:
        ``[rows, columns, batch]`` in [0, 1).

    >>> explored(np.random.default_rng(0), np.zeros((4, 2, 3, 8))).shape
    (2, 3, 4)
    """
    image, near, alike = _SHARED
    batch, rows, columns, size = features.shape
    fields = gaussian_filter(draws.standard_normal((rows, columns, batch)), (1.5, 1.5, 0))
    fields /= max(fields.std(), _NOTHING)
    kinds = np.einsum("brcf,bf->rcb", features, draws.standard_normal((batch, size)))
    kinds -= kinds.mean((0, 1))
    kinds /= np.maximum(kinds.std((0, 1)), _NOTHING)
    mixed = (
        np.sqrt(image) * draws.standard_normal(batch)
        + np.sqrt(near) * fields
        + np.sqrt(alike) * kinds
        + np.sqrt(1 - image - near - alike) * draws.standard_normal((rows, columns, batch))
    )
    return _below_one(ndtr(mixed))


def _below_one(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(chances, np.nextafter(1, 0))


def turned(values: NDArray[T], turn: int) -> NDArray[T]:
    """Planes turned by ``turn % 4`` quarters, and mirrored before from 4 on.

    >>> turned(np.array([[1, 2], [3, 4]]), 5).tolist()
    [[1, 3], [2, 4]]
    """
    there = np.flip(values, -1) if turn >= _QUARTERS else values
    return np.ascontiguousarray(np.rot90(there, turn % _QUARTERS, (-2, -1)))


def turned_back(values: NDArray[T], turn: int) -> NDArray[T]:
    """What :func:`turned` made such planes of.

    >>> turned_back(turned(np.array([[1, 2], [3, 4]]), 5), 5).tolist()
    [[1, 2], [3, 4]]
    """
    there = np.rot90(values, -(turn % _QUARTERS), (-2, -1))
    return np.ascontiguousarray(np.flip(there, -1) if turn >= _QUARTERS else there)


def _shares(rates: dict[int, Exchange], base_qps: Sequence[int]) -> NDArray[np.float64]:
    """How often base QPs are drawn: as the root of what is lost there, since noise is not less."""
    roots = np.sqrt([rates[qp].loss for qp in base_qps])
    shares: NDArray[np.float64] = roots / roots.sum()
    return shares


class PolicyTask:
    """What :func:`semcom.training.loop.run` trains.

    Args:
        policy: changed in place.
        scenes: pictures under their observers.
        exchange: of each scene, by base QP.
        validation: scenes kept apart, kind by kind.
        plan: what to do.
    """

    name, loss_column, score_column = "policy", "loss", "validation_saving"

    def __init__(
        self,
        policy: Policy,
        scenes: Sequence[Scene],
        exchange: Sequence[dict[int, Exchange]],
        validation: Sequence[Sequence[Scene]],
        plan: PolicyPlan,
    ) -> None:
        self.plan, self.policy = plan, policy
        self.module: nn.Module = policy
        policy.trunk.requires_grad_(plan.tuned == "all")
        if plan.tuned == "last":
            policy.trunk.last.requires_grad_(True)
        self._scenes, self._exchange, self._validation = scenes, exchange, validation
        self._often = [_shares(rates, plan.base_qps) for rates in exchange]
        self._alike: dict[tuple[int, ...], list[int]] = {}
        for place, scene in enumerate(scenes):
            self._alike.setdefault(scene.image.shape, []).append(place)
        self.fed_with = digest(torch.from_numpy(scene.found) for scene in scenes)

    def loss(self, step: int) -> Tensor:
        """Of one batch: imitation at first, then policy gradient, critic and entropy."""
        plan = self.plan
        draws = np.random.default_rng([plan.seed, step])
        chosen = self._chosen(draws)
        base_qps = np.array([draws.choice(plan.base_qps, p=self._often[i]) for i in chosen])
        qps = torch.from_numpy(base_qps).float()
        turn = int(draws.integers(TURNS)) if plan.turned else 0
        scenes = [self._scenes[i] for i in chosen]
        seen = torch.cat(
            [planes(turned(scene.image, turn), turned(scene.found[0], turn)) for scene in scenes]
        )
        features = self.policy.trunk(seen, qps)
        if step < plan.imitated:
            return self._imitation(features, qps, scenes, turn, draws)
        tried = explored(draws, features.detach().numpy())
        features, qps = features.repeat(2, 1, 1, 1), qps.repeat(2)
        actions = self.policy.choose(
            features, qps, np.concatenate([tried, _below_one(1 - tried)], -1)
        )
        who = self._who(scenes, draws)
        offsets = np.split(offsets_of(turned_back(actions, turn)), 2)
        played = [
            self._played(scene, self._exchange[i][int(qp)], int(qp), pair, one)
            for scene, i, qp, one, pair in zip(
                scenes, chosen, base_qps, who, zip(*offsets, strict=True), strict=True
            )
        ]
        over_anchor, over_twin = (
            torch.from_numpy(turned(returns(credits, plan.gamma, plan.reach), turn)).float()
            for credits in map(np.concatenate, zip(*played, strict=True))
        )
        logs, middle, log_spread = self.policy.head(features, contexts(actions, qps))
        log_spread = log_spread.clamp(*_LOG_SPREAD)
        taken = logs.gather(-1, torch.from_numpy(actions)[..., None])[..., 0]
        surprise = (over_anchor - middle) * (-log_spread).exp()
        advantage = over_twin * (-log_spread).exp().detach()
        actor = -(taken * advantage).mean()
        entropy = -(logs.exp() * logs).sum(-1).mean()
        critic = (surprise.abs() + log_spread).mean()
        loss: Tensor = actor + plan.critic * critic - plan.entropy * entropy
        return loss

    def _imitation(
        self,
        features: Tensor,
        qps: Tensor,
        scenes: Sequence[Scene],
        turn: int,
        draws: np.random.Generator,
    ) -> Tensor:
        """Cross-entropy to offsets near those of the rule "two levels"."""
        goals = np.stack([two_levels(scene.image, scene.found[0], 0) for scene in scenes])
        apart = np.abs(np.asarray(OFFSETS) - turned(goals, turn)[..., None])
        wanted = np.exp(-apart / _NEAR_QPS)
        wanted /= wanted.sum(-1, keepdims=True)
        drawn = draws.random(wanted.shape[:-1])[..., None]
        actions = np.minimum((wanted.cumsum(-1) < drawn).sum(-1), len(OFFSETS) - 1)
        logs, _, _ = self.policy.head(features, contexts(actions, qps))
        loss: Tensor = -(torch.from_numpy(wanted).float() * logs).sum(-1).mean()
        return loss

    def stepped(self, step: int) -> None:
        """Nothing to do."""

    def score(self) -> float:
        """What the likeliest choices save of the anchors' rate, in percent.

        The negative BD-rate at equal mean loss, the mean over kinds; -100 where the curve of the
        choices does not fall from one base QP to the next.
        """
        return float(np.mean([self._saved(kind) for kind in self._validation] or [math.nan]))

    def _saved(self, kind: Sequence[Scene]) -> float:
        qps, curves = self.plan.base_qps, np.zeros((2, 2, len(self.plan.base_qps)))
        for scene in kind:
            seen = planes(scene.image, scene.found[0])
            levels = torch.tensor(qps, dtype=torch.float32)
            features = self.policy.trunk(seen.expand(len(qps), -1, -1, -1), levels)
            for at, (qp, action) in enumerate(
                zip(qps, self.policy.choose(features, levels), strict=True)
            ):
                pair = scene.anchor(qp), scene.coded(qp, offsets_of(action))
                for which, coded in enumerate(pair):
                    curves[which, :, at] += coded.num_bytes, -coded.loss
        (bytes0, kept0), (num_bytes, kept) = curves[..., ::-1]
        try:
            return -bd_rate(bytes0, kept0, num_bytes, kept, min_overlap=0)
        except InputError:
            return -100.0

    def save(self, path: Path) -> None:
        """Write the weights."""
        self.policy.save(path)

    def _chosen(self, draws: np.random.Generator) -> list[int]:
        """Scenes of a batch: one, and others of its size."""
        first = int(draws.integers(len(self._scenes)))
        alike = self._alike[self._scenes[first].image.shape]
        return [first, *map(int, draws.choice(alike, self.plan.batch - 1))]

    @staticmethod
    def _who(scenes: Sequence[Scene], draws: np.random.Generator) -> list[int]:
        """One observer of each scene: looking costs more than coding."""
        return [int(draws.integers(len(scene.observers))) for scene in scenes]

    @staticmethod
    def _played(
        scene: Scene, exchange: Exchange, qp: int, pair: Sequence[Map], by: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each unit of twins gains over the anchor, and over half the way to its twin.

        In spreads, ``[2, rows, columns]`` each. What a change of samples loses grows with what is
        lost already: seen from the anchor, the last step of a coarse map is as cheap as its first.
        Between twins it costs what it costs where the policy stands.
        """
        first, second = (scene.coded(qp, offsets, by) for offsets in pair)
        anchor = scene.anchor(qp, by)
        over_anchor = np.stack([exchange.credits(coded, anchor) for coded in (first, second)])
        ahead = exchange.credits(first, second) / 2
        return over_anchor / exchange.spread, np.stack([ahead, -ahead]) / exchange.spread
