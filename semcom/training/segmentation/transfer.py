"""The expected cross-entropy of features that are carried over to another domain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from channels import InputError
from channels.errors import check_number


def transferable_logits(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor,
    mean_shift: Tensor,
    covariance: Tensor,
    strength: float,
) -> Tensor:
    """Logits whose cross-entropy bounds that of augmented features from above.

    A feature f of class y becomes f + d, d ~ N(λ Δμ_y, λ Σ_y). By Jensen's inequality and the
    moment generating function of a Gaussian the expected cross-entropy is at most that of

    z_c + λ (w_c − w_y)·Δμ_y + λ/2 (w_c − w_y)ᵀ Σ_y (w_c − w_y)

    (TSA: Li et al., CVPR 2021; for segmentation TransMedSeg, 2025). No sample is drawn: the shifts
    are a table of C x C numbers.

    Args:
        logits: float ``[N, C]``, w_c·f + b_c.
        labels: int64 ``[N]``, y of each feature.
        weight: float ``[C, D]``, of the classifier.
        mean_shift: float ``[C, D]``, Δμ of each class.
        covariance: float ``[C, D, D]``, Σ of each class.
        strength: λ, from 0 on; 0 leaves the logits as they are.

    Returns:
        float ``[N, C]``; unchanged at each label.

    Raises:
        InputError: if the shapes do not fit, or the strength is negative.

    >>> zero = torch.zeros(2, 4)
    >>> transferable_logits(torch.ones(3, 2), torch.tensor([0, 1, 1]), zero, zero,
    ...                     torch.zeros(2, 4, 4), 1.0)
    tensor([[1., 1.],
            [1., 1.],
            [1., 1.]])
    """
    _check(logits, labels, weight, mean_shift, covariance)
    strength = check_number("strength", strength, 0, 1e6)
    apart = weight[None] - weight[:, None]  # [y, c, D]: w_c - w_y
    first = torch.einsum("ycd,yd->yc", apart, mean_shift)
    second = torch.einsum("ycd,yde,yce->yc", apart, covariance, apart)
    return logits + (strength * (first + second / 2))[labels]


def transferable_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weight: Tensor,
    mean_shift: Tensor,
    covariance: Tensor,
    strength: float,
) -> Tensor:
    """TSA loss: an upper bound of the expected cross-entropy, mean over features.

    With z̃ of :func:`transferable_logits` and the labels y of N features::

        E_d[CE(W (f + d) + b, y)]  ≤  −1/N Σ_i log(exp z̃_i,y_i / Σ_c exp z̃_i,c)

    At a feature's own label z̃ is z, and at every other class the logit grows with the variance of
    the difference of the two, so the margin that is asked for grows with the classes' spread.

    Arguments and errors are those of :func:`transferable_logits`.

    Returns:
        float scalar, in nats.

    >>> logits, labels = torch.tensor([[0.0, 0.0]]), torch.tensor([1])
    >>> weight = torch.tensor([[1.0], [0.0]])
    >>> one = torch.ones(2, 1)
    >>> transferable_cross_entropy(logits, labels, weight, one, one[..., None], 0.0)
    tensor(0.6931)
    >>> transferable_cross_entropy(logits, labels, weight, one, one[..., None], 1.0)
    tensor(1.7014)
    """
    shifted = transferable_logits(logits, labels, weight, mean_shift, covariance, strength)
    return F.cross_entropy(shifted, labels)


def _check(
    logits: Tensor, labels: Tensor, weight: Tensor, mean_shift: Tensor, covariance: Tensor
) -> None:
    (classes, features) = weight.shape
    wanted = {
        "logits": (logits, [len(labels), classes]),
        "labels": (labels, [len(logits)]),
        "mean_shift": (mean_shift, [classes, features]),
        "covariance": (covariance, [classes, features, features]),
    }
    for name, (value, shape) in wanted.items():
        if list(value.shape) != shape:
            raise InputError(f"{name} must be {shape}, got {list(value.shape)}")
    if labels.dtype != torch.int64 or bool(((labels < 0) | (labels >= classes)).any()):
        raise InputError(f"labels must be int64 in 0..{classes - 1}")
