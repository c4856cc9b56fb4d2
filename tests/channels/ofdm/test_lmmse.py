"""LMMSE estimation against the formula R_hy (R_yy + sigma²)⁻¹ y with full covariances."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import channels
from channels import Grid, Residual
from channels.fading.ntn import ntn_tdl_profiles
from channels.fading.statistics import Statistics
from channels.ofdm.estimation import estimate
from channels.ofdm.grid import pilot_values
from channels.ofdm.lmmse import block_slots
from channels.ofdm.prior import Prior, prior_of
from channels.ofdm.response import draw_response
from channels.randomness import seeded
from tests.channels.signals import qpsk, send

CPU = torch.device("cpu")
CASES = [
    ("a", 300e-9, 0.0, Grid(num_subcarriers=120, pilot_symbols=(2,), pilot_comb=4), 1, 0.0),
    ("b", 1000e-9, 0.0, Grid(num_subcarriers=72, pilot_comb=2), 1, 20.0),
    ("c", 300e-9, 30.0, Grid(num_subcarriers=48, pilot_comb=3), 1, 10.0),
    ("d", 100e-9, 100.0, Grid(15e3, 60, (2, 5, 8, 11), 6), 1, 25.0),
    ("a", 100e-9, 100.0, Grid(num_subcarriers=24), 2, 20.0),
    ("c", 30e-9, 60.0, Grid(num_subcarriers=36, pilot_symbols=(3,)), 2, 5.0),
]
IMAGES = 300


def dense(
    name: str, spread_s: float, doppler_hz: float, grid: Grid, slots: int, sigma2: float
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The full formula: a function from pilots ``[batch, P, C]`` to gains, and error variances."""
    table = ntn_tdl_profiles()[name.upper()]
    powers = 10 ** (torch.tensor(table["powers_db"]).double() / 10)
    paths = [
        (float(power), delay * spread_s, doppler_hz)
        for power, delay in zip(powers, table["delays"], strict=True)
    ]
    if table["los_power_db"] is not None:
        paths.append((10 ** (table["los_power_db"] / 10), 0.0, 0.0))
    total = sum(power for power, _, _ in paths)
    time = torch.arange(14 * slots).double() * grid.symbol_period_s
    frequency = torch.arange(grid.num_subcarriers).double() * grid.subcarrier_spacing_hz
    rows = [14 * slot + place for slot in range(slots) for place in sorted(grid.pilot_symbols)]
    pilots = time[rows], frequency[:: grid.pilot_comb]

    def covariance(of: tuple[Tensor, Tensor], to: tuple[Tensor, Tensor]) -> Tensor:
        lag, apart = of[0][:, None] - to[0], of[1][:, None] - to[1]
        found = torch.zeros(len(of[0]) * len(of[1]), len(to[0]) * len(to[1]), dtype=torch.cdouble)
        for power, delay_s, hertz in paths:
            over_time = torch.special.bessel_j0(2 * math.pi * hertz * lag).to(torch.cdouble)
            over_frequency = torch.exp(-2j * math.pi * apart * delay_s)
            found += power / total * torch.kron(over_time, over_frequency)
        return found

    to_pilots = covariance((time, frequency), pilots)
    loaded = covariance(pilots, pilots)
    loaded = loaded + sigma2 * torch.eye(len(loaded))
    weights = torch.linalg.solve(loaded.mH, to_pilots.mH).mH
    error = 1 - (weights * to_pilots.conj()).sum(1).real

    def estimated(received: Tensor) -> Tensor:
        return (received.flatten(1).to(weights) @ weights.mT).unflatten(1, (14 * slots, -1))

    return estimated, error.unflatten(0, (14 * slots, -1))


