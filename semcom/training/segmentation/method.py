"""What every method of training a segmenter has in common: a student, a loss, maybe a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from semcom.segmentation.unet import UNet

TEACHER_DECAY = 0.99
"""Share of its weights that a teacher keeps at each step, as in mean teacher and BCP."""


class Batch(NamedTuple):
    """Images of a training step, all square and of one size.

    Args:
        images: float32 ``[n, 1, S, S]``, labelled.
        labels: int64 ``[n, S, S]``, the class of each pixel.
        unlabelled: float32 ``[n, 1, S, S]``.
        plain: the unlabelled images at their own exposure, for the teacher.
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
            batch: the images.
            progress: share of the training that is done, 0 to 1.
            draws: source of randomness.
        """

    def stepped(self, progress: float) -> None:
        """After each step of the optimiser."""


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
