"""What a sweep costs beside its transmissions, and what a second process saves.

    OMP_NUM_THREADS=1 python benchmarks/sweep_overhead.py [codecs, hevc-ldpc by default]

Two chest phantoms of 512 x 512 over NTN-TDL-C, seven SNRs, three rates, kept in a journal. Overhead
is the share of wall time outside codec, link and metrics, in one process: hashes, journal, rows.
The picture that each codec encodes beforehand, so that a sweep refuses early, is the codec's time
and said beside it: what its search finds is remembered and not sought again. The speed-up is the
wall time of that sweep over that of one with two processes, their start included. Each run has
pictures of its own: separate coding remembers the streams that it has found.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import scenarios
import semcom
from scenarios.engine import sweep, task

SNR_DB = tuple(float(point) for point in range(-3, 16, 3))
RATES = (1 / 64, 1 / 32, 1 / 16)
PICTURES, SIDE = 2, 512


class Watch:
    """Wall time spent inside a function that it stands for."""

    def __init__(self, function: Any) -> None:
        self.seconds, self._function = 0.0, function

    def __call__(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return self._function(*arguments)
        finally:
            self.seconds += time.perf_counter() - began


def swept(codecs: list[str], seed: int, workers: int) -> float:
    """Wall time in seconds of one sweep."""
    images, masks = semcom.data.phantoms("chest", n=PICTURES, size=SIDE, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        scenarios.snr(
            images,
            masks,
            codecs=codecs,
            links="ntn-tdl-c",
            snr_db=SNR_DB,
            cbr=RATES,
            workers=workers,
            out=Path(folder),
        )
        return time.perf_counter() - began


def main(codecs: list[str]) -> None:
    """Print both figures."""
    sweep.transmit, sweep.offer = watches = Watch(task.transmit), Watch(task.offer)
    alone = swept(codecs, seed=1, workers=1)
    sweep.transmit, sweep.offer = task.transmit, task.offer
    shared = swept(codecs, seed=2, workers=2)
    print(f"| {', '.join(codecs)} | one process | two processes |")
    print("| --- | --- | --- |")
    print(f"| wall time, s | {alone:.1f} | {shared:.1f} |")
    inside, offers = (100 * watch.seconds / alone for watch in watches)
    print(f"| outside codec, link and metrics | {100 - inside - offers:.1f} % | |")
    print(f"| encoding beforehand | {offers:.1f} % | |")
    print(f"| speed-up | 1 | {alone / shared:.2f} |")


if __name__ == "__main__":
    main(sys.argv[1:] or ["hevc-ldpc"])
