"""Every link is differentiable: checked in double precision on a tiny grid."""

from __future__ import annotations

import pytest
import torch

import channels
from channels import Grid, Residual
from channels.ofdm.amplifier import Rapp, Saleh, SoftLimiter
from channels.power import PeakPower
from tests.channels.signals import qpsk, send

TINY = Grid(num_subcarriers=3, pilot_symbols=(2, 11))
KA = Grid(120e3, 3, (2, 11))
SYMBOLS = 5


def check(link: channels.Link) -> None:
    """Numerical against analytic gradient of symbols, noise variances and SNR estimates."""
    start = (qpsk(2, SYMBOLS).to(torch.complex128) * torch.linspace(0.6, 1.4, SYMBOLS)).detach()

    def through(symbols: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rx = link(send(symbols), 5.0, seed=11)
        assert rx.symbols.dtype == torch.complex128
        return rx.symbols, rx.noise_var, rx.snr_db

    assert torch.autograd.gradcheck(through, (start.requires_grad_(),), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("name", channels.links())
def test_every_link(name: str, domain: str) -> None:
    check(channels.link(name, grid=KA if "-ka-" in name else TINY, domain=domain))


@pytest.mark.parametrize("estimator", ["ls", "lmmse"])
@pytest.mark.parametrize("name", ["awgn", "shadowed-rician-heavy", "ntn-tdl-a", "leo600-s-urban"])
def test_every_estimator(name: str, estimator: str) -> None:
    check(channels.link(name, grid=TINY, estimator=estimator))


@pytest.mark.parametrize(
    "parts",
    [
        {"residual": Residual(offset_hz=900.0, rate_hz_per_s=1e4)},
        {"residual": Residual(offset_hz=900.0), "domain": "time"},
        {"speed_mps": 150.0},
        {"delay_spread_s": 3e-6},
        {"power": PeakPower(papr_db=2.0)},
        {"amplifier": Rapp(input_backoff_db=3.0)},
        {"amplifier": Saleh(input_backoff_db=3.0)},
        {"amplifier": SoftLimiter(clip_db=4.0)},
    ],
    ids=str,
)
def test_every_impairment(parts: dict[str, object]) -> None:
    check(channels.link("ntn-tdl-a", grid=TINY, **parts))  # type: ignore[arg-type]
