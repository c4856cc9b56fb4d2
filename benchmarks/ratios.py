"""Ratios from a pytest-benchmark file: ours over bare, minimum times, one line a group.

    python benchmarks/ratios.py links.json benchmarks/links.json

prints a Markdown table and keeps what it needs, with the kind of machine, in the second file.
"""

from __future__ import annotations

from report import Entry, Kept, main, summary


def fastest_ms(entry: Entry) -> tuple[str, float]:
    """Side of an entry and its fastest round."""
    return entry["params"]["side"], round(1e3 * entry["stats"]["min"], 3)


def summarise(report: Kept) -> Kept:
    """The fastest round of each side of each group, in ms."""
    return summary(report, ("sionna", "openntn", "torch"), "fastest_ms", fastest_ms)


def table(kept: Kept) -> str:
    """Markdown table of a summary."""
    lines = ["| link | ours, ms | bare, ms | ours / bare |", "| --- | --- | --- | --- |"]
    for name, times in kept["fastest_ms"].items():
        ours, bare = times["ours"], times["bare"]
        lines.append(f"| {name} | {ours:.1f} | {bare:.1f} | {ours / bare:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(summarise, table)
