"""Scenario: bit and block error rate against SNR, coded by MCS and uncoded, beside theory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from channels import InputError, Link
from channels.errors import check_count
from scenarios.comparisons.bits.block_errors import Counts, Series, count
from scenarios.comparisons.bits.error_rates import ErrorRates, row_of
from scenarios.comparisons.bits.theory import uncoded_ber
from scenarios.engine import inputs, sweep
from scenarios.engine.journal import Journal
from scenarios.engine.pool import finished, hands
from scenarios.engine.progress import Report, silent
from scenarios.engine.task import Outcome
from scenarios.results.checks import check_whole
from scenarios.results.files import folder_for
from semcom.modem.adaptation import awgn_success, link_success
from semcom.modem.mcs import mcs_table

MCS = (2, 7, 11, 16, 22)
UNCODED = (2, 4, 6)
_UNCODED_DB = np.arange(-6.0, 31.0, 2.0)
_RANGE_DB = (-12.0, 42.0)
_LEAST_BER, _LEAST_BLER, _MOST_BLER = 1e-6, 3e-4, 0.98
_SENDING = Path(__file__).with_name("block_errors.py")
_COLUMNS = dict.fromkeys(("blocks", "block_errors", "bit_errors", "squares"), (int,))


def ber(
    *,
    mcs: Sequence[int] = MCS,
    uncoded: Sequence[int] = UNCODED,
    links: inputs.Links = "awgn",
    snr_db: inputs.Points | None = None,
    channel_uses: int = 2048,
    table: int = 1,
    min_block_errors: int = 100,
    max_blocks: int = 2000,
    seed: int = 0,
    executor: Executor | None = None,
    workers: int = 1,
    out: str | Path | None = None,
    report: Report = silent,
) -> ErrorRates:
    """Count errors of transport blocks and of uncoded bits.

    Each point sends blocks until enough of them are wrong or the cap is hit; the table says which.
    The chain is the one that pictures are sent with: CRC, LDPC of TS 38.212, rate matching,
    scrambling, Gray-mapped QAM, the link, exact log-likelihood ratios, 50 iterations at most.

    Args:
        mcs: indices of modulation and coding schemes.
        uncoded: bits per symbol of QAM without a code: 2, 4, 6, 8.
        links: names or links, or one.
        snr_db: points, or one, average E_s/N_0 per complex channel use in dB; ``None``: for each
            scheme those at which it is expected to fail now and then.
        channel_uses: QAM symbols of a block.
        table: of TS 38.214 clause 5.1.3.1, 1 to 3.
        min_block_errors: wrong blocks that end a point.
        max_blocks: blocks that end a point in any case.
        seed: seeds bits, fading and noise.
        executor: any ``concurrent.futures.Executor``.
        workers: number of processes where there is no executor.
        out: folder that finished points are kept in; a second run finds them there.
        report: told of progress.

    Raises:
        InputError: if an argument does not fit, or a block holds no payload.

    >>> found = ber(mcs=[4], uncoded=[2], snr_db=[-4, 6], channel_uses=400, max_blocks=50)
    >>> found.frame[["scheme", "snr_db", "bler"]].round(2).to_numpy().tolist()[:2]
    [['MCS 4: QPSK, rate 0.30', -4.0, 1.0], ['MCS 4: QPSK, rate 0.30', 6.0, 0.0]]
    """
    tried = _series(mcs, uncoded, channel_uses, table)
    routes = inputs.routes(links)
    given = None if snr_db is None else inputs.points(snr_db)
    check_whole("min_block_errors", min_block_errors, 1)
    check_whole("max_blocks", max_blocks, 1)
    check_whole("seed", seed, 0)
    check_whole("workers", workers, 1)
    jobs: list[tuple[Series, Link, float, int, int, int]] = [
        (series, link, point, seed, min_block_errors, max_blocks)
        for link in routes.values()
        for series in tried
        for point in given or telling_points(series, link)
    ]
    folder = None if out is None else inputs.folder(out)
    with folder_for(folder):
        counts = _counted(jobs, folder, executor, workers, report)
    rows = [
        row_of(series, link.name, point, found, min_block_errors)
        for (series, link, point, *_), found in zip(jobs, counts, strict=True)
    ]
    return ErrorRates(pd.DataFrame(rows).astype({"mcs": "Int64"}))


def telling_points(series: Series, link: Link) -> tuple[float, ...]:
    """SNRs in dB at which a scheme is expected to fail now and then over a link.

    >>> import channels
    >>> telling_points(Series(2, mcs_table(1)[4], 512), channels.link("awgn"))[::3]
    (-3.0, -2.25, -1.5, -0.75)
    """
    gaussian = link.propagation is None
    if series.mcs is None:
        rates = uncoded_ber(series.bits_per_symbol, _UNCODED_DB)
        return tuple(_UNCODED_DB[(rates > _LEAST_BER) | (not gaussian)].tolist())
    block = series.block
    step_db = 0.25 if gaussian else 2.0
    found = []
    for snr_db in np.arange(*_RANGE_DB, step_db).tolist():
        if gaussian:
            success = awgn_success(snr_db)
        else:
            success = link_success(link, series.channel_uses, snr_db)
        failing = 1 - success(block)
        if failing < _MOST_BLER:
            found.append(snr_db)
        if failing < _LEAST_BLER:
            break
    return tuple(found)


def _series(
    mcs: Sequence[int], uncoded: Sequence[int], channel_uses: int, table: int
) -> list[Series]:
    schemes = mcs_table(table)
    check_count("channel_uses", channel_uses, 1, 10**6)
    found = []
    for index in mcs:
        if (
            isinstance(index, bool)
            or not isinstance(index, int)
            or index not in range(len(schemes))
        ):
            raise InputError(f"mcs must be 0 to {len(schemes) - 1} in table {table}, got {index!r}")
        found.append(Series(schemes[index].bits_per_symbol, schemes[index], channel_uses))
        _ = found[-1].info_bits
    for order in uncoded:
        if order not in (2, 4, 6, 8):
            raise InputError(f"uncoded must be 2, 4, 6 or 8 bits per symbol, got {order!r}")
        found.append(Series(order, None, channel_uses))
    if not found:
        raise InputError("nothing to send: name an MCS or an uncoded modulation")
    return found


def _counted(
    jobs: list[tuple[Series, Link, float, int, int, int]],
    folder: Path | None,
    executor: Executor | None,
    workers: int,
    report: Report,
) -> list[Counts]:
    """Counts of every job, those that the folder holds and those that are missing."""
    keys = [_key(*job) for job in jobs]
    known = Journal(folder, _COLUMNS).read()
    missing = [index for index, key in enumerate(keys) if key not in known]
    if missing:
        todo = [jobs[index] for index in missing]
        with (
            hands(executor, min(workers, len(todo))) as pool,
            Journal(folder, _COLUMNS) as journal,
        ):
            report(0, len(todo), "starting")
            for done, (place, found) in enumerate(finished(pool, count, todo), start=1):
                key = keys[missing[place]]
                known[key] = asdict(found)
                journal.write(key, Outcome(known[key], 0.0, 0.0))
                series, link, point, *_ = todo[place]
                report(done, len(todo), f"{series.label} over {link.name} at {point:g} dB")
    return [Counts(**known[key]) for key in keys]  # type: ignore[arg-type]


def _key(
    series: Series, link: Link, snr_db: float, seed: int, min_errors: int, max_blocks: int
) -> str:
    """A hash of everything that the counts depend on."""
    common = ["ber", sweep.code_digest(_SENDING), sweep.versions(), link.identity]
    parts = [*common, asdict(series), snr_db, seed, min_errors, max_blocks]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
