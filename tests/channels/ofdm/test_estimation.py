"""Channel estimation: closed forms, honesty of the error variance, common phase."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sionna.phy.ofdm import LSChannelEstimator, PilotPattern, ResourceGrid

import channels
from channels import Grid, Residual
from channels.ofdm.estimation import Prior, estimate
from channels.ofdm.grid import pilot_values
from channels.ofdm.ici import turn
from channels.ofdm.tracking import track
from tests.channels.signals import decibels, qpsk, send

SNR_DB = 12.0


def pilot_frames(images: int, grid: Grid, slots: int, noise_var: float, seed: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    sent = pilot_values(grid, slots).to(torch.complex64).expand(images, -1, -1)
    noise = torch.randn(sent.shape, dtype=torch.complex64, generator=draws)
    return sent + math.sqrt(noise_var) * noise


@pytest.mark.parametrize("kind", ["ls", "lmmse"])
@pytest.mark.parametrize("comb", [1, 2, 3])
def test_errors_on_a_flat_channel_have_the_variance_of_the_closed_form(
    kind: str, comb: int
) -> None:
    """LS: sigma² times the squared weights. LMMSE, all pilots one gain: sigma²/(N + sigma²)."""
    grid, noise_var, images = Grid(num_subcarriers=60, pilot_comb=comb), 0.2, 400
    received = pilot_frames(images, grid, 1, noise_var, seed=comb)
    found = estimate(received, torch.full((images,), noise_var), grid, Prior(), kind)
    errors = (found.h - 1).abs().square()
    if kind == "ls":
        at_pilot = errors[:, 2, ::comb].mean().item()
        tolerance = 4 * noise_var / math.sqrt(images * 60 / comb)
        assert abs(at_pilot - noise_var) < tolerance
        halfway = errors[:, 6:7, ::comb].mean().item()
        weights = (5 / 9) ** 2 + (4 / 9) ** 2
        assert abs(halfway - weights * noise_var) < tolerance
        assert abs(found.error_var[:, 2, 0].mean().item() - noise_var) < 1e-4
    else:
        expected = noise_var / (2 * 60 / comb + noise_var)
        per_image = errors.mean((1, 2))
        tolerance = 4 * per_image.std().item() / math.sqrt(images)
        assert abs(per_image.mean().item() - expected) < tolerance
        believed = found.error_var.mean().item()
        assert abs(believed / expected - 1) < 0.05


@pytest.mark.parametrize("kind", ["ls", "lmmse"])
@pytest.mark.parametrize(
    ("name", "grid", "parameters"),
    [
        ("awgn", Grid(), {}),
        ("ntn-tdl-a", Grid(), {}),
        ("ntn-tdl-b", Grid(pilot_comb=2), {"delay_spread_s": 300e-9}),
        ("ntn-tdl-d", Grid(phase_tracking_every=24), {}),
        ("ntn-cdl-a", Grid(), {}),
        ("ntn-cdl-c", Grid(), {}),
        ("ntn-tdl-a", Grid(), {"speed_mps": 30.0}),
        ("rayleigh", Grid(phase_tracking_every=24), {"speed_mps": 30.0}),
        ("ntn-tdl-a", Grid(phase_tracking_every=24), {"speed_mps": 10.0}),
        ("leo600-s-urban", Grid(phase_tracking_every=24), {"line_of_sight": False}),
        ("awgn", Grid(), {"residual": Residual(rate_hz_per_s=1e5)}),
        ("ntn-tdl-c", Grid(phase_tracking_every=24), {"residual": Residual(offset_hz=300.0)}),
        ("ntn-tdl-a", Grid(phase_tracking_every=24), {"residual": Residual(offset_hz=1000.0)}),
        ("ntn-tdl-c", Grid(phase_tracking_every=24), {"residual": Residual(spread_hz=500.0)}),
    ],
)
def test_the_receiver_knows_how_wrong_it_is(
    kind: str, name: str, grid: Grid, parameters: dict[str, object]
) -> None:
    """Squared error over the variance handed on is 1 in the mean, within 6 %.

    Six per cent because the error of ``y / h_hat`` counts to first order only. A larger offset
    without phase tracking or a faster terminal is out of reach: docs/channels.md says how far.
    """
    tx = send(qpsk(64, 8192))
    link = channels.link(name, grid=grid, estimator=kind, **parameters)  # type: ignore[arg-type]
    rx = link(tx, SNR_DB, seed=3)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert abs(ratio - 1) < 0.06


@pytest.mark.parametrize("name", ["awgn", "rayleigh", "ntn-tdl-a", "ntn-tdl-c", "ntn-cdl-d"])
def test_lmmse_beats_ls_and_perfect_knowledge_beats_both(name: str) -> None:
    tx = send(qpsk(64, 8192))
    error = {
        kind: (channels.link(name, estimator=kind)(tx, SNR_DB, seed=3).symbols - tx.symbols)
        .abs()
        .square()
        .median()
        .item()
        for kind in ("perfect", "lmmse", "ls")
    }
    assert error["perfect"] < 1.005 * error["lmmse"] < error["ls"]
    assert decibels(error["ls"] / error["lmmse"]) > 1


def test_phase_tracking_saves_an_offset_that_pilots_alone_do_not() -> None:
    """600 Hz turn the phase by 139° between pilot symbols: linear interpolation breaks."""
    tx, residual = send(qpsk(32, 8192)), Residual(offset_hz=600.0)

    def loss_db(tracking: int | None) -> float:
        grid = Grid(phase_tracking_every=tracking)
        errors = [
            (
                channels.link("ntn-tdl-d", grid=grid, residual=residual, estimator=kind)(
                    tx, 20.0, seed=1
                ).symbols
                - tx.symbols
            )
            .abs()
            .square()
            .median()
            for kind in ("perfect", "ls")
        ]
        return decibels(errors[1] / errors[0])

    assert loss_db(None) > 10
    assert loss_db(24) < 3


def test_least_squares_is_sionnas_between_the_pilots() -> None:
    grid = Grid(num_subcarriers=24)
    draws = torch.Generator().manual_seed(4)
    received = torch.randn(3, 28, 24, dtype=torch.complex64, generator=draws)
    frame = ResourceGrid(
        num_ofdm_symbols=28,
        fft_size=24,
        subcarrier_spacing=15e3,
        pilot_pattern=PilotPattern(
            np.tile(grid.pilots, (2, 1))[None, None],
            pilot_values(grid, 2).numpy()[np.tile(grid.pilots, (2, 1))][None, None],
            precision="single",
            device="cpu",
        ),
        precision="single",
        device="cpu",
    )
    theirs, _ = LSChannelEstimator(frame, "lin", precision="single", device="cpu")(
        received[:, None, None], torch.tensor(0.1)
    )
    ours = estimate(received, torch.full((3,), 0.1), grid, Prior(), "ls").h
    for first, last in ((2, 11), (11, 16), (16, 25)):
        torch.testing.assert_close(
            ours[:, first : last + 1], theirs[:, 0, 0, 0, 0, first : last + 1]
        )


def test_a_single_pilot_symbol_holds_for_the_slot() -> None:
    grid = Grid(pilot_symbols=(3,))
    tx = send(qpsk(8, 3000))
    rx = channels.link("ntn-tdl-a", grid=grid, estimator="ls")(tx, 30.0, seed=1)
    assert (rx.symbols - tx.symbols).abs().square().median() < 0.01


@pytest.mark.parametrize("offset_hz", [0.0, 300.0, -2500.0])
@pytest.mark.parametrize("slots", [1, 3])
def test_the_tracker_finds_offsets_as_closely_as_it_says(offset_hz: float, slots: int) -> None:
    grid, images, noise_var = Grid(phase_tracking_every=24), 300, 0.5
    sent = pilot_values(grid, slots).to(torch.complex64)
    time = torch.arange(len(sent)) * grid.symbol_period_s
    turned = sent * turn(offset_hz * time.double())[:, None].to(sent.dtype)
    draws = torch.Generator().manual_seed(slots)
    noise = torch.randn(images, *sent.shape, dtype=torch.complex64, generator=draws)
    found_hz, spread_hz = track(
        turned + noise_var**0.5 * noise, torch.full((images,), noise_var), grid
    )
    error_hz = found_hz - offset_hz
    assert error_hz.mean().abs() < 4 * spread_hz.mean() / images**0.5
    assert 0.6 < float(error_hz.std() / spread_hz.mean()) < 1.2


def test_a_long_narrow_frame_is_interpolated_block_by_block() -> None:
    """Blocks see one slot beyond their ends: no seams, and no matrix of all pilots."""
    link = channels.link(
        "rayleigh", grid=Grid(num_subcarriers=2), estimator="lmmse", speed_mps=20.0
    )
    tx = send(qpsk(1, 30_000))
    rx = link(tx, 20.0, seed=1)
    ratio = (rx.symbols - tx.symbols).abs().square() / rx.noise_var
    assert abs(ratio.mean().item() - 1) < 0.15


@pytest.mark.parametrize("name", ["leo600-ka-urban", "leo1200-ka-urban"])
def test_decompositions_that_do_not_converge_by_divide_and_conquer(name: str) -> None:
    """The error that the receiver expects is the one that it makes, within 15 %."""
    draws = torch.Generator().manual_seed(1)
    symbols = torch.randn(8, 4000, dtype=torch.complex64, generator=draws)
    symbols = symbols / symbols.abs().square().mean(1, keepdim=True).sqrt()
    got = channels.link(name, estimator="lmmse").propagate(symbols, 20.0, seed=3)
    weights = 1 / got.noise_var
    off = ((got.symbols - symbols).abs().square() * weights).mean()
    assert float(off) == pytest.approx(1, abs=0.15)
