"""NTN-CDL-A…D against tables 6.9.1-1 to 6.9.1-4 of TR 38.811 V15.4.0, typed here a second time."""

from __future__ import annotations

import json
import math
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import j0
from scipy.stats import kstest

import channels.fading.ntn
from channels.errors import InputError
from channels.fading.ntn import NTNCDL, NTNTDL
from channels.randomness import seeded

# Scattered clusters: normalised delays, powers in dB, AOA, ZOA in degrees; then the line of sight
# (power, AOA, ZOA), cluster ASA and ZSA in degrees, XPR in dB
TABLES: dict[str, dict[str, Any]] = {
    "A": {
        "delays": [0, 1.0811, 2.8416],
        "powers": [0, -4.675, -6.482],
        "aoa": [178.8, -115.7, 111.5],
        "zoa": [35.6, 22.9, 127.4],
        "los": None,
        "spreads": (15, 7),
        "xpr": 10,
    },
    "B": {
        "delays": [0, 0.7249, 0.7410, 5.7392],
        "powers": [0, -1.973, -4.332, -11.914],
        "aoa": [-174.6, 144.9, -119.8, -88.8],
        "zoa": [42.2, 63.4, 89.7, 174.1],
        "los": None,
        "spreads": (15, 7),
        "xpr": 10,
    },
    "C": {
        "delays": [0, 14.8124],
        "powers": [-10.618, -23.373],
        "aoa": [-180, -75.9],
        "zoa": [40, 87.1],
        "los": (-0.394, -180, 40),
        "spreads": (11, 7),
        "xpr": 16,
    },
    "D": {
        "delays": [0, 0.5596, 7.3340],
        "powers": [-11.991, -9.887, -16.771],
        "aoa": [-180, -135.4, -121.5],
        "zoa": [40, 146.2, 136],
        "los": (-0.284, -180, 40),
        "spreads": (11, 7),
        "xpr": 16,
    },
}
# TR 38.901 table 7.5-3: angles of a cluster's 20 rays for an RMS spread of 1
OFFSETS = np.array([0.0447, 0.1413, 0.2492, 0.3715, 0.5129, 0.6797, 0.8844, 1.1481, 1.5195, 2.1551])
FAN = np.concatenate([OFFSETS, -OFFSETS])
SPREAD_S = 100e-9
CARRIER_HZ = 2e9


def model(profile: str, speed_mps: float = 10.0, elevation_deg: float = 50.0) -> NTNCDL:
    return NTNCDL(profile, SPREAD_S, CARRIER_HZ, speed_mps, elevation_deg)


def shares(profile: str) -> tuple[float, NDArray[np.float64]]:
    table = TABLES[profile]
    linear = 10 ** (np.array(table["powers"]) / 10)
    los = 10 ** (table["los"][0] / 10) if table["los"] else 0.0
    return los / (los + linear.sum()), linear / (los + linear.sum())


def drawn(built: NTNCDL, images: int, steps: int, rate_hz: float, seed: int) -> torch.Tensor:
    with seeded(seed):
        gains, _ = built(images, steps, rate_hz)
    return gains[:, 0, 0, 0, 0]


def within(values: torch.Tensor, expected: float, what: str) -> None:
    mean, error = values.mean().item(), values.std().item() / math.sqrt(len(values))
    assert abs(mean - expected) < 4 * error, f"{what}: {mean} against {expected} ± {error}"


@pytest.mark.parametrize("elevation_deg", [10, 50, 90])
@pytest.mark.parametrize("profile", TABLES)
def test_cluster_powers_are_those_of_the_table(profile: str, elevation_deg: float) -> None:
    los, scattered = shares(profile)
    clusters = scattered.copy()
    clusters[0] += los
    power = drawn(model(profile, 10.0, elevation_deg), 10_000, 1, 15e3, 11).abs().square()[..., 0]
    for cluster, expected in enumerate(clusters):
        within(power[:, cluster], expected, f"cluster {cluster}")
    within(power.sum(1), 1.0, "sum")


@pytest.mark.parametrize("profile", TABLES)
def test_delays_scale_with_the_delay_spread(profile: str) -> None:
    built = model(profile)
    gains, delays = built(2, 3, 15e3)
    place = np.array(TABLES[profile]["delays"])
    assert gains.shape == (2, 1, 1, 1, 1, len(place), 3)
    assert (gains.dtype, delays.dtype) == (torch.complex64, torch.float32)
    np.testing.assert_allclose(delays.numpy(), np.tile(place * SPREAD_S, (2, 1, 1, 1)), rtol=1e-5)
    assert built.max_delay_s == pytest.approx(place.max() * SPREAD_S)
    los, scattered = shares(profile)
    mean = scattered @ place
    assert math.sqrt(scattered @ place**2 - mean**2) == pytest.approx(1, abs=2e-4)
    assert los + scattered.sum() == pytest.approx(1)


