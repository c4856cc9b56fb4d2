"""Bit allocation: credits add up to what is measured, policies are what their weights say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import semcom
from semcom.dmic import RULES, Policy
from semcom.dmic.bits import BitShares
from semcom.dmic.curves import curve
from semcom.dmic.episode import Coded, Exchange, Scene, exchanges, returns
from semcom.dmic.observers import Turned, look, loss, seen, shares_of_loss
from semcom.dmic.policy import CONTEXT, contexts, planes
from semcom.dmic.rules import two_levels
from semcom.dmic.units import BASE_QPS, OFFSETS, UNIT, encode, grid
from semcom.image_coders import hevc
from semcom.training.dmic import PolicyPlan
from semcom.training.dmic.task import TURNS, PolicyTask, explored, turned, turned_back
from tests.refusals import refused

SIDE = 128


def bright(images: torch.Tensor) -> torch.Tensor:
    """What is brighter than the middle, softly."""
    return torch.sigmoid(20 * (images - 0.55))


def picture(seed: int = 0) -> NDArray[np.float32]:
    image: NDArray[np.float32] = semcom.data.phantoms("angiography", n=1, size=SIDE, seed=seed)[0][
        0, 0
    ].numpy()
    return image


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(picture(), [bright, Turned(bright, 1, mirrored=True)], "ultrafast")


def test_offsets_reach_the_stream_and_any_decoder_reads_it() -> None:
    image = picture()
    flat = encode(image, 30, preset="ultrafast")
    assert encode(image, 30, np.zeros(grid(SIDE, SIDE), np.int64), "ultrafast") == flat
    coarse = np.zeros(grid(SIDE, SIDE), np.int64)
    coarse[:, 2:] = 18
    half = encode(image, 30, coarse, "ultrafast")
    assert len(half) < 0.8 * len(flat)
    errors = [np.square(hevc.decode(stream) - image) for stream in (flat, half)]
    assert errors[1][:, SIDE // 2 :].mean() > 3 * errors[0][:, SIDE // 2 :].mean()
    assert errors[1][:, : SIDE // 2 - 32].mean() < 1.5 * errors[0][:, : SIDE // 2 - 32].mean()
    refused(lambda: encode(image, 30, coarse[:2]), r"offsets must be \[4, 4\]")


def test_credits_add_up_to_what_is_measured(scene: Scene) -> None:
    offsets = np.random.default_rng(1).choice(OFFSETS, grid(SIDE, SIDE))
    coded, anchor = scene.coded(37, offsets), scene.anchor(37)
    stream = encode(scene.image, 37, offsets, "ultrafast")
    assert coded.num_bytes == len(stream)
    assert coded.bits.sum() == pytest.approx(8 * len(stream))
    now = seen(scene.observers, np.clip(hevc.decode(stream), 0, 1))
    lost = [
        float(loss(torch.from_numpy(p), torch.from_numpy(p0)))
        for p, p0 in zip(now, scene.found, strict=True)
    ]
    assert coded.loss == pytest.approx(np.mean(lost), rel=1e-4)
    rates = exchanges([scene], BASE_QPS)
    worth = rates[37]
    gain = anchor.bits.sum() - coded.bits.sum()
    gain += worth.slope * (anchor.loss - coded.loss)
    assert worth.credits(coded, anchor).mean() == pytest.approx(gain / worth.bits)
    assert all(rate.slope > 0 for rate in rates.values())


def test_losses_go_to_the_units_whose_errors_cause_them() -> None:
    """An observer that looks 40 pixels to the right: what it misses there was lost here."""
    image = picture(3)

    def shifted(images: torch.Tensor) -> torch.Tensor:
        return bright(torch.nn.functional.pad(images, (40, 0, 0, 0), mode="replicate")[..., :-40])

    spoilt = image.copy()
    spoilt[32:64, 32:64] = image[32:64, 32:64].mean()
    before = seen([shifted], image)[0]
    lost, slope = look(shifted, spoilt, before)
    shares = shares_of_loss(spoilt - image, (slope + look(shifted, image, before).slope) / 2, lost)
    assert lost > 0
    assert shares[1, 1] == pytest.approx(lost)
    assert np.count_nonzero(shares) == 1


def test_a_unit_that_is_coded_as_before_takes_nothing(scene: Scene) -> None:
    anchor = scene.anchor(37)
    assert not scene.coded(37, np.zeros((4, 4), np.int64)).losses(anchor).any()
    coarser = np.zeros((4, 4), np.int64)
    coarser[3, 3] = 9
    losses = scene.coded(37, coarser).losses(anchor)
    assert np.abs(losses).argmax() == 15
    assert np.abs(losses[:2]).sum() < 0.1 * np.abs(losses[3, 3])


def test_over_its_twin_a_unit_pays_what_its_last_step_costs() -> None:
    """A loss (d0 + d1)^2 of the errors d of two units, the first of which is coarse already."""

    def coded(d0: float, d1: float) -> Coded:
        errors = np.repeat(np.array([[d0, d1]], np.float16) / 1024, UNIT, 0).repeat(UNIT, 1)
        slope = np.full(errors.shape, 1024 * 2 * (d0 + d1), np.float16)
        return Coded(1, np.full((1, 2), 4.0), (d0 + d1) ** 2, errors, slope)

    rates = Exchange(bits=2.0, slope=1.0)
    anchor, coarser, finer = coded(0, 0), coded(2, 0.75), coded(2, 0.5)
    true = coarser.loss - finer.loss
    np.testing.assert_allclose(rates.credits(coarser, finer)[0], [0, -true], rtol=1e-6)
    told = rates.credits(coarser, anchor) - rates.credits(finer, anchor)
    np.testing.assert_allclose(told.sum(), -true, rtol=1e-6)
    assert -told[0, 1] < 0.65 * true, "over the anchor it pays for a part of it alone"


def test_planes_turn_and_turn_back() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    ways = [turned(values, turn) for turn in range(TURNS)]
    assert len({way.tobytes() + bytes(way.shape) for way in ways}) == TURNS
    for turn, way in enumerate(ways):
        np.testing.assert_array_equal(turned_back(way, turn), values)


def test_what_is_lost_is_between_both_dices(scene: Scene) -> None:
    """Nothing lost is 0, all is 1, and it follows soft and diagnostic Dice."""
    p0 = torch.from_numpy(scene.found[0])
    assert float(loss(p0, p0)) == 0
    assert float(loss(torch.zeros_like(p0), p0)) == pytest.approx(1, abs=1e-3)
    p = (p0 + 0.2 * torch.randn(p0.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    soft = 1 - 2 * (p * p0).sum() / (p**2 + p0**2).sum()
    hard = 1 - 2 * ((p > 0.5) & (p0 > 0.5)).sum() / ((p > 0.5).sum() + (p0 > 0.5).sum())
    assert float(loss(p, p0)) == pytest.approx(float(soft + hard) / 2, rel=0.15)


def test_a_turned_observer_sees_the_same_where_the_network_is_even() -> None:
    image = picture()
    plain, turned = seen([bright, Turned(bright, 3, mirrored=True)], image)
    np.testing.assert_allclose(turned, plain, atol=1e-6)


def test_bits_follow_the_step_and_changes_cost() -> None:
    shares = BitShares(picture())
    qps = np.full(grid(SIDE, SIDE), 30)
    finer = qps.copy()
    finer[0, 0] = 18
    assert shares(finer, 1000.0)[0, 0] > shares(qps, 1000.0)[0, 0]
    assert shares(finer, 1000.0).sum() == pytest.approx(1000)
    flat = BitShares(np.full((SIDE, SIDE), 0.5, np.float32))
    lone = qps.copy()
    lone[1, 1] = 33
    taken = flat(lone, 1000.0)
    ratio = (taken[1, 1] - taken[3, 3]) / (taken[1, 2] - taken[3, 3])
    assert ratio == pytest.approx(4), "half of four pairs, and of one"


def test_what_is_tried_is_uniform_and_alike_where_units_are() -> None:
    features = np.zeros((4000, 8, 8, 2))
    features[:, :, :4, 0] = features[:, :, 4:, 1] = 1
    tried = explored(np.random.default_rng(1), features)
    assert ((tried >= 0) & (tried < 1)).all()
    share = np.mean(tried[3, 3] < 0.3)
    assert share == pytest.approx(0.3, abs=4.5 * np.sqrt(0.3 * 0.7 / 4000))
    beside, far, other = (
        np.corrcoef(tried[3, 3], tried[at], dtype=np.float64)[0, 1]
        for at in ((4, 3), (7, 0), (3, 4))
    )
    assert beside > far + 0.05
    assert far > other + 0.3, "units of a kind are tried together, whatever lies between"


def test_returns_foresee_by_gamma() -> None:
    credits = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_array_equal(returns(credits, 0.0), credits)
    flat = credits.reshape(2, 12)
    expected = sum(0.5**k * flat[:, 5 + k] for k in range(7))
    np.testing.assert_allclose(returns(credits, 0.5).reshape(2, 12)[:, 5], expected)
    np.testing.assert_allclose(
        returns(credits, 0.0, reach=1)[:, 1, 1], credits[:, :3, :3].mean((1, 2))
    )


def test_a_policy_is_what_its_weights_say(tmp_path: Path) -> None:
    torch.manual_seed(3)
    policy = Policy()
    with torch.no_grad():
        policy.head.actor[-1].weight.mul_(30)
    image, found = picture(), seen([bright], picture())[0]
    policy.save(tmp_path / "p.safetensors")
    again = Policy.load(tmp_path / "p.safetensors")
    first = again.offsets(image, found, 37)
    assert set(np.unique(first)) <= set(OFFSETS)
    np.testing.assert_array_equal(
        Policy.load(tmp_path / "p.safetensors").offsets(image, found, 37), first
    )
    head, whole = (sum(p.numel() for p in part.parameters()) for part in (policy.head, policy))
    assert 0.026 < head / whole < 0.028, "the share that the paper transfers by"
    semcom.segmenter("chest").save(tmp_path / "other.safetensors")
    refused(lambda: Policy.load(tmp_path / "other.safetensors"), "no weights of a bit allocation")


def test_choices_are_drawn_from_the_probabilities_that_are_learned_by() -> None:
    """Probabilities of the step-by-step choice and of the batched one agree."""
    torch.manual_seed(1)
    policy, qps = Policy(), torch.full((2000,), 40.0)
    features = torch.randn(1, 1, 3, policy.trunk.last.out_channels).expand(2000, -1, -1, -1)
    actions = policy.choose(features, qps, np.random.default_rng(0).random((1, 3, 2000)))
    logs, values, _ = policy.head(features, contexts(actions, qps))
    assert contexts(actions, qps).shape == (2000, 1, 3, CONTEXT)
    assert values.shape == actions.shape
    expected = logs[:, 0, 0].exp().mean(0).detach().numpy()
    seen_share = np.bincount(actions[:, 0, 0], minlength=len(OFFSETS)) / 2000
    deviation = np.sqrt(expected * (1 - expected) / 2000)
    assert (np.abs(seen_share - expected) < 4.5 * deviation + 1e-9).all()


def test_a2c_learns_and_a_transfer_moves_the_head_alone(scene: Scene) -> None:
    torch.manual_seed(0)
    rates = {qp: Exchange(float(scene.anchor(qp).bits.sum()), 0.0) for qp in BASE_QPS}
    policy = Policy()
    task = PolicyTask(policy, [scene], [rates], [[scene]], PolicyPlan(batch=2))
    assert task.score() == pytest.approx(0)
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
    for step in range(60):
        optimizer.zero_grad()
        loss = task.loss(step)
        assert torch.isfinite(loss)
        torch.autograd.backward(loss)
        optimizer.step()
    offsets = policy.offsets(scene.image, scene.found[0], 37)
    sent = scene.coded(37, offsets).num_bytes / scene.anchor(37).num_bytes
    assert sent < 0.75, "where losses cost nothing, it sends next to nothing"
    head_only = PolicyTask(policy, [scene], [rates], [], PolicyPlan(tuned="head"))
    torch.autograd.backward(head_only.loss(0))
    moved = {name for name, p in policy.named_parameters() if p.requires_grad}
    assert moved and all(name.startswith("head.") for name in moved)


def test_a_policy_learns_a_rule_by_imitation_without_coding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    image = 0.4 * picture()
    image[:60, :60] = 0.9
    scene = Scene(image, [bright], "ultrafast")
    task = PolicyTask(
        Policy(), [scene], [dict.fromkeys(BASE_QPS, Exchange(1.0, 0.0))], [],
        PolicyPlan(imitated=150, turned=True),
    )  # fmt: skip
    monkeypatch.setattr(Scene, "coded", lambda *_: pytest.fail("coded"))
    optimizer = torch.optim.Adam(task.policy.parameters(), 1e-3)
    for step in range(150):
        optimizer.zero_grad()
        torch.autograd.backward(task.loss(step))
        optimizer.step()
    goal = RULES["two levels"](image, scene.found[0], 37)
    chosen = task.policy.offsets(image, scene.found[0], 37)
    assert (goal == 0).sum() == 4
    assert (chosen[goal == 0] <= 3).all()
    assert (chosen[goal > 0] >= 6).mean() > 0.8


def test_rules_save_nothing_of_what_they_do_not_touch() -> None:
    image = picture()
    found = np.zeros_like(image)
    found[:32, :32] = 1
    offsets = RULES["two levels"](image, found, 37)
    assert offsets[0, 0] == 0
    assert offsets[0, 1] == offsets[3, 3] == 9
    assert not RULES["anchor"](image, found, 37).any()


def test_the_anchor_saves_nothing_over_itself() -> None:
    images = [picture(seed) for seed in (1, 2)]
    flat = curve(images, [bright], RULES["anchor"], base_qps=(31, 40, 49), preset="ultrafast")
    assert flat.saving(flat) == pytest.approx(0)
    assert (np.diff(flat.num_bytes) < 0).all()
    assert planes(images[0], images[0]).shape == (1, 3, SIDE, SIDE)


def test_a_rule_that_treats_all_units_alike_teaches_nothing() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    everywhere = Scene(ramp, [lambda images: 0.6 + 0.4 * images], "ultrafast")
    refused(
        lambda: exchanges([everywhere], [28, 37, 46], two_levels),
        "finds something in all of them or in none",
    )


@pytest.mark.parametrize(
    ("image", "found", "base_qp", "told"),
    [
        (np.zeros((64, 64)), np.full((64, 64), np.nan), 37, "must be finite"),
        (np.zeros((64, 64)), np.zeros((10, 10)), 37, "alike, got .64, 64. and .10, 10."),
        (np.zeros((1, 64, 64)), np.zeros((64, 64)), 37, "alike, got .1, 64, 64. and .64, 64."),
        (np.zeros((64, 64)), np.zeros((64, 64)), math.nan, "base_qp"),
        (np.zeros((64, 64)), np.zeros((64, 64)), 99, "base_qp"),
    ],
)
def test_a_policy_is_asked_about_what_it_can_answer(
    image: NDArray[np.float32], found: NDArray[np.float64], base_qp: float, told: str
) -> None:
    refused(lambda: Policy().offsets(image, found, base_qp), told)


def test_a_plan_leaves_updates_to_learn_from() -> None:
    refused(lambda: PolicyPlan(steps=10, imitated=50), "50 updates cannot imitate, there are 10")
