"""The choice of the MCS: information tables, thresholds, expected quality over fading."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binom, expon

import channels
from channels import InputError
from semcom.modem.adaptation import awgn_success, choose_mcs, link_success
from semcom.modem.awgn_bler import block_error_rate, required_snr_db
from semcom.modem.information import bicm, effective_snr_db, mutual_information
from semcom.modem.mcs import mcs_table
from semcom.modem.measured import measured_success
from semcom.modem.qam import soft_bits
from semcom.separate import ModulatedBlock


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("snr_db", [0.0, 8.0])
def test_information_equals_that_of_the_demapper(order: int, snr_db: float) -> None:
    """1 - E[log2(1 + exp(-L))] a bit, by Monte Carlo over the library's own soft bits."""
    uses, noise_var = 20000, 10 ** (-snr_db / 10)
    mcs = next(m for m in mcs_table(2) if m.bits_per_symbol == order)
    block = ModulatedBlock(uses, mcs)
    symbols = block.encode(torch.randint(0, 2, (1, block.payload_bits)).float())
    sign = 2.0 * (soft_bits(symbols, torch.full(symbols.shape, 1e-4), order) > 0) - 1
    noise = noise_var**0.5 * torch.randn(symbols.shape, dtype=torch.complex64)
    llr = soft_bits(symbols + noise, torch.full(symbols.shape, noise_var), order)
    bits = 1 - torch.nn.functional.softplus(-sign * llr) / math.log(2)
    per_use = bits.reshape(uses, order).sum(1)
    tolerance = 4.5 * float(per_use.std()) / math.sqrt(uses)
    assert abs(float(per_use.mean() - mutual_information(snr_db, order))) < tolerance
    # At high SNR the variance hangs on rare events and a sample of it is no test.
    dispersion = float(np.interp(snr_db, np.arange(-30, 50.01, 0.1), bicm(order)[1]))
    assert snr_db > 0 or float(per_use.var()) == pytest.approx(dispersion, rel=0.1)


def test_information_rises_and_stays_below_capacity() -> None:
    snr_db = np.arange(-20.0, 40.0, 0.5)
    for order in (2, 4, 6, 8):
        information = mutual_information(snr_db, order)
        assert np.all(np.diff(information) > -1e-9)
        assert np.all(information < np.log2(1 + 10 ** (snr_db / 10)))
        low = snr_db[information < 0.99 * order]
        assert np.allclose(effective_snr_db(mutual_information(low, order), order), low, atol=1e-3)


def test_threshold_is_above_capacity_and_rises_with_rate() -> None:
    for number in (1, 2, 3):
        for order in (2, 4, 6, 8):
            schemes = [m for m in mcs_table(number) if m.bits_per_symbol == order]
            blocks = [ModulatedBlock(2048, mcs) for mcs in schemes]
            needed = [required_snr_db(block) for block in blocks]
            assert needed == sorted(needed)
            for block, snr_db in zip(blocks, needed, strict=True):
                assert np.log2(1 + 10 ** (snr_db / 10)) > block.mcs.bits_per_use


def test_longer_blocks_need_less() -> None:
    mcs = mcs_table(1)[4]
    needed = [required_snr_db(ModulatedBlock(uses, mcs)) for uses in (256, 1024, 4096)]
    assert needed == sorted(needed, reverse=True)


@pytest.mark.parametrize("snr_db", [-3.0, 4.0, 11.0, 20.0])
def test_gaussian_choice_is_near_the_highest_rate_that_arrives(snr_db: float) -> None:
    chosen = ModulatedBlock(
        2048, mcs_table(1)[choose_mcs(2048, 32768, 40, 1, awgn_success(snr_db))]
    )
    safe = [
        block.payload_bits
        for block in (ModulatedBlock(2048, mcs) for mcs in mcs_table(1))
        if block_error_rate(block, snr_db) < 1e-3
    ]
    assert chosen.payload_bits >= max(safe)
    assert block_error_rate(chosen, snr_db) < 0.2


@pytest.mark.parametrize("snr_db", [-3.0, 4.0, 11.0, 20.0])
def test_target_gives_the_highest_rate_within_it(snr_db: float) -> None:
    chosen = choose_mcs(2048, 32768, 40, 1, awgn_success(snr_db), target_bler=0.01)
    meeting = [
        block
        for block in (ModulatedBlock(2048, mcs) for mcs in mcs_table(1))
        if block_error_rate(block, snr_db) <= 0.01
    ]
    best = max(meeting, key=lambda block: block.payload_bits)
    assert mcs_table(1)[chosen].bits_per_use == best.mcs.bits_per_use