@pytest.mark.parametrize(("profile", "k_db"), [("C", 10.224), ("D", 11.707)])
def test_k_factor_of_the_first_cluster(profile: str, k_db: float) -> None:
    """A Rician power has E p² / (E p)² = 1 + (2K + 1 − 1/M)/(K + 1)² for M = 20 scattered rays."""
    power = drawn(model(profile), 20_000, 1, 15e3, 12)[:, 0, 0].abs().square().double()
    k = 10 ** (k_db / 10)
    expected = 1 + (2 * k + 1 - 1 / 20) / (k + 1) ** 2
    blocks = power.reshape(100, -1)
    ratios = blocks.square().mean(1) / blocks.mean(1).square()
    within(ratios, expected, "fourth moment")
    los, scattered = shares(profile)
    assert 10 * math.log10(los / scattered[0]) == pytest.approx(k_db, abs=1e-3)


@pytest.mark.parametrize("profile", TABLES)
def test_rays_stand_around_the_angles_of_the_table(profile: str) -> None:
    """Circular mean and spread of arrival, per cluster and over all (TR 38.901 Annex A)."""
    table = TABLES[profile]
    with seeded(13):
        rays = model(profile)._create_rays(200)
    for name, spread_deg in zip(("aoa", "zoa"), table["spreads"], strict=True):
        phasors = torch.polar(torch.ones(()), getattr(rays, name)[:, 0, 0]).mean((0, 2)).numpy()
        centre = np.exp(1j * np.deg2rad(table[name]))
        np.testing.assert_allclose(np.angle(phasors / centre), 0, atol=1e-5)
        around = np.exp(1j * np.deg2rad(spread_deg * FAN)).mean().real
        np.testing.assert_allclose(np.abs(phasors), around, rtol=1e-5)
        linear = 10 ** (np.array(table["powers"]) / 10)
        all_rays = np.exp(1j * np.deg2rad(np.array(table[name])[:, None] + spread_deg * FAN))
        expected = (linear[:, None] * all_rays).sum() / linear.sum() / len(FAN)
        np.testing.assert_allclose((linear * phasors).sum() / linear.sum(), expected, atol=1e-5)
    assert rays.zod.max() - rays.zod.min() < 1e-6
    assert torch.rad2deg(rays.zod).mean().item() == pytest.approx(140, abs=1e-3)
    assert 10 * math.log10(rays.xpr.mean().item()) == pytest.approx(table["xpr"], abs=1e-4)


@pytest.mark.parametrize("elevation_deg", [20.0, 50.0, 90.0])
@pytest.mark.parametrize("profile", ["A", "D"])
def test_time_correlation_is_that_of_the_arrival_angles(profile: str, elevation_deg: float) -> None:
    """For a heading uniform over the horizon, a ray at zenith angle θ gives J0(2π f_D sin θ t)."""
    table, images, steps = TABLES[profile], 4000, 40
    built = model(profile, 10.0, elevation_deg)
    rate_hz = 20 * built.doppler_hz
    gains = drawn(built, images, steps, rate_hz, 14)
    los, scattered = shares(profile)
    phase = 2 * np.pi * built.doppler_hz * np.arange(steps) / rate_hz
    lift = 50 - elevation_deg
    for cluster, zoa in enumerate(table["zoa"]):
        angles = np.deg2rad(zoa + lift + table["spreads"][1] * FAN)
        expected = scattered[cluster] * j0(phase[:, None] * np.sin(angles)).mean(1)
        if cluster == 0 and table["los"]:
            expected += los * j0(phase * np.sin(np.deg2rad(table["los"][2] + lift)))
        products = gains[:, cluster] * gains[:, cluster, :1].conj()
        error = products.std(0).numpy() / math.sqrt(images)
        deviation = np.abs(products.mean(0).numpy() - expected)
        assert (deviation < 4.5 * error + 1e-6).all(), f"cluster {cluster}: {deviation.max()}"


