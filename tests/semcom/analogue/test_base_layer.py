"""The analog base layer: low frequencies in a fixed layout, for any shape and budget."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import semcom
from semcom.analogue import base_layer
from semcom.metrics import psnr


def heard(numbers: Tensor, noise_var: float, seed: int) -> tuple[Tensor, Tensor]:
    noise = torch.randn(numbers.shape, generator=torch.Generator().manual_seed(seed))
    return numbers + math.sqrt(noise_var) * noise, torch.full_like(numbers, noise_var)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(32, 90),
    width=st.integers(32, 90),
    uses=st.integers(1, 5000),
    snr_db=st.floats(-5, 25),
)
def test_any_shape_and_budget(height: int, width: int, uses: int, snr_db: float) -> None:
    """A level is kept by a single symbol; nothing is sent twice or left out at a full budget."""
    level = torch.full((1, 1, height, width), 0.3)
    numbers = base_layer.send(level, uses, snr_db)
    assert numbers.shape == (1, 2 * uses)
    assert int((numbers.abs() > 1e-4).sum()) == 1
    out = base_layer.receive(*heard(numbers, 1e-8, 1), (height, width), snr_db)
    assert (out - level).abs().max() < 1e-2


def test_with_a_number_for_each_pixel_and_no_noise_nothing_is_missing() -> None:
    image = semcom.data.phantoms("chest", n=1, size=64, seed=3)[0] - 0.5
    numbers = base_layer.send(image, 64 * 64 // 2, 60.0)
    out = base_layer.receive(numbers, torch.full_like(numbers, 1e-12), (64, 64), 60.0)
    assert (out - image).abs().max() < 1e-3


@pytest.mark.parametrize("uses", [64, 1024])
def test_low_frequencies_are_worth_more_than_means_of_blocks(uses: int) -> None:
    """At 0 dB a decibel or more on average than block means of the same power; Wiener both."""
    images = semcom.data.phantoms("chest", n=6, size=256, seed=4)[0] - 0.5
    numbers = base_layer.send(images, uses, 0.0)
    numbers = numbers / (2 * numbers.square().mean(1, keepdim=True)).sqrt()
    strength = (2 * base_layer.send(images, uses, 0.0).square().mean(1)).sqrt()
    out = base_layer.receive(*heard(numbers, 0.5, 2), (256, 256), 0.0)
    out = out * strength[:, None, None, None]

    side = math.isqrt(2 * uses)
    means = torch.nn.functional.adaptive_avg_pool2d(images, side)
    power = means.square().mean((1, 2, 3), keepdim=True)
    sent, noise_var = heard((means / (2 * power).sqrt()), 0.5, 2)
    blocks = sent * (2 * power).sqrt() * 0.5 / (0.5 + noise_var)
    blocks = torch.nn.functional.interpolate(blocks, (256, 256), mode="bicubic")
    gained = psnr(out + 0.5, images + 0.5) - psnr(blocks + 0.5, images + 0.5)
    assert gained.min() > 0 and gained.mean() > 1
