"""NTN-TDL-A…D against the tables of TR 38.811 V15.4.0, typed here a second time."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import j0

from channels.errors import InputError
from channels.fading.ntn import NTNCDL, NTNTDL, ntn_cdl_profiles, ntn_tdl_profiles
from channels.randomness import seeded

# Table: (normalised delays, powers in dB with line of sight and scatter of tap 1 apart, K1 in dB)
TABLES = {
    "A": ([0, 1.0811, 2.8416], [0, -4.675, -6.482], None),
    "B": ([0, 0.7249, 0.7410, 5.7392], [0, -1.973, -4.332, -11.914], None),
    "C": ([0, 14.8124], [-0.394, -10.618, -23.373], 10.224),
    "D": ([0, 0.5596, 7.3340], [-0.284, -11.991, -9.887, -16.771], 11.707),
}
SPREAD_S = 100e-9


def model(profile: str) -> NTNTDL:
    return NTNTDL(profile, delay_spread_s=SPREAD_S, carrier_hz=2e9, speed_mps=1.0)


@pytest.mark.parametrize("profile", TABLES)
def test_drawn_taps_have_the_powers_of_the_table(profile: str) -> None:
    _, powers_db, k_db = TABLES[profile]
    linear = 10 ** (np.array(powers_db) / 10)
    taps = linear if k_db is None else np.concatenate([[linear[0] + linear[1]], linear[2:]])
    images = 20_000
    with seeded(5):
        gains, _ = model(profile)(images, 1, 15e3)
    drawn = gains[:, 0, 0, 0, 0, :, 0].abs().square()
    for tap, expected in enumerate(taps / taps.sum()):
        mean, error = drawn[:, tap].mean().item(), drawn[:, tap].std().item() / math.sqrt(images)
        assert abs(mean - expected) < 4 * error, f"tap {tap}: {mean} against {expected}"


@pytest.mark.parametrize("profile", TABLES)
def test_delays_scale_with_the_delay_spread(profile: str) -> None:
    delays, powers_db, k_db = TABLES[profile]
    _, tau = model(profile)(2, 1, 15e3)
    np.testing.assert_allclose(tau[0, 0, 0].numpy(), np.array(delays) * SPREAD_S, rtol=1e-5)
    linear = 10 ** (np.array(powers_db) / 10)
    taps = linear if k_db is None else np.concatenate([[linear[0] + linear[1]], linear[2:]])
    shares, place = taps / taps.sum(), np.array(delays)
    rms = math.sqrt(shares @ place**2 - (shares @ place) ** 2)
    assert rms == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("profile", ["C", "D"])
def test_k_factor_of_the_first_tap(profile: str) -> None:
    """Second and fourth moment of a Rician tap give its K factor, apart from the model's own."""
    _, _, k_db = TABLES[profile]
    images = 100_000
    with seeded(6):
        gains, _ = model(profile)(images, 1, 15e3)
    power = gains[:, 0, 0, 0, 0, 0, 0].abs().square().double()
    ratio = (power.square().mean() / power.mean().square()).item()
    # For K = s/d: E p^2 / (E p)^2 = 1 + (2K + 1)/(K + 1)^2 for Gaussian scatter; Sionna's scatter
    # is a sum of 20 sinusoids, whose fourth moment is 2 - 1/20 instead of 2.
    k = 10 ** (k_db / 10)
    expected = 1 + (2 * k + 1 - 1 / 20) / (k + 1) ** 2
    blocks = power.reshape(100, -1)
    spread = (blocks.square().mean(1) / blocks.mean(1).square()).std().item() / 10
    assert abs(ratio - expected) < 4 * spread
    assert 10 * math.log10(model(profile).k_factor.item()) == pytest.approx(k_db, abs=1e-3)


def test_line_of_sight_phase_differs_between_images() -> None:
    with seeded(7):
        gains, _ = model("C")(2000, 1, 15e3)
    first = gains[:, 0, 0, 0, 0, 0, 0]
    assert (first / first.abs()).mean().abs() < 4 / math.sqrt(2000)


def test_images_do_not_share_a_channel() -> None:
    with seeded(8):
        gains, _ = model("A")(50, 1, 15e3)
    assert len(torch.unique(gains[:, 0, 0, 0, 0, 0, 0].abs())) == 50


@pytest.mark.parametrize("profile", TABLES)
def test_attributes_say_how_far_the_model_spreads(profile: str) -> None:
    built = NTNTDL(profile, SPREAD_S, carrier_hz=20e9, speed_mps=30.0)
    assert built.doppler_hz == pytest.approx(30 * 20e9 / 299_792_458)
    assert built.max_delay_s == pytest.approx(max(TABLES[profile][0]) * SPREAD_S)


