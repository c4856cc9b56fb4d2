"""Where each way puts the bits: QP offsets drawn over pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from channels import InputError
from scenarios.comparisons.allocation.ways import ANCHOR, EXTENSION
from scenarios.results.files import save_figure
from scenarios.results.style import INK, SMALL, frame, literal
from semcom.dmic.units import UNIT, Map

MOST = 3
_OUTLINE = "#F0E442"
_SIDE = 2.3
_STRENGTH = 0.5
_DEFINITIONS = (
    f"QPs that each unit of {UNIT} x {UNIT} pixels is coded at, less the base QP; outlined: what "
    "the segmenter finds in the original. Below: mean over units. "
)
_EXTENSIONS = (
    "Extensions: low-pass codes the picture with a blurred background, not drawn here; picture QP "
    "moves the base QP, too."
)


@dataclass(frozen=True, eq=False)
class Pictured:
    """A picture and where each way puts its bits.

    Args:
        image: float32 ``[H, W]`` in [0, 1].
        found: what the segmenter finds in it, bool ``[H, W]``.
        base_qp: which one the offsets are of.
        offsets: by way, ``[rows, columns]``.
    """

    image: NDArray[np.float32]
    found: NDArray[np.bool_]
    base_qp: int
    offsets: Mapping[str, Map]


def draw_maps(pictures: Sequence[Pictured], path: str | Path | None = None) -> Figure:
    """Draw the QP offsets of each way over each picture, red where they are coarser.

    Args:
        pictures: of the same ways, e.g. ``Allocations.pictures``.
        path: where to save the figure; ``None`` only returns it.

    Raises:
        InputError: if there is nothing to draw, or the path cannot be written to.

    >>> flat, spot = np.full((64, 64), 0.5, np.float32), np.zeros((64, 64), bool)
    >>> one = Pictured(flat, spot, 37, {"mine": np.array([[0, 6], [6, 6]])})
    >>> [axis.get_title() for axis in draw_maps([one]).axes[:2]]
    ['original', 'mine']
    """
    if not pictures:
        raise InputError("no picture to draw maps of")
    ways = [way for way in pictures[0].offsets if way != ANCHOR]
    furthest = [np.abs(picture.offsets[way]).max() for picture in pictures for way in ways]
    limit = int(max([1, *furthest]))
    shapes = [picture.image.shape for picture in pictures]
    tall = _SIDE * max(min(height / width, 1.6) for height, width in shapes)
    figure = Figure(figsize=(_SIDE * (1 + len(ways)) + 1.0, (tall + 0.25) * len(pictures) + 1.1))
    extended = any(way.endswith(EXTENSION) for way in ways)
    title = f"QP offsets at base QP {pictures[0].base_qp}"
    frame(figure, title, _DEFINITIONS + _EXTENSIONS * extended)
    axes = figure.subplots(len(pictures), 1 + len(ways), squeeze=False)
    shown = None
    for place, (row, picture) in enumerate(zip(axes, pictures, strict=True)):
        _picture(row[0], picture, "original" if place == 0 else "")
        for axis, way in zip(row[1:], ways, strict=True):
            _picture(axis, picture, literal(way) if place == 0 else "")
            offsets = picture.offsets[way]
            fine = offsets.repeat(UNIT, 0).repeat(UNIT, 1)
            height, width = picture.image.shape
            shown = axis.imshow(
                fine[:height, :width], cmap="coolwarm", vmin=-limit, vmax=limit,
                alpha=_STRENGTH * (fine[:height, :width] != 0), interpolation="nearest",
            )  # fmt: skip
            _outline(axis, picture.found)
            axis.set_xlabel(f"mean {round(offsets.mean(), 1) + 0.0:+.1f}", fontsize=8, color=INK)
    if shown is not None:
        bar = figure.colorbar(shown, ax=list(axes[:, -1]), shrink=0.8, pad=0.04)
        bar.set_label("offset [QP], above 0: coarser", fontsize=8)
        bar.ax.tick_params(labelsize=SMALL)
    if path is not None:
        save_figure(figure, path)
    return figure


def _picture(axis: Axes, picture: Pictured, title: str) -> None:
    axis.imshow(picture.image, cmap="gray", vmin=0, vmax=1)
    _outline(axis, picture.found)
    axis.set_title(title, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _outline(axis: Axes, found: NDArray[np.bool_]) -> None:
    if found.any() and not found.all():
        axis.contour(found, levels=[0.5], colors=_OUTLINE, linewidths=0.8)
