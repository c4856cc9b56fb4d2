"""Jakes scatter and flat fading against closed forms that are typed here a second time."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.interpolate import PchipInterpolator
from scipy.special import hyp1f1, j0
from scipy.stats import kstwo, rice
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.errors import InputError
from channels.fading import jakes
from channels.fading.envelope import Array, EnvelopeLaw
from channels.fading.flat import (
    SHADOWING,
    FlatFading,
    FlatModel,
    ShadowedRician,
    shadowing_at_elevation,
    standard_gamma,
)
from channels.fading.jakes import jakes_process, sum_waves, wave_matrix, waves_needed
from channels.fading.lms import Loo, TwoState
from channels.fading.ntn import NTNCDL, NTNTDL
from channels.fading.system_level import SystemLevel
from channels.randomness import generator, seeded

CPU = torch.device("cpu")
UNIT = EnvelopeLaw.rice(0.0, 0.5)
DATES = np.array(["2025-01-01"], dtype="datetime64[D]")
DRAWS = 100_000
TABLE_III = {
    "light": (0.158, 19.4, 1.29),
    "average": (0.126, 10.1, 0.835),
    "heavy": (0.063, 0.739, 0.000897),
}
BUILDS: dict[str, Callable[..., FlatModel]] = {
    "rayleigh": partial(FlatFading, None),
    "rician-0": partial(FlatFading, 0.0),
    "rician-10": partial(FlatFading, 10.0),
    **{f"shadowed-{name}": partial(ShadowedRician.preset, name) for name in TABLE_III},
    "shadowed-30-degrees": partial(ShadowedRician.at_elevation, 30.0),
}


def kolmogorov(samples: Tensor, cdf: Callable[[Array], Array]) -> tuple[float, float]:
    """The KS statistic and its critical value at the 1e-4 level."""
    ordered, n = np.sort(samples.double().numpy()), len(samples)
    knots = np.unique(ordered[np.linspace(0, n - 1, 400).astype(int)])
    expected = PchipInterpolator(knots, cdf(knots))(ordered)
    rank = np.arange(n)
    distance = max((expected - rank / n).max(), ((rank + 1) / n - expected).max())
    return float(distance), float(kstwo.ppf(1 - 1e-4, n))


def gains(model: FlatModel, batch: int, steps: int, rate_hz: float) -> Tensor:
    drawn, delays = model(batch, steps, rate_hz)
    assert drawn.shape == (batch, 1, 1, 1, 1, 1, steps)
    assert drawn.dtype == torch.complex64
    assert delays.shape == (batch, 1, 1, 1)
    assert not delays.any()
    return drawn[:, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("span", [0.001, 0.3, 4.0, 60.0])
def test_waves_have_the_autocorrelation_j0(span: float) -> None:
    steps = 400
    waves = wave_matrix(waves_needed(span), steps, span / (steps - 1), CPU)
    correlation = (waves[:, :1].conj() * waves).mean(0).numpy()
    expected = j0(2 * np.pi * span * np.arange(steps) / (steps - 1))
    assert np.abs(correlation - expected).max() < 1e-8


@pytest.mark.parametrize("span", [0.0001, 0.1, 1.0, 10.0, 100.0, 1000.0])
def test_number_of_waves_suffices_for_1e8(span: float) -> None:
    angle = np.pi * (np.arange(waves_needed(span)) + 0.5) / waves_needed(span)
    argument = 2 * np.pi * span * np.linspace(0, 1, 1000)
    error = np.cos(argument[:, None] * np.cos(angle)).mean(1) - j0(argument)
    assert np.abs(error).max() < 1e-8


@pytest.mark.parametrize(("steps", "cycles"), [(700, 0.003), (1024, 0.2), (1500, 0.7)])
def test_fast_sum_equals_the_matrix_product(steps: int, cycles: float) -> None:
    count = waves_needed(steps * cycles)
    amplitudes = torch.randn(3, count, dtype=torch.complex64, generator=generator())
    exact = amplitudes.to(torch.complex128) @ wave_matrix(count, steps, cycles, CPU)
    error = (sum_waves(amplitudes, steps, cycles) - exact).abs().max()
    assert error < 1e-5 * exact.abs().square().mean().sqrt()


@pytest.mark.parametrize("dense", [True, False])
def test_drawn_autocorrelation(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jakes, "DENSE_ENTRIES", 2**20 if dense else 0)
    rows, steps, rate_hz, doppler_hz = 4000, 128, 1000.0, 20.0
    x = jakes_process(rows, steps, rate_hz, doppler_hz).to(torch.complex128)
    for lag in (0, 5, 19, 40, 100):
        product = (x[:, : steps - lag].conj() * x[:, lag:]).mean(1)
        expected = j0(2 * np.pi * doppler_hz * lag / rate_hz)
        for part, value in ((product.real, expected), (product.imag, 0.0)):
            error = part.std().item() / math.sqrt(rows)
            assert abs(part.mean().item() - value) <= 4 * error, f"lag {lag}"
        pseudo = (x[:, : steps - lag] * x[:, lag:]).mean(1)
        assert abs(pseudo.real.mean()) < 4 * pseudo.real.std() / math.sqrt(rows), f"lag {lag}"


@pytest.mark.parametrize(("steps", "cycles"), [(1, 0.1), (28, 0.001), (28, 0.3), (3, 70.0)])
def test_covariance_of_what_is_drawn(steps: int, cycles: float) -> None:
    """With fewer steps than waves as well, and far below the sampling theorem."""
    count = waves_needed(cycles * (steps - 1))
    waves = jakes._waves(count, steps, cycles, CPU).to(torch.complex128)
    assert waves.shape == (count, steps)
    covariance = (waves.mH @ waves).numpy() / count
    lag = np.subtract.outer(np.arange(steps), np.arange(steps))
    assert np.abs(covariance - j0(2 * np.pi * cycles * lag)).max() < 1e-6  # single precision


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("doppler_hz", [5.0, 300.0])
def test_a_short_series_is_the_beginning_of_a_longer(
    doppler_hz: float, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jakes, "DENSE_ENTRIES", 2**20 if dense else 0)
    drawn = []
    for steps in (14, 28):
        with seeded(5):
            drawn.append(jakes_process(3, steps, 15e3, doppler_hz))
    torch.testing.assert_close(drawn[0], drawn[1][:, :14], rtol=0, atol=1e-4)
    assert (drawn[1][:, 14:] - drawn[1][:, :14]).abs().max() > 1e-3


@pytest.mark.parametrize("dense", [True, False])
def test_jakes_amplitude_is_rayleigh(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jakes, "DENSE_ENTRIES", 2**20 if dense else 0)
    last = jakes_process(DRAWS, 3, 1000.0, 100.0)[:, -1]
    distance, critical = kolmogorov(last.abs(), lambda r: 1 - np.exp(-(r**2)))
    assert distance < critical


def test_sum_of_few_sinusoids_fails_where_this_process_passes() -> None:
    """The statistic can tell: eight waves of random phase are not Gaussian enough."""
    phase = 2 * math.pi * torch.rand(DRAWS, 8, generator=generator())
    amplitude = torch.polar(torch.full_like(phase, 8**-0.5), phase).sum(1).abs()
    distance, critical = kolmogorov(amplitude, lambda r: 1 - np.exp(-(r**2)))
    assert distance > critical


def test_no_doppler_stands_still() -> None:
    x = jakes_process(3, 14, 15e3, 0.0)
    assert x.shape == (3, 14)
    assert (x == x[:, :1]).all()
    assert len(torch.unique(x[:, 0].abs())) == 3


def test_rows_and_seeds() -> None:
    with seeded(3):
        first = jakes_process(2, 28, 15e3, 50.0)
    with seeded(3):
        again = jakes_process(2, 28, 15e3, 50.0)
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"num_steps": 0},
        {"num_steps": 2.5},
        {"num_steps": True},
        {"rate_hz": 0.0},
        {"doppler_hz": -1.0},
        {"doppler_hz": math.nan},
    ],
)
def test_jakes_refuses(wrong: dict[str, float]) -> None:
    right = {"batch_size": 2, "num_steps": 4, "rate_hz": 1.0, "doppler_hz": 1.0}
    with pytest.raises(InputError, match=next(iter(wrong))):
        jakes_process(**(right | wrong))  # type: ignore[arg-type]


LEVELS = np.array([0.01, 0.1, 0.4, 0.8, 1.0, 1.7, 3.0])


@pytest.mark.parametrize("k", [0.0, 1.0, 10.0, 300.0])
def test_rice_law_against_scipy(k: float) -> None:
    direct, b = math.sqrt(k / (k + 1)), 1 / (2 * (k + 1))
    law, known = EnvelopeLaw.rice(direct, b), rice(math.sqrt(2 * k), scale=math.sqrt(b))
    np.testing.assert_allclose(law.pdf(LEVELS), known.pdf(LEVELS), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(law.cdf(LEVELS), known.cdf(LEVELS), atol=1e-10)
    assert law.moment(1) == pytest.approx(known.moment(1), rel=1e-9)


def abdi_pdf(r: float, b: float, m: float, omega: float) -> float:
    """Abdi et al. 2003, eq. (3), for the envelope."""
    head = (2 * b * m / (2 * b * m + omega)) ** m * r / b * math.exp(-(r**2) / (2 * b))
    return head * float(hyp1f1(m, 1, omega * r**2 / (2 * b * (2 * b * m + omega))))


EXTREMES = [(0.01, 0.05, 1.0), (0.02, 0.5, 0.98), (0.01, 50.0, 0.98), (0.5, 2.0, 0.0)]


@pytest.mark.parametrize("parameters", [*TABLE_III.values(), *EXTREMES])
def test_shadowed_rician_law_against_the_paper(parameters: tuple[float, float, float]) -> None:
    b, m, omega = parameters
    law = EnvelopeLaw.shadowed_rician(b, m, omega)
    for level in LEVELS:
        if level**2 < 600 * b:  # beyond, the printed form overflows
            assert law.pdf(level) == pytest.approx(abdi_pdf(level, b, m, omega), abs=1e-8)
    integral, _ = quad(abdi_pdf, 0, 1, args=parameters, epsabs=1e-11, epsrel=1e-11, limit=200)
    assert law.cdf(1.0) == pytest.approx(integral, abs=1e-8)
    second = 2 * (2 * b) ** 2 + 8 * b * omega + (1 + 1 / m) * omega**2
    assert law.mean_power == pytest.approx(2 * b + omega, rel=1e-9)
    assert law.moment(2) == pytest.approx(2 * b + omega, rel=1e-9)
    assert law.moment(4) == pytest.approx(second, rel=1e-8)


def test_laws_have_their_limits() -> None:
    """At the edges, where a quotient or a product of the formulas has none."""
    law = EnvelopeLaw.rice(1.0, 0.5)
    beyond, far = 1e308, 100.0
    assert law.pdf(beyond) == law.power_pdf(beyond) == law.level_crossing_rate_hz(beyond, 1.0) == 0
    assert law.cdf(beyond) == law.power_cdf(beyond) == 1
    assert law.power_pdf(0.0) == pytest.approx(math.exp(-1.0))
    assert law.power_pdf(0.0) == pytest.approx(float(law.power_pdf(1e-12)), rel=1e-9)
    assert law.power_pdf(-1.0) == law.average_fade_duration_s(0.0, 1.0) == 0
    assert law.average_fade_duration_s(far, 1.0) == math.inf
    steep = EnvelopeLaw.rice(1e6, 1e-6)
    assert steep.average_fade_duration_s([0.0, 1.0, 2e6], 1.0).tolist() == [0, 0, math.inf]


def test_levels_may_be_tensors_with_a_gradient_or_turned_arrays() -> None:
    law = EnvelopeLaw.rice(1.0, 0.5)
    levels = torch.tensor([0.5, 1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(law.pdf(levels), law.pdf([0.5, 1.0, 2.0]))
    np.testing.assert_array_equal(law.cdf(LEVELS[::-1]), law.cdf(LEVELS)[::-1])


def test_laws_speak_of_power_and_of_scaled_gains() -> None:
    law = EnvelopeLaw.shadowed_rician(*TABLE_III["average"])
    np.testing.assert_allclose(law.power_cdf(LEVELS**2), law.cdf(LEVELS), rtol=1e-12)
    np.testing.assert_allclose(law.power_pdf(LEVELS**2) * 2 * LEVELS, law.pdf(LEVELS), rtol=1e-12)
    np.testing.assert_allclose(law.scaled(2.0).cdf(2 * LEVELS), law.cdf(LEVELS), rtol=1e-12)
    assert law.cdf(-1.0) == 0
    assert law.cdf(torch.ones(2, 3)).shape == (2, 3)
    assert float(law.cdf(1.0)) == pytest.approx(float(law.cdf(np.ones(1))[0]))


@pytest.mark.parametrize("k", [0.0, 4.0])
def test_crossing_rate_of_rice_in_closed_form(k: float) -> None:
    """Stüber, Principles of Mobile Communication, for a line of sight at zero Doppler.

    √(2π(K+1))·f_D·ρ·exp(−K − (K+1)ρ²)·I0(2ρ√(K(K+1))).
    """
    law = EnvelopeLaw.rice(math.sqrt(k / (k + 1)), 1 / (2 * (k + 1)))
    bessel = np.i0(2 * LEVELS * math.sqrt(k * (k + 1)))
    decay = np.exp(-k - (k + 1) * LEVELS**2)
    expected = math.sqrt(2 * math.pi * (k + 1)) * 7.0 * LEVELS * decay * bessel
    np.testing.assert_allclose(law.level_crossing_rate_hz(LEVELS, 7.0), expected, rtol=1e-9)
    duration = law.cdf(LEVELS) / expected
    np.testing.assert_allclose(law.average_fade_duration_s(LEVELS, 7.0), duration, rtol=1e-9)


@pytest.mark.parametrize("name", BUILDS)
def test_envelope_keeps_its_law(name: str) -> None:
    model = BUILDS[name](doppler_hz=100.0)
    drawn = gains(model, DRAWS, 3, 1000.0)[:, -1]
    distance, critical = kolmogorov(drawn.abs(), model.law.cdf)
    assert distance < critical
    mean_phase = (drawn / drawn.abs()).mean().abs()
    assert mean_phase < 4 / math.sqrt(DRAWS)


@pytest.mark.parametrize("name", BUILDS)
def test_mean_power_is_one(name: str) -> None:
    model, draws = BUILDS[name](), 600_000
    power = gains(model, draws, 1, 1.0)[:, 0].abs().square().double()
    error = math.sqrt((model.law.moment(4) - 1) / draws)
    assert 4 * error < 0.01
    assert abs(power.mean().item() - 1) < 4 * error


@pytest.mark.parametrize("name", ["rayleigh", "rician-10", "shadowed-average", "shadowed-heavy"])
def test_crossings_and_fades_over_time(name: str) -> None:
    """Rows are independent, so their spread gives the standard error.

    Sampling 100 times per 1/doppler misses pairs of crossings within a sample: less than 1 % at
    these levels.
    """
    doppler_hz, rate_hz, rows, steps = 10.0, 1000.0, 600, 1000
    model = BUILDS[name](doppler_hz=doppler_hz)
    envelope = gains(model, rows, steps, rate_hz).abs()
    duration_s = (steps - 1) / rate_hz
    for level_db in (-8.0, -3.0, 1.0):
        level = 10 ** (level_db / 20)
        below = envelope < level
        rate = (~below[:, :-1] & below[:, 1:]).double().sum(1) / duration_s
        expected = float(model.law.level_crossing_rate_hz(level, doppler_hz))
        error = rate.std().item() / math.sqrt(rows)
        assert abs(rate.mean().item() - expected) < 4 * error + 0.01 * expected, level_db
        fade_s = float(model.law.average_fade_duration_s(level, doppler_hz))
        rest = below.double().mean(1) - fade_s * rate
        slack = 4 * rest.std().item() / math.sqrt(rows) + 0.01 * fade_s * expected
        assert abs(rest.mean().item()) < slack, level_db


@pytest.mark.parametrize("shape", [0.2, 0.739, 1.0, 19.4])
def test_gamma_draws_have_mean_and_variance_of_the_shape(shape: float) -> None:
    draws = standard_gamma(shape, DRAWS, CPU).double()
    assert abs(draws.mean() - shape) < 4 * math.sqrt(shape / DRAWS)
    fourth = 3 * shape**2 + 6 * shape
    error = math.sqrt((fourth - shape**2) / DRAWS)
    assert abs(((draws - shape) ** 2).mean() - shape) < 4 * error


def test_gamma_draws_come_from_the_links_generator() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with seeded(5):
        first = standard_gamma(0.7, 100, CPU)
    with seeded(5):
        again = standard_gamma(0.7, 100, CPU)
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())


def test_presets_are_those_of_table_iii() -> None:
    assert TABLE_III == SHADOWING
    for name, (b, _, omega) in TABLE_III.items():
        law = ShadowedRician.preset(name, normalize=False).law
        assert law.mean_power == pytest.approx(2 * b + omega)


def test_elevation_fit_at_points_worked_by_hand() -> None:
    # 20°: m = 0.509912 + 0.234132 - 3.1946 + 3.5156, omega = 0.115424 - 0.95192 + 2.5404 - 1.4864
    b, m, omega = shadowing_at_elevation(20.0)
    assert (m, omega) == pytest.approx((1.065044, 0.217504), abs=1e-6)
    assert b == pytest.approx(0.030289016, abs=1e-9)
    assert shadowing_at_elevation(30.0) == pytest.approx((0.03, 0.97, 0.572), abs=1e-3, rel=2e-2)
    assert all(min(shadowing_at_elevation(t)) > 0 for t in np.linspace(20, 80, 61))


def test_block_fading_is_as_it_was() -> None:
    """The link's Rayleigh and Rician draws: phase first, then one scattered gain per image."""
    k = 10 ** (3.0 / 10)
    with seeded(9):
        drawn = gains(FlatFading(3.0, "cpu"), 4, 14, 15e3)
    with seeded(9):
        phase = 2 * math.pi * torch.rand(4, generator=generator())
        scattered = torch.randn(4, dtype=torch.complex64, generator=generator())
    expected = math.sqrt(k / (k + 1)) * torch.polar(torch.ones(4), phase)
    expected = expected + scattered / math.sqrt(k + 1)
    torch.testing.assert_close(drawn, expected[:, None].expand(4, 14), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BUILDS)
