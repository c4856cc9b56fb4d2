"""Amplifiers against formulas typed again, Bussgang's theorem and the statistics of OFDM peaks."""

from __future__ import annotations

import cmath
import math
from decimal import Decimal, getcontext

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from channels.errors import InputError
from channels.ofdm.amplifier import Amplifier, Rapp, Saleh, SoftLimiter, transmit
from channels.ofdm.papr import oversampled, papr_ccdf, papr_ccdf_gaussian, papr_db

AMPLIFIERS: list[Amplifier] = [SoftLimiter(1.0), Rapp(1.0), Rapp(2.0, 0.7), Saleh(2.0)]
POINTS = [0.0, 1e-3, 0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 5.0]
DTYPES = [torch.complex64, torch.complex128]


def gaussian(*shape: int, dtype: torch.dtype = torch.complex128, seed: int = 3) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=draws)


def unit(frame: Tensor) -> Tensor:
    """Each image at unit mean power."""
    return frame / frame.abs().square().mean((1, 2), keepdim=True).sqrt()


def limiter(amplitude: float, clip_db: float) -> complex:
    return min(amplitude, 10 ** (clip_db / 20))


def rapp(amplitude: float, backoff_db: float, smoothness: float) -> complex:
    saturation = 10 ** (backoff_db / 20)
    power = 2 * smoothness
    return amplitude / (1 + (amplitude / saturation) ** power) ** (1 / power)


def saleh(amplitude: float, backoff_db: float) -> complex:
    r = amplitude * 10 ** (-backoff_db / 20) / math.sqrt(1.1517)
    return cmath.rect(2.1587 * r / (1 + 1.1517 * r**2), 4.0033 * r**2 / (1 + 9.104 * r**2))


CURVES = [
    (SoftLimiter(2.0), lambda a: limiter(a, 2.0)),
    (SoftLimiter(-3.0), lambda a: limiter(a, -3.0)),
    (Rapp(3.0), lambda a: rapp(a, 3.0, 2.0)),
    (Rapp(0.0, 3.5), lambda a: rapp(a, 0.0, 3.5)),
    (Rapp(0.0, 0.5), lambda a: rapp(a, 0.0, 0.5)),
    (Saleh(0.0), lambda a: saleh(a, 0.0)),
    (Saleh(6.0), lambda a: saleh(a, 6.0)),
]
NAMES = [str(amplifier) for amplifier, _ in CURVES]


@pytest.mark.parametrize(("amplifier", "curve"), CURVES, ids=NAMES)
def test_curves_are_the_published_ones(amplifier: Amplifier, curve) -> None:  # type: ignore[no-untyped-def]
    amplitude = torch.tensor(POINTS, dtype=torch.float64)
    wanted = torch.tensor([curve(point) for point in POINTS], dtype=torch.complex128)
    assert torch.allclose(amplifier.am_am(amplitude), wanted.abs(), rtol=1e-12, atol=0)
    assert torch.allclose(amplifier.am_pm_rad(amplitude)[1:], wanted[1:].angle(), atol=1e-12)
    turn = cmath.exp(0.7j)
    assert torch.allclose(amplifier(amplitude * turn), wanted * turn, rtol=1e-12, atol=1e-14)
    single = amplifier((amplitude * turn).to(torch.complex64))
    assert single.dtype == torch.complex64
    assert torch.allclose(single, (wanted * turn).to(torch.complex64), rtol=1e-5)


def test_saleh_in_his_own_units() -> None:
    # Unit input is r = 1 if 1/β lies β below: α/(1 + β) = 2.1587/2.1517, 4.0033/10.104 rad.
    tube = Saleh(input_backoff_db=-10 * math.log10(0.9), beta_a=0.9)
    one = torch.ones(1, dtype=torch.float64)
    r_squared = 1 / 0.9 * 0.9
    assert tube.am_am(one).item() == pytest.approx(2.1587 / (1 + 0.9 * r_squared))
    assert tube.am_pm_rad(one).item() == pytest.approx(4.0033 * r_squared / (1 + 9.104 * r_squared))


