"""Amplifiers against their formulas, Bussgang's theorem and the Gaussian CCDF."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

import channels
from channels import Grid, InputError, Rapp, Saleh, SoftLimiter
from channels.amplifier import (
    Amplifier,
    clipped_gaussian,
    papr_ccdf,
    papr_ccdf_gaussian,
    papr_db,
    to_waveform,
    transmit,
)
from tests.signals import decibels, qpsk, send


def frames(images: int, symbols: int, subcarriers: int, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(images, symbols, subcarriers, dtype=torch.complex64, generator=draws)


def output(amplifier: Amplifier, amplitude: float) -> complex:
    power = torch.tensor(amplitude**2, dtype=torch.float64)
    return complex(amplitude * amplifier.gain(power))


@pytest.mark.parametrize("amplitude", [0.0, 0.1, 0.7, 1.0, 1.9, 5.0])
@pytest.mark.parametrize("backoff_db", [0.0, 3.0, 8.0])
def test_characteristics_are_those_of_the_papers(amplitude: float, backoff_db: float) -> None:
    saturation = 10 ** (backoff_db / 20)
    for p in (1.0, 2.0, 3.0):
        rapp = amplitude / (1 + (amplitude / saturation) ** (2 * p)) ** (1 / (2 * p))
        assert output(Rapp(backoff_db, p), amplitude) == pytest.approx(rapp, abs=1e-9)
    limited = min(amplitude, saturation)
    assert output(SoftLimiter(backoff_db), amplitude) == pytest.approx(limited, abs=1e-9)
    assert output(Rapp(backoff_db, 100.0), amplitude) == pytest.approx(limited, rel=0.01)
    # Saleh's input r is scaled so that saturation falls on 1/sqrt(beta_a), his alpha_a to gain 1.
    r = amplitude / saturation / math.sqrt(1.1517)
    scale = saturation * math.sqrt(1.1517) / 2.1587
    am_am, am_pm = 2.1587 * r / (1 + 1.1517 * r**2), 4.0033 * r**2 / (1 + 9.1040 * r**2)
    assert output(Saleh(backoff_db), amplitude) == pytest.approx(
        scale * am_am * cmath.exp(1j * am_pm), abs=1e-9
    )


def test_saleh_saturates_at_the_stated_drive() -> None:
    drives = torch.linspace(0.2, 3, 2801, dtype=torch.float64)
    amplitudes = drives * Saleh(0.0).gain(drives.square()).abs()
    assert float(drives[amplitudes.argmax()]) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("amplifier", [SoftLimiter(50.0), Rapp(50.0), Saleh(50.0)], ids=str)
def test_far_below_saturation_nothing_happens(amplifier: Amplifier) -> None:
    frame = frames(2, 14, 60)
    sent = transmit(frame, 128, amplifier)
    torch.testing.assert_close(sent.frame, frame, atol=1e-3, rtol=0)
    torch.testing.assert_close(sent.gain, torch.ones(2, dtype=torch.complex64), atol=1e-3, rtol=0)
    assert float(sent.distortion.max()) < 1e-6


@pytest.mark.parametrize("clip_db", [-3.0, 0.0, 3.0, 6.0])
def test_bussgang_gain_and_distortion_of_clipped_gaussian_samples(clip_db: float) -> None:
    """At the critical rate with all subcarriers used, samples are independent and Gaussian.

    The output is rescaled to the input's power, so gain² and distortion share 1 − e^−γ².
    """
    images = 400
    sent = transmit(frames(images, 14, 64), 64, SoftLimiter(clip_db), oversampling=1)
    gain, distortion = clipped_gaussian(clip_db)
    total = gain**2 + distortion
    for got, wanted in (
        (sent.gain.real, gain / math.sqrt(total)),
        (sent.distortion, distortion / total),
    ):
        error = got.std().item() / math.sqrt(images)
        # The image's own mean power sets its drive: a bias of order 1 / samples remains.
        assert abs(got.mean().item() - wanted) < 4 * error + 1 / (14 * 64)
    assert float(sent.gain.imag.abs().mean()) < 0.01


@pytest.mark.parametrize("amplifier", [SoftLimiter(2.0), Rapp(2.0), Saleh(2.0)], ids=str)
def test_power_and_decomposition(amplifier: Amplifier) -> None:
    frame = frames(3, 14, 60) * torch.tensor([0.1, 1.0, 7.0])[:, None, None]
    frame[:, 9:] = 0
    sent = transmit(frame, 128, amplifier)
    power = frame.abs().square().mean((1, 2))
    torch.testing.assert_close(sent.frame.abs().square().mean((1, 2)), power)
    filled = 9 / 14
    split = sent.gain.abs().square() * power + sent.distortion * filled
    torch.testing.assert_close(split, power, rtol=1e-4, atol=0)
    scaled = transmit(3 * frame, 128, amplifier)
    torch.testing.assert_close(scaled.gain, sent.gain, rtol=1e-4, atol=1e-5)


def test_clipping_spills_out_of_the_band_and_back_off_stops_it() -> None:
    leaks = [
        float(transmit(frames(4, 14, 60), 128, Rapp(back)).out_of_band_db.mean())
        for back in (0.0, 6.0, 20.0)
    ]
    assert leaks[0] > leaks[1] > leaks[2]
    assert leaks[0] > -30
    assert leaks[2] < -45


@pytest.mark.parametrize("amplifier", [SoftLimiter(3.0), Rapp(3.0), Saleh(3.0)], ids=str)
@pytest.mark.parametrize("name", ["awgn", "ntn-tdl-a"])
def test_a_receiver_knows_the_distortion(name: str, amplifier: object) -> None:
    """Errors over the variance handed on: 1 within 3 % where symbols fill their slots.

    A slot that is not full has OFDM symbols of unequal power, and these unequal distortion.
    """
    tx = send(qpsk(40, 7200))
    rx = channels.link(name, amplifier=amplifier)(tx, 25.0, seed=1)  # type: ignore[arg-type]
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean()
    assert abs(float(ratio) - 1) < 0.03
    clean = channels.link(name)(tx, 25.0, seed=1)
    assert float((clean.snr_db - rx.snr_db).min()) > 1


def test_papr_ccdf_of_gaussian_samples() -> None:
    """At the critical rate: 1 − (1 − e^−γ)^N, within the binomial interval of 20 000 symbols.

    The PAPR divides by the symbol's own mean power, which moves by 1/√N: N = 256 subcarriers shift
    a threshold by 6 %, so the symbols are QPSK, whose mean power is exactly 1.
    """
    count, subcarriers = 20_000, 256
    thresholds = torch.arange(5.0, 10.5, 0.5)
    waveform = to_waveform(qpsk(count, subcarriers), subcarriers, oversampling=1)
    got = papr_ccdf(papr_db(waveform), thresholds)
    wanted = papr_ccdf_gaussian(thresholds, subcarriers)
    tolerance = 4 * (wanted * (1 - wanted) / count).sqrt() + 0.02 * wanted
    assert bool(((got - wanted).abs() < tolerance).all()), (got - wanted) / wanted


def test_papr_ccdf_of_the_oversampled_waveform() -> None:
    """Van Nee's 2.8 N is a fit: within 0.3 dB where the CCDF is 10 % and 1 %."""
    thresholds = torch.arange(4.0, 12.0, 0.05)
    waveform = to_waveform(qpsk(8000, 128), 128, oversampling=4)
    got = papr_ccdf(papr_db(waveform), thresholds)
    wanted = papr_ccdf_gaussian(thresholds, 2.8 * 128)
    for level in (0.1, 0.01):
        crossed = [float(thresholds[(curve < level).nonzero()[0]]) for curve in (got, wanted)]
        assert abs(crossed[0] - crossed[1]) < 0.3


