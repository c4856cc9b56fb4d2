"""What every scenario that sends images can be told beside its own arguments."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from semcom.segmentation import Segmenter


Draws: TypeAlias = Literal["common", "independent"]
DRAWS: tuple[Draws, ...] = ("common", "independent")


class GridOptions(TypedDict, total=False):
    """How often images are sent, and what is measured of them; part of what results depend on.

    Attributes:
        diagnosis: ``"chest"``, ``"angiography"``, ``"dental"`` or any segmenter, to measure the
            diagnostic Dice (:func:`~semcom.segmentation.diagnostic_dice`); ``None``, the default,
            leaves it empty.
        seed: seeds every fading and noise draw; 0 by default.
        trials: transmissions of each image at each point, with independent draws; 1 by default.
        ci_db: repeat each point until half the 95 % interval of every codec's mean PSNR over these
            images is so narrow, in dB, see :class:`scenarios.engine.stopping.Stop`; ``None``, the
            default: no more than ``trials``.
        max_trials: trials that are enough in any case; 64 by default.
        draws: ``"common"``, the default: each image meets the same fading, and noise of the same
            direction, at every SNR of a curve (common random numbers), so that a curve shows how
            quality depends on SNR and not which draws a point had; its points err together.
            ``"independent"``: every point has draws of its own.
        device: where networks, codes and links are computed, ``"cpu"``, the default, or
            ``"cuda"``. Draws are those of the device: of other fading, as good as those of a CPU.
        metrics: what is measured beside the usual metrics, names of
            :func:`scenarios.results.columns.on_request`, as ``["vsi", "roi_ssim"]``; none by
            default. ``vsi``, ``fsim`` and ``gmsd`` need the extra ``perceptual``, ``lpips`` that
            and a file of weights on every machine that works (:func:`semcom.metrics.lpips`),
            ``frechet`` a ``diagnosis`` by a U-Net.
    """

    diagnosis: str | Segmenter | None
    seed: int
    trials: int
    ci_db: float | None
    max_trials: int
    draws: Draws
    device: str
    metrics: str | Sequence[str]


class WorkOptions(TypedDict, total=False):
    """Who does the work, and where it is kept; results do not depend on it.

    Attributes:
        executor: any ``concurrent.futures.Executor``, e.g. dask's ``client.get_executor()``.
        workers: number of processes where there is no executor; 1 by default.
        out: folder that finished tasks are kept in; a second run finds them there.
        progress: draw a progress bar.
    """

    executor: Executor | None
    workers: int
    out: str | Path | None
    progress: bool


class RunOptions(GridOptions, WorkOptions, total=False):
    """All of :class:`GridOptions` and :class:`WorkOptions`, as keywords of any scenario."""


def parted(run: RunOptions) -> tuple[GridOptions, WorkOptions]:
    """What the grid is laid out with, and what it is carried out with.

    Raises:
        TypeError: on a name that is no such option.

    >>> parted({"seed": 3, "workers": 2})
    ({'seed': 3}, {'workers': 2})
    """
    grid: GridOptions = {}
    work: WorkOptions = {}
    for name, value in run.items():
        if name in GridOptions.__annotations__:
            grid[name] = value  # type: ignore[literal-required]
        elif name in WorkOptions.__annotations__:
            work[name] = value  # type: ignore[literal-required]
        else:
            raise TypeError(f"unexpected keyword argument {name!r}")
    return grid, work
