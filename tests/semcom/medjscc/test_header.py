"""The 32 bits that a receiver needs first."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.medjscc.header import (
    ANALOG_ONLY,
    BYTES,
    LENGTHS,
    ROI_RATIOS,
    SILENT,
    Header,
    gain_index,
    step_index,
)
from semcom.medjscc.undecodable import Undecodable


@given(
    step=st.integers(0, ANALOG_ONLY),
    roi=st.integers(0, len(ROI_RATIOS) - 1),
    length=st.integers(0, LENGTHS - 1),
    gain=st.integers(0, SILENT),
)
def test_it_is_read_as_it_was_written(step: int, roi: int, length: int, gain: int) -> None:
    header = Header(step, roi, length, gain)
    assert len(header.pack()) == BYTES
    assert Header.parse(header.pack() + b"more") == header
    assert header.analog_only == (step == ANALOG_ONLY) and header.silent == (gain == SILENT)


@given(data=st.binary(min_size=BYTES, max_size=BYTES))
def test_any_four_bytes_are_a_header_or_undecodable(data: bytes) -> None:
    try:
        assert Header.parse(data).pack() == data
    except Undecodable:
        assert int.from_bytes(data, "big") >= (ANALOG_ONLY + 1) * 8 * 256 * 256


@given(step=st.integers(0, 64))
def test_steps_are_eighths_of_an_octave(step: int) -> None:
    assert step_index(Header(step, 0, 0, 0).log_step) == step
    assert step_index(-math.inf) == 0 and step_index(math.inf) == 64


@given(octaves=st.floats(-3.9, 3.9))
def test_gains_are_within_half_a_step(octaves: float) -> None:
    found = Header(0, 0, 0, gain_index(2**octaves)).amplitude
    assert math.log2(found) == pytest.approx(octaves, abs=1 / 64 + 1e-9)
