"""What ``semcom run`` does with the options of scenarios: compare, print, write."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import typer
from PIL import Image

from scenarios.engine import inputs, sweep
from scenarios.engine.experiment import carry_out
from scenarios.engine.made_up import description, divided
from scenarios.engine.mcs_curves import MCSChoice, with_mcs
from scenarios.engine.panel import panel
from scenarios.engine.run_options import WorkOptions
from scenarios.engine.sweep import Sweep
from scenarios.engine.workers.cluster import cluster
from scenarios.options.parsing import parse_names
from scenarios.options.selection import Selection, segmenter_of
from scenarios.options.shared import Run
from scenarios.results.columns import COLUMNS, SEPARATE, shown
from scenarios.results.files import replacing
from scenarios.results.style import rate
from scenarios.results.table import Table
from semcom.catalogue import COMPARED, TAKE_RGB, codecs
from semcom.scheme import Scheme
from semcom.separate import SeparateCodec

_KEY = "semcom"


@dataclass(frozen=True)
class Request:
    """What commands that compare codecs are asked alike, parsed as far as that needs no PyTorch.

    Args:
        sent: which images.
        codecs: names, separated by commas; ``None`` for those that are compared by default.
        mcs: curves of each separate codec.
        cbr: rates.
        diagnosis: segmenter of the diagnostic Dice, a name or a file.
        out: folder of the results.
        run: how often, and by whom.
        fallback: what separate codecs show of a lost image; ``None`` for mid-grey.
        x: what curves run along; ``None`` for what the scenario varies.
    """

    sent: Selection
    codecs: str | None
    mcs: list[MCSChoice]
    cbr: list[float]
    diagnosis: str | None
    out: str
    run: Run
    fallback: str | None = None
    x: str | None = None


def compare(request: Request, plan: Callable[..., Sweep], **own: Any) -> tuple[Table, Sweep]:
    """Compare, print, and write the results into ``request.out``.

    Args:
        request: what was asked for.
        plan: lays out the scenario's grid.
        **own: arguments of ``plan`` that the request does not hold.

    Returns:
        The table, and what was run.

    Raises:
        InputError: before anything is written, if an option does not fit.
    """
    out = inputs.folder(request.out)
    named = list(COMPARED) if request.codecs is None else parse_names(request.codecs)
    is_named = request.codecs is not None and named != ["all"]
    named = list(codecs()) if named == ["all"] else named
    if request.sent.rgb and not is_named:
        # without masks there is no region that hevc-roi-ldpc would code better
        blind = {"hevc-roi-ldpc"} if request.sent.masks in (None, "none") else set()
        named = [name for name in named if name in TAKE_RGB and name not in blind]
    chosen = inputs.schemes(named)
    if request.sent.masks == "none" and not is_named:
        chosen = {label: scheme for label, scheme in chosen.items() if not scheme.needs_roi}
    if request.fallback is not None:
        chosen = _falling_back(chosen, request.fallback)
    schemes = with_mcs(chosen, request.mcs)
    inputs.rates(request.cbr)
    diagnosis = segmenter_of("--diagnosis", request.diagnosis)
    drawn = request.run.drawn(diagnosis)
    inputs.requested(drawn["metrics"])
    images, masks = request.sent.load()
    grid = plan(
        images,
        masks,
        codecs=schemes,
        cbr=request.cbr,
        **own,
        **drawn,
    )
    with working(request.run, request.out) as work:
        table = carry_out(grid, **work, early=_Early(out, request.x, len(images)))
    _save(table, out)
    draw(table, out, request.x)
    write_panel(grid, out / "panel.png")
    compared(table).print(x=request.x)
    typer.echo(f"Results are in {out}")
    return table, grid


def _falling_back(chosen: dict[str, Scheme], fallback: str) -> dict[str, Scheme]:
    """Separate codecs with a fallback, which their labels tell."""
    return dict(
        (f"{label}, {fallback}", scheme.with_fallback(fallback))
        if isinstance(scheme, SeparateCodec)
        else (label, scheme)
        for label, scheme in chosen.items()
    )


@contextmanager
def working(run: Run, out: str) -> Iterator[WorkOptions]:
    """Who does the work, and where results go, for as long as the block runs."""
    folder = inputs.folder(out)
    with cluster(run.scheduler) as executor:
        yield {"executor": executor, "workers": run.processes, "out": folder, "progress": True}


class Result(Protocol):
    """What a scenario comes to, where that is more than a table."""

    def save(self, path: Path) -> None:
        """Write its numbers."""

    def plot(self, path: Path) -> object:
        """Draw it."""

    def print(self) -> None:
        """Print it."""


def write(result: Result, name: str, out: str, table: Table | None = None) -> None:
    """Write a result and the table behind it into a folder, and print it.

    Args:
        result: the result.
        name: of its files.
        out: the folder.
        table: rows that it is from.
    """
    folder = Path(out)
    if table is not None:
        _save(table, folder)
    result.save(folder / f"{name}.csv")
    result.plot(folder / f"{name}.png")
    result.print()
    typer.echo(f"Results are in {folder}")


def _save(table: Table, out: Path) -> None:
    table.save(out / "results.parquet")
    table.save(out / "results.csv")


def compared(table: Table) -> Table:
    """With the best separate scheme, where there are several to choose from."""
    return table.with_separate() if len(table.separate) > 1 else table


def draw(table: Table, out: Path, x: str | None) -> list[Path]:
    """Draw each metric, and by how much codecs differ from the best separate scheme.

    With one separate scheme differences are to that, without to the first codec; without a second
    codec there are none.

    Returns:
        What was drawn; of what there is nothing to draw, an older file is removed.
    """
    whole = compared(table)
    sources: dict[Path, tuple[Table, str]] = {
        out / f"{metric}.png": (whole, metric) for metric in shown()
    }
    qualities = [metric for metric in shown() if not COLUMNS[metric].is_share]
    beside = [out / f"{metric}-against.png" for metric in qualities]
    if whole.frame["codec"].nunique() > 1:
        anchors = [*table.separate, *table.frame["codec"]]
        against = whole.against(anchors[0] if whole is table else SEPARATE)
        sources |= {path: (against, metric) for path, metric in zip(beside, qualities, strict=True)}
    telling = {path: source for path, source in sources.items() if _is_telling(*source)}
    for path, (source, metric) in telling.items():
        source.plot(metric, path, x=x)
    for path in {*sources, *beside} - telling.keys():
        path.unlink(missing_ok=True)
    return list(telling)


def _is_telling(table: Table, metric: str) -> bool:
    """Whether there is any mean to draw."""
    if metric not in table.frame:
        return False
    means = table.summary(metric)["mean"]
    return bool(np.isfinite(means).any() and (means.any() or not COLUMNS[metric].is_share))


class _Early:
    """Draws the curves of the first pictures while others are on their way."""

    def __init__(self, out: Path, x: str | None, pictures: int) -> None:
        self._out, self._x, self._pictures = out, x, pictures
        self._start = time.monotonic()

    def __call__(self, table: Table) -> None:
        drawn = draw(table, self._out, self._x)
        if not drawn:  # every mean is infinite so far
            return
        images = table.frame["image"].nunique()
        seconds = time.monotonic() - self._start
        typer.echo(
            f"curves of {images} of {self._pictures} pictures after {seconds:.0f} s: "
            f"{drawn[0]}; more follow",
            err=True,
        )


def write_panel(grid: Sweep, path: Path, place: float = 1 / 2) -> None:
    """The first image at one SNR over the first link, at the middle rate; drawn once.

    Where links differ in one setting alone, it is the middle one's.

    Args:
        grid: what was run.
        path: of the figure.
        place: of the SNR among those of the grid, from 0 on to below 1.
    """
    snr_db, cbr = grid.snr_db[int(place * len(grid.snr_db))], grid.rates[len(grid.rates) // 2]
    link = list(grid.links)[len(grid.link_parameters) // 2]
    tasks = [
        task
        for task in grid.tasks()
        if (task.link, task.cbr, task.snr_db, task.image, task.trial) == (link, cbr, snr_db, 0, 0)
    ]
    key = hashlib.sha256("".join(grid.keys(tasks)).encode()).hexdigest()[:24]
    if _key_of(path) == key:
        return
    received, made_up = divided({task.codec: sweep.receive(grid, task) for task in tasks})
    told = grid.believed_snr_db
    figure = panel(
        grid.samples[0],
        received,
        f"Picture 0 over {link} at {snr_db:g} dB, CBR {rate(cbr)}"
        + ("" if told is None else f", {told:g} dB believed"),
        made_up,
    )
    about = {"Description": description(made_up)} if made_up else {}
    with replacing(path) as new:
        figure.savefig(new, dpi=200, metadata={_KEY: key, **about})


def _key_of(path: Path) -> str | None:
    """What a finished panel shows; ``None`` where there is none, or a damaged one."""
    try:
        with Image.open(path) as image:
            image.load()
            return str(image.info.get(_KEY))
    except (OSError, SyntaxError, ValueError):
        return None
