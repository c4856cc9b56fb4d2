"""Bit and block error rates: against theory, against Sionna's own chain, and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest
from sionna.phy import config
from sionna.phy.utils import sim_ber

import channels
from benchmarks.sionna_chain import sionna_chain
from channels import InputError
from scenarios import ber
from scenarios.command.cli import main
from scenarios.comparisons.bits.block_errors import Counts, Series, count
from scenarios.comparisons.bits.error_rates import ErrorRates, row_of
from scenarios.comparisons.bits.theory import rayleigh_ber, uncoded_ber
from semcom.modem.awgn_bler import required_snr_db
from semcom.modem.mcs import mcs_table


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize(
    ("link", "theory", "uses", "blocks"),
    [("awgn", uncoded_ber, 4096, 100), ("rayleigh", rayleigh_ber, 64, 2000)],
)
def test_uncoded_errors_are_those_of_theory(
    order: int, link: str, theory: Callable[[int, float], float], uses: int, blocks: int
) -> None:
    """Within four standard errors over blocks.

    Long blocks over Gaussian noise: links give every block a power of 1, which moves a short one's
    amplitudes. Many blocks over Rayleigh fading: each has one fade.
    """
    snr_db = 2.0 + 2.0 * order
    series = Series(order, None, uses)
    found = count(series, channels.link(link), snr_db, 3, 10**6, blocks)
    mean = found.bit_errors / found.blocks
    error = ((found.squares / found.blocks - mean**2) / found.blocks) ** 0.5
    assert abs(mean - float(theory(order, snr_db)) * series.info_bits) < 4 * error


def test_theory_of_qpsk_has_its_closed_form() -> None:
    snrs = 10 ** (np.array([0.0, 5.0, 10.0]) / 10)
    snrs_db = 10 * np.log10(snrs)
    erfc = torch.special.erfc(torch.from_numpy(np.sqrt(snrs / 2))).numpy()
    assert uncoded_ber(2, snrs_db) == pytest.approx(erfc / 2)
    assert rayleigh_ber(2, snrs_db) == pytest.approx((1 - np.sqrt(snrs / (2 + snrs))) / 2, rel=2e-3)


@pytest.mark.parametrize("index", [4, 10, 17])
def test_coded_errors_are_those_of_sionnas_chain(index: int) -> None:
    """Two samples of block errors within the waterfall, apart by less than four standard errors.

    Sionna's chain: its mapper, noise, exact demapper and boxplus-phi; no CRC and no scrambling. Its
    code carries in as many coded bits what ours does, CRC included.
    """
    mcs, uses = mcs_table(1)[index], 240
    series = Series(mcs.bits_per_symbol, mcs, uses)
    snr_db = required_snr_db(series.block, 0.3)
    ours = count(series, channels.link("awgn"), snr_db, 1, 10**6, 1000)
    chain = sionna_chain(series, snr_db, torch.Generator().manual_seed(index))
    config.seed = 11 + index
    _, bler = sim_ber(
        chain, torch.tensor([snr_db]), batch_size=50, max_mc_iter=6, verbose=False,
        early_stop=False, num_target_block_errors=10**6, device="cpu",
    )  # fmt: skip
    blocks = 300
    theirs = round(float(bler[0]) * blocks)
    pooled = (ours.block_errors + theirs) / (ours.blocks + blocks)
    error = (pooled * (1 - pooled) * (1 / ours.blocks + 1 / blocks)) ** 0.5
    assert 0.1 < pooled < 0.6
    assert abs(ours.block_errors / ours.blocks - theirs / blocks) < 4 * error


def test_a_point_ends_with_enough_errors_or_at_the_cap() -> None:
    found = ber(
        mcs=[4], uncoded=[2], snr_db=[-8.0, 4.0], channel_uses=300, max_blocks=120,
        min_block_errors=60,
    ).frame.set_index(["scheme", "snr_db"])  # fmt: skip
    coded = found.loc["MCS 4: QPSK, rate 0.30"]
    assert coded["stopped"].tolist() == ["errors", "cap"]
    assert coded["blocks"].tolist() == [100, 120]
    assert coded["bler"].tolist() == [1.0, 0.0]
    assert coded["bler_high"].iloc[1] < 0.05


def test_intervals_hold_what_they_promise() -> None:
    """Of 200 samples of blocks with clustered errors about 95 % hold the truth: 88 % at least."""
    draws = np.random.default_rng(5)
    held = Counter[str]()
    for _ in range(200):
        wrong = np.where(draws.random(400) < 0.1, draws.integers(1, 40, 400), 0)
        counts = Counts(400, int((wrong > 0).sum()), int(wrong.sum()), int((wrong**2).sum()))
        row = row_of(Series(2, None, 100), "awgn", 0.0, counts, 10**6)
        held["bler"] += row["bler_low"] <= 0.1 <= row["bler_high"]
        held["ber"] += row["ber_low"] <= 0.1 * 20 / 200 <= row["ber_high"]
    for name in ("bler", "ber"):
        assert binomtest(held[name], 200, 0.95).pvalue > 1e-4, held


def test_a_second_run_finds_finished_points(tmp_path: Path) -> None:
    options = {"mcs": [2], "uncoded": [2], "channel_uses": 200, "max_blocks": 50}
    whole = ber(**options, snr_db=[-6, 0, 6], workers=1)  # type: ignore[arg-type]
    ber(**options, snr_db=[0], out=tmp_path)  # type: ignore[arg-type]
    first = (tmp_path / "journal.jsonl").read_bytes()
    with ThreadPoolExecutor(3) as threads:
        found = ber(**options, snr_db=[-6, 0, 6], executor=threads, out=tmp_path)  # type: ignore[arg-type]
    assert (tmp_path / "journal.jsonl").read_bytes().startswith(first)
    assert len((tmp_path / "journal.jsonl").read_bytes().splitlines()) == 6
    pd.testing.assert_frame_equal(found.frame, whole.frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mcs": [40]}, "mcs must be 0 to 28 in table 1, got 40"),
        ({"mcs": [], "uncoded": []}, "nothing to send"),
        ({"uncoded": [3]}, "2, 4, 6 or 8 bits per symbol, got 3"),
        ({"channel_uses": 2}, "hold no payload byte"),
        ({"min_block_errors": 0}, "min_block_errors must be a whole number"),
        ({"links": "geo"}, "unknown link 'geo'"),
    ],
)
def test_impossible_requests_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ber(**({"snr_db": 3.0} | options))  # type: ignore[arg-type]


def test_semcom_run_ber_prints_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--mcs", "4", "--uncoded", "2", "--link", "awgn,rayleigh", "--workers", "1"]
    options += ["--channel-uses", "200", "--max-blocks", "50", "--snr", "-4:8:6"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "ber", *options, "--out", str(tmp_path / "out")])
    assert ended.value.code == 0
    assert "MCS 4: QPSK, rate 0.30 over rayleigh" in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "ber.csv", "ber.png", "journal.jsonl",
    }  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["run", "ber", "--mcs", "a", "--out", str(tmp_path / "other")])
    assert ended.value.code == 2
    assert not (tmp_path / "other").exists()


def test_without_an_error_uncoded_bits_over_gaussian_noise_count_themselves() -> None:
    """0 of 32 000 bits: Wilson's upper end of so many trials, not of 40 blocks."""
    counts, uncoded = Counts(40, 0, 0, 0), Series(2, None, 400)
    over_awgn = row_of(uncoded, "awgn", 0.0, counts, 10, is_memoryless=True)
    assert over_awgn["ber_high"] == pytest.approx(1.2e-4, rel=0.01)
    coded = Series(2, mcs_table(1)[4], 400)
    for row in (row_of(uncoded, "mine", 0.0, counts, 10), row_of(coded, "awgn", 0.0, counts, 10)):
        assert row["ber_high"] == row["bler_high"] == pytest.approx(0.0876, abs=1e-4)


def test_upper_ends_lie_inside_the_axes() -> None:
    """All blocks wrong at 0 dB, none at 9: its triangle stands at 0.088."""
    series = Series(2, mcs_table(1)[4], 400)
    rows = [
        row_of(series, "awgn", 0.0, Counts(40, 40, 4000, 10**6), 10),
        row_of(series, "awgn", 9.0, Counts(40, 0, 0, 0), 10),
    ]
    figure = ErrorRates(pd.DataFrame(rows).astype({"mcs": "Int64"})).plot()
    low, high = figure.axes[1].get_ylim()
    assert low < 0.0876 < high
