"""What a training run carries from step to step, and its checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from channels import InputError
from channels.tensorfile import store
from semcom.training.schedule import Schedule
from semcom.training.soap import SOAP
from semcom.weightfile import digest as fingerprint
from semcom.weightfile import stored

MOST_SPOILT = 10
_KINDS = ("weight", "average", "best")
"""What a checkpoint holds of each learned tensor, beside the optimiser's state of it."""

_MOMENTS = {"step": "count", "exp_avg": "mean", "exp_avg_sq": "square"}
"""Names in checkpoints of what optimisers call otherwise."""


class Owner(Protocol):
    """Whose run it is, see :class:`semcom.training.loop.TrainingTask`."""

    name: str
    fed_with: str

    @property
    def plan(self) -> Any: ...  # noqa: D102


class State:
    """Everything that a run carries from step to step, beside the module's own buffers.

    Args:
        module: what is trained, where it is trained.
        learning_rate: of the first step.
        schedule: optimiser and average.
        begun: a hash of the first weights, where they are worth something, or empty.
    """

    def __init__(
        self, module: nn.Module, learning_rate: float, schedule: Schedule, begun: str = ""
    ) -> None:
        self.module, self.schedule, self.begun = module, schedule, begun
        self.learned = {n: p for n, p in module.named_parameters() if p.requires_grad}
        kind = {"adam": torch.optim.Adam, "soap": SOAP}[schedule.optimizer]
        self.optimizer: torch.optim.Optimizer = kind(self.learned.values(), lr=learning_rate)
        self.average = {name: value.detach().clone() for name, value in self.learned.items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.best_score = -math.inf
        self.score = self.start_score = math.nan
        """Of the average when it was last asked for, and of the weights it all started from."""
        self.seconds = 0.0
        """Spent on the run by earlier calls, and by this one up to its last checkpoint."""
        self.spoilt = 0
        """Steps in a row whose gradients were not finite; they move nothing."""

    @property
    def fixed(self) -> dict[str, Tensor]:
        """What the module stores beside what is learned: buffers, a teacher."""
        state = self.module.state_dict(keep_vars=True)
        return {name: value for name, value in state.items() if name not in self.learned}

    def step(self, learning_rate: float, step: int) -> None:
        """One step of the optimiser along the gradients that there are, and of the average."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        norm = torch.nn.utils.clip_grad_norm_(self.learned.values(), 1.0)
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
            self.spoilt = 0
        else:
            self.spoilt += 1
        self.optimizer.zero_grad(set_to_none=True)
        if self.spoilt > MOST_SPOILT or not self.optimizer.state:
            raise InputError(f"training diverged at step {step}: lower the learning rate")
        decay = self.schedule.decay(step)
        with torch.no_grad():
            for name, value in self.learned.items():
                self.average[name].lerp_(value, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with averaged weights, without gradients, in evaluation mode."""
        current = {name: value.detach().clone() for name, value in self.learned.items()}
        self._put(self.average)
        self.module.eval()
        with torch.no_grad():
            yield
        self.module.train()
        self._put(current)

    def keep(self, score: float) -> None:
        """Take the average as the best so far."""
        self.best_score = score
        self.best = {name: value.clone() for name, value in self.average.items()}

    def outcome(self, keep_best: bool) -> float:
        """The score of what :meth:`finish` leaves."""
        return self.best_score if self._has_best(keep_best) else self.score

    def finish(self, keep_best: bool) -> None:
        """Leave what comes out in the module."""
        self._put(self.best if self._has_best(keep_best) else self.average)

    def _has_best(self, keep_best: bool) -> bool:
        return keep_best and self.best_score != -math.inf

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, value in self.learned.items():
            value.copy_(values[name])

    def save(self, path: Path, owner: Owner, step: int) -> None:
        """Write a checkpoint whole or not at all."""
        tensors = {f"average.{name}": value for name, value in self.average.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for name, value in self.learned.items():
            tensors[f"weight.{name}"] = value.detach()
            for key, moment in self.optimizer.state.get(value, {}).items():
                tensors[f"{_MOMENTS.get(key, key)}.{name}"] = moment
        tensors |= {f"fixed.{name}": value.detach() for name, value in self.fixed.items()}
        metadata = {
            "step": str(step),
            "plan": json.dumps(_plan(owner)),
            "schedule": json.dumps(asdict(self.schedule)),
            "owner": owner.name,
            "fed_with": owner.fed_with,
            "begun": self.begun,
            "best_score": repr(self.best_score),
            "start_score": repr(self.start_score),
            "score": repr(self.score),
            "seconds": repr(self.seconds),
            "digest": fingerprint(tensors),
        }
        store(tensors, path, metadata)

    def resume(self, path: Path, owner: Owner) -> int:
        """Take up a checkpoint; gives the steps done."""
        damaged = InputError(
            f"{path} is damaged: move it, log.csv and weights beside it away to start anew"
        )
        try:
            tensors, metadata = stored(path)
            plan, name = json.loads(metadata["plan"]), metadata["owner"]
            step, best_score = int(metadata["step"]), float(metadata["best_score"])
            start_score, score = (float(metadata.get(k, "nan")) for k in ("start_score", "score"))
            seconds = float(metadata.get("seconds", "0"))
            schedule = Schedule(**json.loads(metadata.get("schedule", "{}")))
        except (InputError, LookupError, TypeError, ValueError) as error:
            raise damaged from error
        # Checkpoints of earlier versions hold no digest.
        if metadata.get("digest", digest := fingerprint(tensors)) != digest:
            raise damaged
        asked = json.loads(json.dumps(_plan(owner)))
        if name != owner.name or plan != asked or schedule != self.schedule:
            raise InputError(
                f"{path.parent} holds a run of something else or another plan (steps and seed "
                "are part of it): choose another --out"
            )
        if "schedule" not in metadata:  # an earlier version: every tensor has moved in every step
            for name in self.learned:
                tensors.setdefault(f"count.{name}", torch.tensor(float(step)))
        fits = self._fits(tensors)
        if metadata.get("fed_with") != owner.fed_with or metadata.get("begun", "") != self.begun:
            other = (
                "on other data or from other first weights" if fits else "of another configuration"
            )
            raise InputError(f"{path.parent} holds a run {other}: choose another --out")
        squares = [value for key, value in tensors.items() if key.startswith("square.")]
        sound = fits and all(bool((square >= 0).all()) for square in squares)
        if not sound or not 0 <= step <= owner.plan.steps or best_score == math.inf:
            raise damaged
        self.best_score, self.start_score, self.score = best_score, start_score, score
        self.seconds = seconds
        self._take(tensors)
        return step

    @torch.no_grad()
    def _take(self, tensors: dict[str, Tensor]) -> None:
        for name, kept in self.fixed.items():
            kept.copy_(tensors[f"fixed.{name}"])
        for name, value in self.learned.items():
            value.copy_(tensors[f"weight.{name}"])
            self.average[name].copy_(tensors[f"average.{name}"])
            self.best[name].copy_(tensors[f"best.{name}"])
            if f"count.{name}" in tensors:
                # Copies, for what matrices are multiplied to depends on where they lie in memory.
                blank = self._blank(value)
                for key, moment in blank.items():
                    moment.copy_(tensors[f"{_MOMENTS.get(key, key)}.{name}"])
                self.optimizer.state[value] = blank

    def _blank(self, value: Tensor) -> dict[str, Tensor]:
        """The optimiser's state of a parameter, in its shapes."""
        if isinstance(self.optimizer, SOAP):
            return self.optimizer.blank(value)
        zeros = torch.zeros_like(value.detach())
        return {"step": torch.zeros(()), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}

    def _fits(self, tensors: dict[str, Tensor]) -> bool:
        """Whether a checkpoint's tensors have the names, shapes and types of this run's."""
        wanted = {f"fixed.{name}": kept for name, kept in self.fixed.items()}
        for name, learned in self.learned.items():
            wanted |= {f"{kind}.{name}": learned for kind in _KINDS}
            if f"count.{name}" in tensors:  # else it has had no gradient yet
                blank = self._blank(learned)
                wanted |= {f"{_MOMENTS.get(key, key)}.{name}": like for key, like in blank.items()}
        return wanted.keys() == tensors.keys() and all(
            tensors[name].shape == like.shape and tensors[name].dtype == like.dtype
            for name, like in wanted.items()
        )


def _plan(owner: Owner) -> dict[str, Any]:
    """A plan without its schedule: a command may change it, earlier versions did not have it."""
    return {key: value for key, value in asdict(owner.plan).items() if key != "schedule"}