@pytest.mark.parametrize("profile", ["A", "D"])
def test_doppler_of_a_fixed_heading_follows_the_azimuth(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal going along x sees a ray at f_D sin θ cos φ; rays pair AOA and ZOA at random."""
    table, images, steps = TABLES[profile], 4000, 30
    along_x = torch.tensor([10.0, 0.0, 0.0])
    monkeypatch.setattr(NTNCDL, "_get_velocity", lambda self, batch: along_x.expand(batch, 3))
    built = model(profile)
    rate_hz = 20 * built.doppler_hz
    gains = drawn(built, images, steps, rate_hz, 15)
    los, scattered = shares(profile)
    phase = 2 * np.pi * built.doppler_hz * np.arange(steps) / rate_hz
    asa, zsa = table["spreads"]
    for cluster, (aoa, zoa) in enumerate(zip(table["aoa"], table["zoa"], strict=True)):
        cosine = np.cos(np.deg2rad(aoa + asa * FAN))[:, None]
        sine = np.sin(np.deg2rad(zoa + zsa * FAN))[None]
        expected = scattered[cluster] * np.exp(1j * phase[:, None, None] * cosine * sine).mean(
            (1, 2)
        )
        if cluster == 0 and table["los"]:
            _, los_aoa, los_zoa = np.deg2rad(table["los"])
            expected = expected + los * np.exp(1j * phase * np.cos(los_aoa) * np.sin(los_zoa))
        products = gains[:, cluster] * gains[:, cluster, :1].conj()
        error = products.std(0).numpy() / math.sqrt(images)
        deviation = np.abs(products.mean(0).numpy() - expected)
        assert (deviation < 4.5 * error + 1e-6).all(), f"cluster {cluster}: {deviation.max()}"


def test_headings_are_horizontal_and_uniform_at_the_given_speed() -> None:
    with seeded(16):
        velocity = model("A", 10.0)._get_velocity(5000)
    assert velocity[:, 2].abs().max() == 0
    torch.testing.assert_close(velocity.norm(dim=1), torch.full((5000,), 10.0))
    heading = torch.atan2(velocity[:, 1], velocity[:, 0]).numpy() / (2 * np.pi) + 0.5
    assert kstest(heading, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("profile", ["C", "D"])
def test_line_of_sight_phase_is_uniform(profile: str) -> None:
    phase = drawn(model(profile), 5000, 1, 15e3, 17)[:, 0, 0].angle().numpy()
    assert kstest(phase / (2 * np.pi) + 0.5, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("profile", TABLES)
def test_images_have_channels_of_their_own(profile: str) -> None:
    images = 4000
    gains = drawn(model(profile), images, 1, 15e3, 18)[..., 0]
    neighbours = gains[1:] * gains[:-1].conj()
    scale = gains.abs().square().mean(0)
    assert (neighbours.mean(0).abs() < 4 * scale / math.sqrt(images)).all()
    assert len(torch.unique(gains[:, 0].abs())) > 0.99 * images


def test_standing_terminal_has_a_constant_channel() -> None:
    gains = drawn(model("B", speed_mps=0.0), 4, 14, 15e3, 19)
    torch.testing.assert_close(gains, gains[..., :1].expand_as(gains))


def test_one_seed_gives_the_same_draws_and_no_other_generator_is_used() -> None:
    built = model("D")
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, other = (drawn(built, 5, 14, 15e3, seed) for seed in (20, 21))
    again = drawn(model("D"), 5, 14, 15e3, 20)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_cdl_and_tdl_profiles_of_one_letter_have_the_same_powers_and_delays() -> None:
    for profile in "ABCD":
        cdl = channels.fading.ntn.ntn_cdl_profiles()[profile]
        tdl = channels.fading.ntn.ntn_tdl_profiles()[profile]
        for key in ("los_power_db", "powers_db", "delays"):
            assert cdl[key] == tdl[key]
        assert NTNTDL(profile, 1e-7, 2e9, 1.0).max_delay_s == model(profile).max_delay_s


def test_parameters_survive_pickling_and_profiles_are_json() -> None:
    build = pickle.loads(pickle.dumps(partial(NTNCDL, "A", SPREAD_S, CARRIER_HZ, 1.0, 30.0)))
    assert build("cpu").doppler_hz == pytest.approx(CARRIER_HZ / 299_792_458)
    json.dumps(channels.fading.ntn.ntn_cdl_profiles())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"profile": "E"}, "NTN-CDL profile"),
        ({"delay_spread_s": -1e-9}, "delay_spread_s"),
        ({"carrier_hz": 0.0}, "carrier_hz"),
        ({"speed_mps": math.inf}, "speed_mps"),
        ({"elevation_deg": 9.0}, "elevation_deg"),
        ({"elevation_deg": math.nan}, "elevation_deg"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    good = {"profile": "A", "delay_spread_s": 1e-7, "carrier_hz": 2e9, "speed_mps": 1.0}
    with pytest.raises(InputError, match=message) as caught:
        NTNCDL(**(good | change))
    assert "\n" not in str(caught.value)