@pytest.mark.parametrize(("name", "spread_s", "speed_mps", "grid", "slots", "snr_db"), CASES)
def test_estimates_and_their_errors_are_those_of_the_full_covariance(
    name: str, spread_s: float, speed_mps: float, grid: Grid, slots: int, snr_db: float
) -> None:
    """Squared error within 0.5 % of the formula's, and so the variance at every element."""
    sigma2 = 10 ** (-snr_db / 10)
    link = channels.link(f"ntn-tdl-{name}", delay_spread_s=spread_s, speed_mps=speed_mps)
    model = link._model(CPU)
    assert model is not None
    with seeded(1):
        h = draw_response(model, IMAGES, 14 * slots, grid, CPU, offset=False).h
    sent = pilot_values(grid, slots).to(torch.complex64)
    h = h.expand(IMAGES, *sent.shape)
    draws = torch.Generator().manual_seed(2)
    noise = torch.randn(h.shape, dtype=torch.complex64, generator=draws)
    received = h * sent + math.sqrt(sigma2) * noise
    prior = prior_of(model.statistics, Residual(), grid)
    found = estimate(received, torch.full((IMAGES,), sigma2), grid, prior, "lmmse")
    formula, error = dense(name, spread_s, model.doppler_hz, grid, slots, sigma2)
    rows = [14 * slot + place for slot in range(slots) for place in sorted(grid.pilot_symbols)]
    pilots = (received * sent.conj())[:, rows][..., :: grid.pilot_comb]
    ours, theirs = (
        float((estimated - h).abs().square().mean()) for estimated in (found.h, formula(pilots))
    )
    assert ours == pytest.approx(theirs, rel=0.005)
    stated = found.error_var.expand(h.shape)[0].double()
    torch.testing.assert_close(stated, error, rtol=0.005, atol=1e-6)


