"""Power constraints: what a transmitter may radiate, per image."""

from __future__ import annotations

import math

import pytest
import torch

from channels import AveragePower, InputError, PeakPower, Transmission
from tests.signals import SESSION, qpsk, send

LEVELS_DB = [0.5, 2.0, 3.0, 6.0, 12.0]


def gaussian(rows: int, count: int, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(rows, count, dtype=torch.complex64, generator=draws)


@pytest.mark.parametrize("papr_db", LEVELS_DB)
def test_peak_and_mean_are_met_for_each_image(papr_db: float) -> None:
    symbols = gaussian(20, 500) * torch.logspace(-3, 3, 20)[:, None]
    power = PeakPower(papr_db)(send(symbols)).abs().square()
    torch.testing.assert_close(power.mean(1), torch.ones(20), atol=1e-5, rtol=0)
    assert float(power.max()) <= 10 ** (papr_db / 10) * 1.001


@pytest.mark.parametrize("papr_db", [3.0, 6.0])
def test_the_peak_is_used_up_and_phases_stay(papr_db: float) -> None:
    symbols = gaussian(5, 500)
    sent = PeakPower(papr_db)(send(symbols))
    assert float(sent.abs().square().amax(1).min()) > 10 ** (papr_db / 10) * 0.999
    assert float((sent * symbols.conj()).angle().abs().max()) < 1e-5


def test_no_clipping_where_none_is_needed() -> None:
    """Gaussian symbols peak at 8 dB or so: 30 dB leave them as they are."""
    tx = send(gaussian(4, 300))
    torch.testing.assert_close(PeakPower(30.0)(tx), AveragePower()(tx), atol=1e-4, rtol=1e-4)
    tx = send(qpsk(4, 300))
    torch.testing.assert_close(PeakPower(0.1)(tx), AveragePower()(tx), atol=1e-5, rtol=0)


def test_the_tail_counts_for_nothing() -> None:
    symbols = gaussian(2, 400)
    symbols[:, 250:] = 0
    tail = Transmission(symbols, torch.tensor([250, 250]), SESSION)
    whole = send(symbols[:, :250].contiguous())
    power = PeakPower(3.0)
    torch.testing.assert_close(power(tail)[:, :250], power(whole))
    assert not power(tail)[:, 250:].any()


def test_gradients_are_exact_also_through_the_clipping_level() -> None:
    symbols = gaussian(2, 12).to(torch.complex128)
    symbols[0, 3] = 0
    start = symbols.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: PeakPower(2.0)(send(x)), (start,), atol=1e-5)


@pytest.mark.parametrize("papr_db", [0.0, -3.0, 41.0, math.nan, "6"])
def test_bad_input_gets_one_line(papr_db: object) -> None:
    with pytest.raises(InputError, match=r"papr_db must be a finite number in \[0.1, 40\]"):
        PeakPower(papr_db)  # type: ignore[arg-type]
