"""Rows of Med-JSCC as a pure source coder for ``source_coding.py``: no mask, no channel.

    OMP_NUM_THREADS=1 python benchmarks/source_rows.py rows.csv DATA [--weights FILE]
    python benchmarks/source_coding.py rows.csv --coder medjscc

The anchors' pictures below ``DATA``, at every fourth step index from 10 to 58. Bytes are those of
the digital part and 4 of the header; the picture is what a receiver shows when no analogue symbol
arrives.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from source_coding import ANCHORS, COLUMNS

import semcom
from semcom.learned import pad_to
from semcom.medjscc import MedJSCC
from semcom.medjscc.header import BYTES
from semcom.medjscc.receiver import restore
from semcom.medjscc.source.bitstream import Writer, writing
from semcom.medjscc.source.border import find_border
from semcom.medjscc.source.quantiser import Quantiser
from semcom.medjscc.source.steps import log_steps
from semcom.medjscc.source.wavelet import BLOCK

INDICES = range(10, 62, 4)
SNR_DB, CBR = 8.0, 1 / 32
"""What the receiver's network is told of the channel."""


@torch.no_grad()
def coded(codec: MedJSCC, picture: NDArray[np.uint8]) -> Iterator[tuple[int, int, float]]:
    """Step index, bytes and PSNR in dB at each step."""
    image = torch.from_numpy(picture).float()[None, None] / 255
    height, width = picture.shape
    border = find_border(image)
    inside = pad_to(border.removed(image - 0.5), BLOCK)
    bands = codec.wavelet.analyse(inside)
    none = torch.zeros(1, 1, inside.shape[2] // BLOCK, inside.shape[3] // BLOCK, dtype=torch.bool)
    for index in INDICES:
        log_step, writer = log_steps(index, none, 0), Writer()
        writer.border(border)
        walked = codec.entropy_model.walk(log_step, writing([writer], Quantiser(bands)))
        shown = restore(
            codec.wavelet,
            codec.synthesis,
            [v + e.mean for v, e in zip(walked.values, walked.errors, strict=True)],
            [torch.exp2(e.log_deviation) for e in walked.errors],
            torch.zeros_like(inside),
            log_step,
            torch.tensor([SNR_DB]),
            CBR,
        )
        shown = border.restored(shown[..., :height, :width] + 0.5).clamp(0, 1)
        error = np.rint(shown[0, 0].numpy() * 255) - picture.astype(np.float64)
        yield index, len(writer.bytes()) + BYTES, 10 * np.log10(255**2 / np.mean(error**2))


def main() -> None:
    """Write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights")
    given = parser.parse_args()
    codec = semcom.codec("medjscc", **({"weights": given.weights} if given.weights else {}))
    assert isinstance(codec, MedJSCC)
    with ANCHORS.open() as file:
        names = sorted({(row["kind"], row["stem"]) for row in csv.DictReader(file)})
    with given.rows.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for kind, stem in names:
            path = given.data / kind / "eval" / "images" / f"{stem}.png"
            picture = np.array(Image.open(path).convert("L"))
            height, width = picture.shape
            for index, num_bytes, psnr_db in coded(codec, picture):
                row = [kind, stem, "medjscc", index, num_bytes, f"{psnr_db:.4f}", width, height]
                out.writerow(row)
            file.flush()


if __name__ == "__main__":
    main()
