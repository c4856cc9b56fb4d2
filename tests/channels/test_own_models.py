"""Channel models of one's own: what they draw from, how loud they are, what they say of it."""

from __future__ import annotations

import math
import pickle
import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sionna.phy import config
from sionna.phy.channel import ChannelModel, RayleighBlockFading
from sionna.phy.channel.tr38901 import CDL, TDL, Antenna
from torch import Tensor

import channels
from channels import InputError, Link
from channels.fading.lms import TwoState
from channels.fading.recipe import model_for, recipe
from channels.ofdm.trial import tried
from channels.randomness import generator, seeded
from tests.channels.signals import qpsk, send

Draw = Callable[[tuple[int, ...]], Tensor]
CPU = torch.device("cpu")


class Mine(ChannelModel):
    """Rayleigh fading over one path, of normal draws from anywhere."""

    def __init__(self, normal: Draw, power: float = 1.0, moving: bool = False) -> None:
        super().__init__(precision="single", device="cpu")
        self.normal, self.power, self.moving = normal, power, moving

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        steps = num_time_steps if self.moving else 1
        parts = self.normal((2, batch_size, steps)).float() * math.sqrt(self.power / 2)
        gains = torch.complex(*parts).expand(-1, num_time_steps)
        return gains[:, None, None, None, None, None], torch.zeros(batch_size, 1, 1, 1)


def link_of(normal: Draw, name: str = "mine", **parts: object) -> Link:
    options = {key: parts.pop(key) for key in ("power", "moving") if key in parts}
    return Link(name, lambda device: Mine(normal, **options), **parts)  # type: ignore[arg-type]


def of_numpy(shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.random.normal(size=shape))  # noqa: NPY002


def of_python(shape: tuple[int, ...]) -> Tensor:
    return torch.tensor([random.gauss(0, 1) for _ in range(math.prod(shape))]).reshape(shape)


GLOBAL: dict[str, Draw] = {
    "torch": lambda shape: torch.randn(shape),
    "torch's default": lambda shape: torch.randn(shape, generator=torch.default_generator),
    "numpy": of_numpy,
    "python": of_python,
    "sionna's numpy": lambda shape: torch.from_numpy(config.np_rng.normal(size=shape)),
    "sionna's python": lambda shape: torch.tensor(
        [config.py_rng.gauss(0, 1) for _ in range(math.prod(shape))]
    ).reshape(shape),
    "the link's": lambda shape: torch.randn(shape, generator=generator("cpu")),
}


def states() -> list[bytes]:
    return [
        torch.default_generator.get_state().numpy().tobytes(),
        generator("cpu").get_state().numpy().tobytes(),
        pickle.dumps(np.random.get_state()),  # noqa: NPY002
        pickle.dumps(random.getstate()),
        pickle.dumps(config.np_rng.bit_generator.state),
        pickle.dumps(config.py_rng.getstate()),
    ]


@pytest.mark.parametrize("source", GLOBAL)
def test_equal_seeds_are_equal_draws_wherever_they_come_from(source: str) -> None:
    """Whatever was drawn before, and nothing that others draw from is moved."""
    link, tx = link_of(GLOBAL[source]), send(qpsk(8, 500))
    first = link(tx, 10.0, seed=5).symbols
    for normal in GLOBAL.values():
        normal((3,))
    before = states()
    again = link(tx, 10.0, seed=5).symbols
    other = link(tx, 10.0, seed=6).symbols
    assert states() == before
    assert torch.equal(first, again) and not torch.equal(first, other)
    fresh = link_of(GLOBAL[source])(tx, 10.0, seed=5).symbols
    assert torch.equal(first, fresh)


def test_a_generator_of_its_own_is_refused_where_a_seed_is_given() -> None:
    own = torch.Generator().manual_seed(1)
    entropy = np.random.default_rng()
    for normal in (
        lambda shape: torch.randn(shape, generator=own),
        lambda shape: torch.from_numpy(entropy.normal(size=shape)),
        lambda shape: torch.from_numpy(np.random.default_rng().normal(size=shape)),
    ):
        link, tx = link_of(normal), send(qpsk(8, 500))
        with pytest.raises(InputError, match="other fading for equal seeds") as caught:
            link(tx, 10.0, seed=5)
        assert "\n" not in str(caught.value)
        assert link(tx, 10.0).symbols.shape == (8, 500)


