"""Integers for coefficients: each is worth its bits."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semcom.medjscc import MedJSCC
from semcom.medjscc.source.entropy_model import EntropyModel, Group
from semcom.medjscc.source.prior import Prior
from semcom.medjscc.source.quantiser import LAGRANGE, LARGEST, Quantiser, Rounder, chosen
from semcom.medjscc.source.steps import in_steps
from semcom.medjscc.source.wavelet import Bands, Wavelet


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), lagrange=st.floats(0, 0.5), with_zero=st.booleans())
def test_the_cheapest_of_three_is_taken(seed: int, lagrange: float, with_zero: bool) -> None:
    """The nearest integer, and the two next towards zero; never one that is farther."""
    generator = torch.Generator().manual_seed(seed)
    values, mean, log_scale, log_zero = torch.randn(4, 500, generator=generator)
    values = 3 * values
    prior = Prior(mean, log_scale, log_zero - 1 if with_zero else None)
    found = chosen(values, prior, lagrange)
    cost = (found - values).square() + lagrange * prior.bits(found)
    nearest, within = values.round(), values.abs().floor()
    offers = [nearest, values.sign() * within, values.sign() * (within - 1).clamp_min(0)]
    for offer in offers:
        other = (offer - values).square() + lagrange * prior.bits(offer)
        coded = values.abs() > 0.5
        assert (cost <= other + 1e-5)[coded].all()
    assert (found.abs() <= nearest.abs()).all()
    assert (found == found.round()).all() and not found[values.abs() <= 0.5].any()


def test_integers_stay_within_what_the_coder_knows() -> None:
    prior = Prior(torch.zeros(2), torch.full((2,), 9.0), torch.full((2,), 9.0))
    assert chosen(torch.tensor([1e6, -1e6]), prior, 0.0).tolist() == [LARGEST, -LARGEST]


def test_each_image_has_its_own_multiplier() -> None:
    generator = torch.Generator().manual_seed(1)
    values = 2 * torch.randn(2, 3, 8, 8, generator=generator)
    prior = Prior(torch.zeros_like(values), values * 0, values * 0 - 2)
    both = chosen(values, prior, torch.tensor([0.02, 0.2])[:, None, None, None])
    for row, lagrange in enumerate((0.02, 0.2)):
        one = Prior(*(part[row : row + 1] for part in (prior.mean, prior.log_scale)),
                    values[row : row + 1] * 0 - 2)  # fmt: skip
        assert torch.equal(both[row : row + 1], chosen(values[row : row + 1], one, lagrange))


def cost(model: EntropyModel, bands: Bands, log_step: Tensor, quantise: Quantiser) -> float:
    """Squared error plus the Lagrange multiplier times bits."""
    spent = 0.0

    def code(group: Group) -> Tensor:
        nonlocal spent
        found = quantise(group) * group.inside
        spent += float((group.prior.bits(found) * group.inside).sum())
        return found

    walked = model.walk(log_step, code, errors=False)
    pairs = zip(in_steps(bands, log_step), walked.values, strict=True)
    return sum(float((b - v).square().sum()) for b, v in pairs) + LAGRANGE * spent


def test_weighed_integers_cost_less_than_rounded_ones(
    trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    log_step = torch.full((1, 1, 12, 12), -3.0)
    with torch.no_grad():
        bands = Wavelet().analyse(phantoms[0][:1] - 0.5)
    costs = [
        cost(trained.entropy_model, bands, log_step, quantise)
        for quantise in (Quantiser(bands), Rounder(bands, 0.5), Rounder(bands, 0.4))
    ]
    assert costs[0] < min(costs[1:])
