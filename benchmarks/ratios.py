"""Print the ratios of a pytest-benchmark file: ours over bare, minimum times, one line a group."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(path: str) -> None:
    """Read the file and print a Markdown table."""
    report = json.loads(Path(path).read_text())
    groups: dict[str, dict[str, float]] = {}
    for entry in report["benchmarks"]:
        side = entry["params"]["side"]
        groups.setdefault(entry["group"], {})[side] = 1e3 * entry["stats"]["min"]
    print(f"{report['machine_info']['cpu']['brand_raw']}, {report['datetime'][:10]}\n")
    print("| link | ours, ms | bare, ms | ours / bare |\n| --- | --- | --- | --- |")
    for name, times in groups.items():
        ours, bare = times["ours"], times["bare"]
        print(f"| {name} | {ours:.1f} | {bare:.1f} | {ours / bare:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1])
