"""Supervised training: what labels alone can do."""

from __future__ import annotations

import torch
from torch import Tensor

from semcom.training.segmentation.loss import dice_cross_entropy
from semcom.training.segmentation.method import Batch, Method


class Supervised(Method):
    """Labelled images alone.

    >>> from semcom.segmentation.unet import UNet
    >>> images, labels = torch.rand(2, 1, 64, 64), torch.randint(0, 2, (2, 64, 64))
    >>> method = Supervised(UNet(8))
    >>> method.loss(Batch(images, labels, images, images), 0.5, torch.Generator()).ndim
    0
    """

    name = "supervised"

    def loss(self, batch: Batch, progress: float, draws: torch.Generator) -> Tensor:
        """Cross-entropy and Dice loss of the labelled images."""
        return dice_cross_entropy(self.student(batch.images), batch.labels)
