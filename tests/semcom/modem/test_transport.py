"""Transport blocks: sizes, round trips, soft bits, block error rate at the predicted SNR."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sionna.phy.mapping import Demapper

from channels import InputError
from semcom.modem.awgn_bler import required_snr_db
from semcom.modem.mcs import mcs_table
from semcom.modem.qam import soft_bits
from semcom.separate import MCS, ModulatedBlock

EVERY_MCS = [(table, mcs) for table in (1, 2, 3) for mcs in mcs_table(table)]


def test_tables_hold_the_values_of_ts_38_214() -> None:
    assert [len(mcs_table(table)) for table in (1, 2, 3)] == [29, 28, 29]
    assert mcs_table(1)[28] == MCS(28, 6, 948 / 1024)
    assert mcs_table(1)[16] == MCS(16, 4, 658 / 1024)
    assert mcs_table(2)[20] == MCS(20, 8, 682.5 / 1024)
    assert mcs_table(2)[27] == MCS(27, 8, 948 / 1024)
    assert mcs_table(3)[0] == MCS(0, 2, 30 / 1024)
    assert mcs_table(3)[28] == MCS(28, 6, 772 / 1024)


def test_unknown_table() -> None:
    with pytest.raises(InputError, match="mcs_table must be 1, 2, 3 or 'all', got 4"):
        mcs_table(4)


@settings(max_examples=60, deadline=None)
@given(channel_uses=st.integers(24, 20000))
def test_blocks_fill_their_code_rate_for_every_mcs(channel_uses: int) -> None:
    for _, mcs in EVERY_MCS:
        try:
            sizes = ModulatedBlock(channel_uses, mcs).segmentation
        except InputError:
            assert channel_uses * mcs.bits_per_use < 34
            continue
        shortest = min(sizes.block_coded_bits)
        assert sum(sizes.block_coded_bits) == channel_uses * mcs.bits_per_symbol
        assert sizes.info_bits <= mcs.code_rate * shortest
        assert sizes.payload_bits >= 8


@pytest.mark.parametrize(
    ("table", "index", "channel_uses"),
    [
        (3, 0, 700),  # rate 0.03: twelvefold repetition
        (3, 5, 3000),
        (1, 0, 500),
        (1, 2, 511),
        (1, 4, 54),  # one payload byte
        (1, 10, 1021),  # 16-QAM just below rate 1/3
        (1, 10, 4000),
        (1, 17, 333),
        (1, 28, 60),
        (1, 28, 4097),  # rate 0.926, three blocks of unequal length
        (2, 27, 97),
        (2, 20, 2500),  # two blocks
        (2, 4, 7001),
        (1, 2, 12000),  # two blocks of base graph 2 with repetition
    ],
)
def test_noise_free_round_trip(table: int, index: int, channel_uses: int) -> None:
    block = ModulatedBlock(channel_uses, mcs_table(table)[index])
    bits = torch.randint(0, 2, (2, block.payload_bits)).float()
    symbols = block.encode(bits)
    assert symbols.shape == (2, channel_uses)
    assert symbols.dtype == torch.complex64
    decoded, ok = block.decode(symbols, torch.full(symbols.shape, 1e-3))
    assert ok.tolist() == [True, True]
    assert torch.equal(decoded, bits)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_soft_bits_equal_those_of_sionna(order: int) -> None:
    symbols = torch.randn(3, 500, dtype=torch.complex64)
    noise_var = torch.rand(3, 500) + 0.05
    reference = Demapper("app", "qam", order, precision="single", device="cpu")
    expected = reference(symbols, noise_var).clamp(-80, 80)
    assert torch.allclose(soft_bits(symbols, noise_var, order).clamp(-80, 80), expected, atol=1e-3)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_symbols_have_unit_power_even_for_zeros(order: int) -> None:
    # Scrambling: padding of zeros must not favour some of the constellation's points.
    block = ModulatedBlock(4000, MCS(0, order, 0.5))
    power = block.encode(torch.zeros(1, block.payload_bits)).abs().square()
    assert abs(float(power.mean()) - 1) < 5 * float(power.std() + 1e-6) / math.sqrt(4000)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_soft_bits_are_calibrated(order: int) -> None:
    """Of the bits with log-likelihood ratio L, a share 1 / (1 + exp(-L)) are ones."""
    block = ModulatedBlock(5000, MCS(0, order, 0.5))
    symbols = block.encode(torch.randint(0, 2, (1, block.payload_bits)).float())
    hard = soft_bits(symbols, torch.full(symbols.shape, 1e-4), order) > 0
    noise_var = 0.3 * torch.rand(symbols.shape) + 0.1
    received = symbols + noise_var.sqrt() * torch.randn(symbols.shape, dtype=torch.complex64)
    llr = soft_bits(received, noise_var, order)
    for low in (-3.0, -1.0, 0.0, 1.0, 2.0):
        chosen = (llr >= low) & (llr < low + 1)
        expected = torch.sigmoid(llr[chosen]).mean()
        count = int(chosen.sum())
        tolerance = 4.5 * math.sqrt(float(expected * (1 - expected)) / count)
        assert abs(float(hard[chosen].float().mean() - expected)) < tolerance


def test_qpsk_soft_bits_in_closed_form() -> None:
    symbols = torch.randn(1, 50, dtype=torch.complex64)
    noise_var = torch.rand(1, 50) + 0.2
    expected = -2 * 2**0.5 * torch.view_as_real(symbols) / noise_var[..., None]
    assert torch.allclose(
        soft_bits(symbols, noise_var, 2), expected.reshape(1, 100), rtol=1e-4, atol=1e-4
    )


def test_deep_fades_do_not_break_the_decoder() -> None:
    block = ModulatedBlock(1000, mcs_table(1)[2])
    bits = torch.randint(0, 2, (1, block.payload_bits)).float()
    symbols = block.encode(bits)
    noise_var = torch.full(symbols.shape, 0.1)
    noise_var[:, ::7] = float("inf")
    symbols[:, ::7] = 1e4
    decoded, ok = block.decode(symbols, noise_var)
    assert bool(ok.all())
    assert torch.equal(decoded, bits)


def test_wrong_shapes_are_refused() -> None:
    block = ModulatedBlock(512, mcs_table(1)[4])
    with pytest.raises(InputError, match="bits must be"):
        block.encode(torch.zeros(1, 3))
    with pytest.raises(InputError, match="symbols and noise_var"):
        block.decode(torch.zeros(1, 512, dtype=torch.complex64), torch.ones(1))
    with pytest.raises(InputError, match="raise cbr or the MCS"):
        ModulatedBlock(24, mcs_table(1)[0])


@lru_cache
def failures(channel_uses: int, table: int, index: int, offset_db: float, number: int) -> int:
    """Lost blocks of ``number`` at an offset from the predicted SNR."""
    block = ModulatedBlock(channel_uses, mcs_table(table)[index])
    noise_var = 10 ** (-(required_snr_db(block) + offset_db) / 10)
    draws = torch.Generator().manual_seed(index)
    bits = torch.randint(0, 2, (number, block.payload_bits), generator=draws).float()
    noise = torch.randn((number, channel_uses), dtype=torch.complex64, generator=draws)
    received = block.encode(bits) + noise_var**0.5 * noise
    decoded, ok = block.decode(received, torch.full(received.shape, noise_var))
    assert torch.equal(decoded[ok], bits[ok]), "a CRC passed wrong bits"
    return int((~ok).sum())


@pytest.mark.parametrize(
    ("channel_uses", "index", "number"),
    [(1024, 2, 64), (1024, 9, 48), (1024, 16, 32), (1024, 28, 16), (4096, 4, 16)],
)
def test_block_error_rate_at_the_predicted_snr(channel_uses: int, index: int, number: int) -> None:
    # Fails once in 10^4 runs if the true rate is 2 %.
    assert failures(channel_uses, 1, index, 0.0, number) <= binom.isf(1e-4, number, 0.02)


@pytest.mark.parametrize(("channel_uses", "index"), [(1024, 9), (1024, 20)])
def test_prediction_is_not_timid(channel_uses: int, index: int) -> None:
    # 1.5 dB below the prediction nothing arrives: the margin costs less than that.
    assert failures(channel_uses, 1, index, -1.5, 8) == 8


def test_construction_draws_no_random_numbers() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    block = ModulatedBlock(777, mcs_table(2)[7])
    block.decode(block.encode(torch.zeros(1, block.payload_bits)), torch.full((1, 777), 0.1))
    assert np.array_equal(torch.rand(3), expected)