def test_what_a_model_draws_while_it_is_made_is_the_same_everywhere() -> None:
    def made(device: torch.device) -> ChannelModel:
        taps = torch.randn(1) + random.random() + np.random.rand()  # noqa: NPY002
        return Mine(lambda shape: torch.ones(shape) * taps)

    def made_again(device: torch.device) -> ChannelModel:
        return made(device)

    before = states()
    first, second = model_for(made, CPU), model_for(made_again, CPU)
    assert states() == before
    assert torch.equal(first(2, 3, 1e3)[0], second(2, 3, 1e3)[0])


def test_two_codecs_under_two_labels_meet_the_same_fading() -> None:
    link = link_of(GLOBAL["torch"], moving=False)
    quiet, loud = qpsk(1, 600, seed=1), qpsk(1, 600, seed=2)
    first, second = (link.propagate(symbols, 90.0, seed=3) for symbols in (quiet, loud))
    assert torch.allclose(first.noise_var, second.noise_var)


@pytest.mark.parametrize("batch", [1, 16, 300])
@pytest.mark.parametrize("decibel", [-20.0, -6.0, -3.0, 3.0, 6.0, 20.0])
def test_fading_that_is_too_loud_or_too_quiet_is_told_once(decibel: float, batch: int) -> None:
    link = link_of(GLOBAL["torch"], power=10 ** (decibel / 10), name="loud")
    tx = send(qpsk(batch, 200))
    with pytest.warns(UserWarning, match="snr_db is not the mean E_s/N_0") as caught:
        link(tx, 10.0, seed=1)
        link(tx, 10.0, seed=2)
    assert len(caught) == 1
    told = str(caught[0].message)
    assert told.startswith("link 'loud': ") and f"{decibel:+.0f}"[:2] in told


