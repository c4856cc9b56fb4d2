"""Training of a generator and its captioner, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from channels import InputError
from semcom.generative.generator import STRIDE, Generator
from semcom.generative.learned_captioner import LearnedCaptioner
from semcom.generative.words import KINDS
from semcom.learned import pad_to
from semcom.light import has_adapters
from semcom.training import loop
from semcom.training.crops import check_sizes
from semcom.training.generator.plan import GeneratorPlan
from semcom.training.generator.scenes import KeyScene
from semcom.training.generator.task import GeneratorTask


def train_generator(
    scenes: Sequence[KeyScene],
    plan: GeneratorPlan,
    out: str | Path,
    *,
    validation: Sequence[KeyScene] = (),
    first: Generator | None = None,
    captioner: LearnedCaptioner | None = None,
    log_every: int = 200,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[Generator, LearnedCaptioner]:
    """Train a generator and the words for it; run again on the same folder, it goes on.

    Args:
        scenes: pictures with key regions and words.
        plan: what to do.
        out: folder of the run, see :func:`semcom.training.loop.run`.
        validation: pictures kept apart.
        first: a generator to go on from, changed in place; ``None``: random weights. Of one with
            adapters (:func:`semcom.light.with_lora`) these alone are trained, and written.
        captioner: one to go on from, changed in place; ``None``: one that says what is measured.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.

    Returns:
        Both, frozen.

    Raises:
        InputError: if there is no picture, or as the loop says.

    >>> train_generator([], GeneratorPlan(), "runs/generator")
    Traceback (most recent call last):
    channels.errors.InputError: no picture to learn from: give one at least
    """
    if not scenes:
        raise InputError("no picture to learn from: give one at least")
    whole = [(pad_to(scene.image[None], STRIDE)[0], None) for scene in [*scenes, *validation]]
    check_sizes(whole, plan.crop)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        generator = Generator() if first is None else first
        if captioner is None:
            captioner = LearnedCaptioner(KINDS[scenes[0].choices[0]])
    if not has_adapters(generator):
        generator.requires_grad_(True)
    captioner.requires_grad_(True)
    task = GeneratorTask(generator, captioner, scenes, validation, plan)
    loop.run(task, out, log_every=log_every, on_step=on_step)
    return generator.eval().requires_grad_(False), captioner.eval().requires_grad_(False)
