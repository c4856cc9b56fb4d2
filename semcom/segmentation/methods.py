"""How a segmenter learns from few labels: supervised only, mean teacher, self-training, BCP."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from copy import deepcopy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels.errors import check_name
from semcom.segmentation.unet import UNet

TEACHER_DECAY = 0.99
CONFIDENT = 0.75


class Batch(NamedTuple):
    """Pictures of a training step, all square and of one size.

    Args:
        images: float32 ``[n, 1, S, S]``, labelled.
        labels: int64 ``[n, S, S]``, the class of each pixel.
        unlabelled: float32 ``[n, 1, S, S]``.
        plain: the unlabelled pictures at their own exposure, for the teacher.
    """

    images: Tensor
    labels: Tensor
    unlabelled: Tensor
    plain: Tensor


class Method(nn.Module, ABC):
    """What a training step minimises, and the networks that it needs.

    Args:
        student: the network that learns.
    """

    name: str

    def __init__(self, student: UNet) -> None:
        super().__init__()
        self.student = student

    @abstractmethod
    def loss(self, batch: Batch, progress: float, draws: torch.Generator) -> Tensor:
        """What to minimise.

        Args:
            batch: the pictures.
            progress: share of the training that is done, 0 to 1.
            draws: source of randomness.
        """

    def stepped(self, progress: float) -> None:
        """After each step of the optimiser."""


class Supervised(Method):
    """Labelled pictures alone.

    >>> images, labels = torch.rand(2, 1, 64, 64), torch.randint(0, 2, (2, 64, 64))
    >>> method = Supervised(UNet(8))
    >>> method.loss(Batch(images, labels, images, images), 0.5, torch.Generator()).ndim
    0
    """

    name = "supervised"

    def loss(self, batch: Batch, progress: float, draws: torch.Generator) -> Tensor:
        """Cross-entropy and Dice loss of the labelled pictures."""
        return dice_cross_entropy(self.student(batch.images), batch.labels)


class Teaching(Method):
    """A method with a teacher, the moving average of the student."""

    def __init__(self, student: UNet) -> None:
        super().__init__(student)
        self.teacher = deepcopy(student).requires_grad_(False)

    @torch.no_grad()
    def stepped(self, progress: float) -> None:
        """Move the teacher towards the student; while it would be of no use, onto it."""
        decay = TEACHER_DECAY if self.teaches(progress) else 0.0
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old.lerp_(new, 1 - decay)

    def teaches(self, progress: float) -> bool:
        """Whether the teacher already knows enough to teach."""
        return progress > 0


class MeanTeacher(Teaching):
    """Consistency with the teacher on unlabelled pictures (Tarvainen, Valpola, NeurIPS 2017).

    The student sees them at another exposure and with noise; the mean squared difference of
    probabilities counts ``0.1 exp(-5 (1 - progress/0.4)^2)`` until 40 % of the training are done,
    then ``0.1`` (UA-MT's ramp).
    """

    name = "mean-teacher"

    def loss(self, batch: Batch, progress: float, draws: torch.Generator) -> Tensor:
        """Supervised loss and consistency."""
        unlabelled = batch.unlabelled
        noise = torch.randn(unlabelled.shape, generator=draws).to(unlabelled)
        noisy = unlabelled + (0.1 * noise).clamp(-0.2, 0.2)
        logits = self.student(torch.cat([batch.images, noisy]))
        with torch.no_grad():
            wanted = self.teacher(batch.plain).float().softmax(1)
        count = len(batch.images)
        apart: Tensor = (logits[count:].float().softmax(1) - wanted).square().mean()
        ramp: float = math.exp(-5 * (1 - min(progress / 0.4, 1)) ** 2)
        return dice_cross_entropy(logits[:count], batch.labels) + 0.1 * ramp * apart


class Mixed(NamedTuple):
    """What the student is shown in a step, and what it is to answer.

    Args:
        images: float32 ``[batch, 1, S, S]``.
        wanted: int64 ``[batch, S, S]``, the class of each pixel, true or the teacher's.
        true: bool ``[batch, S, S]``, pixels whose class is true.
        believed: bool ``[batch, S, S]``, pixels whose class is the teacher's and counts.
    """

    images: Tensor
    wanted: Tensor
    true: Tensor
    believed: Tensor


def whole(batch: Batch, pseudo: Tensor, sure: Tensor, draws: torch.Generator) -> Mixed:
    """Labelled and unlabelled pictures as they are; the teacher counts where it is sure.

    Args:
        batch: the pictures.
        pseudo: the teacher's classes, int64 ``[n, S, S]``.
        sure: where it is sure of them, bool ``[n, S, S]``.
        draws: source of randomness.
    """
    nowhere = torch.zeros_like(sure)
    return Mixed(
        torch.cat([batch.images, batch.unlabelled]),
        torch.cat([batch.labels, pseudo]),
        torch.cat([~nowhere, nowhere]),
        torch.cat([nowhere, sure]),
    )


def copy_paste(batch: Batch, pseudo: Tensor, sure: Tensor, draws: torch.Generator) -> Mixed:
    """A box of two thirds of the sides exchanged between labelled and unlabelled pictures.

    Arguments are those of :func:`whole`; the teacher counts everywhere.
    """
    inside = random_box(pseudo.shape[-1], draws).to(pseudo.device)
    true = torch.cat([(~inside).expand_as(pseudo), inside.expand_as(pseudo)])
    images, other = batch.images, batch.unlabelled
    return Mixed(
        torch.cat([torch.where(inside, other, images), torch.where(inside, images, other)]),
        torch.cat(
            [torch.where(inside, pseudo, batch.labels), torch.where(inside, batch.labels, pseudo)]
        ),
        true,
        ~true,
    )


MIXINGS = {"whole": whole, "copy-paste": copy_paste}


class Answer(NamedTuple):
    """What a step of self-training computes.

    Args:
        loss: its loss.
        features: of the student, float ``[batch, D, S, S]``.
        labels: int64 ``[batch, S, S]``, true ones; -1 where only the teacher has an opinion.
        taught: features of the teacher on unlabelled pictures; ``None`` during the warm-up.
        believed: its classes where it is sure, else -1.
    """

    loss: Tensor
    features: Tensor
    labels: Tensor
    taught: Tensor | None
    believed: Tensor | None


class SelfTraining(Teaching):
    """The teacher's classes as labels of unlabelled pictures that the student sees otherwise.

    FixMatch (Sohn et al., NeurIPS 2020) with a moving average for a teacher and a Dice loss: the
    teacher sees a picture at its own exposure, the student at another one; pixels of which the
    teacher is sure count half. The teacher looks twice, the second time at the enlarged middle of
    the picture, and its two opinions are averaged: what it takes for lung depends on the framing.

    Args:
        student: the network that learns.
        mixing: what the student is shown: ``"whole"`` pictures or ``"copy-paste"``.
        warm_up: share of the training without unlabelled pictures.
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
        """Mean of an opinion and the teacher's on the middle of the picture, enlarged."""
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


class BCP(SelfTraining):
    """Bidirectional copy-paste (Bai, Chen, Li, Shen, Shao, CVPR 2023).

    A box of two thirds of the sides is exchanged between labelled and unlabelled pictures, both
    ways; pseudo-labels of the teacher count half. In the first 30 % of the training labelled
    pictures are pasted into labelled ones.
    """

    name = "bcp"

    def __init__(self, student: UNet) -> None:
        super().__init__(student, "copy-paste", 0.3, closest=1)


def scaled(pictures: Tensor, zoom: float) -> Tensor:
    """Pictures ``[batch, C, S, S]`` enlarged about their middle, or shrunk; the size stays.

    >>> scaled(torch.eye(4)[None, None], 2.0)[0, 0, 0]
    tensor([0.6250, 0.5625, 0.1875, 0.0000])
    """
    where = torch.tensor([[1 / zoom, 0, 0], [0, 1 / zoom, 0]]).to(pictures)
    grid = F.affine_grid(
        where.expand(len(pictures), 2, 3), list(pictures.shape), align_corners=False
    )
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def dice_cross_entropy(logits: Tensor, labels: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean of the cross-entropy and the Dice loss of the foreground.

    Args:
        logits: float ``[batch, C, H, W]``.
        labels: int64 ``[batch, H, W]``.
        where: bool ``[batch, H, W]``, pixels that count; ``None`` for all.

    >>> sure = torch.tensor([[[[-20.0]], [[20.0]]]])
    >>> round(dice_cross_entropy(sure, torch.ones(1, 1, 1, dtype=torch.int64)).item(), 4)
    0.0
    """
    logits = logits.float()
    weight = torch.ones_like(labels, dtype=logits.dtype) if where is None else where.to(logits)
    entropy = (weight * F.cross_entropy(logits, labels, reduction="none")).sum()
    probabilities = logits.softmax(1)[:, 1:]
    wanted = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].to(logits)
    weight = weight[:, None]
    overlap = (weight * probabilities * wanted).sum((0, 2, 3))
    total = (weight * (probabilities.square() + wanted)).sum((0, 2, 3))
    dice = 1 - ((2 * overlap + 1) / (total + 1)).mean()
    return (entropy / weight.sum().clamp_min(1) + dice) / 2


def random_box(side: int, draws: torch.Generator) -> Tensor:
    """A square of two thirds of the side somewhere in a picture: bool ``[side, side]``.

    >>> random_box(60, torch.Generator()).sum()
    tensor(1600)
    """
    inner = side * 2 // 3
    top, left = torch.randint(0, side - inner + 1, (2,), generator=draws).tolist()
    box = torch.zeros(side, side, dtype=torch.bool)
    box[top : top + inner, left : left + inner] = True
    return box
