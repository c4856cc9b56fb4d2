"""Training mode: gradients from any quality to every part, through every kind of link."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import channels
import semcom
from channels import InputError, Reception
from semcom.analogue.allocation import water_filling
from semcom.medjscc import MedJSCC
from semcom.medjscc.sender import Sender
from semcom.medjscc.source.entropy_model import Code, EntropyModel, Walked
from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.training_pass import _energy_left, _worth
from semcom.metrics import psnr, roi_psnr
from semcom.modem.mcs import mcs_table
from tests.semcom.medjscc.narrow import untrained

LINKS = ["awgn", "rayleigh", "ntn-tdl-c", "ntn-cdl-a", "leo600-s-urban", "lms-suburban"]
POINT = {"cbr": 1.0, "snr_db": 20.0}
"""So much that coefficients of all levels are coded."""


@pytest.fixture(scope="module")
def noisy() -> tuple[Tensor, Tensor]:
    """Images with texture at all scales, and a region in the middle of each."""
    images = semcom.data.phantoms("chest", n=2, size=96, seed=21)[0]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    masks = torch.zeros(2, 1, 96, 96, dtype=torch.bool)
    masks[..., 24:60, 30:70] = True
    return (images + 0.1 * noise).clamp(0, 1), masks


@pytest.fixture(scope="module")
def codec() -> MedJSCC:
    return untrained().train()


@pytest.mark.parametrize("quality", ["psnr", "roi_psnr"])
@pytest.mark.parametrize("link", LINKS)
def test_gradients_reach_every_parameter_and_the_image(
    link: str, quality: str, codec: MedJSCC, noisy: tuple[Tensor, Tensor]
) -> None:
    images, masks = noisy[0].clone().requires_grad_(), noisy[1]
    codec.zero_grad()
    tx = codec.encode(images, roi=masks, **POINT)
    out = codec.reconstruct(channels.link(link)(tx, POINT["snr_db"], seed=1))
    scores = psnr(out, noisy[0]) if quality == "psnr" else roi_psnr(out, noisy[0], masks)
    scores.sum().backward()
    assert images.grad is not None and bool(images.grad.isfinite().all())
    assert images.grad.abs().amax((1, 2, 3)).min() > 0
    for name, parameter in codec.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert parameter.grad.abs().max() > 0, name


def test_symbols_keep_power_and_budget(codec: MedJSCC, noisy: tuple[Tensor, Tensor]) -> None:
    tx = codec.encode(noisy[0], roi=noisy[1], cbr=1 / 4, snr_db=8.0)
    assert tx.used.tolist() == [round(96 * 96 / 4)] * 2
    assert tx.symbols.abs().square().mean(1).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_it_shows_what_use_would_show(
    narrow: MedJSCC,
    codec: MedJSCC,
    noisy: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mean PSNR within half a dB: exact arithmetic and a header's gain are what differs.

    At a step whose digital part fits, also under an untrained entropy model.
    """
    prepare = Sender.prepare
    monkeypatch.setattr(Sender, "prepare", lambda *args: replace(prepare(*args), step=28))
    link, found = channels.link("awgn"), []
    for one in (narrow, codec):
        with torch.no_grad():
            tx = one.encode(noisy[0], roi=noisy[1], cbr=1 / 2, snr_db=12.0)
            out = one.reconstruct(link(tx, 12.0, seed=2)).clamp(0, 1)
        found.append(float(psnr(out, noisy[0]).mean()))
    assert found[1] == pytest.approx(found[0], abs=0.5)


