"""The system-level model against the tables it draws from and the equations it sums by."""

from __future__ import annotations

import math
import pickle
import random
import sys
import time
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import j0
from scipy.stats import binomtest, kstest, norm, spearmanr

from channels.errors import InputError
from channels.fading.delay_spread import delay_spread_decades, delay_spread_s, median_k_factor_db
from channels.fading.system_level import Drop, SystemLevel
from channels.randomness import generator, seeded

pytest.importorskip("openntn")

# TR 38.811 V15.4.0 table 6.6.1-1, at 10, 20 ... 90 degrees
LINE_OF_SIGHT = {
    "dense-urban": [0.282, 0.331, 0.398, 0.468, 0.537, 0.612, 0.738, 0.820, 0.981],
    "urban": [0.246, 0.386, 0.493, 0.613, 0.726, 0.805, 0.919, 0.968, 0.992],
    "suburban": [0.782, 0.869, 0.919, 0.929, 0.935, 0.940, 0.949, 0.952, 0.998],
}
# σ_K in dB of tables 6.7.2-1a, -3b, -5a
K_DEVIATION_DB = {("dense-urban", 10, "s"): 3.3, ("urban", 30, "ka"): 14.23}
K_DEVIATION_DB |= {("suburban", 70, "s"): 5.7}
# (environment, elevation, band): clutter loss and σ_SF in dB without line of sight, σ_SF with,
# tables 6.6.2-1 to 6.6.2-3; for urban table 6.7.2-3, -4: 4 and 6 dB
SHADOW_DB = {
    ("dense-urban", 10, "s"): (34.3, 15.5, 3.5),
    ("suburban", 50, "ka"): (18.7, 11.8, 2.7),
    ("urban", 30, "s"): (29.0, 6.0, 4.0),
}
CARRIER_HZ = {"s": 2e9, "ka": 20e9}
LEVEL = 1e-4
"""Significance of the distribution tests."""


def model(environment: str = "urban", elevation_deg: float = 30, **changes: Any) -> SystemLevel:
    given = {"altitude_m": 600e3, "carrier_hz": 2e9, "speed_mps": 10.0}
    return SystemLevel(environment, elevation_deg, **(given | changes))


def drawn(built: SystemLevel, images: int, steps: int, rate_hz: float, seed: int) -> torch.Tensor:
    with seeded(seed):
        gains, _ = built(images, steps, rate_hz)
    return gains[:, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("environment", "elevation_deg", "band", "sight"),
    [
        ("dense-urban", 10, "ka", False),
        ("urban", 30, "s", False),
        ("dense-urban", 10, "ka", True),
        ("suburban", 30, "s", True),
        ("urban", 30, "ka", None),
    ],
)
def test_mean_power_is_one(
    environment: str, elevation_deg: float, band: str, sight: bool | None
) -> None:
    images = 10_000 if sight else 40_000
    built = model(environment, elevation_deg, carrier_hz=CARRIER_HZ[band], line_of_sight=sight)
    power = drawn(built, images, 1, 1e3, 31).abs().square().sum((1, 2))
    error = power.std().item() / math.sqrt(images)
    assert 4 * error < 0.012
    assert abs(power.mean().item() - 1) < 4 * error


@pytest.mark.parametrize("environment", LINE_OF_SIGHT)
def test_line_of_sight_is_as_likely_as_in_the_table(environment: str) -> None:
    images = 2000
    for place in (0, 3, 6, 8):
        built = model(environment, 10 * (place + 1))
        with seeded(32):
            seen = int(built.drop(images).line_of_sight.sum())
        assert binomtest(seen, images, LINE_OF_SIGHT[environment][place]).pvalue > LEVEL


@pytest.mark.parametrize("sight", [True, False])
def test_line_of_sight_can_be_forced(sight: bool) -> None:
    with seeded(33):
        drop = model(line_of_sight=sight).drop(100)
    assert (drop.line_of_sight == sight).all()
    assert ((drop.k_factor > 0) == sight).all()


