"""A sweep against the same transmissions in a plain loop, in one run.

    pytest benchmarks/test_sweep.py --benchmark-only -n 0 --benchmark-json sweep.json
    python benchmarks/milliseconds.py sweep.json benchmarks/sweep.json

Two phantoms of 256 x 256, two codecs, three SNRs, two draws each, over NTN-TDL-C. The loop encodes,
sends, decodes and measures; the sweep also keeps its journal on disk and makes its table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

import channels
import scenarios
import semcom

CODECS, SNR_DB, TRIALS, CBR = ("hevc-ldpc", "medjscc"), (0.0, 6.0, 12.0), 2, 1 / 16
torch.set_num_threads(1)
_rounds: Iterator[int] = count()


def fresh() -> tuple[tuple[torch.Tensor, torch.Tensor], dict[str, Any]]:
    """Pictures that nothing has coded yet."""
    return semcom.data.phantoms("chest", n=2, size=256, seed=next(_rounds)), {}


def loop(images: torch.Tensor, masks: torch.Tensor) -> list[float]:
    link, found = channels.link("ntn-tdl-c"), []
    for name in CODECS:
        codec = semcom.codec(name).adapted(link)
        for snr_db in SNR_DB:
            for image, mask in zip(images[:, None], masks[:, None], strict=True):
                for trial in range(TRIALS):
                    sent = codec.encode(image, cbr=CBR, snr_db=snr_db, roi=mask)
                    out = codec.decode(link(sent, snr_db=snr_db, seed=trial))
                    found.append(float(semcom.metrics.psnr(out, image)))
                    found.append(float(semcom.metrics.roi_psnr(out, image, mask)))
                    found.append(float(semcom.metrics.ms_ssim(out, image)))
    return found


@pytest.mark.parametrize("side", ["plain loop", "sweep"])
def test_sweep(benchmark: Any, side: str, tmp_path: Path) -> None:
    def sweep(images: torch.Tensor, masks: torch.Tensor) -> object:
        return scenarios.snr(
            images,
            masks,
            codecs=list(CODECS),
            links=["ntn-tdl-c"],
            snr_db=list(SNR_DB),
            cbr=CBR,
            trials=TRIALS,
            out=tmp_path / str(next(_rounds)),
        )

    benchmark.group = "24 transmissions"
    call = sweep if side == "sweep" else loop
    call(*fresh()[0])
    benchmark.pedantic(call, setup=fresh, rounds=5)
