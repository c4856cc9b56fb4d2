"""The vocabulary of captions: slots, their phrases, and how a sentence is made of them.

A caption is one phrase of each slot. Its sentence has a clause for each of the first slots, then
one for each grade of brightness that some place has, and ``all else as bright``::

    frontal chest X-ray; bright; low contrast; black border; fine grain; mostly vertical edges;
    much darker at the top far left and far right; brighter across the bottom; all else as bright

It is written in one way only, so a sentence can be read back exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, groupby, product
from typing import NamedTuple

import numpy as np

from channels import InputError
from channels.errors import check_count, check_name, shown


class Slot(NamedTuple):
    """One thing that a caption says, and the phrases to choose from.

    Args:
        name: what it is.
        phrases: those that can stand for it, in the order of their grades where they have any.

    >>> SLOTS[4]
    Slot(name='grain', phrases=('no grain', 'fine grain', 'coarse grain'))
    """

    name: str
    phrases: tuple[str, ...]


ROWS = ("top", "upper", "lower", "bottom")
"""Of places: quarters of the height."""

COLUMNS = ("far left", "left", "right", "far right")
"""Of places: quarters of the width."""

_WHOLE_ROWS = ("the top", "the upper middle", "the lower middle", "the bottom")

BRIGHTNESS = ("much darker", "darker", "as bright", "brighter", "much brighter")
"""Of a place beside the whole picture."""

AS_BRIGHT = BRIGHTNESS.index("as bright")

OVERALL = (
    Slot(
        "kind",
        (
            "frontal chest X-ray",
            "coronary angiogram",
            "dental panoramic X-ray",
            "other picture",
        ),
    ),
    Slot("exposure", ("very dark", "dark", "middle grey", "bright", "very bright")),
    Slot("contrast", ("very low contrast", "low contrast", "medium contrast", "high contrast")),
    Slot("border", ("no border", "black border", "white border")),
    Slot("grain", ("no grain", "fine grain", "coarse grain")),
    Slot("edges", ("edges in all directions", "mostly vertical edges", "mostly horizontal edges")),
)
"""What is said of the whole picture."""

PLACES = tuple(Slot(f"{row} {column}", BRIGHTNESS) for row in ROWS for column in COLUMNS)
"""The 4 x 4 places in raster order."""

SLOTS = OVERALL + PLACES
"""All that a caption says, in this order."""

GRADED = tuple(slot.name in ("exposure", "contrast") or slot in PLACES for slot in SLOTS)
"""Of each slot, whether its phrases are grades, so that neighbours mean nearly the same."""

KINDS = OVERALL[0].phrases
"""Kinds of pictures."""

KIND_OF_TASK = dict(zip(("chest", "angiography", "dental"), KINDS, strict=False))
"""Kinds by the task of the segmenter that looks at them."""

_SAID = {f"{phrase} ": grade for grade, phrase in enumerate(BRIGHTNESS) if grade != AS_BRIGHT}
_ELSE, _ALL = "all else as bright", "as bright everywhere"
_PART = re.compile(", (?=across |down |at )")
_ROW = re.compile("|".join(ROWS))
_COLUMN = re.compile("|".join(sorted(COLUMNS, key=len, reverse=True)))


def sentence(choices: Sequence[int]) -> str:
    """The caption that choices stand for.

    Args:
        choices: of each slot the index of a phrase, ``[22]``.

    Raises:
        InputError: unless there is one for each slot, each within its phrases.

    >>> sentence([0, 3, 1, 1, 1, 0] + [0, 2, 2, 0] + 2 * [2, 2, 2, 2] + [3, 3, 3, 3])
    'frontal chest X-ray; bright; low contrast; black border; fine grain; edges in all directions;
    much darker at the top far left and far right; brighter across the bottom; all else as bright'
    """
    checked = check_choices(choices)
    clauses = [slot.phrases[choice] for slot, choice in zip(OVERALL, checked, strict=False)]
    clauses += _layout(checked[len(OVERALL) :])
    return "; ".join(clauses)


def choices(text: str) -> list[int] | None:
    """The choices that a caption stands for; ``None`` if :func:`sentence` does not write it.

    >>> text = sentence([1, 1, 2, 0, 2, 1, *range(5), *range(5), *range(5), 4])
    >>> choices(text)
    [1, 1, 2, 0, 2, 1, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4]
    >>> choices("a chest") is None
    True
    """
    if not isinstance(text, str):
        raise InputError(f"a caption must be a string, got {shown(text)}")
    clauses = text.split("; ")
    found = []
    for slot, clause in zip(OVERALL, clauses, strict=False):
        if clause not in slot.phrases:
            return None
        found.append(slot.phrases.index(clause))
    grades = [AS_BRIGHT] * len(PLACES)
    for clause in clauses[len(OVERALL) :]:
        for phrase, grade in _SAID.items():
            if clause.startswith(phrase):
                for place in _places(clause.removeprefix(phrase)):
                    grades[place] = grade
    found += grades
    return found if len(found) == len(SLOTS) and sentence(found) == text else None


def kind_index(kind: object) -> int:
    """The index of a kind of picture.

    Raises:
        InputError: if there is no such kind.

    >>> kind_index("coronary angiogram")
    1
    """
    return KINDS.index(check_name("kind of picture", kind, KINDS))


def check_choices(choices: object) -> list[int]:
    """Choices as a list of Python's own ints.

    Raises:
        InputError: unless there is one for each slot, each within its phrases.

    >>> check_choices([0] * 21)
    Traceback (most recent call last):
    channels.errors.InputError: choices must be 22 numbers, one for each slot, got [0, 0, 0, ...
    """
    try:
        given = list(choices)  # type: ignore[call-overload]
    except TypeError:
        given = []
    if len(given) != len(SLOTS):
        raise InputError(
            f"choices must be {len(SLOTS)} numbers, one for each slot, got {shown(choices)}"
        )
    return [
        check_count(f"the choice for {slot.name}", choice, 0, len(slot.phrases) - 1)
        for slot, choice in zip(SLOTS, given, strict=True)
    ]


def _layout(grades: Sequence[int]) -> Iterator[str]:
    """Clauses for the places, darkest first."""
    if all(grade == AS_BRIGHT for grade in grades):
        yield _ALL
        return
    for grade, phrase in enumerate(BRIGHTNESS):
        there = [place for place, value in enumerate(grades) if value == grade]
        if there and grade != AS_BRIGHT:
            yield f"{phrase} {_where(there)}"
    if AS_BRIGHT in grades:
        yield _ELSE


def _where(places: Sequence[int]) -> str:
    """Whole rows, or whole columns where no row is whole; then the others, row by row.

    Neighbouring rows with the same columns are joined: ``across the top, at the lower left and
    right``, ``down the far left, at the top and upper right``.
    """
    grid = np.zeros((len(ROWS), len(COLUMNS)), dtype=np.bool_)
    grid.flat[list(places)] = True
    columns = np.all(grid, axis=0) & ~np.all(grid, axis=1).any()
    parts = []
    if columns.any():
        parts.append(f"down the {_enumerated(COLUMNS, columns)}")
    rest = grid & ~columns
    for there, rows in groupby(range(len(ROWS)), key=lambda row: tuple(rest[row])):
        those = np.isin(range(len(ROWS)), list(rows))
        if all(there):
            parts.append(f"across {_enumerated(_WHOLE_ROWS, those)}")
        elif any(there):
            parts.append(f"at the {_enumerated(ROWS, those)} {_enumerated(COLUMNS, there)}")
    return ", ".join(parts)


def _enumerated(names: Sequence[str], named: Iterable[bool]) -> str:
    """``far left, left and right``."""
    *first, last = compress(names, named)
    return f"{', '.join(first)} and {last}" if first else last


def _places(where: str) -> Iterator[int]:
    """Undo :func:`_where`; of other text, whatever is known."""
    for part in _PART.split(where):
        rows, columns = _ROW.findall(part) or ROWS, _COLUMN.findall(part) or COLUMNS
        for row, column in product(rows, columns):
            yield ROWS.index(row) * len(COLUMNS) + COLUMNS.index(column)
