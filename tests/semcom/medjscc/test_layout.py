"""How a session's channel uses are divided."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import InputError
from semcom.medjscc.header import BYTES, LENGTHS
from semcom.medjscc.layout import (
    HEADER_SHARE,
    HeaderSuccess,
    Layout,
    choose,
    lay_out,
    smallest_block,
)
from semcom.modem.adaptation import awgn_success, awgn_success_probabilities
from semcom.modem.mcs import mcs_table


def laid_out(uses: int, snr_db: float, mcs: int | None = None) -> Layout:
    headers = HeaderSuccess(*(awgn_success(snr_db - margin_db) for margin_db in (6, 3, 0)))
    chances = awgn_success_probabilities(snr_db)
    return lay_out(uses, headers, chances, lambda bits: bits, lambda bits: 0.0, mcs)


@settings(max_examples=20, deadline=None)
@given(uses=st.integers(256, 40_000), snr_db=st.floats(-5, 25))
def test_it_spends_the_budget_and_no_more(uses: int, snr_db: float) -> None:
    found = laid_out(uses, snr_db)
    assert found.header.channel_uses + found.analog_base + found.shared_uses == uses
    if uses > 8000 and snr_db > 0:
        assert found.header.channel_uses <= HEADER_SHARE * uses
    assert laid_out(uses, snr_db, found.code) == found


@settings(max_examples=10, deadline=None)
@given(uses=st.integers(256, 20_000), num_bytes=st.integers(0, 4000))
def test_the_least_length_that_holds_is_found(uses: int, num_bytes: int) -> None:
    parts = laid_out(uses, 8.0)
    found = parts.fitting_length(num_bytes)
    if found is None:
        assert parts.capacity(LENGTHS - 1) < num_bytes
        return
    assert parts.capacity(found) >= num_bytes
    assert found == max(parts.shortest, 0) or parts.capacity(found - 1) < num_bytes
    assert parts.digital_block(found).payload_bits // 8 == parts.capacity(found)


def test_schemes_of_all_tables_serve() -> None:
    """More of 256-QAM's at 30 dB, QPSK's lowest at -8 dB."""
    assert choose(8192, awgn_success(30.0), lambda bits: bits).bits_per_symbol == 8
    low = choose(8192, awgn_success(-8.0), lambda bits: bits)
    assert low.bits_per_symbol == 2 and low.code_rate < mcs_table(1)[0].code_rate


@pytest.mark.parametrize("mcs", [0, 10, 25, 42])
def test_the_smallest_block_is_the_smallest(mcs: int) -> None:
    scheme = mcs_table("all")[mcs]
    found = smallest_block(BYTES, scheme)
    assert found.payload_bits >= 8 * BYTES
    assert found.channel_uses * scheme.bits_per_use < 3 * (8 * BYTES + 24) + 64


def test_what_does_not_fit_gets_one_line() -> None:
    with pytest.raises(InputError, match="hold no header of 4 bytes: raise cbr"):
        laid_out(8, 5.0)
    with pytest.raises(InputError, match="mcs is 999999, which names no layers"):
        laid_out(4096, 5.0, 999999)


def test_a_header_at_low_snr_and_rate_leaves_most_to_the_image() -> None:
    """At -3 dB and 1024 channel uses a header took 495 of them where 250 hold as surely."""
    found = laid_out(1024, -3.0)
    assert found.header.channel_uses < 0.3 * 1024
    assert awgn_success(-3.0)(found.header) > 0.99
