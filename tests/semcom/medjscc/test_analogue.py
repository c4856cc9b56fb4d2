"""The analogue part: what is sent, how strongly, and what a receiver makes of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom.analogue.allocation import STEPS, allocate, amplitudes, received, water_filling
from semcom.medjscc.analogue import flattened, importance, modulated, refined
from semcom.medjscc.source.prior import ErrorPrior


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 60), snr_db=st.floats(-10, 30))
def test_power_is_shared_as_no_other_way_is_better(seed: int, count: int, snr_db: float) -> None:
    """Against random other ways to share the same power over the same numbers."""
    draws = np.random.default_rng(seed)
    found = allocate(draws.integers(-30, 10, 60).astype(float), count, snr_db)
    power, variance = found.power.double().numpy(), found.deviation.double().numpy() ** 2
    assert power.mean() == pytest.approx(1, abs=1e-4)
    snr = 10 ** (snr_db / 10)
    best = (variance / (1 + power * snr)).sum()
    for _ in range(20):
        other = power * draws.lognormal(0, 0.3, count) + draws.random(count) * 0.1
        other /= other.mean()
        assert best <= (variance / (1 + other * snr)).sum() * (1 + 1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), snr_db=st.floats(-10, 30))
def test_classes_get_what_each_of_their_members_would(seed: int, snr_db: float) -> None:
    draws = np.random.default_rng(seed)
    deviation = np.sort(draws.lognormal(0, 1, 12))[::-1]
    counts = draws.integers(1, 9, 12)
    snr = 10 ** (snr_db / 10)
    alone = water_filling(np.repeat(deviation, counts), snr)
    found = water_filling(deviation, snr, counts)
    assert np.repeat(found, counts) == pytest.approx(alone, rel=1e-9, abs=1e-12)


@given(seed=st.integers(0, 999), count=st.integers(0, 80))
def test_the_largest_expected_errors_are_sent(seed: int, count: int) -> None:
    importances = np.random.default_rng(seed).integers(-30, 10, 60).astype(np.int16)
    found = allocate(importances, count, 5.0)
    chosen = found.chosen.numpy()
    assert len(chosen) == len(set(chosen.tolist())) == min(count, 60)
    rest = np.delete(importances, chosen)
    assert not len(rest) or not len(chosen) or rest.max() <= importances[chosen].min()
    octaves = torch.log2(found.deviation) * STEPS
    assert octaves.tolist() == pytest.approx(importances[chosen].tolist(), abs=1e-4)


def test_what_is_said_to_be_left_is_left() -> None:
    """Mean squared error of 40 000 Wiener estimates within 4 standard errors of the stated."""
    generator = torch.Generator().manual_seed(5)
    sent = allocate(np.zeros(40_000), 40_000, 6.0)
    errors = torch.randn(40_000, generator=generator)
    noise_var = torch.full((40_000,), 10 ** (-6 / 10) / 2)
    numbers = errors * amplitudes(sent) + noise_var.sqrt() * torch.randn(
        40_000, generator=generator
    )
    found, left = received(sent, numbers, noise_var, 1.0)
    squares = (found - errors).square()
    tolerance = 4 * float(squares.std()) / math.sqrt(len(squares))
    assert float(squares.mean() - left.square().mean()) == pytest.approx(0, abs=tolerance)


def errors_of(shapes: list[tuple[int, int]]) -> list[ErrorPrior]:
    """Deviations drawn for bands of these numbers and sides."""
    found = []
    for number, (bands, side) in enumerate(shapes):
        generator = torch.Generator().manual_seed(number)
        mean, octaves = torch.randn(2, 1, bands, side, side, generator=generator)
        found.append(ErrorPrior(mean, (octaves * STEPS).round() / STEPS))
    return found


SHAPES = [(1, 1), (3, 1), (3, 2), (3, 4), (3, 8), (3, 16), (3, 32)]


def test_without_noise_the_errors_that_are_sent_are_known() -> None:
    """Half of all; of the others remain their means, and their deviations as expected."""
    errors = errors_of(SHAPES)
    values = [torch.zeros_like(error.mean) for error in errors]
    generator = torch.Generator().manual_seed(9)
    wanted = [torch.randn(value.shape, generator=generator) for value in values]
    missing = [w - v - e.mean for w, v, e in zip(wanted, values, errors, strict=True)]
    count = flattened(values).shape[1] // 2
    sent = allocate(importance(errors), count, 60.0)
    numbers = 3.0 * modulated(missing, sent)
    bands, left = refined(values, errors, sent, numbers, torch.full((count,), 1e-12), 3.0)
    served = torch.zeros(flattened(values).shape[1], dtype=torch.bool)
    served[sent.chosen] = True
    off = (flattened(bands) - flattened(wanted))[0].abs()
    assert off[served].max() < 1e-2
    assert torch.allclose(
        flattened(bands)[0, ~served], flattened([e.mean for e in errors])[0, ~served]
    )
    expected = torch.exp2(flattened([e.log_deviation for e in errors])[0])
    assert torch.allclose(flattened(left)[0, ~served], expected[~served])
    assert flattened(left)[0, served].max() < 1e-2


def test_a_silent_part_changes_nothing() -> None:
    errors = errors_of(SHAPES)
    values = [torch.ones_like(error.mean) for error in errors]
    sent = allocate(importance(errors), 100, 5.0)
    noise = torch.randn(100, generator=torch.Generator().manual_seed(3))
    bands, _ = refined(values, errors, sent, noise, torch.full((100,), 0.1), 0.0)
    expected = [v + e.mean for v, e in zip(values, errors, strict=True)]
    assert torch.allclose(flattened(bands), flattened(expected))


def test_equal_rates_serve_every_block_alike() -> None:
    """Of the levels with a coefficient of each kind or more to a block; 4 x 4 blocks."""
    errors = errors_of(SHAPES)
    equal = importance(errors, equal=True)
    start = sum(bands * side**2 for bands, side in SHAPES[:3])
    chosen = set((start + np.argsort(-equal[start:], kind="stable")[: 16 * 20]).tolist())
    per_block = np.zeros((4, 4), dtype=int)
    for bands, side in SHAPES[3:]:
        places = np.arange(start, start + bands * side**2).reshape(bands, side, side)
        for row, column in np.ndindex(side, side):
            wanted = sum(int(place) in chosen for place in places[:, row, column])
            per_block[row * 4 // side, column * 4 // side] += wanted
        start += places.size
    assert set(per_block.ravel().tolist()) == {20}
