"""Scenario: bit and block error rate against SNR, coded by MCS and uncoded, beside theory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.engine.progress import Report, silent
from scenarios.options.parsing import parse_names, parse_snr, parse_whole
from scenarios.options.shared import Links, Out, Run, Scheduler, Workers

if TYPE_CHECKING:
    from scenarios.comparisons.bits.error_rates import ErrorRates
    from scenarios.engine import inputs

MCS = (2, 7, 11, 16, 22)
UNCODED = (2, 4, 6)


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
    The chain is the one that images are sent with: CRC, LDPC of TS 38.212, rate matching,
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

    >>> rates = ber(mcs=[4], uncoded=[2], snr_db=[-4, 6], channel_uses=400, max_blocks=50)
    >>> rates.frame[["scheme", "snr_db", "bler"]].round(2).to_numpy().tolist()[:2]
    [['MCS 4: QPSK, rate 0.30', -4.0, 1.0], ['MCS 4: QPSK, rate 0.30', 6.0, 0.0]]
    """
    import pandas as pd

    from channels.errors import check_whole
    from scenarios.comparisons.bits.counting import Job, counted, series_of, telling_points
    from scenarios.comparisons.bits.error_rates import ErrorRates, row_of
    from scenarios.engine import inputs
    from scenarios.results.files import folder_for

    tried = series_of(mcs, uncoded, channel_uses, table)
    routes = inputs.routes(links)
    given = None if snr_db is None else inputs.points(snr_db)
    min_block_errors = check_whole("min_block_errors", min_block_errors, 1)
    max_blocks = check_whole("max_blocks", max_blocks, 1)
    seed = check_whole("seed", seed, 0)
    workers = check_whole("workers", workers, 1)
    jobs: list[Job] = [
        (series, link, point, seed, min_block_errors, max_blocks)
        for link in routes.values()
        for series in tried
        for point in given or telling_points(series, link)
    ]
    folder = None if out is None else inputs.folder(out)
    with folder_for(folder):
        counts = counted(jobs, folder, executor, workers, report)
    rows = [
        row_of(series, link.name, point, errors, min_block_errors, link.propagation is None)
        for (series, link, point, *_), errors in zip(jobs, counts, strict=True)
    ]
    return ErrorRates(pd.DataFrame(rows).astype({"mcs": "Int64"}))


def command(
    mcs: Annotated[
        str, typer.Option(help="Indices of modulation and coding schemes, separated by commas.")
    ] = "2,7,11,16,22",
    table: Annotated[
        int, typer.Option(min=1, max=3, help="MCS table of TS 38.214 clause 5.1.3.1.")
    ] = 1,
    uncoded: Annotated[
        str, typer.Option(help="Bits per symbol of uncoded QAM, separated by commas; or none.")
    ] = "2,4,6",
    link: Links = "awgn",
    snr: Annotated[
        str | None,
        typer.Option(
            help="E_s/N_0 in dB, start:stop:step; default: where each scheme fails now and then."
        ),
    ] = None,
    channel_uses: Annotated[int, typer.Option(min=1, help="QAM symbols of a block.")] = 2048,
    block_errors: Annotated[int, typer.Option(min=1, help="Wrong blocks that end a point.")] = 100,
    max_blocks: Annotated[int, typer.Option(min=1, help="Blocks that end a point anyhow.")] = 2000,
    out: Out = "results/ber",
    seed: Annotated[int, typer.Option(min=0, help="Seeds bits, fading and noise.")] = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Bit and block error rate against SNR: transport blocks of each MCS, uncoded QAM, theory.

    Prints the table and writes ber.csv and ber.png. A second run finds finished points in the same
    folder.
    """
    points = None if snr is None else parse_snr(snr)
    schemes = parse_whole("--mcs", mcs)
    orders = [] if uncoded == "none" else parse_whole("--uncoded", uncoded)
    from rich.console import Console

    with Console(stderr=True).status("loading PyTorch and Sionna"):
        from scenarios.engine.progress import bar
        from scenarios.options.writing import working, write

    run = Run(seed=seed, workers=workers, scheduler=scheduler)
    with working(run, out) as work, bar("semcom run ber") as report:
        error_rates = ber(
            mcs=schemes,
            uncoded=orders,
            links=parse_names(link),
            snr_db=points,
            channel_uses=channel_uses,
            table=table,
            min_block_errors=block_errors,
            max_blocks=max_blocks,
            seed=seed,
            executor=work["executor"],
            workers=work["workers"],
            out=work["out"],
            report=report,
        )
    write(error_rates, "ber", out)