@pytest.mark.parametrize("sight", [True, False])
@pytest.mark.parametrize(
    ("environment", "elevation_deg", "band"),
    [("dense-urban", 10, "s"), ("urban", 30, "ka"), ("suburban", 70, "s")],
)
def test_delay_spread_is_log_normal_as_in_the_tables(
    environment: str, elevation_deg: float, band: str, sight: bool
) -> None:
    built = model(environment, elevation_deg, carrier_hz=CARRIER_HZ[band], line_of_sight=sight)
    with seeded(34):
        drop = built.drop(5000)
    place = environment, elevation_deg, band, sight
    expected = norm(math.log10(delay_spread_s(*place)), delay_spread_decades(*place))
    assert kstest(drop.delay_spread_s.log10().numpy(), expected.cdf).pvalue > LEVEL


@pytest.mark.parametrize(("environment", "elevation_deg", "band"), K_DEVIATION_DB)
def test_k_factor_is_log_normal_as_in_the_tables(
    environment: str, elevation_deg: float, band: str
) -> None:
    built = model(environment, elevation_deg, carrier_hz=CARRIER_HZ[band], line_of_sight=True)
    with seeded(35):
        drop = built.drop(5000)
    place = environment, elevation_deg, band
    expected = norm(median_k_factor_db(*place), K_DEVIATION_DB[place])
    assert kstest(10 * drop.k_factor.log10().numpy(), expected.cdf).pvalue > LEVEL


def realised_spread_s(drop: Drop) -> torch.Tensor:
    """RMS delay spread of the scattered clusters."""
    mean = (drop.powers * drop.delays_s).sum(1, keepdim=True)
    return (drop.powers * (drop.delays_s - mean).square()).sum(1).sqrt()


def test_clusters_realise_the_drawn_delay_spread_up_to_a_factor_of_their_own() -> None:
    """Without line of sight delays are proportional to the drawn spread: the ratio is free of it.

    The ratio itself scatters, since few clusters stand for an exponential profile.
    """
    images = 5000
    with seeded(36):
        drop = model("urban", 30, line_of_sight=False).drop(images)
    ratio = realised_spread_s(drop) / drop.delay_spread_s
    correlation = spearmanr(ratio.numpy(), drop.delay_spread_s.numpy()).statistic
    assert abs(correlation) < 4 / math.sqrt(images)
    assert 0.3 < ratio.median() < 1.1
    torch.testing.assert_close(drop.powers.sum(1), torch.ones(images))
    assert drop.delays_s.min() == 0
    assert (drop.delays_s[drop.powers == 0] == 0).all()
    assert (drop.powers[:, :2].amin(1) >= drop.powers[:, 2:].amax(1)).all()


def made_drop(images: int, k: float, clusters: int) -> Drop:
    """One terminal for every image, with rays from all over so that each can be told apart."""
    draw, powers = np.random.default_rng(37), (4, 3, 2, 1)[:clusters]

    def all_images(values: Any) -> torch.Tensor:
        one = torch.as_tensor(values, dtype=torch.float32)
        return one.expand(images, *one.shape)

    return Drop(
        line_of_sight=all_images(k > 0).bool(),
        delay_spread_s=all_images(50e-9),
        k_factor=all_images(k),
        excess_gain=all_images(1.0),
        powers=all_images(np.array(powers) / sum(powers)),
        delays_s=all_images(np.array([30e-9, 0.0, 70e-9, 200e-9])[:clusters]),
        cluster_spread_s=all_images(3.9e-9),
        azimuth=all_images(draw.uniform(-np.pi, np.pi, (clusters, 20))),
        zenith=all_images(draw.uniform(0, np.pi, (clusters, 20))),
    )


