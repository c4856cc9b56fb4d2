"""Text of the command line → values. Imports nothing heavy."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import typer

from scenarios.results.columns import MAX_SNR_DB

if TYPE_CHECKING:
    from scenarios.engine.mcs_curves import MCSChoice

_MOST_POINTS = 1000
_SCHEME = re.compile(r"(?:([1-3]):)?([0-9]{1,2})")


def _fraction(text: str) -> Fraction:
    """An exact number; no exponent beyond two digits, which would take hours to write out.

    Raises:
        ValueError: if it is none.
        ZeroDivisionError: if it divides by zero.
    """
    if re.search(r"[eE][+-]?[0-9_]{3}", text):
        raise ValueError(text)
    return Fraction(text.strip())


def parse_rate(text: str) -> float:
    """A rate written as ``1/16`` or ``0.0625``.

    Raises:
        typer.BadParameter: if it is not a positive number.

    >>> parse_rate("1/16")
    0.0625
    """
    try:
        rate = float(_fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise typer.BadParameter(f"--cbr {text!r}: write a fraction or a number, 1/16") from None
    if rate <= 0:
        raise typer.BadParameter(f"--cbr {text!r}: the rate must be above 0, e.g. 1/16")
    return rate


def parse_rates(text: str) -> list[float]:
    """Rates separated by commas.

    Raises:
        typer.BadParameter: if one is not a positive number, or there is none.

    >>> parse_rates("1/64,1/16")
    [0.015625, 0.0625]
    """
    return [parse_rate(name) for name in parse_names(text) or [text]]


def parse_snr(text: str) -> list[float]:
    """SNR points in dB written as ``start:stop:step``, stop included, or separated by commas.

    Raises:
        typer.BadParameter: if it is written otherwise, or names no point or too many.

    >>> parse_snr("0:12:4"), parse_snr("-3:0:1.5")
    ([0.0, 4.0, 8.0, 12.0], [-3.0, -1.5, 0.0])
    >>> parse_snr("0,6,12:16:2")
    [0.0, 6.0, 12.0, 14.0, 16.0]
    """
    if "," in text:
        return [point for part in text.split(",") for point in parse_snr(part)]
    remedy = "write start:stop:step in dB, e.g. 0:12:4, or points, 0,6,12"
    try:
        numbers = [_fraction(part) for part in text.split(":")]
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"--snr {text!r}: {remedy}") from None
    if any(abs(number) > MAX_SNR_DB for number in numbers):
        limits = f"[-{MAX_SNR_DB}, {MAX_SNR_DB}] dB"
        raise typer.BadParameter(f"--snr {text!r}: points and step must lie in {limits}")
    if len(numbers) == 1:
        return [float(numbers[0])]
    if len(numbers) != 3 or numbers[2] <= 0 or numbers[1] < numbers[0]:
        raise typer.BadParameter(f"--snr {text!r}: {remedy}")
    start, stop, step = numbers
    count = math.floor((stop - start) / step) + 1
    if count > _MOST_POINTS:
        raise typer.BadParameter(f"--snr {text!r}: {count} points are too many; take a larger step")
    return [float(start + index * step) for index in range(count)]


def parse_names(text: str) -> list[str]:
    """Names separated by commas.

    >>> parse_names("awgn, ntn-tdl-c,")
    ['awgn', 'ntn-tdl-c']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def parse_mcs(text: str) -> list[MCSChoice]:
    """Modulation and coding schemes: ``auto`` and indices, separated by commas, each once.

    A bare index counts in table 1 of TS 38.214; ``2:27`` is index 27 of table 2.

    Raises:
        typer.BadParameter: if it is written otherwise.

    >>> parse_mcs("auto,4,13,2:27")
    ['auto', 4, 13, (2, 27)]
    """
    choices = [_scheme(name) for name in parse_names(text)]
    if not choices or None in choices:
        raise typer.BadParameter(
            f"--mcs {text!r}: write auto and indices, e.g. auto,4,13, or table:index, e.g. 2:27"
        )
    return [choice for choice in dict.fromkeys(choices) if choice is not None]


def _scheme(name: str) -> MCSChoice | None:
    """What one name of ``--mcs`` means; ``None`` if it is written otherwise."""
    if name == "auto":
        return "auto"
    written = _SCHEME.fullmatch(name)
    if written is None:
        return None
    table, index = int(written[1] or 1), int(written[2])
    return index if table == 1 else (table, index)


def parse_whole(option: str, text: str) -> list[int]:
    """Whole numbers separated by commas, each once.

    Raises:
        typer.BadParameter: if it is written otherwise, or there is none.

    >>> parse_whole("--mcs", "4,13,4")
    [4, 13]
    """
    names = list(dict.fromkeys(parse_names(text)))
    if not names or not all(re.fullmatch("[0-9]{1,6}", name) for name in names):
        raise typer.BadParameter(f"{option} {text!r}: write whole numbers from 0 on, e.g. 2,4")
    return [int(name) for name in names]


def parse_numbers(option: str, text: str) -> list[float]:
    """Numbers separated by commas.

    Raises:
        typer.BadParameter: if one is none, or there is none.

    >>> parse_numbers("--values", "0, 1/2, 300")
    [0.0, 0.5, 300.0]
    """
    try:
        numbers = [float(_fraction(name)) for name in parse_names(text)]
    except (ValueError, ZeroDivisionError, OverflowError):
        numbers = []
    if not numbers:
        raise typer.BadParameter(f"{option} {text!r}: write numbers, e.g. 0,100,300")
    return numbers
