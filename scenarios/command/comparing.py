"""What ``semcom run`` does with the options of scenarios whose result is a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from channels import Link
from scenarios.command.selection import Selection, segmenter_of
from scenarios.comparisons.mismatch import refuse_bounds
from scenarios.engine import inputs, sweep
from scenarios.engine.cluster import cluster
from scenarios.engine.experiment import MAX_TRIALS, carry_out, lay_out
from scenarios.engine.panel import panel
from scenarios.engine.schemes import Scheme, with_schemes
from scenarios.results.files import replacing
from scenarios.results.style import rate
from scenarios.results.table import METRICS, Table
from semcom.catalogue import COMPARED

_KEY = "semcom"


@dataclass(frozen=True)
class Request:
    """The options of a command that compares codecs across SNR, parsed."""

    scenario: str
    sent: Selection
    codecs: list[str] | None
    mcs: list[Scheme]
    links: Sequence[str | Link]
    snr_db: list[float]
    cbr: list[float]
    diagnosis: str | None
    out: str
    trials: int
    workers: int
    believed_snr_db: float | None = None
    scheduler: str | None = None
    ci_db: float | None = None
    max_trials: int = MAX_TRIALS
    settings: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    x: str | None = None


def run(request: Request) -> tuple[Table, sweep.Sweep]:
    """Compare, print, and write the results into ``request.out``.

    Returns:
        The table, and what was run.

    Raises:
        InputError: before anything is written, if an option does not fit.
    """
    out = inputs.folder(request.out)
    named = inputs.contenders(COMPARED if request.codecs is None else request.codecs)
    contenders = with_schemes(named, request.mcs)
    if request.believed_snr_db is not None:
        refuse_bounds(contenders)
    links = list(inputs.routes(request.links).values())
    inputs.rates(request.cbr)
    diagnosis = segmenter_of("--diagnosis", request.diagnosis)
    images, masks = request.sent.load()
    grid = lay_out(
        request.scenario,
        images,
        masks,
        codecs=contenders,
        links=links,
        snr_db=request.snr_db,
        cbr=request.cbr,
        seed=request.sent.seed,
        trials=request.trials,
        diagnosis=diagnosis,
        believed_snr_db=request.believed_snr_db,
        ci_db=request.ci_db,
        max_trials=request.max_trials,
        settings=request.settings,
    )
    with cluster(request.scheduler) as executor:
        table = carry_out(grid, out=out, executor=executor, workers=request.workers, progress=True)
    _write(table, grid, out, request.x)
    table.print(x=request.x)
    Console().print(f"Results are in {out}", highlight=False)
    return table, grid


def _write(table: Table, grid: sweep.Sweep, out: Path, x: str | None) -> None:
    table.save(out / "results.parquet")
    table.save(out / "results.csv")
    for metric in METRICS:
        path = out / f"{metric}.png"
        means = table.summary(metric)["mean"]
        if np.isfinite(means).any() and (metric != "outage" or means.any()):
            table.plot(metric, path, x=x)
        else:
            path.unlink(missing_ok=True)
    _write_panel(grid, out / "panel.png")


def _write_panel(grid: sweep.Sweep, path: Path) -> None:
    """The first picture at the middle SNR and rate over the first link; drawn once.

    Where links differ in one setting alone, it is the middle one's.
    """
    middle, cbr = (points[len(points) // 2] for points in (grid.snr_db, grid.rates))
    link = list(grid.links)[len(grid.settings) // 2]
    tasks = [
        task
        for task in grid.tasks()
        if (task.link, task.cbr, task.snr_db, task.image, task.trial) == (link, cbr, middle, 0, 0)
    ]
    key = hashlib.sha256("".join(grid.keys(tasks)).encode()).hexdigest()[:24]
    if _key_of(path) == key:
        return
    received = {task.codec: sweep.receive(grid, task) for task in tasks}
    told = grid.believed_snr_db
    figure = panel(
        grid.pictures[0],
        received,
        f"Picture 0 over {link} at {middle:g} dB, CBR {rate(cbr)}"
        + ("" if told is None else f", {told:g} dB believed"),
    )
    with replacing(path) as new:
        figure.savefig(new, dpi=200, metadata={_KEY: key})


def _key_of(path: Path) -> str | None:
    """What a finished panel shows; ``None`` where there is none, or a damaged one."""
    try:
        with Image.open(path) as image:
            image.load()
            return str(image.info.get(_KEY))
    except (OSError, SyntaxError, ValueError):
        return None
