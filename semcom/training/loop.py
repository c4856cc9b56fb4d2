"""One training loop for every learned part: resumable, seeded, logged."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count
from channels.tensorfile import store
from semcom.weightfile import digest as fingerprint
from semcom.weightfile import stored

EMA_DECAY = 0.998
MOST_SPOILT = 10
_FIRST, _LAST = "step", "seconds"
_KINDS = ("weight", "average", "best", "mean", "square")
"""What a checkpoint holds of each learned tensor."""


class Plan(Protocol):
    """A dataclass that, with the data, fixes the weights that come out."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""

    @property
    def learning_rate(self) -> float:
        """Peak rate of Adam; 200 steps of warm-up, then a half cosine to 1 % of it."""


class Trainee(Protocol):
    """What the loop trains.

    Attributes:
        name: of the checkpoint's owner and of the weights file.
        fed_with: a hash of the samples, and what else decides the result beside the plan.
        plan: what decides the result beside the data.
        module: all networks and statistics. What wants a gradient is trained, and its moving
            average is what comes out.
        loss_column: name of the loss in the log, with its unit.
        score_column: name of the score in the log, with its unit.
    """

    name: str
    fed_with: str
    loss_column: str
    score_column: str

    @property
    def plan(self) -> Any: ...  # noqa: D102

    @property
    def module(self) -> nn.Module: ...  # noqa: D102

    def loss(self, step: int) -> Tensor:
        """What to minimise at a step; seeds its own draws by the step."""

    def stepped(self, step: int) -> None:
        """After the optimiser's step."""

    def score(self) -> float:
        """How good the module is on samples kept apart; the higher the better, NaN without any."""

    def save(self, path: Path) -> None:
        """Write the weights that users load."""


