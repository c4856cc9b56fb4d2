"""Ratios from a pytest-benchmark file: ours over bare, minimum times, one line a group.

    python benchmarks/ratios.py links.json benchmarks/links.json

prints a Markdown table and keeps what it needs, with the kind of machine, in the second file.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("sionna", "openntn", "torch")


def summary(report: dict[str, object]) -> dict[str, object]:
    """Date, processor, versions and the fastest round of each side of each group, in ms."""
    groups: dict[str, dict[str, float]] = {}
    for entry in report["benchmarks"]:  # type: ignore[attr-defined]
        fastest_ms = round(1e3 * entry["stats"]["min"], 3)
        groups.setdefault(entry["group"], {})[entry["params"]["side"]] = fastest_ms
    return {
        "date": str(report["datetime"])[:10],
        "cpu": report["machine_info"]["cpu"]["brand_raw"],  # type: ignore[index]
        "versions": {name: version(name) for name in LIBRARIES},
        "fastest_ms": groups,
    }


def table(kept: dict[str, object]) -> str:
    """Markdown table of a summary."""
    lines = ["| link | ours, ms | bare, ms | ours / bare |", "| --- | --- | --- | --- |"]
    for name, times in kept["fastest_ms"].items():  # type: ignore[attr-defined]
        ours, bare = times["ours"], times["bare"]
        lines.append(f"| {name} | {ours:.1f} | {bare:.1f} | {ours / bare:.2f} |")
    return "\n".join(lines)


def main(source: str, target: str | None = None) -> None:
    """Read, print and, if a target is given, keep."""
    kept = summary(json.loads(Path(source).read_text()))
    print(table(kept))
    if target is not None:
        Path(target).write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
