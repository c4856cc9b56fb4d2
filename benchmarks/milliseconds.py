"""Median time of each side of each group of a pytest-benchmark file.

    python benchmarks/milliseconds.py codecs.json benchmarks/codecs.json

prints a Markdown table, with the ratio to the first side of each group, and keeps what it needs,
with the kind of machine, in the second file.
"""

from __future__ import annotations

from report import Entry, Kept, main, summary


def median_ms(entry: Entry) -> tuple[str, float]:
    """Side of an entry and its median round."""
    return entry["params"]["side"], float(f"{1e3 * entry['stats']['median']:.4g}")


def summarise(report: Kept) -> Kept:
    """The median round of each side of each group, in ms."""
    return summary(report, ("av", "numba", "torch"), "median_ms", median_ms)


def table(kept: Kept) -> str:
    """Markdown table of a summary."""
    lines = []
    for group, sides in kept["median_ms"].items():
        first = next(iter(sides))
        lines += ["", f"| {group} | ms | over {first} |", "| --- | --- | --- |"]
        lines += [f"| {side} | {ms:.3g} | {ms / sides[first]:.2f} |" for side, ms in sides.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main(summarise, table)
