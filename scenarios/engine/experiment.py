"""What all scenarios share: arguments → grid → rows → table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from channels.errors import check_name, check_whole
from channels.surroundings import check_device
from scenarios.engine import inputs, sweep
from scenarios.engine.progress import bar, silent
from scenarios.engine.provenance import versions
from scenarios.engine.run_options import DRAWS, Draws
from scenarios.engine.stopping import Stop
from scenarios.results.columns import definitions
from scenarios.results.table import Table
from semcom.segmentation import Segmenter

MAX_TRIALS = 64


def lay_out(
    scenario: str,
    images: inputs.Images,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: inputs.Points,
    seed: int = 0,
    trials: int = 1,
    diagnosis: str | Segmenter | None = None,
    believed_snr_db: float | None = None,
    ci_db: float | None = None,
    max_trials: int = MAX_TRIALS,
    draws: Draws = "common",
    device: str = "cpu",
    metrics: str | Sequence[str] = (),
    link_parameters: Mapping[str, Mapping[str, float | str]] | None = None,
) -> sweep.Sweep:
    """Check every argument of a scenario and lay out its grid.

    ``scenario`` is its name and part of every seed; ``believed_snr_db`` is what every transmitter
    believes, ``None`` for what is true; ``link_parameters`` are those of
    :class:`~scenarios.engine.sweep.Sweep`. All else is as of :func:`scenarios.snr`.

    Raises:
        InputError: if an argument does not fit.

    >>> import torch
    >>> codecs = ["jpeg2000-ldpc", "hevc-ldpc"]
    >>> pictures = torch.rand(3, 1, 64, 64)
    >>> grid = lay_out("snr", pictures, None, codecs=codecs, links="awgn", snr_db=6, cbr=1 / 4)
    >>> len(grid.tasks())
    6
    """
    samples, schemes = inputs.samples(images, masks), inputs.schemes(codecs)
    observers = inputs.observers(diagnosis)
    inputs.check_channels(samples, schemes, observers)
    inputs.check_regions(samples, schemes)
    trials = check_whole("trials", trials, 1)
    seed = check_whole("seed", seed, 0)
    check_name("draws", draws, DRAWS)
    device = str(check_device(device))
    requested = inputs.requested(metrics)
    stop = None if ci_db is None else Stop(ci_db, max_trials)
    if stop is not None:
        trials = stop.first(trials, len(samples))
    return sweep.Sweep(
        scenario,
        schemes,
        inputs.routes(links),
        samples,
        inputs.points(snr_db),
        inputs.rates(cbr),
        seed,
        trials,
        inputs.origin(masks),
        observers,
        inputs.believed(believed_snr_db),
        stop,
        link_parameters or {},
        draws,
        device,
        requested,
    )


def carry_out(
    grid: sweep.Sweep,
    *,
    out: str | Path | None = None,
    executor: Executor | None = None,
    workers: int = 1,
    progress: bool = False,
    early: Callable[[Table], None] | None = None,
) -> Table:
    """Run what is missing of a grid and make its table; options as of :func:`scenarios.snr`.

    ``early`` is shown tables of the first images, see :func:`scenarios.engine.sweep.run`.

    Raises:
        InputError: if a codec cannot serve the rate, or ``out`` cannot be written to.

    >>> import torch
    >>> pictures = torch.rand(2, 1, 64, 64)
    >>> carry_out(
    ...     lay_out("snr", pictures, None, codecs="jpeg2000-ldpc", links="awgn", snr_db=6, cbr=1/4)
    ... )
    Table(2 rows: jpeg2000-ldpc over awgn)
    """
    folder = None if out is None else inputs.folder(out)
    with bar(f"semcom run {grid.scenario}") if progress else nullcontext(silent) as report:

        def show(rows: list[sweep.Row]) -> None:
            assert early is not None
            images = len({row["image"] for row in rows})
            early(table_of(replace(grid, samples=grid.samples[:images]), rows))

        rows = sweep.run(
            grid,
            out=folder,
            executor=executor,
            workers=workers,
            report=report,
            early=None if early is None else show,
        )
        return table_of(grid, rows)


def table_of(grid: sweep.Sweep, rows: Sequence[sweep.Row]) -> Table:
    """The table of a grid, with all that is needed to read or repeat it."""
    contents = hashlib.sha256("".join(p.digest for p in grid.samples).encode()).hexdigest()[:16]
    stop = {} if grid.stop is None else {"stop": asdict(grid.stop)}
    known = {} if grid.believed_snr_db is None else {"believed_snr_db": grid.believed_snr_db}
    computed = {} if grid.device == "cpu" else {"device": grid.device}
    requested = {"metrics": dict(grid.requested)} if grid.requested else {}
    metadata = {
        "definitions": definitions(grid.requested),
        "parameters": {
            "scenario": grid.scenario,
            "cbr": grid.rates[0] if len(grid.rates) == 1 else list(grid.rates),
            "seed": grid.seed,
            "trials": grid.trials,
            "draws": grid.draws,
            "pictures": len(grid.samples),
            "channels": sorted({len(sample.image) for sample in grid.samples}),
            "pictures_sha256": contents,
            "regions": grid.regions,
            "diagnosis": "; control ".join(map(_named, grid.diagnosis)) or "none",
            **known,
            **stop,
            **computed,
            **requested,
        },
        "codecs": {
            label: " ".join([codec.name, getattr(codec, "fingerprint", "")]).strip()
            for label, codec in grid.codecs.items()
        },
        "families": {label: codec.family for label, codec in grid.codecs.items()},
        "links": {name: repr(link) for name, link in grid.links.items()},
        "versions": versions(),
    }
    if grid.link_parameters:
        metadata["settings"] = {name: dict(told) for name, told in grid.link_parameters.items()}
    return Table(pd.DataFrame(rows), metadata)


def _named(diagnosis: Segmenter) -> str:
    own = getattr(diagnosis, "fingerprint", "")
    return f"{type(diagnosis).__name__} {own}".strip()
