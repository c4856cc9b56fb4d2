"""A sweep killed again and again: does it come out as if nothing had happened?

    python benchmarks/sweep_kills.py [number of kills, 20 by default]

`semcom run snr` on phantoms with two worker processes gets SIGKILL at random moments, one time in
five while it starts and else after its first new row, and is called again each time. At the end its
table is compared, byte for byte, with that of an undisturbed run, and its journal with the tasks:
none missing, none twice.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

COMMAND = [
    sys.executable, "-m", "scenarios", "run", "snr", "--codecs", "hevc-ldpc,jpeg2000-ldpc",
    "--limit", "6", "--size", "256", "--snr=-3:15:3", "--cbr", "1/32,1/16", "--workers", "2",
]  # fmt: skip
FILES = ("results.csv", "results.parquet")


def begun(out: Path) -> subprocess.Popen[bytes]:
    """The sweep, just started."""
    return subprocess.Popen(
        [*COMMAND, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def lines(out: Path) -> list[str]:
    """Keys of whole lines in the journal."""
    journal = out / "journal.jsonl"
    found = []
    for line in journal.read_text("utf-8").splitlines() if journal.exists() else []:
        try:
            found.append(json.loads(line)["key"])
        except ValueError:
            continue
    return found


def main(kills: int) -> None:
    """Print what became of each call and how the two runs compare."""
    draws = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole, torn = Path(folder) / "whole", Path(folder) / "torn"
        began = time.perf_counter()
        run = begun(whole)
        while not lines(whole):
            time.sleep(0.05)
        start_s = time.perf_counter() - began
        if run.wait():
            raise SystemExit("the undisturbed run failed")
        whole_s = time.perf_counter() - began
        print(f"undisturbed: {len(lines(whole))} rows in {whole_s:.0f} s, first {start_s:.0f} s")
        for kill in range(kills):
            run, held = begun(torn), len(lines(torn))
            if draws.random() < 0.2:
                time.sleep(draws.uniform(0.0, start_s))
            else:
                while run.poll() is None and len(lines(torn)) == held:
                    time.sleep(0.02)
                time.sleep(draws.uniform(0.0, 0.8 * (whole_s - start_s) / kills))
            ended = run.poll() is not None
            run.send_signal(signal.SIGKILL)
            run.wait()
            state = "had ended" if ended else "killed"
            print(f"call {kill + 1}: {state}, {len(lines(torn))} rows", flush=True)
        if begun(torn).wait():
            raise SystemExit("the last run failed")
        twice = sum(count > 1 for count in Counter(lines(torn)).values())
        missing = set(lines(whole)) - set(lines(torn))
        print(f"rows missing: {len(missing)}, twice in the journal: {twice}")
        for name in FILES:
            same = (whole / name).read_bytes() == (torn / name).read_bytes()
            print(f"{name}: {'same bytes' if same else 'DIFFERS'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20)
