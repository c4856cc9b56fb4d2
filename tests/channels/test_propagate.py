"""Symbols without a session: the same as a transmission, bit for bit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import channels
from channels import Grid, InputError, Received, Session, Transmission
from channels.power import PeakPower
from tests.channels.signals import qpsk, send

KINDS = ["awgn", "rayleigh", "ntn-tdl-c", "ntn-cdl-a", "leo600-s-urban", "lms-suburban"]


def same(one: Received, other: Received) -> bool:
    pairs = ((one.symbols, other.symbols), (one.noise_var, other.noise_var))
    return all(torch.equal(*pair) for pair in (*pairs, (one.snr_db, other.snr_db)))


@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("estimator", ["perfect", "ls"])
@pytest.mark.parametrize("name", KINDS)
def test_symbols_fare_as_a_transmission_does(name: str, estimator: str, domain: str) -> None:
    link = channels.link(name, estimator=estimator, domain=domain)
    symbols, snr_db = 3 * qpsk(2, 300), torch.tensor([4.0, 9.0])
    assert same(link.propagate(symbols, snr_db, seed=5), link(send(symbols), snr_db, seed=5))


@pytest.mark.parametrize("parts", [{}, {"power": PeakPower(3.0)}, {"estimator": "ls"}], ids=str)
def test_rows_may_be_shorter(parts: dict[str, object]) -> None:
    link = channels.link("ntn-tdl-c", **parts)  # type: ignore[arg-type]
    symbols, used = qpsk(2, 300), torch.tensor([300, 7])
    tx = Transmission(symbols, used, Session("test", (1, 64, 64), 300, 0.0))
    assert same(link.propagate(symbols, 6.0, 5, used=used), link(tx, 6.0, seed=5))


@pytest.mark.parametrize("name", KINDS)
def test_gradients_pass(name: str) -> None:
    link = channels.link(name, grid=Grid(num_subcarriers=3, pilot_symbols=(2, 11)))
    symbols = qpsk(2, 5).to(torch.complex128).requires_grad_()

    def through(sent: Tensor) -> tuple[Tensor, ...]:
        got = link.propagate(sent * torch.linspace(0.6, 1.4, 5), 5.0, seed=1)
        return got.symbols, got.noise_var, got.snr_db

    assert torch.autograd.gradcheck(through, (symbols,), atol=1e-4, rtol=1e-3)


def test_errors_have_the_variance_that_is_told() -> None:
    symbols = qpsk(50, 2000)
    got = channels.link("ntn-tdl-a").propagate(symbols, 12.0, seed=2)
    squares = (got.symbols - symbols).abs().square() / got.noise_var
    assert squares.mean().item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("symbols", "options", "message"),
    [
        ([1j], {}, r"symbols must be complex64 \[batch, K\], got \[1j\]"),
        (torch.ones(1, 4), {}, "got torch.float32"),
        (torch.ones(4) + 0j, {}, r"got torch.complex64 \[4\]"),
        (torch.ones(1, 0) + 0j, {}, "at least one symbol"),
        (send(qpsk(1, 4)), {}, "got Transmission"),
        (torch.zeros(1, 4) + 0j, {}, r"rows \[0\] have no finite"),
        (torch.full((1, 4), math.nan) + 0j, {}, r"rows \[0\] have no finite"),
        (qpsk(1, 4), {"snr_db": "6"}, "snr_db must be"),
        (qpsk(1, 4), {"snr_db": torch.ones(3)}, "snr_db must be"),
        (qpsk(1, 4), {"seed": -1}, "seed must be"),
        (qpsk(1, 4), {"used": 4}, r"used must be int64 \[1\], got 4"),
        (qpsk(1, 4), {"used": torch.tensor([4, 4])}, r"used must be int64 \[1\]"),
        (qpsk(1, 4), {"used": torch.tensor([5])}, "used must lie in 1..4"),
    ],
)
def test_bad_input_gets_one_line(symbols: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        channels.link("awgn").propagate(symbols, **({"snr_db": 5.0} | options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
