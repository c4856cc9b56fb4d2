"""The two base graphs of 5G LDPC codes and the sizes to which they are lifted."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from channels import InputError

# Lifting sizes Z by set index (TS 38.212 table 5.3.2-1).
LIFTING_SETS = (
    (2, 4, 8, 16, 32, 64, 128, 256),
    (3, 6, 12, 24, 48, 96, 192, 384),
    (5, 10, 20, 40, 80, 160, 320),
    (7, 14, 28, 56, 112, 224),
    (9, 18, 36, 72, 144, 288),
    (11, 22, 44, 88, 176, 352),
    (13, 26, 52, 104, 208),
    (15, 30, 60, 120, 240),
)
LIFTING_SIZES = tuple(sorted(size for sizes in LIFTING_SETS for size in sizes))
MAX_INFO_BITS = {"bg1": 8448, "bg2": 3840}

Rows = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True)
class BaseGraph:
    """Base graph 1 or 2 (TS 38.212 tables 5.3.2-2 and 5.3.2-3).

    Args:
        name: ``"bg1"`` or ``"bg2"``.
        num_info_columns: columns of information bits: 22 or 10.
        num_rows: check rows, as many as parity columns: 46 or 42.

    >>> base_graph("bg2")
    BaseGraph(name='bg2', num_info_columns=10, num_rows=42)
    """

    name: str
    num_info_columns: int
    num_rows: int

    @property
    def num_columns(self) -> int:
        """All columns."""
        return self.num_info_columns + self.num_rows

    @property
    def rate_inverse(self) -> int:
        """Inverse of the lowest code rate without repetition: 3 or 5."""
        return (self.num_columns - 2) // self.num_info_columns

    def rows(self, lifting_size: int) -> Rows:
        """The lifted graph: for each row its columns and their cyclic shifts, columns rising.

        A shift of s means that check z takes bit ``(z + s) mod lifting_size`` of the column.

        >>> base_graph("bg2").rows(4)[0][:3]
        ((0, 1), (1, 1), (2, 0))
        """
        index = lifting_set(lifting_size)
        return tuple(
            tuple((column, shifts[index] % lifting_size) for column, shifts in row)
            for row in _table(self.name)
        )


@cache
def base_graph(name: str) -> BaseGraph:
    """A base graph by its name.

    Raises:
        InputError: on another name.

    >>> base_graph("bg1").num_columns
    68
    """
    sizes = {"bg1": (22, 46), "bg2": (10, 42)}
    if name not in sizes:
        raise InputError(f"base graph must be 'bg1' or 'bg2', got {name!r}")
    return BaseGraph(name, *sizes[name])


def lifting_set(lifting_size: int) -> int:
    """Set index of a lifting size (TS 38.212 table 5.3.2-1).

    >>> lifting_set(384)
    1
    """
    for index, sizes in enumerate(LIFTING_SETS):
        if lifting_size in sizes:
            return index
    raise InputError(f"5G has no lifting size {lifting_size}; known: {LIFTING_SIZES}")


@cache
def _table(name: str) -> tuple[tuple[tuple[int, tuple[int, ...]], ...], ...]:
    """Columns and shifts, the latter by set index, of each row."""
    rows: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    with files("semcom.fec").joinpath("data", f"{name}.csv").open() as file:
        for entry in csv.DictReader(file):
            shifts = tuple(int(entry[f"set{index}"]) for index in range(8))
            rows.setdefault(int(entry["row"]), []).append((int(entry["column"]), shifts))
    return tuple(tuple(sorted(rows[row])) for row in sorted(rows))
