"""What a policy's map costs beside the encode it is for, and peak memory.

    OMP_NUM_THREADS=1 python benchmarks/dmic_cost.py

prints a Markdown table for angiography phantoms of 512 x 512 pixels, one thread: segmenter, trunk
and head and x265 in turn on each picture, medians of their ratios. One picture is coded at many
base QPs by a codec that fills a budget; the segmenter looks at it once.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

import semcom
from semcom.dmic import Policy, shipped
from semcom.dmic.observers import seen
from semcom.dmic.units import encode, grid

PICTURES, SIDE, BASE_QP, REPEATS = 8, 512, 37, 5
PRESETS = ("veryslow", "medium", "ultrafast")


def seconds(call: Callable[[], object]) -> float:
    """Of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def table(found: dict[str, np.ndarray]) -> str:
    """Markdown: medians in ms, and in percent of an encode at each preset, picture by picture.

    >>> print(table({"policy": np.array([0.01]), "x265 veryslow": np.array([0.1])}))
    | | ms | % of x265 veryslow |
    | --- | --- | --- |
    | policy | 10.0 | 10.0 |
    | x265 veryslow | 100.0 | 100.0 |
    """
    encodes = [name for name in found if name.startswith("x265")]
    heads = ["ms", *(f"% of {name}" for name in encodes)]
    lines = [f"| | {' | '.join(heads)} |", "| --- " * (1 + len(heads)) + "|"]
    for name, times in found.items():
        shares = [f"{100 * np.median(times / found[each]):.1f}" for each in encodes]
        lines.append(f"| {name} | {1000 * np.median(times):.1f} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


def measured(policy: Policy) -> dict[str, np.ndarray]:
    """Seconds of each part, picture by picture."""
    torch.set_num_threads(1)
    images = semcom.data.phantoms("angiography", n=PICTURES, size=SIDE, seed=0)[0][:, 0].numpy()
    finds = [semcom.segmenter("angiography")]
    flat = np.zeros(grid(SIDE, SIDE), np.int64)
    rows = []
    for image in images:
        found = seen(finds, image)[0]
        offsets = policy.offsets(image, found, BASE_QP)
        parts: dict[str, Callable[[], object]] = {
            "segmenter": lambda image=image: seen(finds, image),
            "policy (trunk and head)": lambda image=image, found=found: policy.offsets(
                image, found, BASE_QP
            ),
        }
        for preset in PRESETS:
            parts[f"x265 {preset}, one QP"] = lambda image=image, preset=preset: encode(
                image, BASE_QP, flat, preset
            )
        parts["with the policy's QPs, veryslow"] = lambda image=image, offsets=offsets: encode(
            image, BASE_QP, offsets, "veryslow"
        )
        rows.append(
            {
                name: np.median([seconds(call) for _ in range(REPEATS)])
                for name, call in parts.items()
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


if __name__ == "__main__":
    print(table(measured(shipped("dmic-angiography"))))
    unit = 1 if sys.platform == "darwin" else 1024
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20:.0f} MiB"
    )
