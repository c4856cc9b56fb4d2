"""Which blocks are sent over which link at which SNR, and the counts of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from channels import InputError, Link
from channels.errors import check_count, shown, whole_number
from scenarios.comparisons.bits.block_errors import Counts, Series, count
from scenarios.comparisons.bits.theory import uncoded_ber
from scenarios.engine.kept import kept
from scenarios.engine.own_code import own_code
from scenarios.engine.progress import Report
from scenarios.engine.provenance import code_digest, key_of, versions
from semcom.modem.adaptation import awgn_success, link_success
from semcom.modem.mcs import mcs_table

Job: TypeAlias = tuple[Series, Link, float, int, int, int]
"""Series, link, SNR in dB, seed, wrong blocks that are enough, blocks that are enough anyhow."""

_UNCODED_DB = np.arange(-6.0, 31.0, 2.0)
_RANGE_DB = (-12.0, 42.0)
_LEAST_BER, _LEAST_BLER, _MOST_BLER = 1e-6, 3e-4, 0.98
_SENDING = Path(__file__).with_name("block_errors.py")
_COLUMNS = dict.fromkeys(("blocks", "block_errors", "bit_errors", "squares"), (int,))


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
    points = []
    for snr_db in np.arange(*_RANGE_DB, step_db).tolist():
        if gaussian:
            success = awgn_success(snr_db)
        else:
            success = link_success(link, series.channel_uses, snr_db)
        failing = 1 - success(block)
        if failing < _MOST_BLER:
            points.append(snr_db)
        if failing < _LEAST_BLER:
            break
    return tuple(points)


def series_of(
    mcs: Sequence[int], uncoded: Sequence[int], channel_uses: int, table: int
) -> list[Series]:
    """What is sent, checked; arguments as of :func:`scenarios.ber`."""
    table = check_count("table", table, 1, 3)
    schemes = mcs_table(table)
    channel_uses = check_count("channel_uses", channel_uses, 1, 10**6)
    series = []
    for given in mcs:
        index = whole_number(given)
        if index is None or index not in range(len(schemes)):
            raise InputError(
                f"mcs must be 0 to {len(schemes) - 1} in table {table}, got {shown(given)}"
            )
        series.append(Series(schemes[index].bits_per_symbol, schemes[index], channel_uses))
        _ = series[-1].info_bits
    for given in uncoded:
        order = whole_number(given)
        if order not in (2, 4, 6, 8):
            raise InputError(f"uncoded must be 2, 4, 6 or 8 bits per symbol, got {shown(given)}")
        series.append(Series(order, None, channel_uses))
    if not series:
        raise InputError("nothing to send: name an MCS or an uncoded modulation")
    return series


def counted(
    jobs: list[Job],
    folder: Path | None,
    executor: Executor | None,
    workers: int,
    report: Report,
) -> list[Counts]:
    """Counts of every job, those that the folder holds and those that are missing."""
    keys = [_key(*job) for job in jobs]
    counts = kept(_count, jobs, keys, _COLUMNS, folder, executor, workers, report, _named)
    return [Counts(**found) for found in counts]


def _count(job: Job) -> dict[str, Any]:
    return asdict(count(*job))


def _named(job: Job) -> str:
    series, link, point, *_ = job
    return f"{series.label} over {link.name} at {point:g} dB"


def _key(
    series: Series, link: Link, snr_db: float, seed: int, min_errors: int, max_blocks: int
) -> str:
    """A hash of everything that the counts depend on."""
    common = ["ber", code_digest(_SENDING), versions(), link.identity, own_code(link.propagation)]
    parts = [*common, asdict(series), snr_db, seed, min_errors, max_blocks]
    return key_of(parts)
