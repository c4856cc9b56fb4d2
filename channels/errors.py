"""What a wrong input is answered with: one line that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike, fspath
from pathlib import Path

import numpy as np


class InputError(ValueError):
    """An input that cannot be used; the message names the remedy and fits on one line."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Build the error for a name that is not in ``known``, with the nearest one suggested.

    >>> print(unknown_name("link", "awng", ["awgn", "rayleigh"]))
    unknown link 'awng': did you mean 'awgn'? Known: awgn, rayleigh
    """
    names = sorted(known)
    lowered = {known_name.lower(): known_name for known_name in names}
    text, cutoff = (name, 0.4) if isinstance(name, str) else (shown(name), 0.6)
    near = get_close_matches(text.lower(), lowered, 1, cutoff)
    hint = f" did you mean {lowered[near[0]]!r}?" if near else ""
    return InputError(f"unknown {kind} {shown(name)}:{hint} Known: {', '.join(names)}")


def check_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``known``; ``kind`` is for the error.

    >>> check_name("domain", "time", ["frequency", "time"])
    'time'
    """
    names = list(known)
    if not isinstance(name, str) or name not in names:
        raise unknown_name(kind, name, names)
    return name


def shown(value: object) -> str:
    """A value on one line of at most 60 characters, for an error.

    >>> shown(np.zeros((2, 2)))
    'array([[0., 0.], [0., 0.]])'
    """
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an int too long for Python to print
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_number(name: str, value: object, low: float, high: float) -> float:
    """Return ``value`` as a float if it is a real number in [low, high]; ``name`` is for the error.

    >>> check_number("cbr", 2, 0, 8)
    2.0
    """
    real = isinstance(value, int | float | np.integer | np.floating)
    if real and not isinstance(value, bool) and low <= value <= high:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise InputError(f"{name} must be a finite number in [{low:g}, {high:g}], got {shown(value)}")


def check_path(wanted: str, value: object) -> Path:
    """Return ``value`` as a path if it can be one; ``wanted`` says in the error what it should be.

    >>> check_path("a file must have a name", "results.csv").name
    'results.csv'
    """
    if not isinstance(value, str | PathLike) or not fspath(value) or "\0" in str(value):
        raise InputError(f"{wanted}, got {shown(value)}")
    return Path(value)


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is a bool; ``name`` is for the error.

    >>> check_flag("normalize", True)
    True
    """
    if not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, got {shown(value)}")
    return value


def check_whole(name: str, value: object, least: int, otherwise: str = "") -> None:
    """Refuse what is not a whole number from ``least`` on; ``otherwise`` says what else may be.

    >>> check_whole("trials", 3, least=1)
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number from {least} on{otherwise}, got {value!r}")


def check_count(name: str, value: object, low: int, high: int) -> int:
    """Return ``value`` if it is an int in low…high; ``name`` is for the error.

    >>> check_count("batch_size", 16, 1, 1000)
    16
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not low <= value <= high:  # type: ignore[operator]
        raise InputError(f"{name} must be an int in {low}..{high}, got {shown(value)}")
    return int(value)  # type: ignore[call-overload, no-any-return]
