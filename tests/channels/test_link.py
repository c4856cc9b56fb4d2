"""Links: SNR, error rates against closed forms, power, seeds, gradients."""

from __future__ import annotations

import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from scipy.special import erfc
from sionna.phy import config
from sionna.phy.mapping import Mapper

import channels
from channels import Grid, InputError, Link, Reception, Residual, Session, Transmission
from channels.ofdm.equalisation import equalised
from channels.ofdm.realisation import Realisation

SESSION = Session("test", (1, 64, 64), 1, 0.0)


def send(symbols: torch.Tensor) -> Transmission:
    used = torch.full((len(symbols),), symbols.shape[1])
    return Transmission(symbols, used, SESSION)


def broken(batch: int, steps: int, rate_hz: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A channel model with two antennas."""
    return torch.ones(batch, 1, 2, 1, 1, 1, steps) + 0j, torch.zeros(batch, 1, 1, 1)


def receive(noise_var: float) -> Reception:
    ones = torch.ones(1, 4, dtype=torch.complex64)
    return Reception(ones, torch.full((1, 4), noise_var), torch.zeros(1), SESSION)


def qam(bits: torch.Tensor, bits_per_symbol: int) -> torch.Tensor:
    return Mapper("qam", bits_per_symbol, precision="single", device="cpu")(bits)


def balanced_bits(rows: int, repeats: int, bits_per_symbol: int) -> torch.Tensor:
    """Rows in which every constellation point stands equally often, in random order.

    The power constraint holds per image: a row whose random points happen to be strong would be
    scaled down, and the closed forms know nothing of that.
    """
    count = 2**bits_per_symbol
    point = torch.rand(rows, count * repeats).argsort(1) % count
    bits = point[..., None] >> torch.arange(bits_per_symbol - 1, -1, -1) & 1
    return bits.flatten(1).float()


def decide(symbols: torch.Tensor, bits_per_symbol: int) -> torch.Tensor:
    """Nearest constellation point, as bits: an implementation apart from the links."""
    count = 2**bits_per_symbol
    place = torch.arange(count)[:, None] >> torch.arange(bits_per_symbol - 1, -1, -1) & 1
    points = qam(place.float(), bits_per_symbol)[:, 0]
    nearest = (symbols[..., None] - points).abs().argmin(-1)
    return place[nearest].flatten(-2)


def gray_qam_terms(bits_per_symbol: int) -> list[tuple[float, float]]:
    """(weight, scale): BER = sum of weight * erfc(sqrt(scale * SNR)) for square Gray QAM in AWGN.

    Cho and Yoon, IEEE Trans. Comm. 2002, eq. 14 and 16.
    """
    side, per_axis = 2 ** (bits_per_symbol // 2), bits_per_symbol // 2
    return [
        (
            (-1) ** math.floor(i * 2 ** (k - 1) / side)
            * (2 ** (k - 1) - math.floor(i * 2 ** (k - 1) / side + 0.5))
            / side
            / per_axis,
            (2 * i + 1) ** 2 * 1.5 / (side**2 - 1),
        )
        for k in range(1, per_axis + 1)
        for i in range(int((1 - 2.0**-k) * side))
    ]


def gray_qam_ber(bits_per_symbol: int, snr: float) -> float:
    return sum(w * erfc(math.sqrt(a * snr)) for w, a in gray_qam_terms(bits_per_symbol))


def gray_qam_ber_rayleigh(bits_per_symbol: int, snr: float) -> float:
    """The same averaged over an exponential SNR of mean m: erfc(sqrt(a g)), 1 - sqrt(am/(1+am))."""
    terms = gray_qam_terms(bits_per_symbol)
    return sum(w * (1 - math.sqrt(a * snr / (1 + a * snr))) for w, a in terms)


@pytest.mark.parametrize("bits_per_symbol", [2, 4, 6])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_ber_over_awgn_lies_in_the_interval_of_the_closed_form(
    bits_per_symbol: int, step: int
) -> None:
    snr_db = {2: (2, 6, 9), 4: (6, 12, 15), 6: (10, 18, 21)}[bits_per_symbol][step]
    bits = balanced_bits(50, 6400 // 2**bits_per_symbol, bits_per_symbol)
    rx = channels.link("awgn")(send(qam(bits, bits_per_symbol)), float(snr_db), seed=step)
    errors = (decide(rx.symbols, bits_per_symbol) != bits).double().mean().item()
    expected = gray_qam_ber(bits_per_symbol, 10 ** (snr_db / 10))
    # Bits of one symbol fail together at most: that many fewer independent trials.
    trials = bits.numel() / bits_per_symbol
    tolerance = 1.96 * math.sqrt(expected * (1 - expected) / trials)
    assert abs(errors - expected) < tolerance, f"{errors:.3e} against {expected:.3e}"


@pytest.mark.parametrize("bits_per_symbol", [2, 4, 6])
@pytest.mark.parametrize("snr_db", [5.0, 15.0, 25.0])
def test_ber_over_rayleigh_lies_in_the_interval_of_the_closed_form(
    bits_per_symbol: int, snr_db: float
) -> None:
    # Fading is one gain per image: many short images, and the interval is that of their mean.
    images = 20_000
    bits = balanced_bits(images, 64 // 2**bits_per_symbol, bits_per_symbol)
    link = channels.link("rayleigh", grid=Grid(num_subcarriers=4))
    rx = link(send(qam(bits, bits_per_symbol)), snr_db, seed=int(snr_db))
    per_row = (decide(rx.symbols, bits_per_symbol) != bits).double().mean(1)
    expected = gray_qam_ber_rayleigh(bits_per_symbol, 10 ** (snr_db / 10))
    tolerance = 1.96 * per_row.std().item() / math.sqrt(images)
    assert abs(per_row.mean().item() - expected) < tolerance, (
        f"{per_row.mean():.3e}, {expected:.3e}"
    )


def test_qpsk_symbol_errors_tell_es_n0_from_eb_n0() -> None:
    """3 dB too much or too little fails by a factor of more than 3."""
    snr_db = 7.0
    bits = torch.randint(0, 2, (20, 20_000)).float()
    rx = channels.link("awgn")(send(qam(bits, 2)), snr_db, seed=1)
    wrong = (decide(rx.symbols, 2) != bits).reshape(-1, 2).any(1).double().mean().item()
    tail = 0.5 * erfc(math.sqrt(10 ** (snr_db / 10) / 2))
    expected = 2 * tail - tail**2
    assert abs(wrong - expected) < 4 * math.sqrt(expected / (bits.numel() / 2))


@pytest.mark.parametrize("name", channels.links())
def test_the_noise_variance_is_what_the_errors_show(name: str) -> None:
    bits = torch.randint(0, 2, (40, 4096)).float()
    tx = send(qam(bits, 2))
    rx = channels.link(name)(tx, 10.0, seed=4)
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean().item()
    assert abs(ratio - 1) < 4 / math.sqrt(tx.symbols.numel())


@pytest.mark.parametrize("name", ["awgn", "ntn-tdl-a", "ntn-tdl-d"])
def test_least_squares_estimation_costs_snr_and_does_not_understate_the_errors(name: str) -> None:
    tx = send(qam(torch.randint(0, 2, (40, 8192)).float(), 2))
    perfect = channels.link(name)(tx, 12.0, seed=4)
    estimated = channels.link(name, estimator="ls")(tx, 12.0, seed=4)
    error = (estimated.symbols - tx.symbols).abs().square()
    assert error.median() > (perfect.symbols - tx.symbols).abs().square().median()
    assert (error / estimated.noise_var).mean() < 1.05


@pytest.mark.parametrize("name", [name for name in channels.links() if name != "awgn"])
def test_mean_received_power_is_one(name: str) -> None:
    """Over 1e4 images, at one resource element each, within 4 standard errors."""
    images = 10_000
    grid = Grid(120e3 if "-ka-" in name else 15e3, num_subcarriers=2, pilot_symbols=(0,))
    link = channels.link(name, grid=grid, residual=Residual())
    rx = link(send(torch.ones(images, 1, dtype=torch.complex64)), -10.0, seed=2)
    gain = 10 / rx.noise_var[:, 0].double()
    assert abs(gain.mean().item() - 1) < 4 * gain.std().item() / math.sqrt(images)


def test_power_is_enforced_per_image_and_the_tail_is_not_sent() -> None:
    symbols = torch.zeros(2, 100, dtype=torch.complex64)
    symbols[0, :60] = 5.0
    symbols[1] = 0.01j
    symbols[0, 60:] = 9.0
    tx = Transmission(symbols, torch.tensor([60, 100]), SESSION)
    rx = channels.link("awgn")(tx, 100.0, seed=1)
    assert torch.allclose(rx.symbols[0, :60].abs(), torch.ones(60), atol=1e-4)
    assert torch.allclose(rx.symbols[1].abs(), torch.ones(100), atol=1e-4)
    assert rx.symbols[0, 60:].abs().max() < 1e-4


def test_a_row_without_power_is_refused() -> None:
    with pytest.raises(InputError, match=r"rows \[1\] have no finite"):
        channels.link("awgn")(send(torch.tensor([[1 + 0j], [0j]])), 3.0)


@pytest.mark.parametrize("name", channels.links())
def test_one_seed_one_reception_and_no_generator_is_disturbed(name: str) -> None:
    tx = send(qam(torch.randint(0, 2, (2, 2000)).float(), 2))
    link = channels.link(name)
    link(tx, 5.0)
    torch_state, sionna_state = torch.get_rng_state(), config.torch_rng("cpu").get_state()
    first, second = (link(tx, 5.0, seed=9) for _ in range(2))
    assert torch.equal(first.symbols, second.symbols)
    assert not torch.equal(first.symbols, link(tx, 5.0, seed=10).symbols)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert torch.equal(sionna_state, config.torch_rng("cpu").get_state())
    assert not torch.equal(link(tx, 5.0).symbols, link(tx, 5.0).symbols)


def test_fading_and_noise_do_not_depend_on_what_is_sent() -> None:
    link = channels.link("ntn-tdl-a")
    a = link(send(torch.ones(1, 500, dtype=torch.complex64)), 5.0, seed=3)
    b = link(send(torch.full((1, 500), 1j, dtype=torch.complex64)), 5.0, seed=3)
    assert torch.allclose(a.noise_var, b.noise_var)
    assert torch.allclose(a.symbols - 1, b.symbols - 1j, atol=1e-4)


@pytest.mark.parametrize("estimator", ["perfect", "ls"])
@pytest.mark.parametrize("name", channels.links())
def test_gradients_pass(name: str, estimator: str) -> None:
    symbols = qam(torch.randint(0, 2, (2, 2000)).float(), 2).requires_grad_()
    rx = channels.link(name, estimator=estimator)(send(symbols), 5.0, seed=1)
    (rx.symbols.real * torch.randn_like(rx.symbols.real)).sum().backward()
    assert symbols.grad is not None
    assert bool(torch.isfinite(torch.view_as_real(symbols.grad)).all())
    assert (symbols.grad.abs() > 0).float().mean() > 0.99


@pytest.mark.parametrize("size", [0.0, 1e-12, 3e-10, 1e-6])
def test_gradients_stay_finite_where_a_receiver_estimates_no_channel(size: float) -> None:
    """An LMMSE estimate shrinks to about zero where pilots drown; one step had lost a training."""
    h = torch.full((1, 8), size, dtype=torch.complex64, requires_grad=True)
    heard = torch.full((1, 8), 3 - 2j, dtype=torch.complex64)
    symbols, error_var, _ = equalised(heard, h, torch.full((1, 8), 10.0))
    (symbols / (1 + error_var)).abs().sum().backward()
    assert h.grad is not None
    assert bool(torch.isfinite(torch.view_as_real(h.grad)).all())


@pytest.mark.parametrize("name", ["awgn", "rayleigh", "ntn-tdl-a", "ntn-cdl-c", "lms-urban"])
def test_the_short_way_of_symbols_is_the_long_way_through_the_frame(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tx, link = send(qam(torch.randint(0, 2, (3, 9000)).float(), 2)), channels.link(name)
    short = link(tx, 8.0, seed=1)
    monkeypatch.setattr(Realisation, "scales_only", False)
    long = link(tx, 8.0, seed=1)
    torch.testing.assert_close(short.symbols, long.symbols, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(short.noise_var, long.noise_var)
    torch.testing.assert_close(short.snr_db, long.snr_db)


def test_fading_evolves_over_the_slots_of_one_image() -> None:
    tx = send(torch.ones(1, 36_000, dtype=torch.complex64))
    grid = Grid(spread=False)
    still = channels.link("ntn-tdl-a", grid=grid, speed_mps=0.0)(tx, 10.0, seed=1).noise_var
    moving = channels.link("ntn-tdl-a", grid=grid, speed_mps=100.0)(tx, 10.0, seed=1).noise_var
    per_slot = 3600
    assert torch.allclose(still[0, :per_slot], still[0, -per_slot:], rtol=1e-3)
    assert not torch.allclose(moving[0, :per_slot], moving[0, -per_slot:], rtol=0.1)


def test_a_reception_survives_its_file(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "rx.safetensors"
    rx = channels.link("awgn")(send(torch.ones(2, 8, dtype=torch.complex64)), 3.0, seed=1)
    rx.save(path)
    again = Reception.load(path)
    assert again.session == rx.session
    assert torch.equal(again.symbols, rx.symbols)
    assert torch.equal(again.noise_var, rx.noise_var)
    path.write_bytes(b"not a reception")
    with pytest.raises(InputError, match="not a saved Reception"):
        Reception.load(path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: channels.link("awng"), "did you mean 'awgn'"),
        (lambda: channels.link("awgn", sped_mps=1), "unknown parameter"),
        (lambda: channels.link("ntn-tdl-a", sped_mps=1), "did you mean 'speed_mps'"),
        (lambda: channels.link("ntn-tdl-a", delay_spread_s=-1.0), "delay_spread_s must be"),
        (lambda: channels.link("ntn-tdl-c", delay_spread_s=1.0), "delay_spread_s must be"),
        (lambda: channels.link("ntn-tdl-c", speed_mps=7500.0), "take domain='time'"),
        (lambda: channels.link("ntn-tdl-c", speed_mps=-1.0), "speed_mps must be .* \\[0, "),
        (lambda: channels.link("ntn-tdl-a", k_factor_db=3.0), "profiles with line of sight"),
        (lambda: channels.link("ntn-tdl-a", environment="moon"), "unknown environment"),
        (lambda: channels.link("ntn-tdl-a", elevation_deg=30.0), "give environment with it"),
        (
            lambda: channels.link("ntn-cdl-a", environment="urban", delay_spread_s=1e-9),
            "give one",
        ),
        (lambda: channels.link("ntn-cdl-a", elevation_deg=0.0), "elevation_deg .* \\[10, 90\\]"),
        (lambda: channels.link("lms-urban", elevation_deg=95.0), "elevation_deg .* \\[15, 75\\]"),
        (lambda: channels.link("lms-urban", carrier_hz=20e9), "1.5…5 GHz"),
        (lambda: channels.link("lms-urban", normalize=1), "normalize must be True or False"),
        (lambda: channels.link("shadowed-rician", elevation_deg=5.0), "elevation_deg must be"),
        (lambda: channels.link("leo600-s-urban", elevation_deg=0), "elevation_deg .* \\[10, 90\\]"),
        (lambda: channels.link("leo600-s-urban", elevation_deg="30"), "elevation_deg must be"),
        (lambda: channels.link("leo600-s-urban", carrier_hz=20e9), "1.9…4 GHz for a link in S"),
        (lambda: channels.link("leo600-ka-urban", carrier_hz=2e9), "19…40 GHz for a link in Ka"),
        (lambda: channels.link("leo600-s-urban", line_of_sight="yes"), "line_of_sight must be"),
        (lambda: channels.link("leo600-s-urban", precompensation=1), "Precompensation, got 1"),
        (lambda: channels.link("leo600-s-urbn"), "did you mean 'leo600-s-urban'"),
        (lambda: channels.link("awgn", amplifier="rapp"), "amplifier must be"),
        (lambda: channels.link("awgn", power=1.0), "power must be"),
        (lambda: channels.link("awgn", estimator="lss"), "did you mean 'ls'"),
        (lambda: channels.link("awgn", carrier_hz=0.0), "carrier_hz must be"),
        (lambda: channels.link("awgn", carrier_hz="2e9"), "carrier_hz must be"),
        (lambda: channels.link("awgn", grid="x"), "grid must be"),
        (lambda: channels.link(["awgn"]), "unknown link"),
        (lambda: channels.link("rician", k_factor_db=math.inf), "k_factor_db must be"),
        (lambda: channels.link("rician", k_factor_db=1e5), "k_factor_db must be"),
        (lambda: Grid(pilot_symbols=[2, 11]), "pilot_symbols must be a tuple"),
        (lambda: Grid(num_subcarriers=12.5), "num_subcarriers must be"),
        (lambda: channels.link("awgn")(None, 3.0), "takes a Transmission"),
        (lambda: channels.link("awgn")(send(torch.ones(1, 4) + 0j), "6"), "snr_db must be"),
        (
            lambda: channels.link("awgn")(send(torch.ones(1, 4) + 0j), torch.ones(3)),
            "snr_db must be one number",
        ),
        (lambda: Session("a", (1, 64), 4, 0.0), "image_shape must be"),
        (lambda: Session("a", (1, 64, 64), 0, 0.0), "channel_uses must be"),
        (lambda: Session("a", (1, 64, 64), 4, 0.0, True), "mcs must be"),
        (lambda: receive(math.nan), "noise_var must be finite"),
        (lambda: receive(0.0), "noise_var must be finite"),
        (lambda: Grid(subcarrier_spacing_hz=10e3), "subcarrier_spacing_hz must be"),
        (lambda: Grid(pilot_symbols=(14,)), "pilot_symbols must be"),
        (
            lambda: channels.link("awgn")(send(torch.ones(1, 4) + 0j), math.nan),
            "snr_db must be",
        ),
        (
            lambda: channels.link("awgn")(send(torch.ones(1, 4) + 0j), 1.0, seed=-1),
            "seed must be an integer",
        ),
        (lambda: send(torch.ones(1, 4)), "symbols must be complex64"),
        (lambda: send(torch.ones(0, 4) + 0j), "at least one symbol"),
        (lambda: Session(5, (1, 64, 64), 4, 0.0), "codec must be a name"),
        (lambda: Transmission(torch.ones(1, 4) + 0j, torch.tensor([4]), "x"), "session must be"),
        (lambda: channels.link("awgn")(send(torch.ones(1, 4) + 0j), torch.tensor(3j)), "real"),
        (lambda: channels.link("rayleigh", speed_mps=10**400), "speed_mps must be"),
        (lambda: channels.link("rayleigh", speed_mps=1j), "speed_mps must be"),
        (lambda: channels.link("rayleigh", speed_mps=torch.zeros(99)), "speed_mps must be"),
        (lambda: channels.link("ntn-tdl-a", environment=["urban"]), "unknown environment"),
        (lambda: channels.link("ntn-tdl-a", environment="urban", elevation_deg=0), "elevation_deg"),
        (lambda: channels.link("awgn", residual=Residual(deviation_hz=4e3)), "exceeds half"),
        (
            lambda: channels.link("awgn", residual=Residual(rate_hz_per_s=1e7))(
                send(torch.ones(1, 4) + 0j), 1.0
            ),
            "a shorter transmission",
        ),
        (lambda: Link("a\nb", None), "name must be a line"),
        (lambda: Link("mine", "model"), "propagation must be"),
        (
            lambda: Link("mine", lambda device: broken)(send(torch.ones(1, 4) + 0j), 1.0),
            "one antenna",
        ),
    ],
)
def test_bad_input_gets_one_line(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("comb", "words"), [(1, "every subcarrier"), (2, "every 2 subcarriers")])
def test_pilots_are_told_as_they_stand(comb: int, words: str) -> None:
    pilots = dict(row[:2] for row in Grid(pilot_comb=comb).describe())["pilots"]
    assert str(pilots).endswith(f"of 14, {words}")


@pytest.mark.parametrize("name", channels.links())
def test_a_link_describes_itself(name: str) -> None:
    link = channels.link(name, estimator="ls")
    for word in (
        "carrier",
        "GHz",
        "bandwidth",
        "kHz",
        "Doppler",
        "channel estimation ls",
        "overhead",
        "E_s/N_0",
    ):
        assert word in repr(link)
    lines = link.describe().splitlines()
    assert lines[0] == name
    assert len(lines) > 10
    assert len(repr(link).splitlines()) == 1


@pytest.mark.parametrize("name", channels.links())
def test_a_link_travels_to_another_process(name: str) -> None:
    link = channels.link(name)
    again = pickle.loads(pickle.dumps(link))
    assert repr(again) == repr(link)
    tx = send(torch.ones(1, 40, dtype=torch.complex64))
    assert torch.equal(again(tx, 3.0, seed=1).symbols, link(tx, 3.0, seed=1).symbols)


@pytest.mark.parametrize(
    "parts",
    [
        {"speed_mps": 2.0},
        {"delay_spread_s": 101e-9},
        {"residual": Residual(offset_hz=1e-4)},
        {"domain": "time"},
        {"estimator": "lmmse"},
        {"grid": Grid(pilot_comb=2)},
        {"power": channels.PeakPower(4.0)},
        {"amplifier": channels.Rapp(4.0)},
        {"carrier_hz": 2.0001e9},
    ],
    ids=str,
)
def test_whatever_changes_a_link_changes_its_repr(parts: dict[str, object]) -> None:
    plain = channels.link("ntn-tdl-a")
    assert repr(channels.link("ntn-tdl-a", **parts)) != repr(plain)  # type: ignore[arg-type]


def test_the_documents_snippets_run() -> None:
    """One after the other, as a reader would type them."""
    text = (Path(__file__).parents[2] / "docs/channels.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 5
    names: dict[str, object] = {}
    for snippet in snippets:
        exec(snippet, names)


def test_where_a_residual_offset_comes_from_is_told_unless_it_is_given() -> None:
    assert "0.1 ppm (TS 38.101-5 6.4.1)" in channels.link("leo600-s-urban").describe()
    given = channels.link("leo600-s-urban", residual=Residual(50.0)).describe()
    assert "pre-compensation" not in given


def test_an_environment_has_a_default_elevation() -> None:
    for name in ("ntn-tdl-a", "ntn-cdl-a"):
        given = channels.link(name, environment="urban", elevation_deg=50.0)
        assert channels.link(name, environment="urban") == given


def test_a_sionna_model_is_a_propagation() -> None:
    from sionna.phy.channel import RayleighBlockFading

    def build(device: torch.device) -> RayleighBlockFading:
        return RayleighBlockFading(1, 1, 1, 1, precision="single", device=str(device))

    tx = send(qam(torch.randint(0, 2, (8, 2000)).float(), 2))
    for domain in ("frequency", "time"):
        rx = Link("mine", build, domain=domain, estimator="lmmse")(tx, 60.0, seed=1)
        assert (rx.symbols - tx.symbols).abs().square().median() < 1e-4


@pytest.mark.parametrize(
    "amplifier", [channels.SoftLimiter(3.0), channels.Rapp(3.0), channels.Saleh(3.0)], ids=str
)
@pytest.mark.parametrize("name", ["awgn", "ntn-tdl-a"])
def test_a_receiver_knows_an_amplifiers_distortion(name: str, amplifier: object) -> None:
    """Errors over the variance handed on: 1 within 3 % where symbols fill their slots.

    A slot that is not full has OFDM symbols of unequal power, and these unequal distortion.
    """
    tx = send(qam(torch.randint(0, 2, (40, 14_400)).float(), 2))
    rx = channels.link(name, amplifier=amplifier)(tx, 25.0, seed=1)  # type: ignore[arg-type]
    ratio = ((rx.symbols - tx.symbols).abs().square() / rx.noise_var).mean()
    assert abs(float(ratio) - 1) < 0.03
    clean = channels.link(name)(tx, 25.0, seed=1)
    assert float((clean.snr_db - rx.snr_db).min()) > 1


@pytest.mark.parametrize("parts", [{"amplifier": channels.Rapp(3.0)}, {"residual": Residual(1500)}])
@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("used", [72, 900, 3600, 7200])
def test_noise_variance_is_right_however_few_symbols_an_image_uses(
    used: int, domain: str, parts: dict[str, object]
) -> None:
    """The rest of its slots carries other users' symbols, the same for all images.

    So there are as many independent errors as symbols: four standard errors of their mean.
    """
    symbols = qam(torch.randint(0, 2, (64, 14_400)).float(), 2)
    symbols[:, used:] = 0
    tx = Transmission(symbols, torch.full((64,), used), SESSION)
    rx = channels.link("awgn", domain=domain, **parts)(tx, 40.0, seed=1)  # type: ignore[arg-type]
    errors = (rx.symbols - symbols).abs().square()[:, :used]
    ratio = (errors / rx.noise_var[:, :used]).mean().item()
    assert abs(ratio - 1) < 4 / math.sqrt(used) + 0.02
    tail = rx.symbols[:, used:]
    assert tail.numel() == 0 or float(tail.abs().square().mean()) < 3 * float(errors.mean())


@pytest.mark.parametrize("name", ["rayleigh", "lms-urban", "ntn-tdl-a", "leo600-s-urban"])
def test_more_symbols_meet_the_same_fading(name: str) -> None:
    """One image a call, as a sweep sends them: the first slot does not know of the next."""
    link = channels.link(name, grid=Grid(spread=False), residual=Residual(), speed_mps=1.0)
    ones = torch.ones(1, 9000, dtype=torch.complex64)
    short, long = (link(send(ones[:, :count]), 5.0, seed=6) for count in (3000, 9000))
    torch.testing.assert_close(short.noise_var, long.noise_var[:, :3000], rtol=0.02, atol=0)
    most = slice(0, 2900)  # torch draws the last sixteen of a tensor in another order
    torch.testing.assert_close(short.symbols[:, most], long.symbols[:, most], rtol=0.03, atol=0.05)


def test_threads_do_not_disturb_one_another() -> None:
    links = [channels.link(name, estimator="ls") for name in ("rayleigh", "ntn-tdl-c")]
    tx = send(torch.ones(2, 3000, dtype=torch.complex64))
    jobs = [(link, seed) for seed in range(12) for link in links]

    def run(job: tuple[Link, int]) -> torch.Tensor:
        return job[0](tx, 5.0, seed=job[1]).symbols

    alone = [run(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, jobs))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("name", ["ntn-tdl-a", "ntn-cdl-a", "lms-urban", "leo600-ka-urban"])
def test_first_use_in_inference_mode_spoils_no_training(name: str, domain: str) -> None:
    grid = Grid(120e3 if "-ka-" in name else 15e3, num_subcarriers=37)
    link = channels.link(name, grid=grid, estimator="lmmse", domain=domain)
    symbols = qam(torch.randint(0, 2, (2, 400)).float(), 2)
    with torch.inference_mode():
        link(send(symbols.clone()), 5.0, seed=1)
    symbols.requires_grad_()
    link(send(symbols), 5.0, seed=1).symbols.abs().sum().backward()
    assert bool(torch.isfinite(torch.view_as_real(symbols.grad)).all())


@pytest.mark.parametrize("name", ["rayleigh", "lms-urban", "ntn-cdl-a", "leo600-s-urban"])
def test_the_default_dtype_changes_nothing(name: str) -> None:
    tx = send(qam(torch.randint(0, 2, (2, 400)).float(), 2))
    before = channels.link(name, speed_mps=1.5)(tx, 5.0, seed=1)
    torch.set_default_dtype(torch.float64)
    try:
        fresh = channels.link(name, speed_mps=1.6)(tx, 5.0, seed=1)
        again = channels.link(name, speed_mps=1.5)(tx, 5.0, seed=1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert fresh.symbols.dtype == torch.complex64
    torch.testing.assert_close(before.symbols, again.symbols)


@pytest.mark.parametrize("name", ["ntn-cdl-a", "lms-urban"])
def test_mixed_precision_training_leaves_a_link_alone(name: str) -> None:
    tx = send(qam(torch.randint(0, 2, (2, 400)).float(), 2))
    link = channels.link(name, estimator="lmmse")
    with torch.autocast("cpu", torch.bfloat16):
        mixed = link(tx, 5.0, seed=1)
    torch.testing.assert_close(mixed.symbols, link(tx, 5.0, seed=1).symbols)


def test_links_compare_by_value() -> None:
    for name in ("awgn", "rayleigh", "ntn-tdl-a", "leo600-s-urban", "shadowed-rician-light"):
        link = channels.link(name)
        assert link == channels.link(name) == pickle.loads(pickle.dumps(link))
        assert hash(link) == hash(channels.link(name))
    assert channels.link("ntn-tdl-a") != channels.link("ntn-tdl-a", speed_mps=2.0)


def test_snr_row_tells_what_it_refers_to() -> None:
    assert "mean over fading" in channels.link("lms-urban").describe()
    assert "unobstructed" in channels.link("lms-urban", normalize=False).describe()
    assert "unobstructed" in channels.link("leo600-s-urban", shadowing=True).describe()


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
@pytest.mark.parametrize("estimator", ["perfect", "ls", "lmmse"])
def test_the_receivers_snr_estimate_is_not_fooled_by_its_own_errors(
    estimator: str, snr_db: float
) -> None:
    """At most the SNR, and at least that less what the estimator costs.

    Noise on 2400 pilots an image may raise an estimated gain: three standard errors are allowed.
    """
    tx = send(qam(torch.randint(0, 2, (30, 14_400)).float(), 2))
    chance = 3 * 10 / math.log(10) * math.sqrt(2 * 10 ** (-snr_db / 10) / 2400 / 30)
    found = channels.link("awgn", estimator=estimator)(tx, snr_db, seed=1).snr_db.mean().item()
    cost = {"perfect": 0.02, "lmmse": 0.3, "ls": 3.0}[estimator]
    assert snr_db - cost < found < snr_db + 0.05 + chance