@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_saturation_amplitude_bounds_the_output(amplifier: Amplifier) -> None:
    output = amplifier.am_am(torch.logspace(-2, 4, 20001, dtype=torch.float64))
    assert output.max() <= amplifier.saturation_amplitude * (1 + 1e-12)
    # The last decade of Rapp at p = 0.7 is (A/a)^1.4 / 1.4 = 4e-6 short of saturation.
    assert output.max() == pytest.approx(amplifier.saturation_amplitude, rel=1e-5)


def test_sharp_rapp_is_a_soft_limiter() -> None:
    amplitude = torch.linspace(0, 100, 5001, dtype=torch.float64)
    difference = SoftLimiter(4.0).am_am(amplitude) - Rapp(4.0, 100.0).am_am(amplitude)
    # Largest at saturation: A (1 − 2^(−1/2p))
    bound = 10 ** (4 / 20) * (1 - 2 ** (-1 / 200))
    assert difference.min() >= -1e-12
    assert 0.5 * bound < difference.max() <= bound * (1 + 1e-9)
    single = torch.tensor([1e4 + 0j])
    assert Rapp(0.0, 100.0)(single).abs().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_gradients_at_zero_amplitude_are_finite(amplifier: Amplifier, dtype: torch.dtype) -> None:
    waveform = torch.tensor([0, 0, 1e-20, 1j, 100], dtype=dtype, requires_grad=True)
    amplifier(waveform).real.sum().backward()
    assert waveform.grad is not None
    assert torch.view_as_real(waveform.grad).isfinite().all()
    small = amplifier.am_am(torch.tensor([1e-9], dtype=torch.float64)).item() / 1e-9
    assert waveform.grad[0].real.item() == pytest.approx(small, rel=1e-4)


@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_gradients_agree_with_differences(amplifier: Amplifier) -> None:
    waveform = torch.tensor([0.1, 0.6j, 0.5 - 0.5j, 1.5, -1 - 2j], dtype=torch.complex128)
    kink = amplifier.saturation_amplitude
    assert not isinstance(amplifier, SoftLimiter) or (waveform.abs() - kink).abs().min() > 1e-3
    assert torch.autograd.gradcheck(amplifier, (waveform.requires_grad_(),))


@pytest.mark.parametrize("oversampling", [1, 4])
@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_gradients_of_a_transmission(amplifier: Amplifier, oversampling: int) -> None:
    frame = gaussian(2, 3, 5)
    frame[1, 2] = 0
    if isinstance(amplifier, SoftLimiter):
        wave = oversampled(frame, 8, oversampling).abs()
        assert (wave - amplifier.saturation_amplitude).abs().min() > 1e-4
        assert (wave > amplifier.saturation_amplitude).any()

    def through(active: Tensor) -> tuple[Tensor, ...]:
        keep = torch.ones(2, 3, 1).index_put((torch.tensor(1), torch.tensor(2)), torch.tensor(0.0))
        sent = transmit(active * keep, 8, amplifier, oversampling)
        return sent.frame, sent.gain, sent.distortion

    assert torch.autograd.gradcheck(through, (frame.requires_grad_(),))