@pytest.mark.parametrize("amplifier", [SoftLimiter(2.0), Rapp(1.0, 3.0), Saleh(1.0)], ids=str)
def test_gradients_are_exact(amplifier: Amplifier) -> None:
    frame = frames(2, 2, 5).to(torch.complex128).requires_grad_()

    def through(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sent = transmit(x, 8, amplifier, oversampling=2)
        return sent.frame, sent.gain, sent.distortion

    assert torch.autograd.gradcheck(through, (frame,), atol=1e-5)


def test_empty_symbols_have_finite_gradients() -> None:
    frame = frames(1, 3, 5)
    frame[:, 2] = 0
    frame.requires_grad_()
    for amplifier in (SoftLimiter(2.0), Rapp(1.0), Saleh(1.0)):
        (gradient,) = torch.autograd.grad(transmit(frame, 8, amplifier).frame.abs().sum(), frame)
        assert bool(torch.isfinite(torch.view_as_real(gradient)).all())


def test_papr_of_a_single_tone_and_of_an_impulse() -> None:
    tone = to_waveform(torch.tensor([[0, 0, 1, 0]], dtype=torch.complex64), 8)
    assert float(papr_db(tone)) == pytest.approx(0, abs=1e-5)
    impulse = to_waveform(torch.ones(1, 8, dtype=torch.complex64), 8, oversampling=1)
    assert float(papr_db(impulse)) == pytest.approx(decibels(8), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Rapp(-20.0), "input_backoff_db must be"),
        (lambda: Rapp(3.0, smoothness=0.0), "smoothness must be"),
        (lambda: Saleh(math.inf), "input_backoff_db must be"),
        (lambda: Saleh(3.0, beta_a=0.0), "beta_a must be"),
        (lambda: SoftLimiter("3"), "clip_db must be"),
        (lambda: to_waveform(torch.ones(3, 20) + 0j, 16), "at most fft_size = 16"),
        (lambda: to_waveform(torch.ones(3, 8), 16), "frame must be complex"),
        (lambda: transmit(frames(1, 1, 8), 16, Rapp(3.0), oversampling=0), "oversampling must"),
        (lambda: Grid(spread=1), "spread must be"),
    ],
)
def test_bad_input_gets_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
