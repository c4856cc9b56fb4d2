"""The CRCs of TS 38.212 clause 5.1 against long division and against Sionna."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sionna.phy.fec.crc import CRCEncoder

from channels import InputError
from semcom.fec.crc import POLYNOMIALS, attach, check, crc_bits

NAMES = sorted(POLYNOMIALS)
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.bool, torch.int64]


def long_division(bits: list[int], name: str) -> list[int]:
    """Remainder of the bits, times x^length, by the generator: as on paper."""
    length = POLYNOMIALS[name][0]
    generator = [int(power in POLYNOMIALS[name]) for power in range(length, -1, -1)]
    rest = bits + [0] * length
    for place in range(len(bits)):
        if rest[place]:
            for offset, value in enumerate(generator):
                rest[place + offset] ^= value
    return rest[-length:]


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), bits=st.lists(st.integers(0, 1), min_size=1, max_size=200))
def test_parity_is_the_remainder(name: str, bits: list[int]) -> None:
    assert attach(torch.tensor(bits), name).tolist() == bits + long_division(bits, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1,), (3, 7), (2, 3, 64), (1, 2, 2, 1001), (4, 8424)])
def test_equals_sionna(name: str, shape: tuple[int, ...]) -> None:
    bits = torch.randint(0, 2, shape).float()
    reference = CRCEncoder(name, precision="single", device="cpu")
    coded = attach(bits, name)
    assert torch.equal(coded, reference(bits))
    holds = check(coded, name)
    assert holds.shape == shape[:-1] and holds.dtype == torch.bool and bool(holds.all())


@pytest.mark.parametrize("name", NAMES)
def test_any_burst_no_longer_than_the_crc_is_detected(name: str) -> None:
    length = crc_bits(name)
    coded = attach(torch.randint(0, 2, (45,), dtype=torch.uint8), name)
    bursts = torch.randint(0, 2, (500, length), dtype=torch.uint8)
    bursts[:, 0] = 1
    starts = torch.randint(0, 45, (500,))
    received = coded.repeat(500, 1)
    for row, (burst, start) in enumerate(zip(bursts, starts, strict=True)):
        received[row, start : start + length] ^= burst
    assert not check(received, name).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_stays(dtype: torch.dtype) -> None:
    bits = torch.randint(0, 2, (2, 3, 100))
    coded = attach(bits.to(dtype), "CRC24B")
    assert coded.dtype == dtype
    assert torch.equal(coded.long(), attach(bits, "CRC24B"))
    assert bool(check(coded, "CRC24B").all())


def test_views_and_gradients_do_not_matter() -> None:
    bits = torch.randint(0, 2, (50, 6)).float()
    assert torch.equal(attach(bits.T, "CRC11"), attach(bits.T.contiguous(), "CRC11"))
    assert torch.equal(attach(bits.requires_grad_(), "CRC11"), attach(bits.detach(), "CRC11"))


def test_empty_batch() -> None:
    assert attach(torch.empty(0, 3, 40), "CRC16").shape == (0, 3, 56)
    assert check(torch.empty(0, 3, 40), "CRC16").shape == (0, 3)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *((torch.float32, value) for value in (float("nan"), float("inf"), 0.5, -1.0, 2.0)),
        *((torch.float64, value) for value in (float("nan"), 1 + 1e-12)),
        *((torch.int64, value) for value in (-1, 2, 256)),
        (torch.uint8, 255),
    ],
)
def test_what_is_no_bit(dtype: torch.dtype, value: float) -> None:
    bits = torch.zeros(3, 50, dtype=dtype)
    bits[1, 49] = value
    for function in (attach, check):
        with pytest.raises(InputError, match="must be 0 or 1"):
            function(bits, "CRC24A")


def test_bad_inputs() -> None:
    bits = torch.zeros(2, 24)
    with pytest.raises(InputError, match=r"unknown CRC 'CRC24': did you mean 'CRC24"):
        attach(bits, "CRC24")
    with pytest.raises(InputError, match="more than the 24 of CRC24A, got 24: attach"):
        check(bits, "CRC24A")
    for empty in (torch.zeros(2, 0), torch.tensor(1)):
        with pytest.raises(InputError, match="at least 1"):
            attach(empty, "CRC6")
    with pytest.raises(InputError, match="must be a Tensor, got"):
        attach([0, 1], "CRC6")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be real"):
        attach(bits.to(torch.complex64), "CRC6")
