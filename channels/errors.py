"""What a wrong input is answered with: one line that says what is wrong and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np


class InputError(ValueError):
    """An input that cannot be used; the message names the remedy and fits on one line."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Build the error for a name that is not in ``known``, with the nearest one suggested.

    >>> print(unknown_name("link", "awng", ["awgn", "rayleigh"]))
    unknown link 'awng': did you mean 'awgn'? Known: awgn, rayleigh
    """
    names = sorted(known)
    near = get_close_matches(str(name).lower(), names, n=1, cutoff=0.4)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {str(name)!r}:{hint} Known: {', '.join(names)}")


def check_number(name: str, value: object, low: float, high: float) -> float:
    """Return ``value`` as a float if it is a real number in [low, high]; ``name`` is for the error.

    >>> check_number("cbr", 2, 0, 8)
    2.0
    """
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    number = float(value) if real else math.nan  # type: ignore[arg-type]
    if not low <= number <= high:
        raise InputError(f"{name} must be a finite number in [{low:g}, {high:g}], got {value!r}")
    return number