@pytest.mark.parametrize(
    ("uses", "table", "index", "number"),
    [
        (200, 1, 3, 2000),
        (700, 1, 7, 1000),
        (900, 2, 15, 800),
        (1500, 3, 2, 1500),
        (2600, 2, 25, 200),
    ],
)
def test_predicted_error_rates_are_those_of_the_chain(
    uses: int, table: int, index: int, number: int
) -> None:
    """Where 10 % are predicted, blocks of sizes between the measured ones fail so; 0.15 dB off."""
    block = ModulatedBlock(uses, mcs_table(table)[index])
    snr_db = required_snr_db(block, 0.1)
    noise_var = 10 ** (-snr_db / 10)
    bits = torch.randint(0, 2, (number, block.payload_bits)).float()
    noise = noise_var**0.5 * torch.randn(number, uses, dtype=torch.complex64)
    _, ok = block.decode(block.encode(bits) + noise, torch.full((number, uses), noise_var))
    low, high = (float(block_error_rate(block, snr_db + by)) for by in (0.15, -0.15))
    failed = int((~ok).sum())
    assert binom.ppf(1e-5, number, low) <= failed <= binom.isf(1e-5, number, high)


def test_choice_without_hope_is_the_lowest_rate_that_holds_an_image() -> None:
    assert choose_mcs(4096, 65536, 66, 1, awgn_success(-20.0)) == 0
    chosen = choose_mcs(4096, 65536, 200, 1, awgn_success(-20.0))
    payloads = [ModulatedBlock(4096, mcs).payload_bits // 8 for mcs in mcs_table(1)]
    assert payloads[chosen] >= 200 > payloads[chosen - 1]


def test_budget_too_small_for_any_mcs() -> None:
    with pytest.raises(InputError, match="raise cbr"):
        choose_mcs(32, 65536, 66, 1, awgn_success(30.0))


def test_awgn_link_and_gaussian_rule_agree() -> None:
    link = channels.link("awgn")
    for snr_db in (0.0, 7.0, 15.0):
        by_link = choose_mcs(1024, 16384, 40, 1, link_success(link, 1024, snr_db))
        assert by_link == choose_mcs(1024, 16384, 40, 1, awgn_success(snr_db))


def test_rayleigh_outage_equals_its_integral() -> None:
    """One gain |h|^2 ~ Exp(1) per image; the chance to arrive is integrated over it."""
    gains = expon.ppf((np.arange(4000) + 0.5) / 4000)
    success = link_success(channels.link("rayleigh"), 512, 12.0)
    for index in (2, 6, 11):
        block = ModulatedBlock(512, mcs_table(1)[index])
        expected = float(np.mean(1 - block_error_rate(block, 12 + 10 * np.log10(gains))))
        tolerance = 4.5 * math.sqrt(expected * (1 - expected) / 200)
        assert abs(success(block) - expected) < tolerance


def test_prediction_over_fading_is_that_of_the_chain(tmp_path: Path) -> None:
    """Two independent samples of 200 realisations, and 0.05 for the mapping's error."""
    link = channels.link("ntn-tdl-c", delay_spread_s=300e-9)
    predicted, sent = (
        link_success(link, 1024, 6.0),
        measured_success(link, 6.0, tmp_path),
    )
    for index in (4, 8, 11):
        block = ModulatedBlock(1024, mcs_table(1)[index])
        share = predicted(block)
        tolerance = 4.5 * math.sqrt(2 * max(share * (1 - share), 0.01) / 200) + 0.05
        assert abs(share - sent(block)) < tolerance


def test_counts_are_kept_and_made_anew_where_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    success = measured_success(channels.link("awgn"), 3.0, tmp_path)
    block = ModulatedBlock(256, mcs_table(1)[6])
    share = success(block)
    (kept,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("semcom.modem.measured._arriving", lambda *_: pytest.fail("ran again"))
        assert success(block) == share
        assert measured_success(channels.link("awgn"), 3.0, tmp_path)(block) == share
    whole = json.loads(kept.read_text())
    for arrived in ("NaN", "Infinity", "-7", "true", '"200"', "3.5", "201", "1" + 400 * "0"):
        kept.write_text(json.dumps(whole | {"arrived": None}).replace("null", arrived))
        assert success(block) == share
    other = json.dumps(whole | {"blocks": 400, "arrived": 1})
    for damaged in ("{", "[" * 200_000, "3", other):
        kept.write_text(damaged)
        assert success(block) == share
        assert json.loads(kept.read_text()) == whole
    kept.unlink()
    kept.mkdir()
    assert success(block) == share
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    (tmp_path / "file").write_text("")
    assert measured_success(channels.link("awgn"), 3.0, tmp_path / "file")(block) == share


def test_without_a_home_counts_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SEMCOM_CACHE", raising=False)
    monkeypatch.setattr("semcom.modem.measured.user_cache", homeless)
    block = ModulatedBlock(256, mcs_table(1)[2])
    assert measured_success(channels.link("awgn"), 9.0)(block) == 1.0


def test_fading_lowers_the_rate() -> None:
    fading = choose_mcs(1024, 16384, 40, 1, link_success(channels.link("rayleigh"), 1024, 15.0))
    assert fading < choose_mcs(1024, 16384, 40, 1, awgn_success(15.0))


def test_statistics_leave_the_generators_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    link_success(channels.link("rician", k_factor_db=3.0), 256, 5.0)
    assert torch.equal(torch.rand(3), expected)
