"""Exact layers: the same numbers at any precision and batch; ordinary ones in training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom.medjscc.source.fixed_point import SLOPE, Layer, bounded, limited


@settings(max_examples=20, deadline=None)
@given(
    inputs=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5]),
    size=st.floats(0.01, 30.0),
    rectify=st.booleans(),
    seed=st.integers(0, 99),
)
def test_they_do_not_depend_on_precision_or_batch(
    inputs: int, kernel: int, size: float, rectify: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = Layer(inputs, 5, kernel, rectify).requires_grad_(False).eval()
    layer.weight.mul_(size)
    maps = limited(torch.randn(3, inputs, 9, 7) * 20)
    found = layer(maps)
    for row in range(3):
        assert torch.equal(layer(maps[row : row + 1]), found[row : row + 1])
    weight, bias = ((part.double() * 128).round() / 128 for part in (layer.weight, layer.bias))
    truth = F.conv2d(maps.double(), weight, bias, padding=kernel // 2)
    truth = F.leaky_relu(truth, SLOPE) if rectify else truth
    assert torch.equal(found.double(), (truth * 32).round().clamp(-1024, 1024) / 32)


@pytest.mark.parametrize("kernel", [1, 3])
def test_in_training_they_are_ordinary_ones(kernel: int) -> None:
    torch.manual_seed(5)
    layer, maps = Layer(4, 6, kernel), torch.randn(2, 4, 8, 9)
    truth = F.conv2d(maps, layer.weight, layer.bias, padding=kernel // 2)
    assert torch.allclose(layer(maps), F.leaky_relu(truth, SLOPE), atol=1e-5)


@pytest.mark.parametrize(
    ("value", "direction", "passes"),
    [(0.0, 1, True), (2.0, 1, True), (2.0, -1, False), (-2.0, -1, True), (-2.0, 1, False)],
)
def test_beyond_a_bound_only_gradients_that_lead_back_pass(
    value: float, direction: int, passes: bool
) -> None:
    """A step goes against the gradient: above the upper bound a positive one leads back."""
    values = torch.tensor(value, requires_grad=True)
    found = bounded(values, -1.0, 1.0)
    (direction * found).backward()
    assert values.grad is not None
    assert found.item() == max(-1.0, min(1.0, value))
    assert values.grad.item() == direction * passes
