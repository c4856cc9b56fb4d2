"""Soft bits that say nothing: no decoder takes its own zeros for a code word that arrived."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from channels import InputError
from semcom.fec import LDPCDecoder, LDPCEncoder, TransportBlock
from semcom.fec.decoder import PRECISIONS
from semcom.modem.mcs import mcs_table
from semcom.modem.transport import ModulatedBlock

SIZES = ((40, 100), (512, 1024), (300, 1500), (4000, 6000))
RULES = ("a-min*", "minsum", "offset-minsum", "boxplus")


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_zeros_are_no_code_word(precision: str, early_stop: bool) -> None:
    for (k, n), rule in itertools.product(SIZES, RULES[:3]):
        decoder = LDPCDecoder(
            k, n, 5, precision=precision, cn_update=rule, early_stop=early_stop, return_info=True
        )
        for llr in (torch.zeros(3, n), -torch.zeros(3, n), torch.full((3, n), 1e-9)):
            if precision == "float32" and bool(llr.any()):
                continue
            _, info = decoder(llr)
            assert not info.syndrome_ok.any() and not info.decided.any()
            assert info.num_iter.tolist() == [5, 5, 5]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_nor_are_they_in_torch(rule: str, dtype: torch.dtype) -> None:
    for k, n in SIZES[:3]:
        decoder = LDPCDecoder(k, n, 5, cn_update=rule, return_info=True)
        _, info = decoder(torch.zeros(2, n, dtype=dtype).requires_grad_())
        assert not info.syndrome_ok.any() and not info.decided.any()


@pytest.mark.parametrize("differentiable", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_silent_word_among_others_is_told_apart(precision: str, differentiable: bool) -> None:
    """And erased bits that the code recovers do no harm, whichever word of a vector they are in."""
    for k, n in ((40, 120), (300, 900)):
        bits = torch.randint(0, 2, (40, k), generator=torch.Generator().manual_seed(k)).float()
        llr = 8 * LDPCEncoder(k, n)(bits) - 4
        llr[5] = 0
        llr[7, ::5] = 0
        decoder = LDPCDecoder(k, n, precision=precision, return_info=True)
        decoded, info = decoder(llr.requires_grad_(differentiable))
        heard = torch.arange(40) != 5
        assert torch.equal(info.syndrome_ok, heard) and torch.equal(info.decided, heard)
        assert torch.equal(decoded.detach()[heard], bits[heard])


def test_bits_of_which_nothing_came_are_not_decided() -> None:
    """Of a zero word the second half is never heard: zero is a guess, though it is right."""
    llr = torch.full((2, 1024), -4.0)
    llr[0, 400:] = 0
    _, info = LDPCDecoder(512, 1024, return_info=True)(llr)
    assert info.syndrome_ok.tolist() == info.decided.tolist() == [False, True]


@pytest.mark.parametrize("payload_bits", [100, 3000, 20_000])
def test_silent_transport_blocks_are_lost_though_zeros_have_the_crc_of_zeros(
    payload_bits: int,
) -> None:
    block = TransportBlock(payload_bits, 2 * payload_bits, 0.5, 2)
    for llr in (torch.zeros(2, 2 * payload_bits), torch.zeros(2, 2 * payload_bits).double()):
        bits, info = block.decode(llr)
        assert not bits.any()
        assert not info.ok.any() and not info.block_ok.any()


def test_one_silent_code_block_costs_the_transport_block() -> None:
    block = TransportBlock(20_000, 40_000, 0.5, 2)
    llr = 8 * block.encode(torch.zeros(1, 20_000)) - 4
    llr[:, : block.segmentation.block_coded_bits[0]] = 0
    _, info = block.decode(llr)
    assert info.block_ok.tolist() == [[False, True, True]]
    assert info.ok.tolist() == [False]


@pytest.mark.parametrize("index", [0, 10, 20])
def test_symbols_drowned_in_noise_are_a_lost_block(index: int) -> None:
    block = ModulatedBlock(2000, mcs_table(1)[index])
    for symbols, noise_var in ((0.0, 1.0), (0.0, math.inf), (1.0, math.inf), (1.0, 1e9)):
        _, ok = block.decode(
            torch.full((2, 2000), symbols, dtype=torch.complex64), torch.full((2, 2000), noise_var)
        )
        assert not ok.any()


def test_soft_bits_that_are_no_numbers_are_refused() -> None:
    block = TransportBlock(20_000, 40_000, 0.5, 2)
    llr = 8 * block.encode(torch.zeros(1, 20_000)) - 4
    sure = llr.sign() * math.inf
    assert block.decode(sure)[1].ok.all()
    assert not block.decode(sure.abs())[1].ok.any()
    llr[0, 12_345] = math.nan
    with pytest.raises(InputError, match="NaN"):
        block.decode(llr)
    modulated = ModulatedBlock(2000, mcs_table(1)[4])
    with pytest.raises(InputError, match="NaN"):
        modulated.decode(torch.zeros(1, 2000) + 0j, torch.full((1, 2000), math.nan))
