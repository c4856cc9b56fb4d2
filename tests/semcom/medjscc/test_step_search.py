"""How a budget is split: estimates without the entropy model, and the step that they lead to."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from semcom.analogue.allocation import STEPS, allocate, amplitudes, received
from semcom.medjscc.layout import HeaderSuccess, Layout, lay_out
from semcom.medjscc.source.steps import log_steps
from semcom.medjscc.source.wavelet import BLOCK, Bands, Wavelet
from semcom.medjscc.step_search import Estimate, StepSearch, estimate
from semcom.modem.adaptation import awgn_success, awgn_success_probabilities


def test_what_is_left_of_errors_is_what_a_channel_leaves() -> None:
    """40 000 errors, half of them sent: within 4 standard errors of the mean of squares."""
    generator = torch.Generator().manual_seed(6)
    importances = np.random.default_rng(6).integers(-30, 0, 40_000)
    errors = torch.randn(40_000, generator=generator) * 2 ** (torch.from_numpy(importances) / STEPS)
    sent = allocate(importances, 20_000, 3.0)
    noise_var = torch.full((20_000,), 10 ** (-3 / 10) / 2)
    noise = noise_var.sqrt() * torch.randn(20_000, generator=generator)
    numbers = (errors[sent.chosen] * amplitudes(sent)).float()
    found, _ = received(sent, numbers + noise, noise_var, 1.0)
    rest = errors.index_add(0, sent.chosen, -found).square()
    place = importances.max() - importances
    counts = np.bincount(place)
    squares = np.bincount(place, errors.square().numpy())
    deviations = 2.0 ** ((importances.max() - np.arange(len(counts))) / STEPS)
    said = Estimate(0, counts, squares, deviations).left(20_000, 3.0)
    tolerance = 4 * float(rest.std()) * math.sqrt(len(rest))
    assert said == pytest.approx(float(rest.sum()), abs=tolerance)


def test_errors_larger_than_expected_take_power_from_all() -> None:
    """Ten times the expected deviation leaves as much as a channel that is 20 dB worse would."""
    one = np.array([100]), np.array([100.0]), np.array([1.0])
    expected = Estimate(0, *one)
    assert expected.left(100, 20.0) == pytest.approx(100 / 101)
    larger = Estimate(0, one[0], 100 * one[1], one[2])
    assert larger.left(100, 20.0) == pytest.approx(100 * (100 + 1) / 4)


@pytest.fixture(scope="module")
def bands(phantoms: tuple[Tensor, Tensor]) -> Bands:
    with torch.no_grad():
        return Wavelet().analyse(phantoms[0][:1] - 0.5)


def test_errors_and_bytes_are_those_of_the_coefficients(bands: Bands) -> None:
    """Every coefficient is in one class; finer steps take more bytes and leave less error."""
    found = [estimate(bands, torch.full((1, 1, 12, 12), step)) for step in (-5.0, -3.0, -1.0)]
    total = sum(band.numel() for band in bands)
    assert [int(one.counts.sum()) for one in found] == [total] * 3
    assert all((np.diff(one.deviations) < 0).all() for one in found)
    sizes = [one.num_bytes for one in found]
    assert sizes[0] > sizes[1] > sizes[2] > 0
    errors = [
        float(one.squares.sum()) * 4**step
        for one, step in zip(found, (-5.0, -3.0, -1.0), strict=True)
    ]
    assert errors[0] < errors[1] < errors[2]


def parts_of(uses: int, snr_db: float) -> Layout:
    headers = HeaderSuccess(*(awgn_success(snr_db - margin_db) for margin_db in (6, 3, 0)))
    chances = awgn_success_probabilities(snr_db)
    return lay_out(uses, headers, chances, lambda bits: bits, lambda bits: 0.0, None)


@pytest.mark.parametrize("cbr", [1 / 64, 1 / 16, 1 / 2])
def test_no_other_step_is_expected_to_be_better(bands: Bands, cbr: float) -> None:
    blocks = torch.zeros(1, 1, 12, 12, dtype=torch.bool)
    blocks[..., 3:6, 3:6] = True
    parts = parts_of(round(cbr * 144 * BLOCK**2), 8.0)
    search = StepSearch(bands, partial(log_steps, blocks=blocks, ratio=3), 8.0, parts, 6)
    best = search.best()
    costs = [search.cost(index) for index in range(65)]
    assert costs[best] <= min(costs) * 1.05
    expected = [search.expected_error(index) for index in range(65)]
    finest = search.finest()
    assert math.isfinite(expected[finest]) and finest <= best
    assert finest == 0 or math.isinf(expected[finest - 1])


def test_where_nothing_fits_the_coarsest_step_is_infinitely_bad() -> None:
    noise = torch.rand(1, 1, 512, 512, generator=torch.Generator().manual_seed(1)).round()
    with torch.no_grad():
        bands = Wavelet().analyse(noise - 0.5)
    blocks = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
    steps = partial(log_steps, blocks=blocks, ratio=0)
    search = StepSearch(bands, steps, 0.0, parts_of(300, 0.0), 200)
    assert search.best() == search.finest() == 64
    assert math.isinf(search.expected_error(64))
