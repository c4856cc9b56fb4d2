"""Block error rate curves of our decoder, of Sionna's and of layered belief propagation.

    python benchmarks/decoder_bler.py benchmarks/decoder_bler.csv docs/images/decoder_bler.png

About an hour on one core, most of it Sionna's and torch's. BPSK over Gaussian noise; every decoder
gets the same code words and noise, 20 iterations at most, and runs until 200 blocks are wrong.
Points that the file already holds are left out, so that a run may be broken off.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from torch import Tensor

from semcom.fec import LDPCDecoder, LDPCEncoder

CODES = {(300, 1500): 0.0, (512, 1024): 0.8, (4000, 8000): 0.7, (8448, 12672): 1.5}
ERRORS, NUM_ITER, STEP_DB = 200, 20, 0.1
COLUMNS = ("k", "n", "decoder", "ebno_db", "errors", "blocks")
BATCH, SIONNA_BATCH = 64, 16
SLOW = {"Sionna, boxplus-phi, flooding", "belief propagation, layered"}


def decoders(k: int, n: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Each decoder by its label."""
    sionna = LDPC5GDecoder(
        LDPC5GEncoder(k, n, precision="single", device="cpu"),
        num_iter=NUM_ITER,
        precision="single",
        device="cpu",
    )
    ours = {
        f"A-min* {precision}, layered": LDPCDecoder(k, n, NUM_ITER, precision=precision)
        for precision in ("int8", "int16", "float32")
    }
    exact = LDPCDecoder(k, n, NUM_ITER, cn_update="boxplus")

    def theirs(llr: Tensor) -> Tensor:
        return torch.cat([sionna(part) for part in torch.split(llr, SIONNA_BATCH)])

    return ours | {"belief propagation, layered": exact, "Sionna, boxplus-phi, flooding": theirs}


def simulate(k: int, n: int, ebno_db: float, decode: Callable[[Tensor], Tensor]) -> tuple[int, int]:
    """Errors and blocks, until there are 200 errors."""
    draws = torch.Generator().manual_seed(round(1000 * ebno_db) + 10_000 * k)
    noise_var = 1 / (2 * 10 ** (ebno_db / 10) * k / n)
    encoder = LDPCEncoder(k, n)
    errors = blocks = 0
    while errors < ERRORS:
        bits = torch.randint(0, 2, (BATCH, k), generator=draws).float()
        noise = math.sqrt(noise_var) * torch.randn(BATCH, n, generator=draws)
        llr = 2 * (2 * encoder(bits) - 1 + noise) / noise_var
        errors += int((decode(llr) != bits).any(1).sum())
        blocks += BATCH
    return errors, blocks


def measure(path: Path) -> None:
    """Add the points that a file lacks."""
    rows = read(path) if path.exists() else []
    if not rows:
        path.write_text(",".join(COLUMNS) + "\n")
    known = {(row["k"], row["decoder"], row["ebno_db"]): row for row in rows}
    for (k, n), start_db in CODES.items():
        for name, decode in decoders(k, n).items():
            for step in range(100):
                ebno_db = round(start_db + step * STEP_DB, 3)
                row = known.get((str(k), name, str(ebno_db)))
                if row is None:
                    with torch.inference_mode():
                        counts = simulate(k, n, ebno_db, decode)
                    with path.open("a", newline="") as file:
                        csv.writer(file, lineterminator="\n").writerow(
                            [k, n, name, ebno_db, *counts]
                        )
                    print(k, n, name, ebno_db, *counts, flush=True)
                else:
                    counts = int(row["errors"]), int(row["blocks"])
                if counts[0] / counts[1] < (0.1 if name in SLOW else 0.003):
                    break


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a file."""
    with path.open() as file:
        return list(csv.DictReader(file))


def curves(rows: list[dict[str, str]], k: int) -> dict[str, np.ndarray]:
    """For each decoder E_b/N_0 in dB, errors and blocks, ``[3, points]``."""
    found: dict[str, list[tuple[float, int, int]]] = {}
    for row in rows:
        if int(row["k"]) == k:
            point = (float(row["ebno_db"]), int(row["errors"]), int(row["blocks"]))
            found.setdefault(row["decoder"], []).append(point)
    return {name: np.array(sorted(points)).T for name, points in found.items()}


def report(rows: list[dict[str, str]]) -> None:
    """Print where each curve crosses 10 %, as a Markdown table."""
    print("| decoder |", " | ".join(f"({k}, {n})" for k, n in CODES), "|")
    print("| --- |" + " --- |" * len(CODES))
    for name in dict.fromkeys(row["decoder"] for row in rows):
        crossings = []
        for k, _ in CODES:
            ebno_db, errors, blocks = curves(rows, k).get(name, np.full((3, 1), np.nan))
            logs = np.log10(errors / blocks)
            crossings.append(f"{np.interp(1.0, -logs, ebno_db):.3f}")
        print(f"| {name} |", " | ".join(crossings), "|")


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """One panel a code, with 95 % intervals."""
    figure, axes = plt.subplots(1, len(CODES), figsize=(14, 4), sharey=True, layout="constrained")
    for axis, (k, n) in zip(axes, CODES, strict=True):
        for name, (ebno_db, errors, blocks) in curves(rows, k).items():
            share = errors / blocks
            spread = 1.96 * np.sqrt(share * (1 - share) / blocks)
            style = "--" if name in SLOW else "-"
            axis.errorbar(ebno_db, share, spread, fmt=style, marker=".", capsize=2, label=name)
        axis.set(yscale="log", xlabel="$E_b/N_0$ in dB", title=f"k = {k}, n = {n}")
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("block error rate")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.suptitle(f"LDPC decoders, BPSK over Gaussian noise, {NUM_ITER} iterations at most")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    torch.set_num_threads(1)
    measure(Path(sys.argv[1]))
    report(read(Path(sys.argv[1])))
    draw(read(Path(sys.argv[1])), Path(sys.argv[2]))
