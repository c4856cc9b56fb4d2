"""Pre-training of a bit allocation policy, and its transfer to other images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from channels import InputError
from semcom.dmic.episode import Scene, exchanges
from semcom.dmic.policy import Policy
from semcom.dmic.rules import two_levels
from semcom.training import loop
from semcom.training.dmic.plan import PolicyPlan
from semcom.training.dmic.task import PolicyTask

_RECKONED = 10
"""Images of a kind that its exchange rates are reckoned from, at most."""


def train_policy(
    scenes: Sequence[Sequence[Scene]],
    plan: PolicyPlan,
    out: str | Path,
    *,
    validation: Sequence[Sequence[Scene]] = (),
    first: Policy | None = None,
    log_every: int = 1000,
    on_step: Callable[[int, float], None] | None = None,
) -> Policy:
    """Train a policy; run again on the same folder, it goes on where it stopped.

    Args:
        scenes: images under their observers, kind by kind: what bits and losses are worth is
            reckoned within a kind, from its anchors.
        plan: what to do.
        out: folder of the run, see :func:`semcom.training.loop.run`.
        validation: scenes kept apart, kind by kind; where there are any, the weights that save most
            over the anchors come out, else the last.
        first: a policy to go on from, changed in place; ``None``: random weights.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.

    Returns:
        The policy, frozen.

    Raises:
        InputError: if there is no scene, or as the loop says.
        Stopped: if it was stopped before its last step, see :mod:`semcom.training.conduct`.

    >>> train_policy([], PolicyPlan(), "runs/policy")
    Traceback (most recent call last):
    channels.errors.InputError: no image to learn from: give one at least
    """
    flat = [scene for kind in scenes for scene in kind]
    if not flat:
        raise InputError("no image to learn from: give one at least")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        policy = Policy() if first is None else first.requires_grad_(True)
    each = [
        exchanges(kind[:_RECKONED], plan.base_qps, two_levels) if kind else {} for kind in scenes
    ]
    rates = [rate for rate, kind in zip(each, scenes, strict=True) for _ in kind]
    kept = [kind for kind in validation if kind]
    task = PolicyTask(policy, flat, rates, kept, plan)
    loop.run(task, out, log_every=log_every, on_step=on_step, keep_best=bool(kept))
    return policy.requires_grad_(False)