@pytest.mark.parametrize(("name", "spread_s", "speed_mps", "grid", "slots", "snr_db"), CASES)
def test_noise_variances_are_right_within_two_per_cent(
    name: str, spread_s: float, speed_mps: float, grid: Grid, slots: int, snr_db: float
) -> None:
    parts = {"delay_spread_s": spread_s, "speed_mps": speed_mps, "grid": grid}
    link = channels.link(f"ntn-tdl-{name}", estimator="lmmse", **parts)  # type: ignore[arg-type]
    tx = send(qpsk(2000, 14 * slots * grid.num_subcarriers // 2))
    rx = link(tx, snr_db, seed=4)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert 0.98 < ratio < 1.02


def test_what_one_gets_alone_one_gets_in_a_batch_of_other_noise() -> None:
    grid = Grid(num_subcarriers=48, phase_tracking_every=24)
    prior = Prior((0.5, 0.5), (0.0, 1e-6), (0.0, 50.0), residual=Residual(spread_hz=300.0))
    draws = torch.Generator().manual_seed(3)
    received = pilot_values(grid, 2).to(torch.complex64) + 0.3 * torch.randn(
        4, 28, 48, dtype=torch.complex64, generator=draws
    )
    disturbance = torch.tensor([0.05, 0.2, 0.2, 0.01])
    together = estimate(received, disturbance, grid, prior, "lmmse")
    for image in range(4):
        own = slice(image, image + 1)
        alone = estimate(received[own], disturbance[own], grid, prior, "lmmse")
        torch.testing.assert_close(together.h[own], alone.h, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            together.error_var.expand(4, -1, -1)[own], alone.error_var, rtol=1e-4, atol=1e-7
        )


def test_blocks_are_short_where_modes_are_many() -> None:
    many = Statistics.of(*((1.0, 1e-7 * n, 100.0 + n, 0.0) for n in range(20)))
    grid = Grid()
    assert block_slots(prior_of(many, Residual(), grid), grid) == 4
    assert block_slots(Prior(), grid) == 16


@pytest.mark.parametrize("speed_mps", [0.0, 50.0])
def test_gradients_reach_what_was_received(speed_mps: float) -> None:
    link = channels.link("ntn-tdl-c", speed_mps=speed_mps)
    model = link._model(CPU)
    assert model is not None
    grid = Grid(num_subcarriers=4, pilot_symbols=(2, 11))
    prior = prior_of(model.statistics, Residual(), grid)
    draws = torch.Generator().manual_seed(5)
    start = torch.randn(2, 14, 4, dtype=torch.complex128, generator=draws).requires_grad_()
    disturbance = torch.tensor([0.1, 0.3]).double().requires_grad_()

    def through(received: Tensor, disturbance: Tensor) -> tuple[Tensor, Tensor]:
        found = estimate(received, disturbance, grid, prior, "lmmse")
        return found.h, found.error_var

    assert torch.autograd.gradcheck(through, (start, disturbance), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("kind", ["ls", "lmmse"])
@pytest.mark.parametrize(
    ("name", "parts", "tolerance"),
    [
        ("ntn-tdl-c", {"residual": Residual(offset_hz=150.0)}, 0.03),
        ("ntn-tdl-c", {"residual": Residual(spread_hz=300.0)}, 0.1),
        ("ntn-tdl-a", {"speed_mps": 100.0}, 0.05),
        ("ntn-tdl-d", {"speed_mps": 100.0}, 0.05),
        ("ntn-cdl-a", {"speed_mps": 100.0}, 0.1),
        ("ntn-cdl-c", {"speed_mps": 100.0}, 0.1),
        ("rayleigh", {"speed_mps": 100.0}, 0.06),
        ("rician", {"speed_mps": 100.0}, 0.06),
        ("ntn-tdl-a", {"speed_mps": 100.0, "grid": Grid(phase_tracking_every=24)}, 0.05),
        ("leo600-ka-urban", {"line_of_sight": False}, 0.03),
        ("leo600-ka-dense-urban", {}, 0.03),
        ("leo600-s-suburban", {}, 0.03),
        ("leo600-s-urban", {"shadowing": True}, 0.05),
        ("lms-suburban", {"speed_mps": 20.0}, 0.03),
    ],
)
def test_where_the_receiver_was_wrong_about_its_errors_it_is_not(
    kind: str, name: str, parts: dict[str, object], tolerance: float
) -> None:
    """Squared error over stated variance at 20 dB; the tolerance is that of 48 fades."""
    tx = send(qpsk(48, 6000))
    link = channels.link(name, estimator=kind, **parts)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rx = link(tx, 20.0, seed=3)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert abs(ratio - 1) < tolerance


@pytest.mark.parametrize(
    ("estimator", "parts", "remedy"),
    [
        ("lmmse", {"residual": Residual(offset_hz=-300.0)}, r"Grid\(phase_tracking_every=24\)"),
        (
            "ls",
            {
                "residual": Residual(spread_hz=200.0),
                "speed_mps": 100.0,
                "grid": Grid(phase_tracking_every=24),
            },
            r"more pilot_symbols",
        ),
    ],
)
def test_out_of_reach_one_line_says_so_once(
    estimator: str, parts: dict[str, object], remedy: str
) -> None:
    tx = send(qpsk(2, 4000))
    link = channels.link("ntn-tdl-a", estimator=estimator, **parts)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match=remedy) as caught:
        link(tx, 20.0, seed=1)
        link(tx, 10.0, seed=2)
        link.propagate(tx.symbols, 0.0)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("link 'ntn-tdl-a': ")
    assert caught[0].filename == __file__, "where the user called"
    assert "\n" not in str(caught[0].message)


def test_shadowed_images_lost_in_noise_turn_no_pilots() -> None:
    """A tracker that hears noise alone would find offsets of thousands of hertz."""
    link = channels.link("leo600-s-urban", shadowing=True, line_of_sight=False, estimator="lmmse")
    tx = send(qpsk(16, 4000))
    rx = link(tx, 0.0, seed=3)
    errors = (rx.symbols - tx.symbols).abs().square() / rx.noise_var
    assert (errors.mean(1) - 1).abs().max() < 0.1