def test_a_short_draw_is_the_beginning_of_a_longer(name: str) -> None:
    drawn = []
    for steps in (14, 28):
        with seeded(3):
            drawn.append(gains(BUILDS[name](doppler_hz=5.0), 3, steps, 15e3))
    torch.testing.assert_close(drawn[0], drawn[1][:, :14], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BUILDS)
def test_models_pickle_and_say_what_a_link_asks(name: str) -> None:
    model = BUILDS[name](CPU, doppler_hz=30.0)
    assert (model.doppler_hz, model.max_delay_s) == (30.0, 0.0)
    copy = pickle.loads(pickle.dumps(model))
    with seeded(2):
        first = gains(model, 2, 5, 1e3)
    with seeded(2):
        again = gains(copy, 2, 5, 1e3)
    assert torch.equal(first, again)
    assert pickle.loads(pickle.dumps(BUILDS[name])) is not None


def test_direct_wave_stands_still_while_scatter_moves() -> None:
    moved = gains(ShadowedRician(1e-6, 5.0, 1.0, doppler_hz=100.0), 200, 50, 1000.0)
    assert moved.abs().std(dim=1).max() < 0.02
    assert moved.abs()[:, 0].std() > 0.1
    rows = gains(FlatFading(None, doppler_hz=100.0), 200, 50, 1000.0)
    assert (rows.abs().std(dim=1) > 0.05).all()


