"""Cells and rows of Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.results.statistics import mean_interval


def signed(value: float, digits: int = 1) -> str:
    """A number with a sign of its own width.

    >>> signed(-1.25), signed(2)
    ('−1.2', '+2.0')
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def plain(value: float) -> str:
    """An SNR as it is written."""
    return f"{value:g}".replace("-", "−")


def header(*columns: str) -> list[str]:
    """The first two lines of a table."""
    return [row(*columns), "| --- " * len(columns) + "|"]


def row(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def apart(values: Sequence[float], digits: int = 1) -> str:
    """Mean of paired differences ± half the 95 % interval; bold where that leaves zero out.

    >>> apart([1.0, 1.2, 1.1]), apart([1.0])
    ('**+1.1 ± 0.2**', '+1.0')
    """
    mean, _, high = mean_interval(values)
    return interval(mean, high - mean, digits)


def interval(mean: float, half: float, digits: int = 1) -> str:
    """The same of a mean and half its interval, NaN where there is none.

    >>> interval(-0.25, 0.125, 2)
    '**−0.25 ± 0.12**'
    """
    if half != half:
        return signed(mean, digits)
    said = f"{signed(mean, digits)} ± {half:.{digits}f}"
    return f"**{said}**" if abs(mean) > half else said
