"""Scenario: picture quality against SNR, for every codec over every link, at every rate."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from scenarios.engine import inputs
from scenarios.engine.experiment import MAX_TRIALS, carry_out, lay_out
from scenarios.results.table import Table
from semcom.segmentation import Segmenter


def snr(
    images: inputs.Pictures,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: inputs.Links,
    snr_db: inputs.Points,
    cbr: inputs.Points = 1 / 16,
    diagnosis: str | Segmenter | None = None,
    seed: int = 0,
    trials: int = 1,
    ci_db: float | None = None,
    max_trials: int = MAX_TRIALS,
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
        cbr: rates, or one, complex channel uses per picture element, uses / (H * W * C).
        diagnosis: ``"chest"``, ``"angiography"``, ``"dental"`` or any segmenter, to measure the
            diagnostic Dice (:func:`~semcom.segmentation.diagnostic_dice`); ``None`` leaves it
            empty.
        seed: seeds every fading and noise draw.
        trials: transmissions of each picture at each point, with independent draws.
        ci_db: repeat each point until half the 95 % interval of every codec's mean PSNR over these
            pictures is so narrow, in dB, see :class:`scenarios.engine.stopping.Stop`; ``None``: no
            more than ``trials``.
        max_trials: trials that are enough in any case.
        executor: any ``concurrent.futures.Executor``, e.g. dask's ``client.get_executor()``.
        workers: number of processes where there is no executor.
        out: folder that finished tasks are kept in; a second run finds them there.
        progress: draw a progress bar.

    Returns:
        One row per codec × link × rate × point × picture × trial, with its definitions.

    Raises:
        InputError: if an argument does not fit or a codec cannot serve a rate.

    >>> import torch
    >>> pictures = torch.rand(2, 1, 64, 64)
    >>> snr(pictures, codecs=["jpeg2000-ldpc"], links=["awgn"], snr_db=[6, 12], cbr=1/4)
    Table(4 rows: jpeg2000-ldpc over awgn)
    """
    grid = lay_out(
        "snr",
        images,
        masks,
        codecs=codecs,
        links=links,
        snr_db=snr_db,
        cbr=cbr,
        seed=seed,
        trials=trials,
        ci_db=ci_db,
        max_trials=max_trials,
        diagnosis=diagnosis,
    )
    return carry_out(grid, out=out, executor=executor, workers=workers, progress=progress)
