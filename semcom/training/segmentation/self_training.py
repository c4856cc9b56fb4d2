"""Self-training: a teacher's classes as labels."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from channels.errors import check_name
from semcom.segmentation.unet import UNet
from semcom.training.segmentation.loss import dice_cross_entropy
from semcom.training.segmentation.method import Batch, Teaching
from semcom.training.segmentation.mixing import MIXINGS, random_box

CONFIDENT = 0.75
"""Probability from which on a teacher is sure."""


class Answer(NamedTuple):
    """What a step of self-training computes.

    Args:
        loss: its loss.
        features: of the student, float ``[batch, D, S, S]``.
        labels: int64 ``[batch, S, S]``, true ones; -1 where only the teacher has an opinion.
        taught: features of the teacher on unlabelled images; ``None`` during the warm-up.
        believed: its classes where it is sure, else -1.
    """

    loss: Tensor
    features: Tensor
    labels: Tensor
    taught: Tensor | None
    believed: Tensor | None


class SelfTraining(Teaching):
    """The teacher's classes as labels of unlabelled images that the student sees otherwise.

    FixMatch (Sohn et al., NeurIPS 2020) with a moving average for a teacher and a Dice loss: the
    teacher sees an image at its own exposure, the student at another one; pixels of which the
    teacher is sure count half. The teacher looks twice, the second time at the enlarged middle of
    the image, and its two opinions are averaged: what it takes for lung depends on the framing.

    Args:
        student: the network that learns.
        mixing: what the student is shown: ``"whole"`` images or ``"copy-paste"``.
        warm_up: share of the training without unlabelled images.
        closest: the second look enlarges by up to this factor; 1 for a single look.
    """

    name = "self-training"

    def __init__(
        self, student: UNet, mixing: str = "whole", warm_up: float = 0.15, closest: float = 1.4
    ) -> None:
        super().__init__(student)
        self.mixing = check_name("mixing", mixing, MIXINGS)
        self.warm_up, self.closest = warm_up, closest

    def teaches(self, progress: float) -> bool:
        """After the warm-up."""
        return progress >= self.warm_up

    def loss(self, batch: Batch, progress: float, draws: torch.Generator) -> Tensor:
        """Loss under true and under taught labels."""
        return self.answer(batch, progress, draws).loss

    def answer(self, batch: Batch, progress: float, draws: torch.Generator) -> Answer:
        """The loss and what it was computed from."""
        if not self.teaches(progress):
            return self._warming_up(batch, draws)
        with torch.no_grad():
            taught = self.teacher.features(batch.plain)
            opinion = self.teacher.classifier(taught).float().softmax(1)
            if self.closest > 1:
                zoom = 1 + (self.closest - 1) * float(torch.rand(1, generator=draws))
                opinion = self._second_look(batch.plain, opinion, zoom)
            chance, pseudo = opinion.max(1)
        sure = chance >= CONFIDENT
        mixed = MIXINGS[self.mixing](batch, pseudo, sure, draws)
        features = self.student.features(mixed.images)
        logits = self.student.classifier(features)
        loss = dice_cross_entropy(logits, mixed.wanted, mixed.true)
        loss = loss + 0.5 * dice_cross_entropy(logits, mixed.wanted, mixed.believed)
        known = torch.where(mixed.true, mixed.wanted, -1)
        return Answer(loss, features, known, taught, torch.where(sure, pseudo, -1))

    def _second_look(self, images: Tensor, opinion: Tensor, zoom: float) -> Tensor:
        """Mean of an opinion and the teacher's on the middle of the image, enlarged."""
        closer = self.teacher(scaled(images, zoom)).float().softmax(1)
        side = images.shape[-1]
        edge = math.ceil(side * (1 - 1 / zoom) / 2)
        middle = slice(edge, side - edge)
        opinion = opinion.clone()
        opinion[..., middle, middle] += scaled(closer, 1 / zoom)[..., middle, middle]
        opinion[..., middle, middle] /= 2
        return opinion

    def _warming_up(self, batch: Batch, draws: torch.Generator) -> Answer:
        images, labels = batch.images, batch.labels
        if self.mixing == "copy-paste":
            inside = random_box(images.shape[-1], draws).to(images.device)
            images = torch.where(inside, images.roll(1, 0), images)
            labels = torch.where(inside, labels.roll(1, 0), labels)
        features = self.student.features(images)
        loss = dice_cross_entropy(self.student.classifier(features), labels)
        return Answer(loss, features, labels, None, None)


def scaled(images: Tensor, zoom: float) -> Tensor:
    """Images ``[batch, C, S, S]`` enlarged about their middle, or shrunk; the size stays.

    >>> scaled(torch.eye(4)[None, None], 2.0)[0, 0, 0]
    tensor([0.6250, 0.5625, 0.1875, 0.0000])
    """
    where = torch.tensor([[1 / zoom, 0, 0], [0, 1 / zoom, 0]]).to(images)
    grid = F.affine_grid(where.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