@pytest.mark.parametrize(("width", "fft_size"), [(5, 8), (6, 8), (8, 8)])
def test_waveform_is_the_sum_of_its_subcarriers(width: int, fft_size: int) -> None:
    frame = gaussian(2, 3, width).numpy()
    samples = 4 * fft_size
    wanted = np.zeros((2, 3, samples), dtype=complex)
    for place in range(width):
        tone = np.exp(2j * np.pi * (place - width // 2) * np.arange(samples) / samples)
        wanted += frame[:, :, place, None] * tone
    wanted /= np.sqrt((np.abs(wanted) ** 2).mean((1, 2), keepdims=True))
    found = oversampled(torch.from_numpy(frame), fft_size, 4)
    assert np.abs(found.numpy() - wanted).max() < 1e-12


@pytest.mark.parametrize(("width", "fft_size"), [(5, 8), (6, 8)])
@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_transmission_sample_by_sample(amplifier: Amplifier, width: int, fft_size: int) -> None:
    frame = gaussian(1, 4, width) * 3
    wave = oversampled(frame, fft_size, 4)
    amplified = amplifier(wave).numpy()[0]
    samples = amplified.shape[-1]
    middle = width // 2
    wide = np.arange(-middle - width, 2 * width - middle)
    tones = np.exp(-2j * np.pi * np.outer(np.arange(samples), wide) / samples)
    bands = np.split(amplified @ tones, 3, axis=-1)
    powers = [(np.abs(band) ** 2).sum() for band in bands]
    sent = transmit(frame, fft_size, amplifier)
    x = frame.numpy()[0]
    y = bands[1] * np.sqrt((np.abs(x) ** 2).sum() / powers[1])
    assert np.abs(sent.frame.numpy()[0] - y).max() < 1e-10
    gain = (y * x.conj()).sum() / (np.abs(x) ** 2).sum()
    assert abs(sent.gain.item() - gain) < 1e-12
    assert sent.distortion.item() == pytest.approx((np.abs(y - gain * x) ** 2).mean())
    power = np.abs(amplified) ** 2
    saturation = amplifier.saturation_amplitude**2
    for found, ratio in (
        (sent.papr_db, power.max() / power.mean()),
        (sent.output_backoff_db, saturation / power.mean()),
        (sent.acpr_db, max(powers[0], powers[2]) / powers[1]),
    ):
        assert found.item() == pytest.approx(10 * math.log10(ratio), abs=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_in_band_power_is_kept_per_image(amplifier: Amplifier, dtype: torch.dtype) -> None:
    level = torch.tensor([0.01, 1.0, 50.0])[:, None, None]
    frame = gaussian(3, 5, 40, dtype=dtype) * level
    sent = transmit(frame, 64, amplifier)
    before, after = (part.abs().square().mean((1, 2)) for part in (frame, sent.frame))
    assert torch.allclose(after, before, rtol=1e-5)
    assert sent.frame.dtype == dtype
    assert sent.gain.dtype == dtype
    assert sent.distortion.dtype == frame.real.dtype
    # What is not distortion is signal, and the level of an image changes nothing else.
    share = sent.gain.abs().square() + sent.distortion / before
    assert torch.allclose(share, torch.ones_like(share), rtol=1e-5)
    louder = transmit(3 * frame, 64, amplifier)
    assert torch.allclose(louder.frame, 3 * sent.frame, rtol=1e-4, atol=1e-5)
    assert torch.allclose(louder.papr_db, sent.papr_db, atol=1e-4)


def test_images_do_not_touch_each_other() -> None:
    frame = gaussian(3, 5, 40)
    together = transmit(frame, 64, Saleh(3.0))
    alone = transmit(frame[1:2], 64, Saleh(3.0))
    assert torch.allclose(together.frame[1:2], alone.frame, rtol=1e-12)
    assert torch.allclose(together.acpr_db[1:2], alone.acpr_db, rtol=1e-9)


@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_empty_symbols_change_nothing(amplifier: Amplifier) -> None:
    frame = gaussian(2, 5, 40)
    padded = torch.cat([frame, torch.zeros(2, 3, 40)], 1)
    short, long = transmit(frame, 64, amplifier), transmit(padded, 64, amplifier)
    assert torch.allclose(long.frame[:, :5], short.frame, rtol=1e-12)
    assert not long.frame[:, 5:].any()
    for name in ("gain", "distortion", "papr_db", "output_backoff_db", "acpr_db"):
        assert torch.allclose(getattr(long, name), getattr(short, name), rtol=1e-12), name


@pytest.mark.parametrize("amplifier", [SoftLimiter(60.0), Rapp(60.0), Saleh(75.0)], ids=str)
def test_a_large_back_off_is_linear(amplifier: Amplifier) -> None:
    frame = gaussian(2, 14, 300, dtype=torch.complex64)
    sent = transmit(frame, 512, amplifier)
    assert (sent.frame - frame).abs().max() < 1e-5
    assert (sent.gain - 1).abs().max() < 1e-5
    assert sent.distortion.max() < 1e-9
    assert sent.acpr_db.max() < -90
    symbol = papr_db(oversampled(frame, 512))
    assert torch.allclose(sent.papr_db, symbol.amax(1), atol=1.0)


def test_compression_costs_gain_and_regrows_the_spectrum() -> None:
    frame = gaussian(2, 14, 300)
    for one, other in [(Rapp(0.0), Rapp(6.0)), (Saleh(3.0), Saleh(12.0))]:
        driven, eased = transmit(frame, 512, one), transmit(frame, 512, other)
        assert (driven.gain.abs() < eased.gain.abs()).all()
        assert (driven.distortion > eased.distortion).all()
        assert (driven.acpr_db > eased.acpr_db + 3).all()
        assert (driven.output_backoff_db < eased.output_backoff_db).all()


def test_neighbouring_bands_need_oversampling() -> None:
    frame = gaussian(1, 2, 300)
    assert transmit(frame, 512, Rapp(0.0), 2).acpr_db.isfinite().all()
    assert transmit(frame, 512, Rapp(0.0), 1).acpr_db.isnan().all()


def bussgang(curve) -> tuple[complex, float]:  # type: ignore[no-untyped-def]
    """Linear gain and output power for a Gaussian input of unit power, by quadrature."""

    def rayleigh(a: float) -> float:
        return 2 * a * math.exp(-(a**2))

    parts = [
        quad(lambda a, part=part: part(curve(a)) * a * rayleigh(a), 0, 12, limit=400)[0]
        for part in (lambda value: value.real, lambda value: value.imag)
    ]
    power = quad(lambda a: abs(curve(a)) ** 2 * rayleigh(a), 0, 12, limit=400)[0]
    return complex(*parts), power


def measured_bussgang(amplifier: Amplifier) -> tuple[Tensor, Tensor]:
    """Gain and distortion of each of 64 images of 4096 independent Gaussian samples."""
    sent = transmit(unit(gaussian(64, 16, 256)), 256, amplifier, oversampling=1)
    return sent.gain, sent.distortion


def check_mean(found: Tensor, wanted: float) -> None:
    """Within 4 standard errors; images of n samples are biased by 1/n, a 16th of that at most."""
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - wanted) < 4 * error


@pytest.mark.parametrize("clip_db", [-6.0, -3.0, 0.0, 2.0, 4.0, 7.0])
def test_bussgang_of_a_soft_limiter(clip_db: float) -> None:
    level = 10 ** (clip_db / 20)
    alpha = 1 - math.exp(-(level**2)) + math.sqrt(math.pi) * level / 2 * math.erfc(level)
    power = 1 - math.exp(-(level**2))
    by_quadrature = bussgang(lambda a: complex(min(a, level)))
    assert by_quadrature == pytest.approx((alpha, power), abs=1e-7)
    gain, distortion = measured_bussgang(SoftLimiter(clip_db))
    check_mean(gain.real, alpha / math.sqrt(power))
    check_mean(distortion, 1 - alpha**2 / power)
    assert gain.imag.abs().max() < 1e-2


@pytest.mark.parametrize(("amplifier", "curve"), CURVES[2:], ids=NAMES[2:])
def test_bussgang_of_the_other_amplifiers(amplifier: Amplifier, curve) -> None:  # type: ignore[no-untyped-def]
    alpha, power = bussgang(lambda a: complex(curve(a)))
    gain, distortion = measured_bussgang(amplifier)
    check_mean(gain.real, alpha.real / math.sqrt(power))
    if isinstance(amplifier, Saleh):
        check_mean(gain.imag, alpha.imag / math.sqrt(power))
        assert alpha.imag / alpha.real > 0.05
    check_mean(distortion, 1 - abs(alpha) ** 2 / power)


def test_part_of_the_distortion_leaves_the_band_when_oversampled() -> None:
    frame = unit(gaussian(16, 16, 256))
    narrow = transmit(frame, 256, SoftLimiter(2.0), 1).distortion
    wide = transmit(frame, 256, SoftLimiter(2.0), 4).distortion
    assert (wide < 0.9 * narrow).all()


def own_mean_ccdf(threshold_db: float, samples: int) -> float:
    """CCDF of the largest of n exponentials over their own mean (Fisher 1929), exactly.

    1 − Σ_k (−1)^k C(n, k) (1 − k γ / n)^(n − 1) over the positive parts.
    """
    getcontext().prec = 200
    level = Decimal(10 ** (threshold_db / 10))
    total = Decimal(0)
    for k in range(samples + 1):
        left = 1 - k * level / samples
        if left <= 0:
            break
        total += (-1) ** k * math.comb(samples, k) * left ** (samples - 1)
    return float(1 - total)


THRESHOLDS_DB = [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]


def binomial(share: Tensor, count: int) -> Tensor:
    """Four standard errors of a share among ``count``, and half a count."""
    return 4 * (share * (1 - share) / count).sqrt() + 0.5 / count


@pytest.mark.parametrize("subcarriers", [32, 64])
def test_ccdf_of_gaussian_symbols_is_exact_at_nyquist(subcarriers: int) -> None:
    count = 20_000
    frame = gaussian(4, count // 4, subcarriers)
    found = papr_ccdf(frame, subcarriers, THRESHOLDS_DB, oversampling=1)
    wanted = torch.tensor(
        [own_mean_ccdf(level, subcarriers) for level in THRESHOLDS_DB], dtype=torch.float64
    )
    assert found.dtype == torch.float64
    assert ((found - wanted).abs() <= binomial(wanted, count)).all()


@pytest.mark.parametrize("subcarriers", [64, 128])
def test_closed_form_is_exact_for_peaks_over_the_mean_of_many(subcarriers: int) -> None:
    count = 20_000
    wave = oversampled(gaussian(1, count, subcarriers), subcarriers, oversampling=1)[0]
    levels = 10 ** (torch.tensor(THRESHOLDS_DB, dtype=torch.float64) / 10)
    found = (wave.abs().square().amax(1)[:, None] > levels).double().mean(0)
    wanted = papr_ccdf_gaussian(THRESHOLDS_DB, subcarriers)
    # The mean of all samples has a relative error of 1/√samples, which moves the thresholds.
    off = 4 / math.sqrt(count * subcarriers)
    moved = papr_ccdf_gaussian(10 * torch.log10(levels * (1 - off)), subcarriers) - wanted
    assert ((found - wanted).abs() <= binomial(wanted, count) + moved).all()


def test_closed_forms_are_the_published_ones() -> None:
    for oversampling, samples in ((1, 300.0), (4, 2.8 * 300)):
        wanted = [1 - (1 - math.exp(-(10 ** (level / 10)))) ** samples for level in THRESHOLDS_DB]
        found = papr_ccdf_gaussian(THRESHOLDS_DB, 300, oversampling)
        assert torch.allclose(found, torch.tensor(wanted, dtype=torch.float64), atol=1e-12)
    tail = papr_ccdf_gaussian(torch.tensor([16.0]), 300).item()
    assert tail == pytest.approx(300 * math.exp(-(10**1.6)), rel=1e-9)


def test_closed_form_approaches_that_of_a_symbols_own_mean() -> None:
    for level_db in (7.0, 9.0):
        level = 10 ** (level_db / 10)
        for count in (256, 2048):
            closed = papr_ccdf_gaussian([level_db], count).item()
            share = (level**2 / 2 - level) / count
            assert abs(closed - own_mean_ccdf(level_db, count)) <= 1.5 * share * closed + 1e-12


def test_papr_of_known_waveforms() -> None:
    tone = torch.exp(2j * math.pi * torch.arange(64) / 64)
    impulse = torch.zeros(64, dtype=torch.complex64)
    impulse[9] = 2j
    found = papr_db(torch.stack([tone, impulse, 0 * tone]))
    assert found[0].item() == pytest.approx(0, abs=1e-5)
    assert found[1].item() == pytest.approx(10 * math.log10(64), abs=1e-5)
    assert found[2].isnan()


def test_ccdf_skips_empty_symbols_and_finds_peaks_between_samples() -> None:
    frame = gaussian(2, 200, 64)
    padded = torch.cat([frame, torch.zeros(2, 100, 64)], 1)
    once, four = (papr_ccdf(frame, 64, THRESHOLDS_DB, rate) for rate in (1, 4))
    assert torch.equal(papr_ccdf(padded, 64, THRESHOLDS_DB, 4), four)
    assert (four >= once).all()
    assert four.sum() > once.sum()


def test_a_soft_limiter_bounds_the_papr() -> None:
    frame = gaussian(4, 14, 300)
    sent = transmit(frame, 512, SoftLimiter(3.0))
    assert torch.allclose(sent.papr_db, sent.output_backoff_db, atol=1e-9)
    # The output power is that of a clipped Gaussian; 56 symbols give it 512 · 56 independent parts.
    wanted = 3.0 - 10 * math.log10(1 - math.exp(-(10**0.3)))
    assert (sent.papr_db - wanted).abs().max() < 0.1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SoftLimiter(-10.1), r"clip_db must be a finite number in \[-10, 60\]"),
        (lambda: SoftLimiter(math.nan), "clip_db must be"),
        (lambda: Rapp(-0.1), r"input_backoff_db must be a finite number in \[0, 80\]"),
        (lambda: Rapp(81), "input_backoff_db must be"),
        (lambda: Rapp(3.0, 0), r"smoothness must be a finite number in \[0.5, 100\]"),
        (lambda: Rapp(3.0, -2), "smoothness must be"),
        (lambda: Saleh(-1), "input_backoff_db must be"),
        (lambda: Saleh(3.0, alpha_a=0), "alpha_a must be"),
        (lambda: Saleh(3.0, beta_a=0), "beta_a must be"),
        (lambda: Saleh(3.0, alpha_p=math.inf), "alpha_p must be"),
        (lambda: Saleh(3.0, beta_p=-1), "beta_p must be"),
        (lambda: Rapp(3.0)(torch.ones(4)), "waveform must be a complex tensor"),
        (lambda: Saleh(3.0)([1j]), "waveform must be a complex tensor"),  # type: ignore[arg-type]
        (lambda: papr_db(torch.ones(4)), "waveform must be a complex tensor"),
        (lambda: transmit(gaussian(3, 8), 8, Rapp(3.0)), r"frame must be complex \[batch, T, F\]"),
        (lambda: transmit(torch.ones(1, 2, 8), 8, Rapp(3.0)), "frame must be complex"),
        (lambda: transmit(None, 8, Rapp(3.0)), "frame must be complex"),  # type: ignore[arg-type]
        (lambda: transmit(gaussian(1, 2, 9), 8, Rapp(3.0)), r"fft_size must be an int in 9\.\."),
        (lambda: transmit(gaussian(1, 2, 8), 8, Rapp(3.0), 0), r"oversampling must be.*1\.\.16"),
        (lambda: transmit(gaussian(1, 2, 8), 8, Rapp(3.0), 2.0), "oversampling must"),  # type: ignore[arg-type]
        (lambda: transmit(0 * gaussian(2, 2, 8), 8, Rapp(3.0)), r"frames \[0, 1\] have no finite"),
        (lambda: transmit(math.nan * gaussian(1, 2, 8), 8, Rapp(3.0)), r"frames \[0\] have no"),
        (lambda: transmit(gaussian(1, 2, 8), 8, None), "amplifier must be a SoftLimiter, Rapp"),  # type: ignore[arg-type]
        (lambda: papr_db(torch.zeros(3, 0, dtype=torch.complex64)), "waveform must have samples"),
        (lambda: papr_db(torch.tensor(1j)), "waveform must have samples"),
        (lambda: papr_ccdf(gaussian(1, 2, 8), 8, [math.nan]), "thresholds_db must not be NaN"),
        (lambda: papr_ccdf_gaussian([5.0, math.nan], 64), "thresholds_db must not be NaN"),
        (lambda: papr_ccdf_gaussian("5", 64), "thresholds_db must be real numbers"),  # type: ignore[arg-type]
        (lambda: papr_ccdf_gaussian([[1.0], [2.0, 3.0]], 64), "thresholds_db must be real"),  # type: ignore[list-item]
        (lambda: papr_ccdf_gaussian([5.0], 0), "num_subcarriers must be an int"),
        (lambda: papr_ccdf_gaussian([5.0], 64, 0), "oversampling must be an int"),
    ],
)
def test_bad_input_is_answered_on_one_line(build, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message) as error:
        build()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "amplitude", [torch.tensor([-1.0]), torch.tensor([math.nan]), torch.tensor([1j]), "x", 1.0]
)
@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_amplitudes_that_cannot_be_are_refused(amplifier: Amplifier, amplitude: Tensor) -> None:
    for curve in (amplifier.am_am, amplifier.am_pm_rad):
        with pytest.raises(InputError, match="amplitude must be a float tensor") as error:
            curve(amplitude)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("amplifier", AMPLIFIERS, ids=str)
def test_amplifiers_are_values_that_describe_themselves(amplifier: Amplifier) -> None:
    twin = eval(repr(amplifier))
    assert twin == amplifier
    assert hash(twin) == hash(amplifier)
    rows = amplifier.describe()
    assert all(len(row) == 4 for row in rows)
    assert any(row[2] == "dB" for row in rows)