def run(
    trainee: Trainee,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    log_every: int = 100,
    on_step: Callable[[int, float], None] | None = None,
    keep_best: bool = False,
    mixed_precision: bool = False,
    accumulate: int = 1,
) -> None:
    """Train; run again on the same folder, it goes on where it stopped.

    A resumed run equals an undisturbed one.

    Args:
        trainee: what to train, changed in place: at the end it holds averaged weights, in
            evaluation mode, on the CPU.
        out: folder for ``checkpoint.safetensors``, ``log.csv`` and, at the end, the weights as
            ``<name>.safetensors``.
        device: where to train.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.
        keep_best: whether the weights are those of the best score so far, rather than the last.
        mixed_precision: whether losses are computed under autocast to bfloat16.
        accumulate: losses whose mean makes a step; each has a number of its own.

    Raises:
        InputError: if the folder holds a run of another plan or files without their checkpoint, or
            is a file, or training diverges.
    """
    out, plan, module = check_folder(out), trainee.plan, trainee.module
    check_count("log_every", log_every, 1, 10**9)
    module.to(device).train()
    state = _State(module, plan.learning_rate)
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists():
        start = state.resume(checkpoint, trainee)
    else:
        start = 0
        _refuse_foreign(out, trainee.name)
    out.mkdir(parents=True, exist_ok=True)
    columns = (_FIRST, trainee.loss_column, trainee.score_column, _LAST)
    _trim_log(out / "log.csv", start, columns)

    began, total = time.perf_counter(), 0.0
    for step in range(start, plan.steps):
        loss = 0.0
        for part in range(accumulate):
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=mixed_precision):
                share = trainee.loss(step * accumulate + part) / accumulate
            if not math.isfinite(share.item()):
                raise InputError(f"training diverged at step {step}: lower the learning rate")
            torch.autograd.backward(share)
            loss += share.item()
        state.step(plan.learning_rate * _schedule(step, plan.steps), step)
        trainee.stepped(step)
        total += loss
        done = step + 1
        if on_step is not None:
            on_step(done, loss)
        if done % log_every == 0 or done == plan.steps:
            steps = done - max(start, (done - 1) // log_every * log_every)
            with state.averaged():
                score = trainee.score()
            if keep_best and not score <= state.best_score:
                state.keep(score)
            row = [
                done,
                f"{total / steps:.4f}",
                f"{score:.4f}",
                f"{time.perf_counter() - began:.1f}",
            ]
            _log(out / "log.csv", row, columns)
            state.save(checkpoint, trainee, done)
            total = 0.0
    state.finish(keep_best)
    module.to("cpu").eval()
    trainee.save(out / f"{trainee.name}.safetensors")


class _State:
    """Everything that a run carries from step to step, beside the module's own buffers."""

    def __init__(self, module: nn.Module, learning_rate: float) -> None:
        self.module = module
        self.learned = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.Adam(self.learned.values(), lr=learning_rate)
        self.average = {name: value.detach().clone() for name, value in self.learned.items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.best_score = -math.inf
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
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
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

    def finish(self, keep_best: bool) -> None:
        """Leave what comes out in the module."""
        self._put(self.best if keep_best else self.average)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, value in self.learned.items():
            value.copy_(values[name])

    def save(self, path: Path, trainee: Trainee, step: int) -> None:
        """Write a checkpoint whole or not at all."""
        tensors = {f"average.{name}": value for name, value in self.average.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for name, value in self.learned.items():
            tensors[f"weight.{name}"] = value.detach()
            moments = self.optimizer.state[value]
            tensors[f"mean.{name}"] = moments["exp_avg"]
            tensors[f"square.{name}"] = moments["exp_avg_sq"]
        tensors |= {f"fixed.{name}": value.detach() for name, value in self.fixed.items()}
        metadata = {
            "step": str(step),
            "plan": json.dumps(asdict(trainee.plan)),
            "owner": trainee.name,
            "fed_with": trainee.fed_with,
            "best_score": repr(self.best_score),
            "digest": fingerprint(tensors),
        }
        store(tensors, path, metadata)

    def resume(self, path: Path, trainee: Trainee) -> int:
        """Take up a checkpoint; gives the steps done."""
        damaged = InputError(
            f"{path} is damaged: move it, log.csv and weights beside it away to start anew"
        )
        try:
            tensors, metadata = stored(path)
            plan, owner = json.loads(metadata["plan"]), metadata["owner"]
            step, best_score = int(metadata["step"]), float(metadata["best_score"])
        except (InputError, LookupError, TypeError, ValueError) as error:
            raise damaged from error
        # Checkpoints of earlier versions hold no digest.
        if metadata.get("digest", found := fingerprint(tensors)) != found:
            raise damaged
        if owner != trainee.name or plan != json.loads(json.dumps(asdict(trainee.plan))):
            raise InputError(
                f"{path.parent} holds a run of something else or another plan (steps and seed "
                "are part of it): choose another --out"
            )
        fits = self._fits(tensors)
        if metadata.get("fed_with") != trainee.fed_with:
            other = (
                "on other data or from other first weights" if fits else "of another configuration"
            )
            raise InputError(f"{path.parent} holds a run {other}: choose another --out")
        sound = fits and all(bool((tensors[f"square.{n}"] >= 0).all()) for n in self.learned)
        if not sound or not 0 < step <= trainee.plan.steps or best_score == math.inf:
            raise damaged
        self.best_score = best_score
        with torch.no_grad():
            for name, kept in self.fixed.items():
                kept.copy_(tensors[f"fixed.{name}"])
            for name, value in self.learned.items():
                value.copy_(tensors[f"weight.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
                self.best[name].copy_(tensors[f"best.{name}"])
                self.optimizer.state[value] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": tensors[f"mean.{name}"].to(value.device),
                    "exp_avg_sq": tensors[f"square.{name}"].to(value.device),
                }
        return step

    def _fits(self, tensors: dict[str, Tensor]) -> bool:
        """Whether a checkpoint's tensors have the names, shapes and types of this run's."""
        wanted = {f"fixed.{name}": kept for name, kept in self.fixed.items()}
        for name, learned in self.learned.items():
            wanted |= {f"{kind}.{name}": learned for kind in _KINDS}
        return wanted.keys() == tensors.keys() and all(
            tensors[name].shape == like.shape and tensors[name].dtype == like.dtype
            for name, like in wanted.items()
        )


def check_folder(out: str | Path) -> Path:
    """The folder of a run, there or not; refuse an empty name and what is a file or lies in one.

    >>> check_folder("/dev/null/run")
    Traceback (most recent call last):
    channels.errors.InputError: /dev/null is a file: name a folder
    """
    if not str(out).strip():
        raise InputError("out is empty: name a folder for the run")
    for place in (Path(out), *Path(out).parents):
        if place.exists() and not place.is_dir():
            raise InputError(f"{place} is a file: name a folder")
    return Path(out)


def digest(tensors: Iterable[Tensor]) -> str:
    """A hash of the contents of tensors.

    >>> digest([torch.zeros(2)]) == digest([torch.zeros(2)]) != digest([torch.zeros(3)])
    True
    """
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _refuse_foreign(out: Path, name: str) -> None:
    for file in ("log.csv", f"{name}.safetensors"):
        if (out / file).exists():
            raise InputError(f"{out} holds {file} but no checkpoint: choose another --out")


def _log(path: Path, row: list[object], columns: tuple[str, ...]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(columns)
        writer.writerow(row)


def _trim_log(path: Path, step: int, columns: tuple[str, ...]) -> None:
    """Drop log lines past the checkpoint that a run resumes from."""
    if not path.exists():
        return
    rows = path.read_text(errors="replace").splitlines()
    places = [row.split(",")[0] for row in rows]
    kept = [r for r, at in zip(rows, places, strict=True) if at.isdecimal() and int(at) <= step]
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join([",".join(columns), *kept]) + "\n")
    partial.replace(path)