@pytest.mark.parametrize(("k", "clusters"), [(0.0, 4), (2.0, 2)])
def test_gains_are_the_sum_of_the_rays(
    k: float, clusters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over phases and headings, a ray at zenith angle θ correlates as J0(2π f_D sin θ t)."""
    images, steps = 20_000, 12
    built = model("urban", 40)
    drop = made_drop(images, k, clusters)
    monkeypatch.setattr(SystemLevel, "drop", lambda self, batch_size: drop)
    rate_hz = 4 * built.doppler_hz
    with seeded(38):
        gains, delays = built(images, steps, rate_hz)
    gains = gains[:, 0, 0, 0, 0]
    phase = 2 * np.pi * built.doppler_hz * np.arange(steps) / rate_hz
    powers, sines = drop.powers[0].numpy() / (1 + k), np.sin(drop.zenith[0].numpy())
    # TR 38.901 table 7.5-5: rays of the sub-clusters, counted from 1, and their delays over c_DS
    table = ([1, 2, 3, 4, 5, 6, 7, 8, 19, 20], [9, 10, 11, 12, 17, 18], [13, 14, 15, 16])
    paths = [(k / (1 + k) * j0(phase * math.cos(math.radians(40))), 0.0)]
    for rays, factor in zip(table, (0, 1.28, 2.56), strict=True):
        for cluster in (0, 1):
            chosen = sines[cluster, np.array(rays) - 1]
            level = powers[cluster] / 20 * j0(phase[:, None] * chosen).sum(1)
            late = drop.delays_s[0, cluster].item() + factor * drop.cluster_spread_s[0].item()
            paths.append((level, late))
    for cluster in range(2, len(powers)):
        level = powers[cluster] * j0(phase[:, None] * sines[cluster]).mean(1)
        paths.append((level, drop.delays_s[0, cluster].item()))
    assert gains.shape[1] == len(paths)
    assert sum(level[0] for level, _ in paths) == pytest.approx(1, abs=1e-5)
    for path, (expected, late) in enumerate(paths):
        products = gains[:, path] * gains[:, path, :1].conj()
        error = products.std(0).numpy() / math.sqrt(images)
        deviation = np.abs(products.mean(0).numpy() - expected)
        assert (deviation < 4.5 * error + 1e-6).all(), f"path {path}: {deviation.max()}"
        assert delays[0, 0, 0, path].item() == pytest.approx(late, rel=1e-5, abs=1e-15)


def test_line_of_sight_phase_is_uniform() -> None:
    phase = drawn(model("suburban", 60, line_of_sight=True), 5000, 1, 1e3, 39)[:, 0, 0].angle()
    assert kstest(phase.numpy() / (2 * np.pi) + 0.5, "uniform").pvalue > LEVEL


def test_images_are_drops_of_their_own() -> None:
    images = 4000
    built = model("dense-urban", 30)
    with seeded(40):
        drop, later = built.drop(images), built.drop(images)
    for name in ("delay_spread_s", "line_of_sight"):
        values = getattr(drop, name).numpy()
        for other in (values[1:], getattr(later, name).numpy()[1:]):
            assert abs(spearmanr(values[:-1], other).statistic) < 4 / math.sqrt(images)
    assert len(torch.unique(drop.delay_spread_s)) > 0.99 * images
    gains = drawn(built, images, 1, 1e3, 41).sum(1)[:, 0]
    neighbours = gains[1:] * gains[:-1].conj()
    assert neighbours.mean().abs() < 4 * neighbours.abs().square().mean().sqrt() / math.sqrt(images)


def test_delays_without_power_are_zero_and_no_path_is_seconds_late() -> None:
    built = model("suburban", 60)
    with seeded(42):
        gains, delays = built(5000, 1, 1e3)
    idle = gains[:, 0, 0, 0, 0, 1:, 0].abs() == 0
    assert idle.any()
    assert (delays[:, 0, 0, 1:][idle] == 0).all()
    assert delays.min() >= 0
    assert delays.max() < 0.1


def test_max_delay_holds_for_99_percent() -> None:
    images, sample, share = 20_000, 2000, 0.01
    built = model("urban", 20)
    with seeded(43):
        _, delays = built(images, 1, 1e3)
    beyond = (delays.amax((1, 2, 3)) > built.max_delay_s).float().mean().item()
    error = math.sqrt(share * (1 - share) * (1 / images + 1 / sample))
    assert abs(beyond - share) < 4 * error
    assert built.max_delay_s == model("urban", 20).max_delay_s


@pytest.mark.parametrize(("environment", "elevation_deg", "band"), SHADOW_DB)
def test_shadowing_is_clutter_loss_and_log_normal_fading(
    environment: str, elevation_deg: float, band: str
) -> None:
    clutter_db, hidden_db, seen_db = SHADOW_DB[environment, elevation_deg, band]
    for sight, median, deviation in ((False, -clutter_db, hidden_db), (True, 0, seen_db)):
        built = model(
            environment,
            elevation_deg,
            carrier_hz=CARRIER_HZ[band],
            line_of_sight=sight,
            shadowing=True,
        )
        with seeded(44):
            excess_db = 10 * built.drop(5000).excess_gain.log10().numpy()
        assert kstest(excess_db, norm(median, deviation).cdf).pvalue > LEVEL


def test_shadowing_scales_all_paths_of_an_image_alike() -> None:
    plain, shadowed = (drawn(model(shadowing=on), 50, 3, 1e3, 45) for on in (False, True))
    with seeded(45):
        excess = model(shadowing=True).drop(50).excess_gain
    torch.testing.assert_close(shadowed, plain * excess.sqrt()[:, None, None])


def test_altitude_does_not_matter() -> None:
    low, high = (drawn(model(altitude_m=h), 20, 3, 1e3, 46) for h in (600e3, 35_786e3))
    torch.testing.assert_close(low, high, atol=1e-4, rtol=1e-3)


def test_same_seed_same_draws_and_no_other_generator_is_used() -> None:
    built = model("dense-urban", 30)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first, other = (drawn(built, 8, 14, 14e3, seed) for seed in (47, 48))
    again = drawn(model("dense-urban", 30), 8, 14, 14e3, 47)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]


def test_building_a_model_draws_nothing_from_the_link() -> None:
    before = generator("cpu").get_state()
    model()
    assert torch.equal(generator("cpu").get_state(), before)


def test_standing_terminal_has_a_constant_channel() -> None:
    gains = drawn(model(speed_mps=0.0), 8, 14, 14e3, 49)
    torch.testing.assert_close(gains, gains[..., :1].expand_as(gains))


def test_speed_is_close_to_that_of_openntn_alone() -> None:
    import openntn
    from openntn.utils import gen_single_sector_topology

    antenna = openntn.Antenna("single", "V", "omni", 2e9, precision="single", device="cpu")
    theirs = openntn.Urban(2e9, antenna, antenna, "downlink", 30.0, False, False)
    topology = gen_single_sector_topology(16, 1, "urb", bs_height=600e3, elevation_angle=30.0)
    ours = model("urban", 30)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(25):
        start = time.perf_counter()
        theirs.set_topology(*topology)
        theirs(28, 28e3)
        middle = time.perf_counter()
        ours(16, 28, 28e3)
        seconds["theirs"].append(middle - start)
        seconds["ours"].append(time.perf_counter() - middle)
    assert min(seconds["ours"]) < 1.15 * min(seconds["theirs"])


def test_the_class_travels_to_other_processes() -> None:
    build = pickle.loads(
        pickle.dumps(partial(SystemLevel, "urban", 30.0, 600e3, 2e9, 30.0, None, False))
    )
    built = build("cpu")
    assert built.doppler_hz == pytest.approx(30 * 2e9 / 299_792_458)
    gains, delays = built(3, 5, 1e3)
    assert (gains.dtype, delays.dtype) == (torch.complex64, torch.float32)
    assert gains.shape[:5] == (3, 1, 1, 1, 1)
    assert delays.shape == (3, 1, 1, gains.shape[5])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environment": "rural"}, "environment"),
        ({"environment": ["urban"]}, "unknown environment"),
        ({"environment": np.array("urban")}, "unknown environment"),
        ({"elevation_deg": True}, "elevation_deg"),
        ({"speed_mps": torch.ones(2)}, "speed_mps"),
        ({"carrier_hz": "2e9"}, "carrier_hz"),
        ({"elevation_deg": 9.9}, r"elevation_deg .*\[10, 90\]"),
        ({"altitude_m": 100e3}, "altitude_m .*160000"),
        ({"altitude_m": 36e6}, "altitude_m"),
        ({"carrier_hz": 10e9}, "S band .* Ka band"),
        ({"carrier_hz": math.nan}, "carrier_hz"),
        ({"speed_mps": -1.0}, "speed_mps"),
        ({"line_of_sight": 1}, "line_of_sight"),
        ({"shadowing": None}, "shadowing"),
    ],
)
def test_bad_parameters_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "environment": "urban",
        "elevation_deg": 30,
        "altitude_m": 600e3,
        "carrier_hz": 2e9,
        "speed_mps": 1.0,
    }
    with pytest.raises(InputError, match=message) as caught:
        SystemLevel(**(given | change))
    assert "\n" not in str(caught.value)


def test_a_drop_of_no_terminals_is_refused() -> None:
    with pytest.raises(InputError, match="batch_size"):
        model().drop(0)


def test_a_missing_openntn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openntn", None)
    with pytest.raises(InputError, match="pip install openntn"):
        model()
