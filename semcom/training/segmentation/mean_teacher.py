"""Mean teacher: consistency with the student's own moving average."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semcom.training.segmentation.loss import dice_cross_entropy
from semcom.training.segmentation.method import Batch, Teaching


class MeanTeacher(Teaching):
    """Consistency with the teacher on unlabelled images (Tarvainen, Valpola, NeurIPS 2017).

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
