"""Doppler done right: both domains against the closed form, against Sionna and one another."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from sionna.phy.channel import ApplyTimeChannel, cir_to_time_channel
from sionna.phy.ofdm import OFDMDemodulator, OFDMModulator

import channels
import semcom
from channels import Grid, InputError, Link, Residual
from channels.fading.ntn import NTNTDL
from channels.ofdm.grid import to_grid
from channels.ofdm.ici import ici_power
from channels.ofdm.response import Paths
from channels.ofdm.time_domain import draw_waveform_paths, early_s, narrow, propagate, widen
from channels.randomness import seeded
from semcom.medjscc import MedJSCC
from tests.channels.signals import decibels, qpsk, send

SPACING_HZ = 15e3
OFFSETS = (0.0033, 0.02, 0.05, 0.1, 0.15, 0.2)


def link(profile: str | None, domain: str, offset: float = 0.0, **parts: object) -> Link:
    name = "awgn" if profile is None else f"ntn-tdl-{profile}"
    residual = Residual(offset_hz=offset * SPACING_HZ)
    return channels.link(name, domain=domain, residual=residual, **parts)  # type: ignore[arg-type]


def error_power(link: Link, snr_db: float = 70.0) -> torch.Tensor:
    tx = send(qpsk(16, 4096))
    return (link(tx, snr_db, seed=1).symbols - tx.symbols).abs().square()


@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("offset", OFFSETS)
def test_ici_of_an_offset_is_one_minus_sinc_squared(domain: str, offset: float) -> None:
    """Divided by the gain sinc(offset) that the receiver knows; within 0.2 dB.

    Subcarriers at the edges of the band have neighbours on one side only: the middle is compared.
    """
    grid = Grid(num_subcarriers=300)
    errors = error_power(link(None, domain, offset, grid=grid))
    middle = errors[:, :3600].reshape(16, 12, 300)[..., 75:225].mean()
    share = ici_power(offset)
    assert abs(decibels(middle) - decibels(share / (1 - share))) < 0.2


@pytest.mark.parametrize("profile", [None, "a", "c", "d"])
@pytest.mark.parametrize("offset", OFFSETS)
def test_domains_agree_on_the_ici(profile: str | None, offset: float) -> None:
    """Same fading, same noise. Medians, because a few faded subcarriers would rule the mean."""
    medians = [
        decibels(error_power(link(profile, domain, offset)).median())
        for domain in ("frequency", "time")
    ]
    assert abs(medians[0] - medians[1]) < 0.2, medians


@pytest.mark.parametrize("profile", [None, "c"])
@pytest.mark.parametrize("offset", [0.0, 0.05, 0.2])
def test_decoded_psnr_agrees_within_a_fifth_of_a_decibel(
    profile: str | None, offset: float
) -> None:
    images, masks = semcom.data.phantoms("chest", n=4, size=128, seed=1)
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    # An offset of a fifth leaves about 6 dB, and fading less: nothing may be lost by a hair.
    codec = codec.with_options(margin_db=10.0, header_margin_db=10.0)
    tx = codec.encode(images, cbr=1 / 16, snr_db=10.0, roi=masks)
    psnr = [
        semcom.metrics.psnr(codec.decode(link(profile, domain, offset)(tx, 10.0, seed=2)), images)
        for domain in ("frequency", "time")
    ]
    assert abs(float(psnr[0].mean() - psnr[1].mean())) < 0.2


@pytest.mark.parametrize("fraction", [0.01, 0.03, 0.1])
def test_domains_agree_on_the_ici_of_fast_fading(fraction: float) -> None:
    """Each domain against the analytic power (2π f T)²/24 of a Jakes spectrum and one another.

    Errors times the gain, so that faded subcarriers do not rule. The expansion's next term is
    about 2 (π f T)²/5 smaller: 4 % at a tenth. 64 images x 8192 symbols.
    """
    speed_mps = fraction * SPACING_HZ / 2e9 * 299_792_458.0
    powers = []
    for domain in ("frequency", "time"):
        made = channels.link("ntn-tdl-a", domain=domain, speed_mps=speed_mps)
        tx = send(qpsk(32, 8192))
        rx = made(tx, 90.0, seed=3)
        gain = (10 ** (rx.snr_db / 10)).mean()
        weight = 1 / rx.noise_var
        errors = (rx.symbols - tx.symbols).abs().square()
        powers.append(decibels((errors * weight).mean() / 1.0))
        assert gain > 0
    assert abs(powers[0] - powers[1]) < 0.5
    assert all(abs(power) < 0.6 for power in powers)


@pytest.mark.parametrize("domain", ["frequency", "time"])
def test_paths_beyond_the_prefix_disturb_as_much_as_the_receiver_believes(domain: str) -> None:
    """Analytic power of ISI and ICI: exact but for what leaks out of the band (below 0.7 dB)."""
    tx = send(qpsk(32, 4096))
    made = channels.link("ntn-tdl-b", domain=domain, delay_spread_s=2e-6)
    rx = made(tx, 60.0, seed=4)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean()
    assert -0.7 < decibels(ratio) < 0.2
    assert float(rx.snr_db.mean()) < 30


def test_time_domain_equals_sionnas_with_long_filters() -> None:
    """Sionna's blocks at 121 taps, same receiver window; its truncated sinc leaves −54 dB."""
    grid = Grid()
    frame = to_grid(qpsk(2, 4000), grid)
    model = NTNTDL("A", 100e-9, 2e9, 0.0)
    with seeded(3):
        paths = draw_waveform_paths(model, 2, frame.shape[1], grid, torch.device("cpu"))
    offset_hz = torch.tensor([300.0, -1500.0], dtype=torch.float64)
    ours = propagate(frame, paths, offset_hz, 0.0, grid)
    prefix, lag = grid.cyclic_prefix_samples, 60
    early = round(float(early_s(paths, grid)[0]) * grid.sample_rate_hz)
    assert early == prefix // 4
    sent = OFDMModulator(prefix, precision="single", device="cpu")(widen(frame, grid))
    count = sent.shape[-1]
    gains = paths.gains[:, None, None, None, None, :, :1].expand(*[-1] * 6, count + 2 * lag)
    taps = cir_to_time_channel(grid.sample_rate_hz, gains, paths.delays_s[:, None, None], -lag, lag)
    apply = ApplyTimeChannel(count, 2 * lag + 1, precision="single", device="cpu")
    received = apply(sent[:, None, None], taps)[:, 0, 0, lag : lag + count]
    received = torch.nn.functional.pad(received, (early, 0))[:, :count]
    time = (torch.arange(count, dtype=torch.float64) - prefix) / grid.sample_rate_hz
    turn = 2 * math.pi * offset_hz[:, None] * time
    received = received * torch.polar(torch.ones_like(turn), turn).to(received.dtype)
    back = OFDMDemodulator(grid.fft_size, -early, prefix, precision="single", device="cpu")
    theirs = narrow(back(received), grid)
    difference = (ours - theirs).abs().square().mean() / theirs.abs().square().mean()
    assert decibels(difference) < -50