@pytest.mark.parametrize("k_db", [-5.0, 10.0, 20.0])
@pytest.mark.parametrize("profile", ["C", "D"])
def test_k_factor_can_be_chosen(profile: str, k_db: float) -> None:
    """TR 38.901 clause 7.7.6: scattered taps scaled alike, delays back to unit RMS spread."""
    delays, powers_db, _ = TABLES[profile]
    images = 20_000
    built = NTNTDL(profile, SPREAD_S, 2e9, 1.0, k_factor_db=k_db)
    with seeded(9):
        gains, tau = built(images, 1, 15e3)
    linear = 10 ** (np.array(powers_db[1:]) / 10)
    k = 10 ** (k_db / 10)
    taps = linear / linear.sum() / (k + 1)
    taps[0] += k / (k + 1)
    drawn = gains[:, 0, 0, 0, 0, :, 0].abs().square()
    for tap, expected in enumerate(taps):
        mean, error = drawn[:, tap].mean().item(), drawn[:, tap].std().item() / math.sqrt(images)
        assert abs(mean - expected) < 4 * error, f"tap {tap}: {mean} against {expected}"
    place = tau[0, 0, 0].double().numpy()
    rms = math.sqrt(taps @ place**2 - (taps @ place) ** 2)
    assert rms == pytest.approx(SPREAD_S, rel=1e-5)
    np.testing.assert_allclose(place / place.max(), np.array(delays) / max(delays), rtol=1e-6)
    assert built.max_delay_s == pytest.approx(place.max())
    first = 10 * math.log10(built.k_factor.item())
    assert first == pytest.approx(k_db + 10 * math.log10(linear.sum() / linear[0]), abs=1e-3)


def test_the_k_factor_of_the_table_changes_nothing() -> None:
    _, powers_db, _ = TABLES["D"]
    scattered = 10 * math.log10(sum(10 ** (p / 10) for p in powers_db[1:]))
    with seeded(10):
        plain, delays = model("D")(20, 3, 15e3)
    chosen = NTNTDL("D", SPREAD_S, 2e9, 1.0, k_factor_db=powers_db[0] - scattered)
    with seeded(10):
        scaled, scaled_delays = chosen(20, 3, 15e3)
    torch.testing.assert_close(plain, scaled)
    torch.testing.assert_close(delays, scaled_delays, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("profile", "k_db"), [("A", 5.0), ("C", 31.0), ("D", math.nan)])
def test_a_k_factor_that_cannot_be_is_refused(profile: str, k_db: float) -> None:
    with pytest.raises(InputError, match="k_factor_db"):
        NTNTDL(profile, SPREAD_S, 2e9, 1.0, k_factor_db=k_db)


@pytest.mark.parametrize("profile", ["C", "D"])
def test_the_line_of_sight_does_not_turn(profile: str) -> None:
    """E[a(t) a(0)*] is the line of sight's power once J0 has died away, and stays real."""
    images, steps = 4000, 8
    built = NTNTDL(profile, SPREAD_S, 2e9, speed_mps=10.0)
    with seeded(11):
        gains, _ = built(images, steps, 20.0)  # 50 ms apart: 3.3 cycles of the largest Doppler
    first = gains[:, 0, 0, 0, 0, 0]
    linear = 10 ** (np.array(TABLES[profile][1]) / 10)
    los, scatter = linear[0] / linear.sum(), linear[1] / linear.sum()
    for step in range(1, steps):
        product = first[:, step] * first[:, 0].conj()
        bessel = j0(2 * math.pi * built.doppler_hz * step / 20.0)
        for part, expected in ((product.real, los + scatter * bessel), (product.imag, 0.0)):
            error = part.std().item() / math.sqrt(images)
            assert abs(part.mean().item() - expected) < 4 * error, f"step {step}"


def test_profiles_are_handed_out_as_copies() -> None:
    for profiles in (ntn_tdl_profiles, ntn_cdl_profiles):
        profiles()["A"]["delays"].clear()
        profiles().clear()
        assert len(profiles()["A"]["delays"]) == 3


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"profile": "c"}, "did you mean 'C'"),
    ({"profile": ["C"]}, "unknown NTN-TDL profile"),
    ({"profile": {}}, "unknown NTN-TDL profile"),
    *(({"delay_spread_s": s}, "delay_spread_s") for s in (True, None, "1", -1e-9, 2e-3, math.nan)),
    *(({"speed_mps": v}, "speed_mps") for v in (torch.ones(2), 1e300, -1.0, math.inf)),
    *(({"carrier_hz": f}, "carrier_hz") for f in (np.full(2, 2e9), 1e300, 1e-300, 0.0)),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_bad_parameters_are_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    good = {"profile": "C", "delay_spread_s": 1e-7, "carrier_hz": 2e9, "speed_mps": 1.0}
    for build, kind in ((NTNTDL, "TDL"), (NTNCDL, "CDL")):
        with pytest.raises(InputError, match=message.replace("TDL", kind)) as caught:
            build(**(good | change))
        assert "\n" not in str(caught.value)


def test_a_device_can_follow_the_old_parameters() -> None:
    build = partial(NTNTDL, "A", SPREAD_S, 2e9, 1.0)
    assert build("cpu").device == "cpu"
