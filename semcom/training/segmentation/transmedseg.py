"""TransMedSeg: self-training, and features carried over to the unlabelled domain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from channels.errors import check_name
from semcom.segmentation.unet import FEATURES, UNet
from semcom.training.segmentation.method import Batch
from semcom.training.segmentation.self_training import Answer, SelfTraining
from semcom.training.segmentation.statistics import ClassStatistics
from semcom.training.segmentation.transfer import transferable_cross_entropy

DIRECTIONS = ("source-to-target", "teacher-to-student")


class TransMedSeg(SelfTraining):
    """Semi-supervised segmentation with transferable semantic augmentation (TransMedSeg, 2025).

    To the loss of :class:`SelfTraining` comes, with weight ``beta``, the expected cross-entropy of
    features that are moved and spread as those of the other domain are, class by class, in closed
    form. The statistics of the labelled domain are those of the student's features under true
    labels, the statistics of the unlabelled one those of the teacher's features where it is sure.
    Both the strength and the weight grow from 0 after the warm-up to their full value at the end.

    Args:
        student: the network that learns.
        strength: largest share λ of the shift and the covariance.
        beta: largest weight of the loss.
        direction: ``"source-to-target"``: the student's labelled features are given the statistics
            of the unlabelled domain, as TSA does. ``"teacher-to-student"``: the teacher's features
            are given those of the labelled domain, as TransMedSeg's abstract says; they carry no
            gradient, so that this trains the classifier alone.
        per_class: pixels of each class drawn in a step.
        mixing: of :class:`SelfTraining`; the paper builds on ``"copy-paste"``, see docs/masks.md.
        warm_up: of :class:`SelfTraining`.
        closest: of :class:`SelfTraining`.
    """

    name = "transmedseg"

    def __init__(
        self,
        student: UNet,
        strength: float = 0.25,
        beta: float = 0.1,
        direction: str = "source-to-target",
        per_class: int = 4096,
        mixing: str = "whole",
        warm_up: float = 0.15,
        closest: float = 1.4,
    ) -> None:
        super().__init__(student, mixing, warm_up, closest)
        self.strength, self.beta, self.per_class = strength, beta, per_class
        self.direction = check_name("direction", direction, DIRECTIONS)
        self.source = ClassStatistics(student.num_classes, FEATURES)
        self.target = ClassStatistics(student.num_classes, FEATURES)

    def loss(self, batch: Batch, progress: float, draws: torch.Generator) -> Tensor:
        """Loss of the mixed images and of the features carried over."""
        answer = self.answer(batch, progress, draws)
        with torch.autocast(answer.features.device.type, enabled=False):
            return answer.loss + self.beta * self._carried_over(answer, progress, draws)

    def _carried_over(self, answer: Answer, progress: float, draws: torch.Generator) -> Tensor:
        features, labels = drawn(answer.features, answer.labels, self.per_class, draws)
        self.source.update(features.detach(), labels)
        if answer.taught is None or answer.believed is None:
            return features.new_zeros(())
        taught, believed = drawn(answer.taught, answer.believed, self.per_class, draws)
        self.target.update(taught, believed)
        here, there = self.source, self.target
        if self.direction == "teacher-to-student":
            here, there, features, labels = there, here, taught, believed
        if not len(labels) or not bool((here.known & there.known).all()):
            return features.new_zeros(())
        ramp = (progress - self.warm_up) / (1 - self.warm_up)
        classifier = self.student.classifier
        weight = classifier.weight.flatten(1)
        loss = transferable_cross_entropy(
            F.linear(features, weight, classifier.bias),
            labels,
            weight,
            there.mean - here.mean,
            there.covariance,
            self.strength * ramp,
        )
        return ramp * loss


def drawn(
    features: Tensor, labels: Tensor, per_class: int, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Features of pixels drawn at random, as many of each class.

    Args:
        features: float ``[batch, D, H, W]``.
        labels: int64 ``[batch, H, W]``; pixels of -1 are left out.
        per_class: pixels of each class at most.
        draws: source of randomness.

    Returns:
        float32 ``[N, D]`` and int64 ``[N]``.

    >>> labels = torch.tensor([[[0, 1], [1, -1]]])
    >>> drawn(torch.rand(1, 3, 2, 2), labels, 2, torch.Generator())[1]
    tensor([0, 1, 1])
    """
    flat = labels.flatten()
    chosen = []
    for kind in range(int(flat.max()) + 1 if flat.numel() else 0):
        places = (flat == kind).nonzero()[:, 0]
        if len(places) > per_class:
            picks = torch.randint(len(places), (per_class,), generator=draws)
            places = places[picks.to(places.device)]
        chosen.append(places)
    places = torch.cat(chosen) if chosen else flat.new_zeros(0)
    area = labels[0].numel()
    batch, pixel = places // area, places % area
    return features.flatten(2)[batch, :, pixel].float(), flat[places]
