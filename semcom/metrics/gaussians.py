"""How far apart two clouds of features are, each taken as a Gaussian."""

from __future__ import annotations

import torch
from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.images import as_floats
from semcom.metrics.checks import described


@undisturbed()
def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of the Gaussians that are fitted to two sets of vectors, in float64.

    With their means ``m`` and covariances ``S`` (Dowson, Landau, J. Multivar. Anal. 12(3), 1982;
    Heusel et al., "GANs trained by a two time-scale update rule", NeurIPS 2017)::

        d = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

    The trace of the root is the sum of the singular values of ``S1^(1/2) S2^(1/2)``: symmetric, and
    exact where covariances are singular, as those of fewer vectors than dimensions are.

    Args:
        a: float ``[vectors, dimensions]``, two vectors at least.
        b: float, of as many dimensions.

    Returns:
        The distance, in squared units of the vectors; 0 of equal sets, NaN where one holds NaN.

    Raises:
        InputError: if shapes or dtypes do not fit, or a value is infinite.

    >>> points = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 0.0]])
    >>> round(frechet_distance(points, points + 3), 6), round(frechet_distance(points, points), 6)
    (18.0, 0.0)
    """
    for vectors in (a, b):
        values = as_floats(vectors, "vectors")
        if values.ndim != 2 or len(values) < 2 or not values.shape[1]:
            raise InputError(
                f"vectors must be a float tensor [vectors, dimensions], two of them at least, got "
                f"{described(vectors)}"
            )
        if bool(values.isinf().any()):
            raise InputError("vectors hold infinite values: whatever made them is at fault")
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"vectors have {a.shape[1]} and {b.shape[1]} dimensions: compare like with like"
        )
    if bool(a.isnan().any() | b.isnan().any()):
        return float("nan")
    a, b = a.detach().double(), b.detach().double()
    apart = (a.mean(0) - b.mean(0)).square().sum()
    first, second = a.T.cov().reshape(a.shape[1], -1), b.T.cov().reshape(b.shape[1], -1)
    shared = torch.linalg.svdvals(_root(first) @ _root(second)).sum()
    return max(float(apart + first.trace() + second.trace() - 2 * shared), 0.0)


def _root(covariance: Tensor) -> Tensor:
    """The positive root of a matrix whose eigenvalues are not negative but for rounding."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp_min(0).sqrt() @ vectors.T
    return root
