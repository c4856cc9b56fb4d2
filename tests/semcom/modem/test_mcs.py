"""The schemes of TS 38.214 together: none lacks, none is worse served, indices convert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import channels
from channels import InputError
from semcom.modem.adaptation import awgn_success, choose_mcs, link_success
from semcom.modem.mcs import MCSTable, mcs_table, modulation_name, place_of
from semcom.modem.quality import expected_gain_db
from semcom.separate import MCS, ModulatedBlock

TABLES = (1, 2, 3)
USES, PIXELS, SMALLEST, HEADER = 2048, 32768, 40, 1
SNRS_DB = [-8.0, -4.0, 0.0, 4.0, 9.0, 15.0, 21.0, 28.0]


def scheme(mcs: MCS) -> tuple[int, float]:
    return mcs.bits_per_symbol, mcs.code_rate


def test_all_is_every_scheme_of_the_tables_once_by_rising_rate() -> None:
    together = mcs_table("all")
    assert [mcs.index for mcs in together] == list(range(43))
    assert {scheme(mcs) for mcs in together} == {
        scheme(mcs) for table in TABLES for mcs in mcs_table(table)
    }
    assert len({scheme(mcs) for mcs in together}) == 43
    assert (np.diff([mcs.bits_per_use for mcs in together]) >= 0).all()
    assert scheme(together[0]) == (2, 30 / 1024) and scheme(together[42]) == (8, 948 / 1024)


@pytest.mark.parametrize("table", TABLES)
def test_an_index_is_found_in_all_and_back(table: int) -> None:
    for mcs in mcs_table(table):
        place = place_of(mcs.index, table, "all")
        assert scheme(mcs_table("all")[place]) == scheme(mcs)
        assert place_of(place, "all", table) == mcs.index == place_of(mcs.index, table, table)


def test_between_two_tables() -> None:
    """16-QAM at 490/1024 by the standard: MCS 13 of table 1, 7 of table 2, 18 of table 3."""
    for table, index in ((1, 13), (2, 7), (3, 18)):
        assert scheme(mcs_table(table)[index]) == (4, 490 / 1024)
        assert [place_of(index, table, other) for other in TABLES] == [13, 7, 18]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((29, 1, "all"), "mcs of table 1 must be an int in 0..28, got 29"),
        ((43, "all", 1), "mcs of table all must be an int in 0..42, got 43"),
        ((-1, 2, 1), "mcs of table 2 must be an int in 0..27"),
        ((4.0, 2, 1), "mcs of table 2 must be an int"),
        ((27, 2, 1), "MCS 27 of table 2 does not stand in table 1: take mcs_table='all'"),
        ((0, "all", 2), "MCS 0 of table all does not stand in table 2"),
        ((0, 4, "all"), "mcs_table must be 1, 2, 3 or 'all', got 4"),
        ((0, 1, "every"), "mcs_table must be 1, 2, 3 or 'all', got 'every'"),
        ((0, [1], "all"), "mcs_table must be 1, 2, 3 or 'all'"),
    ],
)
def test_places_that_are_none_get_one_line(arguments: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        place_of(*arguments)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["awgn", "rayleigh"])
@pytest.mark.parametrize("lost_db", [0.0, 6.0])
def test_all_tables_never_bring_less_than_one_of_them(name: str, lost_db: float) -> None:
    """Expected quality of what is chosen; over Gaussian noise each lacks a scheme somewhere."""
    gained = dict.fromkeys(TABLES, 0.0)
    for snr_db in SNRS_DB:
        success = (
            awgn_success(snr_db)
            if name == "awgn"
            else link_success(channels.link(name), USES, snr_db)
        )

        def worth(table: MCSTable, success: Callable[[ModulatedBlock], float] = success) -> float:
            index = choose_mcs(
                USES, PIXELS, SMALLEST, table, success, header_bytes=HEADER, lost_db=lost_db
            )
            block = ModulatedBlock(USES, mcs_table(table)[index])
            gain = expected_gain_db(block.payload_bits, PIXELS, HEADER) - lost_db
            return success(block) * max(gain, 0.0)

        together = worth("all")
        for table in TABLES:
            assert together >= worth(table) - 1e-3  # where nothing arrives, none is chosen
            gained[table] = max(gained[table], together - worth(table))
    assert name != "awgn" or min(gained.values()) > 0.3


@pytest.mark.parametrize("snr_db", SNRS_DB)
def test_within_a_target_all_tables_carry_no_less(snr_db: float) -> None:
    success, bits = awgn_success(snr_db), {}
    tables: tuple[MCSTable, ...] = (*TABLES, "all")
    for table in tables:
        index = choose_mcs(USES, PIXELS, SMALLEST, table, success, target_bler=0.01)
        block = ModulatedBlock(USES, mcs_table(table)[index])
        bits[table] = block.payload_bits if success(block) >= 0.99 else 0
    assert bits["all"] == max(bits.values())


def test_modulations_have_names() -> None:
    names = {modulation_name(mcs.bits_per_symbol) for mcs in mcs_table("all")}
    assert names == {"QPSK", "16-QAM", "64-QAM", "256-QAM"}
