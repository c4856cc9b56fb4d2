"""What the features of each class look like: means and covariances over a training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count, check_number


class ClassStatistics(nn.Module):
    """Running mean and covariance of the features of each class.

    The statistics of a step are merged with those before as if both were one sample, whose weight
    is held at ``memory`` observations, so that old features fade (ISDA: Wang et al., NeurIPS 2019,
    with forgetting). The state is saved with a checkpoint.

    Args:
        num_classes: C.
        num_features: D.
        memory: observations that the past counts at most, for each class.
        least: classes with fewer observations in a step are left as they are.

    Attributes:
        mean: float32 ``[C, D]``.
        covariance: float32 ``[C, D, D]``.
        count: float32 ``[C]``, observations that the past counts.

    >>> statistics = ClassStatistics(2, 3, least=2)
    >>> statistics.update(torch.tensor([[1.0, 2, 3], [3, 2, 1]]), torch.tensor([1, 1]))
    >>> statistics.mean[1], statistics.count
    (tensor([2., 2., 2.]), tensor([0., 2.]))
    """

    mean: Tensor
    covariance: Tensor
    count: Tensor

    def __init__(
        self, num_classes: int, num_features: int, memory: float = 100_000, least: int = 64
    ) -> None:
        super().__init__()
        num_classes = check_count("num_classes", num_classes, 1, 10**6)
        num_features = check_count("num_features", num_features, 1, 10**6)
        self.memory = check_number("memory", memory, 1, math.inf)
        self.least = check_count("least", least, 1, 10**12)
        self.register_buffer("mean", torch.zeros(num_classes, num_features))
        self.register_buffer("covariance", torch.zeros(num_classes, num_features, num_features))
        self.register_buffer("count", torch.zeros(num_classes))

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Merge with the features of a step.

        Args:
            features: float ``[N, D]``.
            labels: int64 ``[N]``, class of each; -1 to leave it out.

        Raises:
            InputError: if the shapes do not fit.
        """
        wanted = [len(labels), self.mean.shape[1]]
        if labels.ndim != 1 or list(features.shape) != wanted:
            raise InputError(
                f"features must be {wanted} for labels {list(labels.shape)}, "
                f"got {list(features.shape)}"
            )
        for kind in range(len(self.mean)):
            chosen = features[labels == kind].float()
            seen = len(chosen)
            if seen < self.least:
                continue
            mean = chosen.mean(0)
            centred = chosen - mean
            covariance = centred.T @ centred / seen
            old = self.count[kind].clamp(max=self.memory)
            share = seen / (old + seen)
            apart = mean - self.mean[kind]
            between = share * (1 - share) * torch.outer(apart, apart)
            self.covariance[kind].lerp_(covariance, share).add_(between)
            self.mean[kind].lerp_(mean, share)
            self.count[kind] = old + seen

    @property
    def known(self) -> Tensor:
        """Classes that have been seen, bool ``[C]``."""
        return self.count > 0
