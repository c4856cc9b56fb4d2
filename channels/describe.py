"""How a link tells what it is made of: rows of (parameter, value, unit, source)."""

from __future__ import annotations

from collections.abc import Iterable

Row = tuple[str, float | str, str, str]


def written(value: float | str, unit: str, digits: int = 5) -> str:
    """A value with its unit.

    >>> written(39931.2345, "Hz")
    '39931 Hz'
    """
    text = value if isinstance(value, str) else f"{value:.{digits}g}"
    return f"{text} {unit}".strip()


def one_line(rows: Iterable[Row]) -> str:
    """All values on one line, to 7 digits: it serves as a key.

    >>> one_line([("carrier", 2.0, "GHz", ""), ("domain", "time", "", "")])
    'carrier 2 GHz; domain time'
    """
    return "; ".join(f"{name} {written(value, unit, 7)}" for name, value, unit, _ in rows)


def table(title: str, rows: Iterable[Row]) -> str:
    """Aligned columns: parameter, value with unit, source.

    >>> print(table("awgn", [("carrier", 2.0, "GHz", "TS 38.101-5")]))
    awgn
      carrier  2 GHz  TS 38.101-5
    """
    cells = [(name, written(value, unit), source) for name, value, unit, source in rows]
    widths = [max(len(cell[column]) for cell in cells) for column in range(2)]
    lines = [
        f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip()
        for name, value, source in cells
    ]
    return "\n".join([title, *lines])
