"""How each scheme's curve is drawn: codecs, bounds, and codecs held at one MCS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from channels.renamed import renamed
from scenarios.results.columns import SEPARATE
from scenarios.results.style import COLOURS, INK, MARKERS, literal
from semcom.catalogue import bounds
from semcom.entries import BOUNDS, CODECS

_FIXED = re.compile(r"(.+) MCS (?:\d:)?\d+")
_WIDE, _THICK, _THIN = 5.0, 1.8, 0.9
_PALE = "#E8E8E8"
_STROKES = ("_", "|", "x", "+")
_LONG, _SHORT = (0, (7, 3)), (0, (2.5, 1.5))


@dataclass(frozen=True)
class LineStyle:
    """How a curve is drawn.

    Args:
        colour: of line, band and marker.
        marker: as matplotlib knows it.
        line: ``"-"`` of a codec, ``"solid"`` behind others, or matplotlib's
            ``(offset, (on, off))`` in points over line width.
        width: of the line in points.
        legend: what the legend calls it.
        edge: colour of the line's outline; ``""``: it has none.
    """

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, float]]
    width: float
    legend: str
    edge: str = ""

    @property
    def is_solid(self) -> bool:
        """Whether it is a codec as it adapts itself, neither a bound nor one MCS."""
        return self.line == "-"


def line_styles(
    labels: Sequence[str], names: Mapping[str, str] | None = None
) -> dict[str, LineStyle]:
    """Line styles by label: what this library ships is drawn alike in every figure.

    A codec has a solid line with a colour and a marker of its own. A bound has the colour of its
    image coder's codec, thin long dashes and a stroke for a marker; ``"… MCS 13"`` has its codec's
    colour, thin short dashes and a hollow marker. The best separate scheme is a wide pale line with
    a dark outline, behind all others: whoever is best runs inside it.

    Args:
        labels: what the table calls its codecs and bounds.
        names: by label, the name of the codec or bound, where that is not the label.

    >>> styles = line_styles(["hevc-ldpc", "hevc-capacity", "hevc-ldpc MCS 13"])
    >>> len({style.colour for style in styles.values()})
    1
    >>> styles["hevc-capacity"].legend
    'hevc-capacity (bound)'
    """
    named = dict(names or {})
    ideal = {label for label in labels if named.get(label, label) in bounds()}
    families = {
        label: _family(label, named, label in ideal) for label in labels if label != SEPARATE
    }
    places = _places(list(dict.fromkeys(families.values())))
    styles: dict[str, LineStyle] = {}
    if SEPARATE in labels:
        styles[SEPARATE] = LineStyle(_PALE, "", "solid", _WIDE, "best separate", INK)
    for label, family in families.items():
        colour = COLOURS[places[family] % len(COLOURS)]
        marker = MARKERS[places[family] % len(MARKERS)]
        before = [other for other in styles if families.get(other) == family]
        if label in ideal:
            stroke = _STROKES[sum(other in ideal for other in before) % len(_STROKES)]
            styles[label] = LineStyle(colour, stroke, _LONG, _THIN, f"{literal(label)} (bound)")
        elif label != family:
            others = [other for other in MARKERS if other != marker]
            held = sum(other != family and other not in ideal for other in before)
            hollow = others[held % len(others)]
            styles[label] = LineStyle(colour, hollow, _SHORT, _THIN, literal(label))
        else:
            styles[label] = LineStyle(colour, marker, "-", _THICK, literal(label))
    return styles


def _family(label: str, names: Mapping[str, str], ideal: bool) -> str:
    """The label whose colour it shares."""
    if ideal:
        entry = BOUNDS.get(names.get(label, label))
        return label if entry is None or entry.bounds is None else entry.bounds
    held = _FIXED.fullmatch(label)
    return held[1] if held else label


def _places(families: list[str]) -> dict[str, int]:
    """Places in the palette: those of the package, then what this figure leaves free."""
    known = list(CODECS)
    places = {family: known.index(family) for family in families if family in known}
    others = [family for family in families if family not in places]
    size = len(COLOURS)
    free = [place for place in range(size) if place not in places.values()] or list(range(size))
    return places | {family: free[turn % len(free)] for turn, family in enumerate(others)}


__getattr__ = renamed(__name__, looks="line_styles")
