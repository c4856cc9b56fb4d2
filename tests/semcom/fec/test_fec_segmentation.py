"""How transport blocks are cut: nothing is lost, and sizes are those of the standard."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sionna.phy.nr.utils import calculate_tb_size

from channels import InputError
from semcom.fec.code import LDPCCode
from semcom.fec.segmentation import Segmentation, largest_payload
from semcom.modem.mcs import MCS, mcs_table

EVERY_MCS = [
    pytest.param(mcs, id=f"{table}-{mcs.index}") for table in (1, 2, 3) for mcs in mcs_table(table)
]
PAYLOADS = (24, 100, 1000, 3824, 3825, 8448, 20000, 200000)


def segment(payload_bits: int, mcs: MCS) -> Segmentation:
    """A payload on the fewest coded bits that its MCS allows, CRCs counted."""
    order, rate = mcs.bits_per_symbol, mcs.code_rate
    roomy = Segmentation(payload_bits, order * (10 * payload_bits + 100), rate, order)
    bits = roomy.num_blocks * roomy.info_bits - roomy.padding_bits
    return Segmentation(payload_bits, math.ceil(bits / rate / order) * order, rate, order)


def fits(payload_bits: int, coded_bits: int, rate: float, order: int) -> bool:
    try:
        sizes = Segmentation(payload_bits, coded_bits, rate, order)
    except InputError as error:
        assert "coded bits of a block" in str(error)
        return False
    return all(sizes.info_bits / bits <= rate for bits in sizes.block_coded_bits)


@pytest.mark.parametrize("mcs", EVERY_MCS)
def test_no_bit_is_lost(mcs: MCS) -> None:
    for payload_bits in PAYLOADS:
        sizes = segment(payload_bits, mcs)
        blocks, order = sizes.num_blocks, mcs.bits_per_symbol
        crc = 24 if payload_bits > 3824 else 16
        block_crc = 24 if blocks > 1 else 0
        assert sizes.crc == f"CRC{crc}{'A' * (crc == 24)}"
        assert sizes.block_crc_bits == block_crc
        assert (
            payload_bits + crc + blocks * block_crc + sizes.padding_bits == blocks * sizes.info_bits
        )
        assert 0 <= sizes.padding_bits < blocks
        coded = sizes.block_coded_bits
        assert len(coded) == blocks
        assert sum(coded) == sizes.coded_bits
        assert all(bits % order == 0 for bits in coded)
        assert list(coded) == sorted(coded)
        assert coded[-1] - coded[0] in (0, order)
        limit = 8448 if sizes.base_graph == "bg1" else 3840
        assert sizes.info_bits <= limit
        assert blocks == 1 or payload_bits + crc > (blocks - 1) * (limit - 24)
        assert LDPCCode(sizes.info_bits, sizes.base_graph).filler_bits >= 0
        assert sizes.info_bits <= coded[0]


@pytest.mark.parametrize("mcs", EVERY_MCS)
def test_sizes_of_the_standard_are_cut_as_in_sionna(mcs: MCS) -> None:
    order, rate = mcs.bits_per_symbol, mcs.code_rate
    for symbols in (156, 1000, 14 * 12 * 20, 14 * 12 * 106):
        coded_bits = symbols * order
        tb_size, cb_size, num_cbs, _, _, cw_lengths = calculate_tb_size(
            order, rate, num_coded_bits=coded_bits, target_tb_size=coded_bits * rate, device="cpu"
        )
        sizes = Segmentation(int(tb_size), coded_bits, rate, order)
        assert sizes.padding_bits == 0
        assert (sizes.num_blocks, sizes.info_bits) == (int(num_cbs), int(cb_size))
        assert sizes.block_coded_bits == tuple(sorted(cw_lengths.flatten().tolist()))


@settings(max_examples=300, deadline=None)
@given(
    symbols=st.integers(1, 40000),
    order=st.sampled_from([1, 2, 4, 6, 8]),
    rate=st.one_of(st.floats(0.02, 1), st.sampled_from([0.25, 1 / 3, 0.67, 948 / 1024, 1.0])),
)
def test_largest_payload_fits_and_one_more_does_not(symbols: int, order: int, rate: float) -> None:
    coded_bits = symbols * order
    try:
        most = largest_payload(coded_bits, rate, order)
    except InputError:
        most = 7
    else:
        assert most >= 8
        assert fits(most, coded_bits, rate, order)
    for payload_bits in (most + 1, most + 2, most + 7, most + 24, int(1.01 * most) + 30):
        assert not fits(payload_bits, coded_bits, rate, order)


@pytest.mark.parametrize(
    ("coded_bits", "rate", "order"),
    [(8000, 0.25, 1), (31001, 0.25, 1), (17000, 1.0, 2), (34000, 0.5, 4), (9216, 0.925, 6)],
)
def test_largest_payload_is_that_of_an_exhaustive_search(
    coded_bits: int, rate: float, order: int
) -> None:
    coded_bits -= coded_bits % order
    candidates = range(8, int(coded_bits * rate) - 15)
    most = max(bits for bits in candidates if fits(bits, coded_bits, rate, order))
    assert largest_payload(coded_bits, rate, order) == most


def test_bad_inputs() -> None:
    with pytest.raises(InputError, match=r"payload_bits must be an int in 1.."):
        Segmentation(0, 100, 0.5)
    with pytest.raises(InputError, match="multiple of num_bits_per_symbol = 4, got 102"):
        Segmentation(20, 102, 0.5, 4)
    with pytest.raises(InputError, match="code_rate must be a finite number"):
        Segmentation(20, 100, float("nan"))
    with pytest.raises(InputError, match="code_rate must be above 0"):
        Segmentation(20, 100, 0.0)
    with pytest.raises(InputError, match=r"become code blocks of 36 bits .* more than the 35"):
        Segmentation(20, 35, 0.9)
    with pytest.raises(InputError, match="raise coded_bits or lower payload_bits"):
        Segmentation(200000, 2, 0.9)
    with pytest.raises(InputError, match=r"leave 7 payload bits .* fewer than 8: raise"):
        largest_payload(23, 1.0)
    with pytest.raises(InputError, match="leave 0 payload bits"):
        largest_payload(2, 0.5, 2)
    assert largest_payload(24, 1.0) == 8
