"""Power constraints: what they promise, and their gradients."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import Tensor

from channels import Session, Transmission
from channels.errors import InputError
from channels.power import AveragePower, PeakPower, normalize_power

SESSION = Session("test", (1, 64, 64), 1, 0.0)
DTYPES = [torch.complex64, torch.complex128]


def gaussian(rows: int, count: int, dtype: torch.dtype = torch.complex128, seed: int = 5) -> Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(rows, count, dtype=dtype, generator=draws)


def send(symbols: Tensor, used: list[int] | None = None) -> Transmission:
    counts = torch.tensor(used or [symbols.shape[1]] * len(symbols))
    return Transmission(symbols, counts, SESSION)


def qam(order: int) -> Tensor:
    """Every point of a square constellation, complex128 ``[1, order]``."""
    level = torch.arange(1 - math.isqrt(order), math.isqrt(order), 2, dtype=torch.float64)
    return torch.complex(*torch.meshgrid(level, level, indexing="ij")).reshape(1, -1)


def papr(symbols: Tensor) -> float:
    power = symbols.abs().square()
    return 10 * math.log10(float(power.max() / power.mean()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("papr_db", [0, 0.01, 0.5, 3.0, 6.0, 10.0, 30.0])
def test_peak_power_keeps_both_limits(papr_db: float, dtype: torch.dtype) -> None:
    used = [1, 40, 333, 1000]
    symbols = gaussian(4, 1000, dtype) * torch.tensor([[1e-4], [1.0], [7.0], [1e5]])
    sent = PeakPower(papr_db)(send(symbols, used))
    place = torch.arange(1000) < torch.tensor(used)[:, None]
    power = sent.abs().square()
    accuracy = max(1e-11, 1000 * torch.finfo(dtype).eps)
    assert sent.dtype == dtype
    assert not sent[~place].any()
    assert ((power.sum(1) / torch.tensor(used) - 1).abs() < accuracy).all()
    assert power.max() <= 10 ** (papr_db / 10) * (1 + accuracy)
    turned = (sent * symbols.conj())[place]
    assert (turned.imag.abs() <= accuracy * turned.abs()).all()
    assert (turned.real > 0).all()


def test_peak_power_reaches_its_limit_where_it_binds() -> None:
    sent = PeakPower(3.0)(send(gaussian(3, 4000)))
    assert papr(sent[:1]) == pytest.approx(3.0, abs=0.01)


def test_peak_power_keeps_the_order_of_amplitudes() -> None:
    symbols = gaussian(1, 500)
    order = symbols.abs().argsort()
    sent = PeakPower(2.0)(send(symbols)).abs()
    assert (sent[0, order[0]].diff() > 0).all()


@pytest.mark.parametrize("order", [4, 16, 64, 256])
def test_peak_power_passes_a_constellation_1_db_below_its_limit(order: int) -> None:
    # PAPR of square QAM: 3 (√M − 1) / (√M + 1)
    side = math.isqrt(order)
    peak_db = 10 * math.log10(3 * (side - 1) / (side + 1))
    points = qam(order)
    untouched = AveragePower()(send(points))
    assert torch.allclose(PeakPower(peak_db + 1.001)(send(points)), untouched, atol=1e-12)
    if order > 4:
        bent = PeakPower(peak_db - 0.5)(send(points))
        assert (bent - untouched).abs().max() > 0.01
        assert papr(bent) <= peak_db - 0.5 + 1e-9


def test_peak_power_of_0_db_leaves_the_phase() -> None:
    symbols = gaussian(2, 300)
    assert torch.allclose(PeakPower(0)(send(symbols)), symbols / symbols.abs(), atol=1e-6)


@pytest.mark.parametrize("constraint", [AveragePower(), *map(PeakPower, (0.5, 1.5, 4.0, 20.0))])
def test_gradients_agree_with_differences(constraint: AveragePower | PeakPower) -> None:
    used = [7, 12, 10]

    def constrained(symbols: Tensor) -> Tensor:
        place = torch.arange(12) < torch.tensor(used)[:, None]
        return constraint(send(symbols.where(place, 0), used))

    assert torch.autograd.gradcheck(constrained, (gaussian(3, 12).requires_grad_(),))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("papr_db", [0.5, 3.0, 30.0])
def test_gradients_at_zero_symbols_are_finite(papr_db: float, dtype: torch.dtype) -> None:
    symbols = gaussian(2, 100, dtype)
    symbols[:, ::20] = 0
    symbols.requires_grad_()
    sent = PeakPower(papr_db)(send(symbols, [80, 100]))
    (sent * gaussian(2, 100, dtype, seed=6)).real.sum().backward()
    assert symbols.grad is not None
    assert torch.view_as_real(symbols.grad).isfinite().all()
    assert (symbols.grad[0, 0:80:20].abs() > 0).all()
    assert not symbols.grad[0, 80:].any()


def test_too_many_zeros_for_the_limit_are_named() -> None:
    symbols = gaussian(3, 100)
    symbols[1, 30:] = 0
    # 30 symbols that carry the power of 100 lie 5.23 dB above the mean.
    assert papr(PeakPower(5.3)(send(symbols))[1:2]) <= 5.3
    with pytest.raises(InputError, match=r"rows \[1\] have too many zero symbols.*raise papr_db"):
        PeakPower(5.2)(send(symbols))


@pytest.mark.parametrize("constraint", [AveragePower(), PeakPower(3.0)])
def test_rows_without_power_are_named(constraint: AveragePower | PeakPower) -> None:
    symbols = gaussian(3, 8)
    symbols[2] = 0
    with pytest.raises(InputError, match=r"rows \[2\] have no finite, non-zero power"):
        constraint(send(symbols))


@pytest.mark.parametrize("papr_db", [-0.1, 30.1, math.nan, math.inf, "6", None, True])
def test_papr_out_of_range_is_refused_on_one_line(papr_db: float) -> None:
    with pytest.raises(InputError, match=r"papr_db must be a finite number in \[0, 30\]") as error:
        PeakPower(papr_db)
    assert "\n" not in str(error.value)


def test_constraints_are_values() -> None:
    assert {PeakPower(3.0), PeakPower(3.0), AveragePower(), AveragePower()} == {
        AveragePower(),
        PeakPower(3.0),
    }
    assert PeakPower(3.0) != PeakPower(4.0)
    assert repr(PeakPower(3.0)) == "PeakPower(papr_db=3.0)"
    with pytest.raises(FrozenInstanceError):
        PeakPower(3.0).papr_db = 4.0  # type: ignore[misc]


def test_constraints_describe_themselves() -> None:
    rows = PeakPower(3.0).describe()
    assert rows[: len(AveragePower().describe())] == AveragePower().describe()
    assert rows[-1][1:3] == (3.0, "dB")
    assert all(len(row) == 4 for row in rows)


def test_average_power_is_per_image_and_over_used_symbols() -> None:
    symbols = gaussian(3, 50, torch.complex64) * torch.tensor([[0.1], [1.0], [30.0]])
    used = [10, 50, 3]
    sent = AveragePower()(send(symbols, used))
    for row, count in zip(sent, used, strict=True):
        assert row[:count].abs().square().mean() == pytest.approx(1, abs=1e-5)
        assert not row[count:].any()


def test_normalize_power_without_a_mask_takes_every_symbol() -> None:
    sent = normalize_power(torch.tensor([[0, 2j], [3, 4]]))
    assert torch.allclose(sent, torch.tensor([[0, 1j], [0.6, 0.8]]) * math.sqrt(2), atol=1e-6)
