"""One training loop for every learned part: resumable, seeded, logged, stopped when need be."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count
from channels.files import atomic_write
from channels.renamed import renamed
from channels.surroundings import check_device, undisturbed
from semcom.training.conduct import FIRST_LINE_S, Conduct, Stopped, current
from semcom.training.runlog import Entry, RunLog
from semcom.training.schedule import Schedule
from semcom.training.state import State
from semcom.weightfile import digest as fingerprint

__all__ = ["Plan", "Schedule", "TrainingTask", "check_folder", "digest", "run"]


class Plan(Protocol):
    """A dataclass that, with the data, fixes the weights that come out."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""

    @property
    def learning_rate(self) -> float:
        """Peak rate. A field ``schedule`` beside it says how it goes, see :class:`Schedule`."""


class TrainingTask(Protocol):
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


@undisturbed(training=True)
def run(
    task: TrainingTask,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    log_every: int = 100,
    on_step: Callable[[int, float], None] | None = None,
    keep_best: bool = False,
    mixed_precision: bool = False,
    accumulate: int = 1,
    conduct: Conduct | None = None,
) -> None:
    """Train; run again on the same folder, it goes on where it stopped.

    A resumed run equals an undisturbed one, wherever it was cut. Log lines and checkpoints come
    after every ``log_every`` steps, and by the clock where these take long.

    Args:
        task: what to train, changed in place: at the end it holds averaged weights, in
            evaluation mode, on the CPU; or those that it came with, where ``conduct`` says that
            they are worth something and their score is not beaten.
        out: folder for ``checkpoint.safetensors``, ``log.csv`` and, at the end or when it is
            stopped, the weights as ``<name>.safetensors``.
        device: where to train.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.
        keep_best: whether the weights are those of the best score so far, rather than the last;
            only scores after every ``log_every`` steps count, so that clocks decide nothing.
        mixed_precision: whether losses are computed under autocast to bfloat16.
        accumulate: losses whose mean makes a step; each has a number of its own.
        conduct: how long to train in this call, how often to report, and from what; by default
            that of :func:`semcom.training.conduct.conducted` around the caller.

    Raises:
        InputError: if the folder holds a run of another plan or files without their checkpoint, or
            is a file, or training diverges.
        Stopped: if it was stopped before its last step.
    """
    conduct = current() if conduct is None else conduct
    device = check_device(device)
    out, plan, module = check_folder(out), task.plan, task.module
    log_every = check_count("log_every", log_every, 1, 10**9)
    schedule = conduct.schedule_of(plan)
    first = {name: value.detach().clone() for name, value in module.state_dict().items()}
    module.to(device).train()
    begun = fingerprint(first) if conduct.from_weights else ""
    state = State(module, plan.learning_rate, schedule, begun)
    checkpoint = out / "checkpoint.safetensors"
    if checkpoint.exists():
        start = state.resume(checkpoint, task)
    else:
        start = 0
        _refuse_foreign(out, task.name)
    out.mkdir(parents=True, exist_ok=True)
    log = RunLog(out / "log.csv", task.loss_column, task.score_column, start)
    if conduct.from_weights and not checkpoint.exists():
        _score_first(state, task, checkpoint, log, conduct)

    clock, spent_s = time.monotonic, state.seconds
    began_s = logged_s = clock()
    line_at_s, report_s = began_s + min(FIRST_LINE_S, conduct.log_seconds), 0.0
    done = logged = start
    total, over = 0.0, ""
    while done < plan.steps and not over:
        step, step_at_s, loss = done, clock(), 0.0
        for part in range(accumulate):
            with torch.autocast(device.type, torch.bfloat16, enabled=mixed_precision):
                share = task.loss(step * accumulate + part) / accumulate
            if not math.isfinite(share.item()):
                raise InputError(f"training diverged at step {step}: lower the learning rate")
            torch.autograd.backward(share)
            loss += share.item()
        state.step(plan.learning_rate * schedule.rate(step, plan.steps), step)
        task.stepped(step)
        total += loss
        done = step + 1
        if on_step is not None:
            on_step(done, loss)
        now_s = clock()
        step_s = now_s - step_at_s
        at_mark = done % log_every == 0 or done == plan.steps
        over = "" if done == plan.steps else conduct.over(step_s + report_s)
        if not (at_mark or over or now_s + step_s >= line_at_s):
            continue
        state.seconds = spent_s + now_s - began_s
        if over and not (at_mark and keep_best):
            state.save(checkpoint, task, done)  # first: who is told to end may not be waited for
        with state.averaged():
            state.score = task.score()
        if at_mark and keep_best and not state.score <= state.best_score:
            state.keep(state.score)
        state.save(checkpoint, task, done)
        steps = done - logged
        entry = Entry(
            done, total / steps, state.score, state.seconds, steps / max(now_s - logged_s, 1e-9)
        )
        log.write(entry)
        conduct.say(str(entry))
        logged_s, logged, total = clock(), done, 0.0
        report_s = logged_s - now_s
        line_at_s = now_s + conduct.log_seconds

    better = not state.outcome(keep_best) <= state.start_score
    if better:
        state.finish(keep_best)
    else:
        module.load_state_dict(first)
    module.to("cpu").eval()
    weights = out / f"{task.name}.safetensors"
    if better:
        _write(task, weights, anew=start < plan.steps, conduct=conduct if over else None)
    else:
        _leave(task, weights, state, keep_best, conduct, ended=not over)
    if over:
        raise Stopped(f"{over} at step {done} of {plan.steps}: run it again to go on")


def _score_first(
    state: State, task: TrainingTask, checkpoint: Path, log: RunLog, conduct: Conduct
) -> None:
    """Score the weights that the module came with, as step 0."""
    began_s = time.monotonic()
    with state.averaged():
        state.start_score = task.score()
    state.seconds = time.monotonic() - began_s
    state.save(checkpoint, task, 0)
    entry = Entry(0, math.nan, state.start_score, state.seconds)
    log.write(entry)
    conduct.say(str(entry))


def _write(task: TrainingTask, weights: Path, anew: bool, conduct: Conduct | None) -> None:
    """Write weights; those of an earlier stop are replaced once the new are whole.

    A stop has its checkpoint: weights that cannot be written then are told, no error.
    """
    if not anew:
        task.save(weights)
        return
    try:
        with atomic_write(weights) as new:
            task.save(new)
    except InputError as error:
        if conduct is None:
            raise
        conduct.say(f"no weights are written yet: {error}")


def _leave(
    task: TrainingTask, weights: Path, state: State, keep_best: bool, conduct: Conduct, ended: bool
) -> None:
    """Say that the first weights were not beaten; a run that has ended leaves these or better."""
    there = weights.exists()
    if ended and not there:
        task.save(weights)
    what = "stays as it was" if there else "holds these" if ended else "is not written"
    conduct.say(
        f"validation {state.outcome(keep_best):.5g} is not better than {state.start_score:.5g} of "
        f"the weights it started from: {weights.name} {what}"
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
    sha256 = hashlib.sha256()
    for tensor in tensors:
        sha256.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        sha256.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return sha256.hexdigest()[:16]


def _refuse_foreign(out: Path, name: str) -> None:
    for file in ("log.csv", f"{name}.safetensors"):
        if (out / file).exists():
            raise InputError(f"{out} holds {file} but no checkpoint: choose another --out")


__getattr__ = renamed(__name__, Trainee="TrainingTask")
