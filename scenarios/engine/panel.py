"""An image as each codec delivers it, and where each one errs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from scenarios.engine.inputs import Sample
from scenarios.engine.made_up import border, origin
from scenarios.engine.task import Measured
from scenarios.results.style import INK, SMALL, frame, literal
from semcom.scheme import MadeUp

ROI = "#E69F00"
PAINTED = "#56B4E9"
_LINE = 36
"""Letters of small text below an image."""


def panel(
    sample: Sample,
    received: Mapping[str, tuple[Tensor, Measured]],
    title: str,
    made_up: Mapping[str, MadeUp] | None = None,
) -> Figure:
    """Draw the original, each received image, and the error maps on one scale.

    Args:
        sample: the original and its region of interest, which is outlined.
        received: by codec: the image, float32 ``[C, H, W]``, and what was measured of it.
        title: says link, SNR and rate.
        made_up: by codec: what nobody sent of its image. Its border is hatched, and below stand its
            share and the words that arrived.

    Returns:
        A figure of two rows and one column for each codec beside the original.
    """
    original = sample.image.numpy()
    mask = None if sample.mask is None else sample.mask[0].numpy() > 0
    errors = {label: np.abs(out.numpy() - original).mean(0) for label, (out, _) in received.items()}
    top = max(float(np.quantile(np.stack(list(errors.values())), 0.995)), 1 / 255)

    height, width = original.shape[1:]
    made_up = made_up or {}
    below = {label: _wrapped(origin(one)) for label, one in made_up.items()}
    side = 2.1
    tall = side * min(height / width, 1.6)
    words = max((text.count("\n") + 1 for text in below.values()), default=0) * SMALL * 1.3 / 72
    figure = Figure(figsize=(side * (1 + len(received)) + 0.3, 2 * tall + 1.6 + words))
    frame(figure, title, _definitions(mask is not None, bool(made_up)))
    axes = figure.subplots(2, 1 + len(received), squeeze=False)

    outlined = "" if mask is None else "region of interest outlined"
    _picture(axes[0, 0], original, "original", outlined)
    _outline(axes[0, 0], mask)
    axes[1, 0].set_axis_off()
    for column, (label, (out, measured)) in enumerate(received.items(), start=1):
        _picture(axes[0, column], out.numpy(), label, _scores(measured))
        shown = axes[1, column].imshow(errors[label], cmap="magma", vmin=0, vmax=top)
        _outline(axes[1, column], mask)
        _bare(axes[1, column])
        if label in made_up:
            _hatch(axes[0, column], border(made_up[label]))
            axes[1, column].set_xlabel(literal(below[label]), fontsize=SMALL, color=INK)
    scale = axes[1, 0].inset_axes((0.62, 0.08, 0.07, 0.84))
    bar = figure.colorbar(shown, cax=scale, extend="max")
    bar.ax.yaxis.set_ticks_position("left")
    bar.ax.yaxis.set_label_position("left")
    bar.set_label("absolute error\n(white = 1)", fontsize=8)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _picture(axis: Axes, picture: NDArray[np.float32], name: str, below: str) -> None:
    axis.imshow(np.moveaxis(picture, 0, -1), cmap="gray", vmin=0, vmax=1)
    axis.set_title(name, fontsize=9)
    axis.set_xlabel(below, fontsize=8, color=INK)
    _bare(axis)


def _bare(axis: Axes) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _outline(axis: Axes, mask: NDArray[np.bool_] | None) -> None:
    if mask is not None and mask.any() and not mask.all():
        axis.contour(mask, levels=[0.5], colors=ROI, linewidths=0.9)


def _hatch(axis: Axes, band: NDArray[np.bool_]) -> None:
    if band.any():
        drawn = axis.contourf(band, levels=[0.5, 1.5], colors="none", hatches=["//////"])
        drawn.set(edgecolor=PAINTED, linewidth=0.6)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _LINE))


def _scores(measured: Measured) -> str:
    scores = {"PSNR": measured["psnr"], "ROI": measured["roi_psnr"]}
    lines = [f"{name} {value:.2f} dB" for name, value in scores.items() if value is not None]
    if measured["outage"]:
        lines.append("lost")
    return "\n".join(lines)


def _definitions(has_roi: bool, has_painted: bool) -> str:
    roi = "ROI: PSNR over the outlined region alone. " if has_roi else ""
    painted = (
        "Hatched: where what a generator painted begins; nobody sent what is shown from there on. "
        if has_painted
        else ""
    )
    return (
        f"{painted}PSNR: peak 1, over the whole picture. {roi}Error maps share one scale, cut at "
        "the 99.5 % quantile of all errors. All codecs met the same fading and noise."
    )
