"""Training of segmenters: every method in the same loop, on the same images, for as long."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from channels import InputError
from channels.errors import check_name, keep_count, keep_flag, keep_number
from semcom.images import as_sample, check_tensor
from semcom.metrics import dice
from semcom.segmentation.unet import UNetSegmenter, check_width
from semcom.training import loop
from semcom.training.crops import Sample
from semcom.training.loop import digest
from semcom.training.schedule import Schedule
from semcom.training.segmentation.augment import exposed, moved, squared
from semcom.training.segmentation.bcp import BCP
from semcom.training.segmentation.mean_teacher import MeanTeacher
from semcom.training.segmentation.method import Batch, Method
from semcom.training.segmentation.self_training import SelfTraining
from semcom.training.segmentation.supervised import Supervised
from semcom.training.segmentation.transmedseg import TransMedSeg

METHODS: dict[str, type[Method]] = {
    method.name: method for method in (Supervised, MeanTeacher, BCP, SelfTraining, TransMedSeg)
}


@dataclass(frozen=True)
class SegmenterPlan:
    """What a training run does at each step; with the data and the seed it fixes the weights.

    Args:
        method: ``"supervised"``, ``"mean-teacher"``, ``"bcp"``, ``"self-training"`` or
            ``"transmedseg"``.
        steps: optimiser steps.
        batch: labelled images of a step, and as many unlabelled ones.
        longest_side: pixels to which larger images are shrunk.
        learning_rate: peak rate.
        width: of the U-Net.
        depth: of the U-Net.
        turn_deg: images are turned at random by up to this, either way.
        zoom: and their scale changed by up to this share.
        bend: and bent, see :func:`semcom.training.segmentation.augment.moved`.
        stretch: and their ratio of width to height changed by up to so many octaves.
        mixed_precision: whether to compute in bfloat16 where that is harmless.
        seed: seeds the draws of every step.
        method_options: further arguments of the method, e.g. ``{"mixing": "copy-paste"}``.
        schedule: how the rate goes, the optimiser, the average of the weights.

    >>> SegmenterPlan(steps=10).batch
    4
    """

    method: str = "transmedseg"
    steps: int = 2000
    batch: int = 4
    longest_side: int = 256
    learning_rate: float = 2e-3
    width: int = 16
    depth: int = 4
    turn_deg: float = 15.0
    zoom: float = 0.25
    bend: float = 0.0
    stretch: float = 0.0
    mixed_precision: bool = True
    seed: int = 0
    method_options: dict[str, Any] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        check_name("method", self.method, METHODS)
        keep_count(self, "steps", 1, 10**8)
        keep_count(self, "batch", 1, 4096)
        object.__setattr__(self, "width", check_width(self.width))
        keep_count(self, "depth", 1, 6)
        keep_flag(self, "mixed_precision")
        keep_count(self, "seed", 0, 2**40 - 1)
        keep_number(self, "learning_rate", 1e-9, 1)
        keep_number(self, "turn_deg", 0, 180)
        keep_number(self, "zoom", 0, 0.9)
        keep_number(self, "bend", 0, 1)
        keep_number(self, "stretch", 0, 4)
        keep_count(self, "longest_side", 64, 4096)
        stride = 2 ** (self.depth + 1)
        if self.longest_side % stride:
            raise InputError(
                f"longest_side must be a multiple of {stride}, got {self.longest_side}"
            )


def train_segmenter(
    task: str,
    labelled: list[Sample],
    unlabelled: list[Tensor],
    plan: SegmenterPlan,
    out: str | Path,
    *,
    validation: list[Sample] | None = None,
    device: str | torch.device = "cpu",
    log_every: int = 100,
    on_step: Callable[[int, float], None] | None = None,
    first: UNetSegmenter | None = None,
) -> UNetSegmenter:
    """Train a segmenter; run again on the same folder, it goes on where it stopped.

    Args:
        task: what the masks show, e.g. ``"chest"``.
        labelled: images float32 ``[1, H, W]`` with bool masks of the same shape.
        unlabelled: more images; ``"supervised"`` does without, the others take the labelled ones
            again where there are none.
        plan: what to do.
        out: folder of the run, see :func:`semcom.training.loop.run`.
        validation: labelled samples kept apart; where there are any, the weights with the highest
            Dice on them come out, otherwise the last.
        device: where to train.
        log_every: steps between log lines and checkpoints.
        on_step: called with (steps done, loss) after every step.
        first: a segmenter of the plan's width, depth and longest side to go on from, changed in
            place; ``None``: random weights.

    Returns:
        The segmenter, in evaluation mode, on the CPU.

    Raises:
        InputError: if there is no labelled image, a mask is missing, empty or of another size, or
            ``first`` is of another size, or as the loop says.
        Stopped: if it was stopped before its last step, see :mod:`semcom.training.conduct`.
    """
    labelled = [labelled_sample(*sample) for sample in labelled]
    validation = [labelled_sample(*sample) for sample in validation or []]
    unlabelled = [as_sample(image)[0] for image in unlabelled]
    if not labelled:
        raise InputError("no labelled image to train on: give a folder of masks")
    if not any(bool(mask.any()) for _, mask in labelled if mask is not None):
        raise InputError("every mask is empty: there is nothing to learn")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        segmenter = UNetSegmenter(task, plan.longest_side, plan.width, plan.depth)
    if first is not None:
        if first.config() != segmenter.config():
            asked = segmenter.config()
            raise InputError(f"the weights are of {first.config()}, the plan asks for {asked}")
        segmenter = first.requires_grad_(True)
    loop.run(
        _SegmenterTask(segmenter, labelled, unlabelled, validation, plan),
        out,
        device=device,
        log_every=log_every,
        on_step=on_step,
        keep_best=bool(validation),
        mixed_precision=plan.mixed_precision,
    )
    return segmenter.requires_grad_(False)


def labelled_sample(image: Tensor, mask: Tensor | None) -> Sample:
    """An image ``[1, H, W]`` and its bool mask, from which a segmenter can learn.

    >>> labelled_sample(torch.rand(1, 64, 64), torch.ones(1, 64, 32, dtype=torch.bool))
    Traceback (most recent call last):
    channels.errors.InputError: a mask of [1, 64, 32] does not fit its image of [1, 64, 64]
    """
    if mask is None:
        raise InputError("a labelled image has no mask: leave it to the unlabelled ones")
    image, mask = as_sample(image)[0], check_tensor("masks", mask)
    if mask.shape != image.shape:
        raise InputError(
            f"a mask of {list(mask.shape)} does not fit its image of {list(image.shape)}"
        )
    if mask.is_floating_point() or mask.is_complex():
        raise InputError(f"masks must be bool, got {mask.dtype}: use masks > 0.5")
    return as_sample(image, mask)


class _SegmenterTask:
    name, loss_column, score_column = "segmenter", "loss", "validation_dice"

    def __init__(
        self,
        segmenter: UNetSegmenter,
        labelled: list[Sample],
        unlabelled: list[Tensor],
        validation: list[Sample],
        plan: SegmenterPlan,
    ) -> None:
        self.plan = plan
        try:
            self.module = METHODS[plan.method](segmenter.network, **plan.method_options)
        except TypeError as error:
            raise InputError(f"method_options do not fit {plan.method!r}: {error}") from error
        self._segmenter, self._validation = segmenter, validation
        side = plan.longest_side
        self._images = torch.stack([squared(image, side) for image, _ in labelled])
        self._masks = torch.stack([squared(mask, side) for _, mask in labelled if mask is not None])
        others = unlabelled or [image for image, _ in labelled]
        self._unlabelled = torch.stack([squared(image, side) for image in others])
        fed = [self._images, self._masks, self._unlabelled]
        for image, mask in validation:
            fed += [image] if mask is None else [image, mask]
        self.fed_with = f"{segmenter.task} {digest(fed)}"

    def loss(self, step: int) -> Tensor:
        plan = self.plan
        draws = torch.Generator().manual_seed(plan.seed * 1_000_003 + step)
        device = next(self.module.parameters()).device
        chosen = torch.randint(len(self._images), (plan.batch,), generator=draws)
        how = (plan.turn_deg, plan.zoom, plan.bend, plan.stretch)
        images, labels = moved(
            self._images[chosen].to(device), self._masks[chosen].to(device), draws, *how
        )
        more = torch.randint(len(self._unlabelled), (plan.batch,), generator=draws)
        plain, _ = moved(self._unlabelled[more].to(device), None, draws, *how)
        batch = Batch(exposed(images, draws), labels, exposed(plain, draws), plain)
        return self.module.loss(batch, step / plan.steps, draws)

    def stepped(self, step: int) -> None:
        self.module.stepped((step + 1) / self.plan.steps)

    def score(self) -> float:
        """Mean Dice of whole images."""
        if not self._validation:
            return math.nan
        device = next(self.module.parameters()).device
        scores = []
        for image, mask in self._validation:
            predicted = self._segmenter(image[None].to(device)) > 0.5
            if mask is not None:
                scores.append(dice(predicted, mask[None].to(device)))
        return float(torch.cat(scores).mean())

    def save(self, path: Path) -> None:
        self._segmenter.save(path)
