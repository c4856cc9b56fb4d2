"""What ``semcom run snr`` does with its options."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from torch import Tensor

from channels import InputError
from scenarios import inputs, sweep
from scenarios.files import replacing
from scenarios.panel import panel
from scenarios.progress import bar
from scenarios.results import Table
from scenarios.schemes import Scheme, with_schemes
from scenarios.snr import sweep_of, table_of
from scenarios.style import rate
from semcom.catalogue import codecs, segmenter, segmenters
from semcom.data import load_folder, phantoms
from semcom.segmentation import UNetSegmenter

_CHEST, _DENTAL = 8, 4
_PHANTOM_SIZE = 256
_KEY = "semcom"
DEFAULT_SEGMENTER = "chest"


@dataclass(frozen=True)
class Request:
    """The options of ``semcom run snr``, parsed."""

    images: Path | None
    masks: str | None
    limit: int | None
    size: int | None
    codecs: list[str] | None
    mcs: list[Scheme]
    links: list[str]
    snr_db: list[float]
    cbr: float
    out: str
    seed: int
    trials: int
    workers: int


def run(request: Request) -> Table:
    """Compare, print, and write the results into ``request.out``.

    Raises:
        InputError: before anything is written, if an option does not fit.
    """
    out = inputs.folder(request.out)
    named = inputs.contenders(list(codecs()) if request.codecs is None else request.codecs)
    contenders = with_schemes(named, request.mcs)
    links = list(inputs.routes(request.links).values())
    inputs.check_rate(request.cbr)
    images, masks = _pictures(request)
    grid = sweep_of(
        images,
        masks,
        contenders,
        links,
        request.snr_db,
        request.cbr,
        request.seed,
        trials=request.trials,
    )
    with bar("semcom run snr") as report:
        rows = sweep.run(grid, out=out, workers=request.workers, report=report)
        table = table_of(grid, rows)
        _write(table, grid, out)
    table.print()
    Console().print(f"Results are in {out}", highlight=False)
    return table


def _pictures(request: Request) -> tuple[inputs.Pictures, inputs.Masks]:
    if request.images is None:
        if request.masks is not None:
            raise InputError("--masks belong to pictures: name their folder with --images")
        return _phantoms(request)
    masks = DEFAULT_SEGMENTER if request.masks is None else request.masks
    finder = _finder(masks, request.masks is not None)
    folder = masks if finder is None and masks != "none" else None
    images, regions = load_folder(
        request.images, masks=folder, size=request.size, limit=request.limit
    )
    if finder is None:
        return images, regions
    what = segmenters().get(finder.task, finder.task)
    Console(stderr=True).print(
        f"regions of interest: {what}, found in the sent pictures (--masks names a folder, another "
        "segmenter, a file of weights, or none)",
        highlight=False,
    )
    return images, finder


def _finder(masks: str, named: bool) -> UNetSegmenter | None:
    """The segmenter that ``--masks`` means, if it means one."""
    if masks.endswith(".safetensors"):
        return segmenter(weights=masks)
    if masks in segmenters():
        if named and Path(masks).is_dir():
            raise InputError(f"--masks {masks} is a segmenter and a folder here: write ./{masks}")
        return segmenter(masks)
    if masks != "none" and not Path(masks).exists():
        known = ", ".join(segmenters())
        raise InputError(
            f"--masks {masks} is no folder: pass one, a segmenter ({known}), a file of weights, or "
            "none"
        )
    return None


def _phantoms(request: Request) -> tuple[list[Tensor], list[Tensor]]:
    images: list[Tensor] = []
    masks: list[Tensor] = []
    for kind, count in (("chest", _CHEST), ("dental", _DENTAL)):
        wanted = count if request.limit is None else min(count, request.limit - len(images))
        if wanted > 0:
            size = request.size or _PHANTOM_SIZE
            drawn, regions = phantoms(kind, n=wanted, size=size, seed=request.seed)
            images += list(drawn)
            masks += list(regions)
    return images, masks


def _write(table: Table, grid: sweep.Sweep, out: Path) -> None:
    table.save(out / "results.parquet")
    table.save(out / "results.csv")
    for metric in ("psnr", "roi_psnr", "outage"):
        path = out / f"{metric}.png"
        means = table.summary(metric)["mean"]
        if np.isfinite(means).any() and (metric != "outage" or means.any()):
            table.plot(metric, path)
        else:
            path.unlink(missing_ok=True)
    _write_panel(grid, out / "panel.png")


def _write_panel(grid: sweep.Sweep, path: Path) -> None:
    """The first picture at the middle SNR over the first link; drawn once."""
    middle = grid.snr_db[len(grid.snr_db) // 2]
    link = next(iter(grid.links))
    tasks = [
        task
        for task in grid.tasks()
        if (task.link, task.snr_db, task.image, task.trial) == (link, middle, 0, 0)
    ]
    key = hashlib.sha256("".join(grid.keys(tasks)).encode()).hexdigest()[:24]
    if _key_of(path) == key:
        return
    received = {task.codec: sweep.receive(grid, task) for task in tasks}
    figure = panel(
        grid.pictures[0],
        received,
        f"Picture 0 over {link} at {middle:g} dB, CBR {rate(grid.cbr)}",
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
