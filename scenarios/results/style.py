"""How figures look: colours that colour-blind readers tell apart, markers, small print.

And what figures and printed tables say in the same words.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from channels.errors import check_name
from scenarios.results.columns import AXES, LINK_PARAMETERS, SEPARATE

if TYPE_CHECKING:
    from scenarios.results.rows import Rows

COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000",
    "#999933", "#882255", "#888888", "#332288", "#DDCC77",
    "#661100", "#AA4499",
)  # fmt: skip
"""Seven after Okabe and Ito, two of Tol's muted scheme, grey, four of Tol's again."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "p", "*", "d", "8")
SMALL = 7.0
INK = "#333333"
_GLYPH = 0.56
"""Mean width of a letter over the size of the text."""


@dataclass(frozen=True)
class Page:
    """Sizes of a figure: lengths in inches, text in points.

    Args:
        panel_width: of one panel.
        panel_height: of one panel.
        lost_height: of the panel of lost images below it.
        beside: what the width holds beside panels.
        around: what the height holds beside panels.
        least_width: of the figure.
        legend_row: height of a row of the legend.
        text: size of labels.
        legend: size of legend and ticks.
        marker: size of markers.
        stroke: lines' width, relative.
        stacked: whether panels stand one below the other.
        told: whether the figure holds its title and definitions, or leaves them to a caption.
    """

    panel_width: float
    panel_height: float
    lost_height: float
    beside: float
    around: float
    least_width: float
    legend_row: float
    text: float
    legend: float
    marker: float
    stroke: float
    stacked: bool
    told: bool


SCREEN = Page(3.5, 2.9, 1.1, 1.4, 1.2, 5.2, 0.22, 10, 9, 4.5, 1.0, stacked=False, told=True)
PAPER = Page(0.0, 2.0, 0.7, 3.5, 0.35, 3.5, 0.16, 8, 7, 3.0, 0.7, stacked=True, told=False)
"""One column of an IEEE journal, 3.5 inches wide."""


def page_of(style: str) -> Page:
    """A page by its name.

    >>> page_of("paper").least_width
    3.5
    """
    pages = {"screen": SCREEN, "paper": PAPER}
    check_name("style", style, pages)
    return pages[style]


def rate(cbr: float) -> str:
    """A bandwidth ratio as people say it.

    >>> rate(1 / 16), rate(0.3)
    ('1/16', '0.3')
    """
    near = Fraction(cbr).limit_denominator(1024)
    return str(near) if near.numerator == 1 and abs(near - cbr) < 1e-9 else f"{cbr:.4g}"


def fitting(length: float, size: float) -> int:
    """Letters of text of a size in points that fit a length in inches.

    >>> fitting(1.0, 9)
    14
    """
    return int(length * 72 / (_GLYPH * size))


def format_axes(
    axis: Axes,
    size: float = 9,
    lines: Literal["both", "x", "y"] = "both",
    which: Literal["major", "both"] = "major",
) -> None:
    """Pale lines behind the curves, no frame above and to the right.

    Args:
        axis: a panel.
        size: of the ticks' labels in points.
        lines: along which axes.
        which: ticks that have one.

    >>> panel = Figure().subplots()
    >>> format_axes(panel)
    >>> panel.spines["top"].get_visible()
    False
    """
    axis.grid(axis=lines, which=which, color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=size, color=INK)


def told(axis: str, value: float) -> str:
    """A value along an axis with its unit.

    >>> told("cbr", 1 / 16), told("snr_db", 3.0), told("offset_hz", 200.0)
    ('CBR 1/16', '3 dB', '200 Hz')
    """
    if axis == "cbr":
        return f"CBR {rate(value)}"
    return f"{value:g} {(LINK_PARAMETERS | AXES)[axis].unit}"