@pytest.mark.parametrize("profile", "abcd")
@pytest.mark.parametrize("kind", ["tdl", "cdl"])
@pytest.mark.parametrize("speed_mps", [0.0, 3 / 3.6])
def test_without_noise_symbols_ring_into_one_another_as_the_receiver_believes(
    kind: str, profile: str, speed_mps: float
) -> None:
    """Below -60 dB of what is received, and stated within 2.5 dB, rather too high."""
    tx = send(qpsk(16, 4096))
    made = channels.link(f"ntn-{kind}-{profile}", domain="time", speed_mps=speed_mps)
    rx = made(tx, 100.0, seed=1)
    errors, weight = (rx.symbols - tx.symbols).abs().square(), 1 / rx.noise_var
    assert -2.5 < decibels((errors * weight).mean()) < 0.5
    assert decibels(errors.median()) < -60


@pytest.mark.parametrize("domain", ["frequency", "time"])
def test_a_doppler_rate_turns_the_phase_by_half_its_square(domain: str) -> None:
    """100 kHz/s over 2 slots: the known gain must follow π r t², or QPSK would be turned by 72°."""
    rate = 1e5
    made = channels.link("awgn", domain=domain, residual=Residual(rate_hz_per_s=rate))
    tx = send(qpsk(1, 6000))
    rx = made(tx, 60.0, seed=1)
    assert float((rx.symbols - tx.symbols).abs().square().mean()) < 1e-3
    blind = channels.link("awgn", domain=domain, estimator="ls")
    assert blind.residual.is_zero


def test_interpolated_paths_hit_their_samples() -> None:
    gains = torch.tensor([[[0.0, 1.0, 4.0]]], dtype=torch.complex64)
    paths = Paths(gains, torch.zeros(1, 1), step_s=0.5)
    got = paths.at(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    assert got[0, 0].real.tolist() == [0.0, 0.5, 1.0, 2.5, 4.0]


def test_offset_draws_have_the_moments_they_claim() -> None:
    residual = Residual(offset_hz=100.0, spread_hz=60.0, deviation_hz=50.0)
    count = 40_000
    with seeded(1):
        drawn = residual.draw(count, torch.device("cpu"))
    variance = 60**2 / 3 + 50**2
    assert abs(drawn.mean().item() - 100) < 4 * math.sqrt(variance / count)
    assert drawn.square().mean().sqrt().item() == pytest.approx(residual.rms_hz, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(Residual, deviation_hz=-1.0), "deviation_hz must be"),
        (partial(Residual, offset_hz=math.nan), "offset_hz must be"),
        (
            partial(channels.link, "awgn", residual=Residual(offset_hz=8e3)),
            "exceeds half the subcarrier spacing",
        ),
        (partial(channels.link, "awgn", domain="freq"), "did you mean 'frequency'"),
        (partial(channels.link, "awgn", residual=200.0), "residual must be a channels.Residual"),
    ],
)
def test_bad_input_gets_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