@pytest.mark.parametrize(
    ("build", "what"),
    [
        *(
            (partial(FlatFading, k), "k_factor_db must be a finite number")
            for k in (math.inf, True, "1", 1j, [3.0], np.ones(2), torch.ones(2))
        ),
        (lambda: FlatFading(0.0, doppler_hz=-1.0), "doppler_hz"),
        (lambda: ShadowedRician(0.0, 1.0, 1.0), "b must"),
        (lambda: ShadowedRician(0.1, 0.0, 1.0), "m must"),
        (lambda: ShadowedRician(0.1, 1.0, -1.0), "omega"),
        (lambda: ShadowedRician(0.1, 1.0, 1.0, normalize="no"), "normalize must be True or False"),
        (lambda: ShadowedRician(0.1, 1.0, 1.0, normalize=math.nan), "normalize"),
        (lambda: ShadowedRician(1e-6, 0.01, 1e3), "scatter is too weak .* raise b or m"),
        (lambda: ShadowedRician.preset("hevy"), "did you mean 'heavy'"),
        (lambda: ShadowedRician.preset(["heavy"]), "unknown shadowing"),
        (lambda: ShadowedRician.at_elevation(10.0), r"elevation_deg .*\[20, 80\]"),
        (lambda: EnvelopeLaw.rice(0.0, 0.5).cdf(math.nan), "level"),
        (lambda: EnvelopeLaw.rice(0.0, 0.5).average_fade_duration_s(1.0, 0.0), "doppler_hz"),
        (lambda: EnvelopeLaw.rice(0.0, 0.5).moment(-3), "order"),
        *((partial(EnvelopeLaw.rice, a, 0.5), "direct") for a in (math.nan, math.inf, "1", True)),
        *((partial(EnvelopeLaw.rice, 1.0, b), "scatter_variance") for b in (0, -1, 1j)),
        *((partial(UNIT.scaled, gain), "gain") for gain in (0, -1, math.nan, 1j)),
        *((partial(UNIT.pdf, x), "level must be real") for x in ("1", True, 1j, None, DATES)),
        (lambda: UNIT.power_pdf([[1.0], [2.0, 3.0]]), "power must be real"),
        (lambda: UNIT.cdf(math.inf), "level must be finite"),
        (
            lambda: EnvelopeLaw(np.array([0.5, 0.4]), np.ones(2), np.ones(2)),
            "weights must sum to 1",
        ),
        (lambda: EnvelopeLaw(np.ones(1), np.ones(2), np.ones(2)), r"must all be \[N\]"),
        (lambda: EnvelopeLaw(np.ones(1), -np.ones(1), np.ones(1)), "must not be negative"),
        (lambda: EnvelopeLaw(np.ones(1), np.ones(1), np.zeros(1)), "scatter_variance positive"),
    ],
)
def test_models_refuse(build: Callable[[], object], what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        build()
    assert "\n" not in str(caught.value)


WRONG_CALLS: list[tuple[tuple[Any, Any, Any], str]] = [
    ((0, 14, 1e3), "batch_size"),
    ((-1, 14, 1e3), "batch_size"),
    ((2.5, 14, 1e3), "batch_size"),
    ((2, 0, 1e3), "num_time_steps"),
    ((2, True, 1e3), "num_time_steps"),
    ((2, 14, 0.0), "sampling_frequency"),
    ((2, 14, -1.0), "sampling_frequency"),
    ((2, 14, math.nan), "sampling_frequency"),
]
MODELS: dict[str, Callable[[], ChannelModel]] = {
    "rayleigh": partial(FlatFading, None, doppler_hz=5.0),
    "shadowed": partial(ShadowedRician.preset, "heavy"),
    "loo": partial(Loo.preset, "heavy"),
    "two-state": partial(TwoState, "urban", 45.0, 2e9, 1.0),
    "tdl": partial(NTNTDL, "C", 1e-7, 2e9, 1.0),
    "cdl": partial(NTNCDL, "A", 1e-7, 2e9, 1.0),
    "system-level": partial(SystemLevel, "urban", 30.0, 600e3, 2e9, 1.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_checks_what_it_is_called_with(name: str) -> None:
    model = MODELS[name]()
    for arguments, what in WRONG_CALLS:
        with pytest.raises(InputError, match=what) as caught:
            model(*arguments)
        assert "\n" not in str(caught.value)
    drawn, _ = model(np.int64(2), np.int64(3), np.float32(1e3))
    assert drawn.shape[0] == 2
    assert drawn.shape[-1] == 3


@pytest.mark.parametrize("name", MODELS)
def test_the_default_dtype_does_not_matter(name: str) -> None:
    def draw() -> tuple[Tensor, Tensor]:
        model = MODELS[name]()
        generator().manual_seed(4)
        drawn: tuple[Tensor, Tensor] = model(3, 14, 1e3)
        return drawn

    single = draw()
    torch.set_default_dtype(torch.float64)
    try:
        double = draw()
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(single, double, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
