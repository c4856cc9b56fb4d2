"""Peak resident memory of encoding and decoding one picture, by its size.

    OMP_NUM_THREADS=1 python benchmarks/medjscc_memory.py
    OMP_NUM_THREADS=1 python benchmarks/medjscc_memory.py 256 512

prints a Markdown table for chest phantoms of the given sides, 256 to 2048 by default, at cbr 1/16
and 10 dB over AWGN. Every size of every codec has a process of its own, and what a process holds
that did a 64 x 64 picture is taken off: libraries, weights, tables. Phantoms are drawn elsewhere.

This process imports neither torch nor semcom: on Linux a child's peak counts from its parent's.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

CODECS = ("medjscc", "hevc-ldpc")
SIDES = (256, 512, 1024, 2048)
LEAST = 64
CBR, LEAST_CBR, SNR_DB = 1 / 16, 1 / 4, 10.0
"""The smallest picture needs a higher rate, or headers leave it no room."""


def draw(path: str, side: str) -> None:
    """Keep one phantom and its mask in a file."""
    import torch

    import semcom

    torch.save(semcom.data.phantoms("chest", n=1, size=int(side), seed=0), path)


def peak(path: str, name: str) -> None:
    """Print the bytes that this process has held at most once the picture has come and gone."""
    import torch

    import channels
    import semcom

    torch.set_num_threads(1)
    images, masks = torch.load(path)
    link = channels.link("awgn")
    codec = semcom.codec(name).adapted(link)
    cbr = LEAST_CBR if images.shape[-1] == LEAST else CBR
    with torch.inference_mode():
        tx = codec.encode(images, cbr=cbr, snr_db=SNR_DB, roi=masks)
        _, lost = codec.decode_with_outage(link(tx, SNR_DB, seed=0))
    if bool(lost.any()):
        raise SystemExit(f"{name} lost the picture: what it holds is not what decoding takes")
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def child(*arguments: str) -> str:
    """What this script prints when it is called with some arguments."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measured(sides: tuple[int, ...]) -> dict[str, dict[int, int]]:
    """Bytes above the smallest picture's process, by codec and side."""
    peaks: dict[str, dict[int, int]] = {name: {} for name in CODECS}
    with tempfile.TemporaryDirectory() as folder:
        for side in (LEAST, *sides):
            path = str(Path(folder) / f"{side}.pt")
            child("draw", path, str(side))
            for name in CODECS:
                peaks[name][side] = int(child("peak", path, name))
    return {
        name: {side: held - found[LEAST] for side, held in found.items() if side != LEAST}
        for name, found in peaks.items()
    }


def table(found: dict[str, dict[int, int]]) -> str:
    """Markdown table: MiB, bytes a pixel, and bytes for each pixel more than in the row above.

    >>> print(table({"a": {256: 2**20, 512: 2**22}}))
    | codec | picture | above 64 x 64, MiB | bytes / pixel | slope, bytes / pixel |
    | --- | --- | --- | --- | --- |
    | a | 256 x 256 | 1 | 16 | 17 |
    | a | 512 x 512 | 4 | 16 | 16 |
    """
    lines = [
        "| codec | picture | above 64 x 64, MiB | bytes / pixel | slope, bytes / pixel |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, peaks in found.items():
        for (before, less), (side, held) in pairwise([(LEAST, 0), *sorted(peaks.items())]):
            slope = (held - less) / (side**2 - before**2)
            sizes = f"{held / 2**20:.0f} | {held / side**2:.0f} | {slope:.0f}"
            lines.append(f"| {name} | {side} x {side} | {sizes} |")
    return "\n".join(lines)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["draw", path, side]:
            draw(path, side)
        case ["peak", path, name]:
            peak(path, name)
        case sides:
            print(table(measured(tuple(int(side) for side in sides) or SIDES)))
