"""The Fréchet distance of Gaussians, where it is known in closed form or by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from semcom.metrics import frechet_distance
from tests.refusals import refused


def cloud(seed: int, n: int = 200, dimensions: int = 6) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=draw)
    return torch.randn(n, dimensions, generator=draw) @ mixing + torch.randn(1, generator=draw)


def test_it_is_the_formula_and_symmetric() -> None:
    a, b = cloud(0), cloud(1, n=90)
    means = [side.double().numpy().mean(0) for side in (a, b)]
    first, second = (np.cov(side.double().numpy().T) for side in (a, b))
    root = sqrtm(first @ second).real
    expected = np.square(means[0] - means[1]).sum() + np.trace(first + second - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-12)


def test_shift_and_scale_in_closed_form() -> None:
    a = cloud(2).double()
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 6, rel=1e-9)
    centred = a - a.mean(0)
    spread = float(centred.T.cov().trace())
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * spread, rel=1e-9)


def test_singular_covariances() -> None:
    flat = cloud(3).double()
    flat[:, 3:] = flat[:, :3]
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-10)
    few = cloud(4, n=3).double()
    assert frechet_distance(few, few.flip(0)) == pytest.approx(0, abs=1e-10)
    constant = torch.full((5, 6), 0.5)
    assert frechet_distance(constant, constant) == 0
    spread = float(flat.T.cov().trace()) + float((flat.mean(0) - 0.5).square().sum())
    assert frechet_distance(flat, constant) == pytest.approx(spread, rel=1e-9)
    one = torch.tensor([[0.0], [2.0]])
    assert frechet_distance(one, 2 * one) == pytest.approx(1 + (math.sqrt(8) - math.sqrt(2)) ** 2)


def test_bad_input_is_one_line() -> None:
    a = cloud(0)
    assert math.isnan(frechet_distance(a, torch.full_like(a, math.nan)))
    refused(lambda: frechet_distance(a, a[:1]), "two of them at least, got torch.float32 .1, 6.")
    refused(lambda: frechet_distance(a, a[:, 1:]), "6 and 5 dimensions")
    refused(lambda: frechet_distance(a, a * math.inf), "infinite")
