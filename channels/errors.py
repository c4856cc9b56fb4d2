"""What a wrong input is answered with: one line that says what is wrong and what to do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Real
from operator import index
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from torch import Tensor

_HOME = Path(__file__).parents[1]
_OURS = tuple(f"{_HOME / name}/" for name in ("channels", "semcom", "scenarios"))


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


def plain(value: object) -> object:
    """A number or bool that NumPy or PyTorch holds as Python's own; all else as it is.

    Arrays and tensors count where they have one element, of whatever shape. What is decided by a
    number (seeds, keys of results, files) shall not depend on who held it.

    >>> import torch
    >>> plain(np.int64(3)), plain(np.array([6.0])), plain(torch.tensor(True)), plain("3")
    (3, 6.0, True, '3')
    """
    if isinstance(value, np.ma.MaskedArray):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return value.item() if value.size == 1 and value.dtype.kind in "biuf" else value
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        try:
            return value.item()
        except (RuntimeError, NotImplementedError):  # without values: on the meta device, say
            return value
    return value


def whole_number(value: object) -> int | None:
    """A whole number as Python's own; ``None`` for anything else, bools and floats too.

    >>> import torch
    >>> whole_number(np.uint8(3)), whole_number(torch.tensor([3])), whole_number(3.0)
    (3, 3, None)
    """
    value = plain(value)
    if isinstance(value, bool | np.generic):
        return None
    try:
        return index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        return None


def real_number(value: object) -> float | None:
    """A real number as Python's own float, NaN included; ``None`` for anything else, bools too.

    >>> import torch
    >>> real_number(np.float32(0.5)), real_number(torch.tensor([6])), real_number(1j)
    (0.5, 6.0, None)
    """
    value = plain(value)
    if isinstance(value, bool | np.timedelta64 | np.ma.MaskedArray) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def check_number(name: str, value: object, low: float, high: float) -> float:
    """Return ``value`` as a float if it is a real number in [low, high]; ``name`` is for the error.

    Tensors and arrays of one element are numbers, see :func:`real_number`.

    >>> check_number("cbr", 2, 0, 8), check_number("snr_db", np.array(6.0), -100, 100)
    (2.0, 6.0)
    """
    number = real_number(value)
    if number is not None and low <= number <= high:
        return number
    raise InputError(f"{name} must be a finite number in [{low:g}, {high:g}], got {shown(value)}")


def check_whole(name: str, value: object, least: int, otherwise: str = "") -> int:
    """Return ``value`` as an int if it is a whole number from ``least`` on.

    ``name`` is for the error; ``otherwise`` says there what else may be.

    >>> check_whole("trials", np.int64(3), least=1)
    3
    """
    number = whole_number(value)
    if number is None or number < least:
        raise InputError(
            f"{name} must be a whole number from {least} on{otherwise}, got {shown(value)}"
        )
    return number


def check_count(name: str, value: object, low: int, high: int) -> int:
    """Return ``value`` as an int if it is a whole number in low…high; ``name`` is for the error.

    >>> check_count("batch_size", np.int64(16), 1, 1000)
    16
    """
    number = whole_number(value)
    if number is None or not low <= number <= high:
        raise InputError(f"{name} must be an int in {low}..{high}, got {shown(value)}")
    return number


def check_seed(value: object, name: str = "seed", high: int = 2**63 - 1) -> int:
    """Return ``value`` as an int if it can be a seed; ``name`` is for the error.

    >>> check_seed(np.int64(3))
    3
    """
    number = whole_number(value)
    if number is None or not 0 <= number <= high:
        bits = high.bit_length()
        raise InputError(f"{name} must be an integer in 0..2^{bits}-1, got {shown(value)}")
    return number


def keep_number(record: object, name: str, low: float, high: float, called: str = "") -> None:
    """Check a field of a frozen dataclass like :func:`check_number`, and keep it as a float.

    ``called`` is what the error calls it, by default its name.
    """
    number = check_number(called or name, getattr(record, name), low, high)
    object.__setattr__(record, name, number)


def keep_count(record: object, name: str, low: int, high: int, called: str = "") -> None:
    """Check a field of a frozen dataclass like :func:`check_count`, and keep it as an int."""
    number = check_count(called or name, getattr(record, name), low, high)
    object.__setattr__(record, name, number)


def check_path(wanted: str, value: object) -> Path:
    """Return ``value`` as a path if it can be one; ``wanted`` says in the error what it should be.

    >>> check_path("a file must have a name", "results.csv").name
    'results.csv'
    """
    if not isinstance(value, str | PathLike) or not fspath(value) or "\0" in str(value):
        raise InputError(f"{wanted}, got {shown(value)}")
    return Path(value)


def check_flag(name: str, value: object) -> bool:
    """Return ``value`` as a bool if it is one; ``name`` is for the error.

    >>> check_flag("normalize", np.bool_(True))
    True
    """
    flag = plain(value)
    if not isinstance(flag, bool):
        raise InputError(f"{name} must be True or False, got {shown(value)}")
    return flag


def keep_flag(record: object, name: str) -> None:
    """Check a field of a frozen dataclass like :func:`check_flag`, and keep it as a bool."""
    object.__setattr__(record, name, check_flag(name, getattr(record, name)))


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, naming the nearest caller outside the packages channels, semcom and scenarios.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("mind the gap")
    >>> caught[0].filename.startswith(_OURS), str(caught[0].message)
    (False, 'mind the gap')
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