def test_behind_a_first_layer_the_analogue_part_is_found(
    codec: MedJSCC, noisy: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In layers that the session names as without: mean PSNR within half a dB.

    0.6 bits a channel use in a 16th of the channel uses, the rest under the same MCS.
    """
    prepare = Sender.prepare
    monkeypatch.setattr(Sender, "prepare", lambda *args: replace(prepare(*args), step=28))
    table, uses = mcs_table("all"), round(96 * 96 / 2)
    laid_out, found = codec._layout, []
    for first in (None, table[10]):
        monkeypatch.setattr(
            codec,
            "_layout",
            lambda session, first=first: laid_out(
                replace(
                    session,
                    mcs=15 if first is None else 15 + 43 * (1 + first.index + 43),
                )
            ),
        )
        with torch.no_grad():
            tx = codec.encode(noisy[0], roi=noisy[1], cbr=1 / 2, snr_db=12.0)
            out = codec.reconstruct(channels.link("awgn")(tx, 12.0, seed=2)).clamp(0, 1)
        parts = codec._layout(tx.session)
        assert (parts.base is None) == (first is None) and parts.channel_uses == uses
        found.append(float(psnr(out, noisy[0]).mean()))
    assert found[1] == pytest.approx(found[0], abs=0.5)


def test_more_bits_cost_and_a_finer_step_pays(codec: MedJSCC, noisy: tuple[Tensor, Tensor]) -> None:
    """The step of a level and the bias of a scale both have a price: one can go too far either way.

    A central difference of the loss over the bias of the finest level's deviations, at fixed
    draws: it has the gradient's sign where that is not small.
    """
    one = untrained().train()
    bias = one.entropy_model.detail(5).errors.deviation.bias
    assert bias is not None

    def loss() -> Tensor:
        torch.manual_seed(3)
        tx = one.encode(noisy[0], roi=noisy[1], cbr=1 / 2, snr_db=12.0)
        out = one.reconstruct(channels.link("awgn")(tx, 12.0, seed=4))
        return -psnr(out, noisy[0]).mean()

    with torch.no_grad():
        bias += 1.0
    (gradient,) = torch.autograd.grad(loss(), bias)
    ends = []
    for move in (0.5, -0.5):
        with torch.no_grad():
            bias += move
            ends.append(float(loss()))
            bias -= move
    assert (ends[0] - ends[1]) * float(gradient.sum()) > 0


@pytest.mark.parametrize("snr_db", [0.0, 9.0, 20.0])
@pytest.mark.parametrize("octaves", [0.001, 1.0, 6.0])
def test_a_bit_costs_what_its_channel_uses_would_have_brought(
    snr_db: float, octaves: float, codec: MedJSCC
) -> None:
    """The gradient of the squared error that is expected, beside what 2 % fewer numbers leave."""
    snr, share = 10 ** (snr_db / 10), 0.4
    deviations = np.exp2(-octaves * np.linspace(0, 1, 5000))

    def left(sent: NDArray[np.float64]) -> float:
        gains = snr * water_filling(sent, snr)
        return float((sent**2 / (1 + gains)).sum() + (deviations[len(sent) :] ** 2).sum())

    gains = snr * water_filling(deviations, snr)
    by_amplitude = -float((2 * deviations**2 * gains / (1 + gains) ** 2).sum())
    parts = codec._layout(codec.encode(torch.rand(1, 1, 64, 64), cbr=1.0, snr_db=9.0).session)
    uses = replace(parts, shared_uses=2500 * 5 // 2 - parts.channel_uses + parts.shared_uses)
    assert 2500 / uses.channel_uses == pytest.approx(share)
    bits = torch.zeros((), requires_grad=True)
    worth = _worth(torch.from_numpy(deviations), snr)
    (amplitude,) = torch.autograd.grad(_energy_left(bits, uses, 2500, worth), bits)
    # Symbols are given unit power on average afterwards, which gives some of it back.
    found = by_amplitude * float(amplitude) * (1 - share)
    expected = (left(deviations[:-100]) - left(deviations)) / 50 / parts.mcs.bits_per_use
    assert found == pytest.approx(expected, rel=0.1)


def test_deviations_that_are_all_misjudged_alike_cost_no_power(
    codec: MedJSCC, noisy: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symbols have unit power whatever is expected of the errors: no gradient promises more."""
    shifts = torch.zeros(2, requires_grad=True)

    def shifted(model: EntropyModel, log_step: Tensor, code: Code) -> Walked:
        walked = walk(model, log_step, code)
        move = shifts[:, None, None, None]
        errors = [ErrorPrior(e.mean, e.log_deviation + move) for e in walked.errors]
        return replace(walked, errors=errors)

    walk = EntropyModel.walk
    monkeypatch.setattr(EntropyModel, "walk", shifted)
    tx = codec.encode(noisy[0], roi=noisy[1], cbr=1 / 2, snr_db=12.0)
    energy = tx.symbols[:, -200:].abs().square().sum()
    (gradient,) = torch.autograd.grad(energy, shifts)
    assert gradient.abs().max() < 1e-3 * energy


def test_only_its_last_transmission_is_reconstructed(noisy: tuple[Tensor, Tensor]) -> None:
    codec, link = untrained().train(), channels.link("awgn")
    point = {"cbr": 1 / 4, "snr_db": 8.0}
    other = link(untrained().eval().encode(noisy[0], **point), 8.0, seed=1)
    with pytest.raises(InputError, match="reconstructs its last transmission"):
        codec.reconstruct(other)
    first = link(codec.encode(noisy[0], **point), 8.0, seed=1)
    codec.reconstruct(first)
    second = link(codec.encode(noisy[0], **point), 8.0, seed=1)
    for foreign in (first, other):
        with pytest.raises(InputError, match="reconstructs its last transmission"):
            codec.reconstruct(foreign)
    codec.reconstruct(Reception(second.symbols, second.noise_var, second.snr_db, second.session))
    with pytest.raises(InputError, match="reconstructs its last transmission"):
        codec.with_options(roi_ratio=2.0).reconstruct(second)


def test_it_works_without_gradients_and_for_any_size_and_content() -> None:
    """A black image, one of one grey, noise, at odd sides and with regions of all kinds."""
    codec, link = untrained().train(), channels.link("awgn")
    noise = torch.rand(1, 1, 33, 47, generator=torch.Generator().manual_seed(2))
    images = torch.cat([0 * noise, 0 * noise + 0.5, noise])
    for roi in (None, torch.ones_like(images), 0.4 * torch.ones_like(images)):
        for allowed in (False, True):
            with torch.set_grad_enabled(allowed):
                tx = codec.encode(images, cbr=1.0, snr_db=10.0, roi=roi)
                out = codec.reconstruct(link(tx, 10.0, seed=1))
            assert out.shape == images.shape and bool(out.isfinite().all())
            assert out.requires_grad == allowed


def test_in_use_again_nothing_is_left_of_it(narrow: MedJSCC, noisy: tuple[Tensor, Tensor]) -> None:
    codec = untrained().train()
    codec.reconstruct(channels.link("awgn")(codec.encode(noisy[0], **POINT), 20.0, seed=1))
    again = codec.eval().encode(noisy[0], cbr=1 / 4, snr_db=8.0)
    assert torch.equal(again.symbols, narrow.encode(noisy[0], cbr=1 / 4, snr_db=8.0).symbols)


@pytest.mark.parametrize(
    "options", [{"learned_synthesis": False}, {"channel_adaptive": False}, {"equal_rates": True}]
)
def test_options_hold_in_training_too(
    options: dict[str, bool], codec: MedJSCC, noisy: tuple[Tensor, Tensor]
) -> None:
    with torch.no_grad():
        for head in codec.synthesis.heads:
            head.weight.normal_(0, 0.01, generator=torch.Generator().manual_seed(1))
    shown = []
    for one in (codec, codec.with_options(**options)):  # type: ignore[arg-type]
        tx = one.encode(noisy[0], cbr=1 / 4, snr_db=8.0)
        shown.append(one.reconstruct(channels.link("awgn")(tx, 8.0, seed=1)))
    assert not torch.equal(*shown)


def test_only_the_link_draws(codec: MedJSCC, noisy: tuple[Tensor, Tensor]) -> None:
    sent = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        sent.append(codec.encode(noisy[0], cbr=1 / 4, snr_db=8.0).symbols)
    assert torch.equal(*sent)


def test_what_is_not_of_the_last_transmission_is_refused(
    codec: MedJSCC, noisy: tuple[Tensor, Tensor]
) -> None:
    rx = channels.link("awgn")(codec.encode(noisy[0], cbr=1 / 4, snr_db=8.0), 8.0, seed=1)
    half = Reception(rx.symbols[:1], rx.noise_var[:1], rx.snr_db[:1], rx.session)
    with pytest.raises(InputError, match="reconstructs its last transmission"):
        codec.reconstruct(half)
    with pytest.raises(InputError, match=r"codec\.eval\(\)"):
        codec.rate_map(rx)
