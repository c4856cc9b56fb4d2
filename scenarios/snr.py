"""Scenario: picture quality against SNR, at one rate, for every codec over every link."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path

import pandas as pd

from scenarios import inputs, sweep
from scenarios.definitions import DEFINITIONS
from scenarios.progress import bar, silent
from scenarios.results import Table


def snr(
    images: inputs.Pictures,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: float = 1 / 16,
    seed: int = 0,
    trials: int = 1,
    executor: Executor | None = None,
    workers: int = 1,
    out: str | Path | None = None,
    progress: bool = False,
) -> Table:
    """Compare codecs over links across SNR.

    Every codec is adapted to each link's long-term statistics, knows the average SNR, and meets
    the same fading and noise as its rivals.

    Args:
        images: float32 ``[n, 1, H, W]`` in [0, 1], or n tensors ``[1, H, W]`` of any sizes.
        masks: bool, shaped like the images, true in the region of interest; or ``"chest"``,
            ``"angiography"``, ``"dental"`` or any segmenter, to find it in the sent pictures;
            ``None`` without.
        codecs: names, codecs or bounds (``semcom.bound``), or one; a mapping gives labels of its
            own.
        links: names or links, or one.
        snr_db: points, or one, average E_s/N_0 per complex channel use in dB.
        cbr: complex channel uses per picture element, uses / (H * W * C).
        seed: seeds every fading and noise draw.
        trials: transmissions of each picture at each point, with independent draws.
        executor: any ``concurrent.futures.Executor``, e.g. dask's ``client.get_executor()``.
        workers: number of processes where there is no executor.
        out: folder that finished tasks are kept in; a second run finds them there.
        progress: draw a progress bar.

    Returns:
        One row per codec × link × point × picture × trial, with its definitions.

    Raises:
        InputError: if an argument does not fit or a codec cannot serve the rate.

    >>> import torch
    >>> pictures = torch.rand(2, 1, 64, 64)
    >>> snr(pictures, codecs=["jpeg2000-ldpc"], links=["awgn"], snr_db=[6, 12], cbr=1/4)
    Table(4 rows: jpeg2000-ldpc over awgn)
    """
    grid = sweep_of(images, masks, codecs, links, snr_db, cbr, seed, trials)
    folder = None if out is None else inputs.folder(out)
    with bar("semcom run snr") if progress else nullcontext(silent) as report:
        rows = sweep.run(
            grid,
            out=folder,
            executor=executor,
            workers=workers,
            report=report,
        )
    return table_of(grid, rows)


def sweep_of(
    images: inputs.Pictures,
    masks: inputs.Masks,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: float,
    seed: int,
    trials: int,
) -> sweep.Sweep:
    """Check every argument of :func:`snr` and lay out the grid.

    >>> import torch
    >>> codecs = ["jpeg2000-ldpc", "hevc-ldpc"]
    >>> grid = sweep_of(torch.rand(3, 1, 64, 64), None, codecs, ["awgn"], [6], 1 / 4, 0, 1)
    >>> len(grid.tasks())
    6
    """
    pictures = inputs.pictures(images, masks)
    inputs.check_rate(cbr)
    inputs.check_whole("trials", trials, 1)
    inputs.check_whole("seed", seed, 0)
    return sweep.Sweep(
        "snr",
        inputs.contenders(codecs),
        inputs.routes(links),
        pictures,
        inputs.points(snr_db),
        float(cbr),
        seed,
        trials,
        inputs.origin(masks),
    )


def table_of(grid: sweep.Sweep, rows: Sequence[sweep.Row]) -> Table:
    """The table of a sweep, with all that is needed to read or repeat it."""
    contents = hashlib.sha256("".join(p.digest for p in grid.pictures).encode()).hexdigest()[:16]
    metadata = {
        "definitions": DEFINITIONS,
        "parameters": {
            "scenario": grid.scenario,
            "cbr": grid.cbr,
            "seed": grid.seed,
            "trials": grid.trials,
            "pictures": len(grid.pictures),
            "pictures_sha256": contents,
            "regions": grid.regions,
        },
        "codecs": {
            label: " ".join([codec.name, getattr(codec, "fingerprint", "")]).strip()
            for label, codec in grid.codecs.items()
        },
        "links": {name: repr(link) for name, link in grid.links.items()},
        "versions": sweep.versions(),
    }
    return Table(pd.DataFrame(rows), metadata)


if __name__ == "__main__":
    from scenarios.cli import main

    main(["run", "snr", *sys.argv[1:]])
