"""The learned peers: rates of their own networks, attention, rates by entropy and their map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import channels
import semcom
from channels import InputError, Reception, Transmission
from semcom import learned
from semcom.adjscc import ADJSCC
from semcom.deepjscc import DeepJSCC
from semcom.learned import LearnedCodec, TrainingOutput
from semcom.ntscc import NTSCC
from semcom.ntscc.allocation import RATES, TOP, filled, wanted
from semcom.ntscc.hyperprior import bits
from semcom.ntscc.map_block import SHARE, map_block
from semcom.ntscc.rate_map import LEAST_BYTES, rate_map, read_map
from semcom.training import Plan, loop, train
from semcom.training.samples import load_samples


def seeded(kind: type[LearnedCodec], *arguments: object) -> LearnedCodec:
    torch.manual_seed(3)
    return kind(*arguments)


def small(kind: type[LearnedCodec]) -> LearnedCodec:
    if kind is NTSCC:
        return seeded(kind, (4, 8, 8, 16), 16, 8)
    return seeded(kind, (2, 4, 8), 8)


def phantom(height: int = 128, width: int = 128) -> torch.Tensor:
    return semcom.data.phantoms("chest", n=1, size=256, seed=4)[0][..., :height, :width]


def awgn(tx: Transmission, snr_db: float = 10.0) -> Reception:
    return channels.link("awgn")(tx, snr_db, seed=5)


@pytest.mark.parametrize("kind", [DeepJSCC, ADJSCC])
def test_the_largest_rate_that_fits_is_sent_and_understood(kind: type[LearnedCodec]) -> None:
    codec, image = small(kind), phantom()
    for cbr, expected in ((1 / 64, 256), (1 / 33, 256), (1 / 32, 512), (0.06, 512), (1 / 4, 1024)):
        tx = codec.encode(image, cbr=cbr, snr_db=10.0)
        assert tx.used.tolist() == [expected]
        assert codec.decode(awgn(tx)).shape == image.shape
    with pytest.raises(InputError, match="fixed rates of 1/64, 1/32, 1/16"):
        codec.encode(image, cbr=1 / 80, snr_db=10.0)


@pytest.mark.parametrize("kind", [DeepJSCC, ADJSCC, NTSCC])
def test_a_step_reaches_every_parameter_through_a_fading_link(kind: type[LearnedCodec]) -> None:
    codec, link = small(kind), channels.link("shadowed-rician", estimator="lmmse")
    image = phantom()
    for parameter in codec.parameters():  # residual branches begin with nothing
        if not bool(parameter.any()):
            torch.nn.init.normal_(parameter, std=0.1)
    # One step draws one resolution of rates, and no image asks for each of 16 rates.
    for step in range(8):
        outputs, penalty = codec.training_forward(
            image, torch.zeros_like(image), 1 / 16, 8.0, lambda tx: link(tx, 8.0, seed=1),
            torch.Generator().manual_seed(step),
        )  # fmt: skip
        (sum((out - image).square().mean() for out in outputs) + penalty).backward()
    still = [
        name
        for name, parameter in codec.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.any())
    ]
    assert all(".maps." in name for name in still), still
    assert len(still) < len(list(codec.parameters())) / 2


def test_a_codec_that_still_calls_its_training_pass_rehearse_is_told_and_trained() -> None:
    with pytest.deprecated_call(match="Old.rehearse: rehearse is training_forward now"):

        class Old(DeepJSCC):
            def rehearse(self, *arguments: Any) -> TrainingOutput:
                return super().rehearse(*arguments)._replace(penalty_db=7.0)

    image = phantom(64, 64)
    arguments = image, image, 1 / 16, 8.0, awgn, torch.Generator()
    with pytest.deprecated_call(match="rehearse is training_forward now"):
        assert small(Old).training_forward(*arguments).penalty_db == 7.0
    with pytest.deprecated_call(match="TrainingTask"):
        assert loop.Trainee is loop.TrainingTask
    with pytest.deprecated_call(match="TrainingOutput"):
        assert learned.Rehearsal is TrainingOutput
    with pytest.deprecated_call(match="now .images"):
        assert TrainingOutput((image,)).pictures[0] is image


def test_attention_hears_of_the_snr_at_both_ends() -> None:
    codec, image = small(ADJSCC), phantom()
    tx = codec.encode(image, cbr=1 / 16, snr_db=0.0)
    other = codec.encode(image, cbr=1 / 16, snr_db=15.0)
    assert not torch.allclose(tx.symbols, other.symbols, atol=1e-3)
    rx = awgn(tx)
    assert not torch.equal(codec.decode(rx), codec.decode(replace(rx, snr_db=rx.snr_db - 10)))


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=60),
    st.integers(0, 4000),
)
def test_rates_follow_bits_and_the_budget_is_spent(costs: list[float], half: int) -> None:
    budget, costs_of = 2 * half, np.array(costs)
    levels = wanted(costs_of, 1, budget)
    assert RATES[levels].sum() <= budget
    assert (np.diff(levels[np.argsort(costs_of, kind="stable")]) >= 0).all()
    found = filled(levels, budget)
    assert found.sizes.sum() == min(budget, len(costs) * RATES[-1])
    assert (found.sizes <= RATES[found.levels]).all()
    assert (found.sizes < RATES[found.levels]).sum() <= 1


@settings(deadline=None)
@given(
    rows=st.integers(2, 9),
    columns=st.integers(2, 9),
    room=st.integers(LEAST_BYTES, 40),
    rough=st.floats(0, 2),
    seed=st.integers(0, 99),
)
def test_a_map_of_rates_fits_its_room_and_comes_back(
    rows: int, columns: int, room: int, rough: float, seed: int
) -> None:
    costs = np.exp(rough * np.random.default_rng(seed).standard_normal((rows, columns)))
    data, levels = rate_map(costs, 24 * rows * columns, room)
    assert len(data) <= room
    assert np.array_equal(read_map(data + b"\0" * (room - len(data)), (rows, columns)), levels)
    assert RATES[levels].sum() <= 24 * rows * columns


def test_more_room_makes_a_finer_map() -> None:
    costs = np.exp(np.random.default_rng(1).standard_normal((16, 16)))
    kinds = [len(np.unique(rate_map(costs, 8192, room)[1][:4, :4])) for room in (4, 8, 40, 200)]
    assert kinds[0] == 1
    assert kinds[-1] > 4
    assert kinds == sorted(kinds)


def test_rubbish_is_no_map_or_one_within_bounds() -> None:
    for seed in range(50):
        data = np.random.default_rng(seed).bytes(12)
        try:
            levels = read_map(data, (5, 7))
        except InputError:
            continue
        assert levels.shape == (5, 7)
        assert 0 <= levels.min() <= levels.max() <= TOP


def test_chances_of_all_integers_add_up_to_one() -> None:
    values = torch.arange(-400.0, 401)
    for mean, log_scale in ((0.3, -2.0), (-7.5, 1.0), (2.0, 3.0)):
        chances = 2 ** -bits(values, torch.tensor(mean), torch.tensor(log_scale)).double()
        assert float(chances.sum()) == pytest.approx(1, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(32, 150),
    width=st.integers(32, 150),
    cbr=st.floats(1 / 64, 1 / 8),
    snr_db=st.floats(-5, 25),
)
def test_ntscc_spends_its_budget_at_any_size_rate_and_snr(
    height: int, width: int, cbr: float, snr_db: float
) -> None:
    codec, image = small(NTSCC), torch.rand(1, 1, height, width)
    budget = round(cbr * height * width)
    if budget < -(-height // 16) * -(-width // 16):
        with pytest.raises(InputError, match="raise cbr"):
            codec.encode(image, cbr=cbr, snr_db=snr_db)
        return
    tx = codec.encode(image, cbr=cbr, snr_db=snr_db)
    assert 0.98 * budget <= int(tx.used[0]) <= budget
    assert codec.decode(awgn(tx, snr_db)).shape == image.shape


def test_rates_are_sent_and_counted() -> None:
    """Without the symbols of the map nothing is decoded; without others an image is."""
    codec = small(NTSCC)
    images = torch.cat([phantom(), phantom().flip(-2)])
    tx = codec.encode(images, cbr=1 / 16, snr_db=10.0)
    block = map_block(tx.session.channel_uses, 64, tx.session.mcs)
    assert block is not None
    assert 0 < block.channel_uses <= SHARE * tx.session.channel_uses
    rx = awgn(tx)
    whole, lost = codec.decode_with_outage(rx)
    assert not lost.any()
    symbols = rx.symbols.clone()
    symbols[0, : block.channel_uses] *= -1
    out, lost = codec.decode_with_outage(replace(rx, symbols=symbols))
    assert lost.tolist() == [True, False]
    assert (out[0] == 0.5).all()
    assert torch.allclose(out[1], whole[1], atol=1e-5)
    symbols = rx.symbols.clone()
    symbols[:, block.channel_uses :] = 0
    assert not codec.decode_with_outage(replace(rx, symbols=symbols))[1].any()


def test_a_lost_map_is_an_outage_on_the_link_too() -> None:
    codec = small(NTSCC)
    tx = codec.encode(phantom(), cbr=1 / 16, snr_db=20.0)
    out, lost = codec.decode_with_outage(awgn(tx, -5.0))
    assert lost.tolist() == [True]
    assert (out == 0.5).all()


def test_small_budgets_send_no_map_and_lose_no_image() -> None:
    codec = small(NTSCC)
    tx = codec.encode(phantom(), cbr=1 / 64, snr_db=-5.0)
    assert tx.session.mcs is None
    assert not codec.decode_with_outage(awgn(tx, -10.0))[1].any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DeepJSCC(()), "one a rate"),
        (lambda: DeepJSCC((8, 2)), "must rise"),
        (lambda: ADJSCC((2, 2.5)), "latent_channels"),  # type: ignore[arg-type]
        (lambda: ADJSCC((2, 4), width=0), "width"),
        (lambda: NTSCC((8, 8, 8)), "4 numbers"),  # type: ignore[arg-type]
        (lambda: NTSCC(latents=0), "latents"),
    ],
)
def test_impossible_networks_are_refused(build: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()  # type: ignore[operator]


def test_a_session_of_another_table_is_refused() -> None:
    codec = small(NTSCC)
    rx = awgn(codec.encode(phantom(), cbr=1 / 16, snr_db=10.0))
    with pytest.raises(InputError, match="mcs is 99"):
        codec.decode(replace(rx, session=replace(rx.session, mcs=99)))


def test_a_resumed_run_of_ntscc_equals_an_undisturbed_one(tmp_path: Path) -> None:
    samples = load_samples(None, num_phantoms=2, size=96)
    plan = Plan(steps=4, batch=1, crop=64)

    class Killed(Exception):
        pass

    def kill(step: int, loss: float) -> None:
        if step == 3:
            raise Killed

    whole = train(small(NTSCC), samples, plan, tmp_path / "whole", log_every=2)
    with pytest.raises(Killed):
        train(small(NTSCC), samples, plan, tmp_path / "parts", log_every=2, on_step=kill)
    again = train(small(NTSCC), samples, plan, tmp_path / "parts", log_every=2)
    assert again.fingerprint == whole.fingerprint
