"""What is kept of a pytest-benchmark file: the machine, the versions, a number a side."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
Kept = dict[str, Any]


def summary(
    report: Kept, libraries: tuple[str, ...], values: str, of: Callable[[Entry], tuple[str, float]]
) -> Kept:
    """Date, processor, versions and, under ``values``, one number of each side of each group.

    Args:
        report: what pytest-benchmark wrote.
        libraries: whose versions to keep.
        values: name of the numbers, with their unit.
        of: side and number of an entry.
    """
    groups: dict[str, dict[str, float]] = {}
    for entry in report["benchmarks"]:
        side, value = of(entry)
        groups.setdefault(entry["group"], {})[side] = value
    return {
        "date": str(report["datetime"])[:10],
        "cpu": report["machine_info"]["cpu"]["brand_raw"],
        "versions": {name: version(name) for name in libraries},
        values: groups,
    }


def main(summarise: Callable[[Kept], Kept], table: Callable[[Kept], str]) -> None:
    """Read the file named first, print its table and keep its summary in the one named second."""
    source, *target = sys.argv[1:]
    kept = summarise(json.loads(Path(source).read_text()))
    print(table(kept))
    for path in target:
        Path(path).write_text(json.dumps(kept, indent=1) + "\n")
