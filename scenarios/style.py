"""How figures look: colours that colour-blind readers tell apart, markers, small print."""

from __future__ import annotations

import textwrap
from fractions import Fraction

from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
"""After Okabe and Ito."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
SMALL = 7.0
INK = "#333333"


def rate(cbr: float) -> str:
    """A bandwidth ratio as people say it.

    >>> rate(1 / 16), rate(0.3)
    ('1/16', '0.3')
    """
    near = Fraction(cbr).limit_denominator(1024)
    return str(near) if near.numerator == 1 and abs(near - cbr) < 1e-9 else f"{cbr:.4g}"


def frame(figure: Figure, title: str, small_print: str, legend_rows: int = 0) -> float:
    """Write the title along the upper edge and definitions along the lower one.

    Args:
        figure: with constrained layout; what it holds is kept off both texts.
        title: one line.
        small_print: any length; wrapped to the figure's width.
        legend_rows: lines to leave free between title and panels.

    Returns:
        The lower end of the title, where a legend may hang from, as a share of the height.

    >>> frame(Figure(figsize=(4, 3)), "title", "what the lines mean")
    0.9
    """
    width, height = map(float, figure.get_size_inches())
    lines = textwrap.wrap(small_print, int(width * 72 / (0.56 * SMALL)))
    below = (len(lines) * SMALL * 1.3 + 12) / 72 / height
    title_end = 1 - 0.3 / height
    top = title_end - 0.22 * legend_rows / height
    figure.text(
        0.015, 0.06 / height, "\n".join(lines),
        fontsize=SMALL, color=INK, va="bottom", linespacing=1.3,
    )  # fmt: skip
    figure.text(0.5, 1 - 0.08 / height, title, fontsize=11, ha="center", va="top")
    figure.set_layout_engine("constrained", rect=(0.0, below, 1.0, top - below))
    return title_end