def test_fading_of_unit_power_is_never_told() -> None:
    """Rayleigh, Rician, 8 dB of log-normal shadowing, a switch; many draws, few images each."""
    laws: dict[str, Draw] = {
        "rayleigh": lambda shape: torch.randn(shape),
        "steady": lambda shape: torch.ones(shape),
        "shadowed": lambda shape: (
            torch.randn(shape) * torch.exp(0.92 * torch.randn(1, shape[1], 1) - 0.92**2)
        ),
        "switched": lambda shape: torch.ones(shape) * 2**0.5 * (torch.rand(1, shape[1], 1) < 0.5),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for normal in laws.values():
            for batch in (1, 4, 64):
                link_of(normal)(send(qpsk(batch, 200)), 10.0, seed=1)


def test_what_snr_refers_to_may_be_said() -> None:
    tx = send(qpsk(16, 200))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        link_of(GLOBAL["torch"], power=0.01, snr_reference="of free space")(tx, 10.0, seed=1)
        channels.link("lms-urban", normalize=False)(tx, 10.0, seed=1)
        channels.link("shadowed-rician-heavy", normalize=False)(tx, 10.0, seed=1)
        channels.link("leo600-s-urban", shadowing=True)(tx, 10.0, seed=1)
    build = recipe(TwoState, "urban", 30.0, 2e9, 1.0, normalize=False)
    with pytest.warns(UserWarning, match="say by snr_reference"):
        Link("own", build, estimator="perfect")(tx, 10.0, seed=1)


@pytest.mark.parametrize("estimator", ["ls", "lmmse"])
@pytest.mark.parametrize(
    ("profile", "speeds"),
    [
        ("A", {"max_speed": 1.0}),
        ("A", {"min_speed": 30.0}),
        ("B", {"min_speed": 0.0, "max_speed": 40.0}),
        ("D", {"min_speed": 30.0}),
        ("E", {"min_speed": 60.0}),
        ("C300", {"min_speed": 10.0}),
    ],
)
def test_receivers_know_sionnas_tapped_delay_lines(
    profile: str, speeds: dict[str, float], estimator: str
) -> None:
    """Errors are as large as stated, and LMMSE makes the smaller ones."""
    block = channels.sionna_block(TDL, profile, 300e-9, 2e9, **speeds)
    tx = send(qpsk(64, 4000))
    rx = Link("street", block, estimator=estimator)(tx, 10.0, seed=1)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert abs(ratio - 1) < 0.03
    assert tried(block, CPU, 64, 1e-4).statistics.doppler_hz == pytest.approx(
        (speeds.get("max_speed") or speeds["min_speed"]) * 2e9 / 299_792_458.0
        if profile not in "DE"
        else speeds["min_speed"] * 2e9 / 299_792_458.0,
        rel=0.2,
    )


def test_lmmse_over_sionnas_tapped_delay_line_errs_less_than_least_squares() -> None:
    tx = send(qpsk(64, 4000))

    def bit_errors(estimator: str) -> float:
        block = channels.sionna_block(TDL, "A", 300e-9, 2e9, max_speed=1.0)
        got = Link("street", block, estimator=estimator)(tx, 10.0, seed=1).symbols
        signs = (torch.view_as_real(part) < 0 for part in (got, tx.symbols))
        return float((next(signs) != next(signs)).float().mean())

    perfect, lmmse, ls = (bit_errors(kind) for kind in ("perfect", "lmmse", "ls"))
    assert lmmse < 1.02 * perfect + 1e-3 and ls > 1.3 * lmmse


def test_sionnas_clusters_are_known_by_powers_and_speed() -> None:
    one = Antenna("single", "V", "omni", 2e9, device="cpu")
    block = channels.sionna_block(CDL, "A", 300e-9, 2e9, one, one, "downlink", max_speed=20.0)
    tx = send(qpsk(48, 4000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # polarisation: its mean power is not 1
        rx = Link("clusters", block, estimator="lmmse")(tx, 10.0, seed=1)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert abs(ratio - 1) < 0.06


def test_a_model_that_moves_and_does_not_say_how_fast_is_refused_by_receivers() -> None:
    tx = send(qpsk(8, 500))
    for estimator in ("ls", "lmmse"):
        link = link_of(GLOBAL["torch"], moving=True, estimator=estimator)
        with pytest.raises(InputError, match="does not say how fast") as caught:
            link(tx, 10.0, seed=1)
        assert "doppler_hz" in str(caught.value) and "\n" not in str(caught.value)
    assert link_of(GLOBAL["torch"], moving=True)(tx, 10.0, seed=1).symbols.shape == (8, 500)


@pytest.mark.parametrize("power_db", [0.0, 13.0])
def test_powers_and_delays_of_a_model_that_says_nothing_are_seen_in_its_draws(
    power_db: float,
) -> None:
    class TwoTaps(ChannelModel):
        def __call__(
            self, batch_size: int, num_time_steps: int, sampling_frequency: float
        ) -> tuple[Tensor, Tensor]:
            parts = torch.randn(2, batch_size, 1, 1, 1, 1, 2, 1) / 2 * 10 ** (power_db / 20)
            delays = torch.tensor([0.0, 2e-6]).expand(batch_size, 1, 1, 2)
            return torch.complex(*parts).expand(*[-1] * 6, num_time_steps), delays

    def build(device: torch.device) -> ChannelModel:
        return TwoTaps(precision="single", device=str(device))

    tx = send(qpsk(128, 3000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if power_db else "error")
        rx = Link("two", build, estimator="lmmse")(tx, 10.0, seed=2)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert abs(ratio - 1) < 0.02
    known = tried(build, CPU, 128, Link("two", build).grid.symbol_period_s).statistics
    assert known.delays_s == pytest.approx((0.0, 2e-6))
    assert known.powers == pytest.approx((0.5, 0.5), abs=0.12)


def test_block_fading_of_sionna_is_one_gain() -> None:
    block = channels.sionna_block(RayleighBlockFading, 1, 1, 1, 1)
    tx = send(qpsk(64, 3000))
    for estimator in ("ls", "lmmse"):
        rx = Link("one", block, estimator=estimator)(tx, 5.0, seed=2)
        ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
        assert abs(ratio - 1) < 0.02


def test_seeds_everywhere_leave_every_generator_as_it_was() -> None:
    before = states()
    with seeded(1, everywhere=True):
        first = [normal((2,)) for normal in GLOBAL.values()]
    with seeded(1, everywhere=True):
        assert all(
            torch.equal(normal((2,)), one)
            for normal, one in zip(GLOBAL.values(), first, strict=True)
        )
    with pytest.raises(RuntimeError), seeded(1, everywhere=True):
        raise RuntimeError
    assert states() == before
