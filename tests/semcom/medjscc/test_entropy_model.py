"""The entropy model's walk: both ends agree to the last bit, nothing is coded twice or foreseen."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semcom.medjscc import MedJSCC
from semcom.medjscc.analogue import importance
from semcom.medjscc.source.bitstream import Reader, Writer, reading_from, writing
from semcom.medjscc.source.entropy_model import EntropyModel, Group, Walked
from semcom.medjscc.source.prior import LOG_SCALE, ErrorPrior, Prior
from semcom.medjscc.source.quantiser import Quantiser
from semcom.medjscc.source.steps import in_steps
from semcom.medjscc.source.wavelet import LEVELS, Bands, Wavelet


def bands_of(batch: int, rows: int, columns: int, spread: float, seed: int) -> Bands:
    generator = torch.Generator().manual_seed(seed)
    images = spread * torch.randn(batch, 1, 16 * rows, 16 * columns, generator=generator)
    with torch.no_grad():
        return Wavelet().analyse(images)


def drawn_steps(batch: int, rows: int, columns: int, seed: int) -> Tensor:
    """log2 of steps that differ from block to block by up to an octave."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 1, rows, columns, generator=generator).mul(32).round() / 32


def one_row(walked: Walked, row: int) -> tuple[Bands, list[ErrorPrior]]:
    one = slice(row, row + 1)
    errors = [ErrorPrior(e.mean[one], e.log_deviation[one]) for e in walked.errors]
    return [band[one] for band in walked.integers], errors


@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 3),
    rows=st.integers(2, 7),
    columns=st.integers(2, 7),
    spread=st.floats(0.1, 20),
    seed=st.integers(0, 99),
)
def test_what_is_written_for_a_batch_is_read_one_by_one(
    model: EntropyModel, batch: int, rows: int, columns: int, spread: float, seed: int
) -> None:
    """Integers, values in steps and deviations of errors, to the last bit."""
    bands = bands_of(batch, rows, columns, spread, seed)
    log_step = drawn_steps(batch, rows, columns, seed)
    writers = [Writer() for _ in range(batch)]
    sent = model.walk(log_step, writing(writers, Quantiser(bands)))
    for row, writer in enumerate(writers):
        reader = Reader(writer.bytes() + b"\0\0\0")
        got = model.walk(log_step[row : row + 1], reading_from([reader]))
        integers, errors = one_row(sent, row)
        for a, b in zip(integers, got.integers, strict=True):
            assert torch.equal(a, b)
        for known, value in zip(sent.values, got.values, strict=True):
            assert torch.equal(known[row : row + 1], value)
        assert np.array_equal(importance(errors), importance(got.errors))
        for a, b in zip(errors, got.errors, strict=True):
            assert torch.equal(a.log_deviation, b.log_deviation)
            assert torch.allclose(a.mean, b.mean, atol=1e-4)


def walked_bits(model: EntropyModel, bands: Bands, log_step: Tensor) -> tuple[float, int]:
    """Bits by the model, and of the bytes that are written."""
    quantise, writer, predicted = Quantiser(bands), Writer(), 0.0

    def code(group: Group) -> Tensor:
        nonlocal predicted
        found = writing([writer], quantise)(group)
        predicted += float((group.prior.bits(found) * group.inside).sum())
        return found

    model.walk(log_step, code, errors=False)
    return predicted, 8 * len(writer.bytes())


