"""Megabits per second from a pytest-benchmark file: fastest round of each side of each group.

    python benchmarks/throughput.py fec.json benchmarks/fec.json

prints a Markdown table a group, with the ratio to the fastest side that is not ours, and keeps what
it needs, with the kind of machine, in the second file.
"""

from __future__ import annotations

from report import Entry, Kept, main, summary


def megabits_per_s(entry: Entry) -> tuple[str, float]:
    """Side of an entry and its speed, in four digits."""
    extra = entry["extra_info"]
    return extra["side"], float(f"{extra['bits'] / entry['stats']['min'] / 1e6:.4g}")


def summarise(report: Kept) -> Kept:
    """Mb/s of each side of each group."""
    return summary(report, ("numba", "sionna", "torch"), "megabits_per_s", megabits_per_s)


def table(kept: Kept) -> str:
    """Markdown table of a summary."""
    lines = []
    for group, sides in kept["megabits_per_s"].items():
        peer = max(speed for side, speed in sides.items() if not side.startswith("ours"))
        lines += ["", f"| {group} | Mb/s | ratio |", "| --- | --- | --- |"]
        for side, speed in sorted(sides.items(), key=lambda item: item[1]):
            ratio = speed / peer
            lines.append(f"| {side} | {speed:.3g} | {ratio:.{0 if ratio > 20 else 2}f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(summarise, table)
