"""Measures and draws the figures of real X-rays beside those of results.md.

    python docs/figures.py DATA mismatch|ablation|separate|coders [--workers 1]

DATA and the eight pictures of a kind are those of measure.py. Tables go to docs/results, what is
finished to results/figures; lines of Markdown for the pages are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from measure import FOLDER, chosen

import scenarios
import semcom
from scenarios.engine.mcs_curves import with_mcs
from scenarios.results.table import Table
from semcom.image_coders.source import SourceCoder, source_coder
from semcom.scheme import Scheme

IMAGES = Path(__file__).parent / "images"
KEPT = Path("results") / "figures"
KINDS = ("chest", "angiography")
SIZE, PICTURES = 384, 8
LINKS = ("awgn", "ntn-tdl-c")
CODERS = ("hevc-ldpc", "hevc-roi-ldpc", "avif-ldpc", "jpegxl-ldpc", "jpeg2000-ldpc")
BOUND = "hevc-capacity"
HELD = (4, 9, 13, 19)
"""Single MCS that are drawn, indices of table 1 of TS 38.214."""

BUDGETS = (512, 1024, 2048, 4096)


def mismatch(data: Path, workers: int) -> None:
    """Both ends believe 10 dB, the channel gives less."""
    for kind in KINDS:
        table = scenarios.mismatch(
            *chosen(data, kind, SIZE, PICTURES),
            codecs=("medjscc", "hevc-ldpc", "deepjscc"),
            links=LINKS,
            believed_snr_db=10.0,
            snr_db=(0, 2, 4, 6, 8, 10),
            cbr=1 / 16,
            diagnosis=kind,
            out=KEPT / f"mismatch_{kind}",
            workers=workers,
            progress=True,
        )
        table.save(FOLDER / f"mismatch_{kind}.csv")
        print(kind, means(table, ("medjscc", "hevc-ldpc", "deepjscc")), sep="\n")
        if kind == KINDS[0]:
            table.plot("psnr", IMAGES / "mismatch.png")


def ablation(data: Path, workers: int) -> None:
    """What each part of Med-JSCC brings."""
    for kind in KINDS:
        differences = scenarios.ablation(
            *chosen(data, kind, SIZE, PICTURES),
            links="ntn-tdl-c",
            segmenter=kind,
            diagnosis=kind,
            out=KEPT / f"ablation_{kind}",
            workers=workers,
            progress=True,
        )
        differences.table.save(FOLDER / f"ablation_{kind}.csv")
        differences.print()
        if kind == KINDS[0]:
            differences.plot(IMAGES / "ablation.png")


def separate(data: Path, workers: int) -> None:
    """Separate coding, its bound, and HEVC at single MCS."""
    schemes: dict[str, Scheme] = {name: semcom.codec(name) for name in CODERS}
    held = with_mcs({CODERS[0]: schemes[CODERS[0]]}, ["auto", *HELD])
    table = scenarios.snr(
        *chosen(data, KINDS[0], SIZE, PICTURES),
        codecs=held | schemes | {BOUND: semcom.bound(BOUND)},
        links=LINKS,
        snr_db=range(0, 13, 3),
        cbr=1 / 16,
        out=KEPT / "separate",
        workers=workers,
        progress=True,
    )
    table.save(FOLDER / "separate_chest.csv")
    print(means(table, (*CODERS, BOUND)))
    table.select(codecs=[*held, BOUND]).plot("psnr", IMAGES / "separate_mcs.png")
    table.select(codecs=[*CODERS, BOUND]).plot("roi_psnr", IMAGES / "separate_coders.png")


def means(table: Table, codecs: tuple[str, ...]) -> str:
    """PSNR / ROI-PSNR at each link and SNR, in brackets how many pictures were lost."""
    frame = table.frame[table.frame["codec"].isin(codecs)]
    grouped = frame.groupby(["link", "snr_db", "codec"])
    shown = grouped.agg(psnr=("psnr", "mean"), roi=("roi_psnr", "mean"), lost=("outage", "sum"))
    lines = [f"| link | SNR | {' | '.join(codecs)} |", "| --- " * (2 + len(codecs)) + "|"]
    for link, snr_db in dict.fromkeys((key[0], key[1]) for key in grouped.groups):
        cells = []
        for codec in codecs:
            psnr, roi, lost = shown.loc[(link, snr_db, codec)]
            cells.append(f"{psnr:.1f} / {roi:.1f}" + (f" ({lost:.0f})" if lost else ""))
        lines.append(f"| {link} | {snr_db:g} dB | {' | '.join(cells)} |")
    return "\n".join(lines)


def coders(data: Path, workers: int) -> None:
    """The image coders alone, in so many bytes."""
    images, masks = chosen(data, KINDS[0], SIZE, PICTURES)
    tried: dict[str, SourceCoder] = {
        **{f"hevc, {depth} bit": source_coder("hevc", bit_depth=depth) for depth in (8, 10, 12)},
        **{name: source_coder(name) for name in ("hevc-roi", "jpeg2000", "jpegxl", "avif")},
        "hevc, 10 bit, headers billed": source_coder("hevc", header="billed"),
    }
    print(f"| | {' | '.join(f'{budget} B' for budget in BUDGETS)} |")
    print("| --- " * (1 + len(BUDGETS)) + "|")
    for name, coder in tried.items():
        cells = []
        for budget in BUDGETS:
            scores = [
                coded(coder, image, mask, budget) for image, mask in zip(images, masks, strict=True)
            ]
            whole, region = np.mean(scores, axis=0)
            cells.append(f"{whole:.2f} / {region:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def coded(
    coder: SourceCoder, image: torch.Tensor, mask: torch.Tensor, budget: int
) -> tuple[float, float]:
    """PSNR and ROI-PSNR of a picture in so many bytes."""
    payload = coder.fit(image[0].numpy(), budget, mask[0].numpy())
    decoded = torch.from_numpy(coder.decode(payload, *image.shape[-2:]))[None, None]
    whole = semcom.metrics.psnr(decoded, image[None])
    return float(whole), float(semcom.metrics.roi_psnr(decoded, image[None], mask[None]))


FIGURES: dict[str, Callable[[Path, int], None]] = {
    "mismatch": mismatch, "ablation": ablation, "separate": separate, "coders": coders,
}  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("name", choices=sorted(FIGURES))
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    FIGURES[asked.name](asked.data, asked.workers)