def counted(count: object, noun: str) -> str:
    """A number of things.

    >>> counted(1, "trial"), counted(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def singular(kinds: str, count: object) -> str:
    """Which kinds of pictures there are, as one where ``count`` is 1.

    >>> singular("grey pictures (C = 1)", 1), singular("grey pictures (C = 1)", 2)
    ('grey picture (C = 1)', 'grey pictures (C = 1)')
    """
    return kinds.replace("pictures", "picture") if count == 1 else kinds


def rates_told(table: Rows) -> str:
    """The rates of a table as people say them.

    >>> import pandas as pd
    >>> from scenarios.results.columns import COLUMNS
    >>> from scenarios.results.rows import Rows
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> rates_told(Rows(pd.DataFrame([row | {"cbr": 1 / 8}, row | {"cbr": 1 / 32}]), {}))
    '1/32, 1/8'
    """
    return ", ".join(rate(float(cbr)) for cbr in sorted(set(table.frame["cbr"])))


def draws_told(table: Rows) -> str:
    """Which draws of fading and noise are shared, in a sentence.

    >>> import pandas as pd
    >>> from scenarios.results.columns import COLUMNS
    >>> from scenarios.results.rows import Rows
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> draws_told(Rows(pd.DataFrame([row]), {"parameters": {"draws": "common"}}))
    'All codecs meet the same fading and noise, at every SNR.'
    """
    if table.metadata.get("parameters", {}).get("draws") == "common":
        return "All codecs meet the same fading and noise, at every SNR."
    return "All codecs meet the same fading and noise, independent from SNR to SNR."


def separate_told(table: Rows) -> str:
    """What the best separate scheme is chosen from, in a sentence; ``""`` where there is none.

    >>> import pandas as pd
    >>> from scenarios.results.columns import COLUMNS
    >>> from scenarios.results.rows import Rows
    >>> row = dict.fromkeys(COLUMNS, 0) | {"link": "awgn", "scenario": "snr"}
    >>> both = pd.DataFrame([row | {"codec": "hevc-ldpc"}, row | {"codec": "avif-ldpc"}])
    >>> separate_told(Rows(both, {}).against("separate"))[:44]
    'separate: the best of hevc-ldpc, avif-ldpc a'
    """
    if SEPARATE not in {table.anchor, *table.frame["codec"]}:
        return ""
    unknown = f"{SEPARATE} the best separate scheme at each point and of each metric"
    known = str(table.metadata.get("codecs", {}).get(SEPARATE, unknown))
    name, _, of = known.partition(" ")
    return f"{name}: {of}, chosen by means, which favours it."


def units_told(table: Rows) -> str:
    """What intervals of means are over: pictures, or of one picture its trials; ``""``: neither.

    >>> import pandas as pd
    >>> from scenarios.results.columns import COLUMNS
    >>> from scenarios.results.rows import Rows
    >>> row = dict.fromkeys(COLUMNS, 0) | {"codec": "a", "link": "awgn", "scenario": "snr"}
    >>> units_told(Rows(pd.DataFrame([row, row | {"trial": 1}]), {}))
    'trials of the one picture'
    """
    if table.frame["image"].nunique() > 1:
        return "pictures"
    return "trials of the one picture" if table.frame["trial"].nunique() > 1 else ""


def frame(
    figure: Figure, title: str, small_print: str, legend_rows: int = 0, page: Page = SCREEN
) -> float:
    """Write the title along the upper edge and definitions along the lower one.

    Args:
        figure: with constrained layout; what it holds is kept off both texts.
        title: one line; set smaller where it is wider than the figure.
        small_print: any length; wrapped to the figure's width.
        legend_rows: lines to leave free between title and panels.
        page: neither text is written on one that leaves them to a caption.

    Returns:
        The lower end of the title, where a legend may hang from, as a share of the height.

    >>> frame(Figure(figsize=(4, 3)), "title", "what the lines mean")
    0.9
    """
    width, height = map(float, figure.get_size_inches())
    if not page.told:
        top = 1 - (0.06 + page.legend_row * legend_rows) / height
        figure.set_layout_engine("constrained", rect=(0.0, 0.0, 1.0, top))
        return 1 - 0.03 / height
    below = print_height(small_print, width) / height
    title_end = 1 - 0.3 / height
    top = title_end - page.legend_row * legend_rows / height
    figure.text(
        0.015, 0.06 / height, "\n".join(_lines(small_print, width)),
        fontsize=SMALL, color=INK, va="bottom", linespacing=1.3,
    )  # fmt: skip
    size = min(11.0, width * 72 / (_GLYPH * max(len(title), 1)))
    figure.text(0.5, 1 - 0.08 / height, title, fontsize=size, ha="center", va="top")
    figure.set_layout_engine("constrained", rect=(0.0, below, 1.0, top - below))
    return title_end


def print_height(small_print: str, width: float) -> float:
    """Height in inches that :func:`frame` leaves to definitions, on a figure so many inches wide.

    >>> round(print_height("what the lines mean", 5.2), 2)
    0.29
    """
    return (len(_lines(small_print, width)) * SMALL * 1.3 + 12) / 72


def _lines(small_print: str, width: float) -> list[str]:
    return textwrap.wrap(small_print, fitting(width, SMALL), break_on_hyphens=False)


def literal(text: str) -> str:
    r"""A name as matplotlib writes it: no mathematics between dollars, no label that it hides.

    >>> literal("$5"), len(literal("_mine"))
    ('\\$5', 6)
    """
    escaped = text.replace("$", r"\$")
    return f"\u200b{escaped}" if text.startswith("_") else escaped


def legend_columns(legends: Sequence[str], width: float, page: Page = SCREEN) -> int:
    """Columns of a legend that fit, and no more than its rows need; width in inches.

    >>> legend_columns(["medjscc", "hevc-ldpc", "avif-ldpc"], 5), legend_columns(["x" * 40] * 3, 5)
    (3, 1)
    """
    entry = (0.55 + 0.078 * max(map(len, legends))) * page.legend / SCREEN.legend
    most = max(1, min(len(legends), int(width / entry)))
    rows = -(-len(legends) // most)
    return -(-len(legends) // rows)


def add_legend(
    figure: Figure,
    entries: tuple[Sequence[Artist], Sequence[str]],
    top: float,
    columns: int,
    page: Page = SCREEN,
) -> None:
    """Hang a legend from the title's lower end, in the rows that :func:`frame` left free.

    Args:
        figure: with its frame.
        entries: handles and labels, as ``Axes.get_legend_handles_labels`` gives them.
        top: what :func:`frame` returned.
        columns: of the legend.
        page: whose size of text it has.

    >>> figure = Figure(figsize=(4, 3))
    >>> panel = figure.subplots()
    >>> _ = panel.plot([0, 1], label="one")
    >>> add_legend(figure, panel.get_legend_handles_labels(), frame(figure, "title", "", 1), 1)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['one']
    """
    figure.legend(
        *entries, loc="upper center", bbox_to_anchor=(0.5, top), ncols=columns, frameon=False,
        fontsize=page.legend, columnspacing=1.2, handlelength=2.4, borderaxespad=0.1,
    ).set_in_layout(False)  # fmt: skip
