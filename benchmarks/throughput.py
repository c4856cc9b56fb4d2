"""Megabits per second from a pytest-benchmark file: fastest round of each side of each group.

    python benchmarks/throughput.py fec.json benchmarks/fec.json

prints a Markdown table a group, with the ratio to the fastest side that is not ours, and keeps what
it needs, with the kind of machine, in the second file.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numba", "sionna", "torch")


def summary(report: dict[str, object]) -> dict[str, object]:
    """Date, processor, versions, and Mb/s of each side of each group."""
    groups: dict[str, dict[str, float]] = {}
    for entry in report["benchmarks"]:  # type: ignore[attr-defined]
        extra = entry["extra_info"]
        speed = extra["bits"] / entry["stats"]["min"] / 1e6
        groups.setdefault(entry["group"], {})[extra["side"]] = float(f"{speed:.4g}")
    return {
        "date": str(report["datetime"])[:10],
        "cpu": report["machine_info"]["cpu"]["brand_raw"],  # type: ignore[index]
        "versions": {name: version(name) for name in LIBRARIES},
        "megabits_per_s": groups,
    }


def table(kept: dict[str, object]) -> str:
    """Markdown table of a summary."""
    lines = []
    for group, sides in kept["megabits_per_s"].items():  # type: ignore[attr-defined]
        peer = max(speed for side, speed in sides.items() if not side.startswith("ours"))
        lines += ["", f"| {group} | Mb/s | ratio |", "| --- | --- | --- |"]
        for side, speed in sorted(sides.items(), key=lambda item: item[1]):
            ratio = speed / peer
            lines.append(f"| {side} | {speed:.3g} | {ratio:.{0 if ratio > 20 else 2}f} |")
    return "\n".join(lines)


def main(source: str, target: str | None = None) -> None:
    """Read, print and, if a target is given, keep."""
    kept = summary(json.loads(Path(source).read_text()))
    print(table(kept))
    if target is not None:
        Path(target).write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