def test_the_bytes_are_as_many_as_the_model_says(
    trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Within 0.5 %, and the bytes it rounds up to."""
    with torch.no_grad():
        bands = Wavelet().analyse(phantoms[0][:1] - 0.5)
    for step in (-4.0, -2.0):
        predicted, written = walked_bits(
            trained.entropy_model, bands, torch.full((1, 1, 12, 12), step)
        )
        assert written == pytest.approx(predicted, rel=0.005, abs=64)


def test_what_is_hardly_expected_costs_no_more_than_the_coder_s_precision(
    model: EntropyModel, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Of 24 bits: a model that has learned nothing expects less likely integers still."""
    with torch.no_grad():
        bands = Wavelet().analyse(phantoms[0][:1] - 0.5)
    predicted, written = walked_bits(model, bands, torch.full((1, 1, 12, 12), -4.0))
    assert written < predicted + 64


@settings(max_examples=30, deadline=None)
@given(
    mean=st.floats(-8, 8),
    log_scale=st.floats(LOG_SCALE[0], 5.0),
    log_zero=st.none() | st.floats(LOG_SCALE[0], 5.0),
)
def test_probabilities_of_all_integers_sum_to_one(
    mean: float, log_scale: float, log_zero: float | None
) -> None:
    """Beyond 1000 lies less than exp(-30)."""
    values = torch.arange(-1000.0, 1001.0)
    zero = None if log_zero is None else torch.full_like(values, log_zero)
    prior = Prior(torch.full_like(values, mean), torch.full_like(values, log_scale), zero)
    total = torch.exp2(-prior.bits(values).double()).sum().item()
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 5), (4, 4), (9, 2)])
def test_every_coefficient_is_coded_once(model: EntropyModel, rows: int, columns: int) -> None:
    seen: dict[int, list[int]] = {}
    coded: dict[int, int] = {}

    def code(group: Group) -> Tensor:
        seen.setdefault(group.band, []).extend(group.channels)
        coded[group.band] = coded.get(group.band, 0) + int(group.inside.sum())
        assert group.inside.shape[1:] == group.prior.mean.shape[1:] == group.log_step.shape[1:]
        return torch.zeros_like(group.prior.mean)

    walked = model.walk(torch.zeros(1, 1, rows, columns), code)
    assert list(seen) == list(range(LEVELS + 1))
    for index, band in enumerate(walked.integers):
        assert sorted(seen[index]) == list(range(4 if index == 0 else 12))
        assert coded[index] == band.numel()


def priors_of(model: EntropyModel, log_step: Tensor, other_from: int) -> list[Prior]:
    """Priors of all groups where the integers are drawn, differently from one group on."""
    found: list[Prior] = []

    def code(group: Group) -> Tensor:
        number = len(found)
        found.append(group.prior)
        generator = torch.Generator().manual_seed(number + 1000 * (number >= other_from))
        return torch.randn(group.prior.mean.shape, generator=generator).mul(2).round()

    model.walk(log_step, code)
    return found


def alike(a: Prior, b: Prior) -> bool:
    pairs = [(a.mean, b.mean), (a.log_scale, b.log_scale)]
    if a.log_zero is not None and b.log_zero is not None:
        pairs.append((a.log_zero, b.log_zero))
    return all(torch.equal(x, y) for x, y in pairs)


def test_no_group_sees_what_comes_after_it(model: EntropyModel) -> None:
    """Other integers from a group on change later distributions, but none up to its own."""
    log_step = drawn_steps(1, 2, 3, 1)
    before = priors_of(model, log_step, 10**6)
    for other_from in [*range(0, len(before), 3), len(before) - 1]:
        after = priors_of(model, log_step, other_from)
        same = [alike(a, b) for a, b in zip(before, after, strict=True)]
        assert all(same[: other_from + 1]), other_from
        assert other_from + 1 == len(before) or not all(same[other_from + 1 :]), other_from


@pytest.mark.parametrize("log_step", [-4.0, -1.0, 2.0])
def test_exact_arithmetic_foresees_errors_as_well_as_floating_point(
    log_step: float, trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Squared errors off the means of both, within 3 %."""
    steps = torch.full((1, 1, 12, 12), log_step)
    left = []
    with torch.no_grad():
        bands = Wavelet().analyse(phantoms[0][:1] - 0.5)
        for model in (copy.deepcopy(trained.entropy_model).train(), trained.entropy_model):
            walked = model.walk(steps, Quantiser(bands))
            rest = zip(in_steps(bands, steps), walked.values, walked.errors, strict=True)
            left.append(sum(float((b - v - e.mean).square().sum()) for b, v, e in rest))
    assert left[1] == pytest.approx(left[0], rel=0.03)
