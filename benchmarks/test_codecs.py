"""Every codec on the same pictures, in one run.

    pytest benchmarks/test_codecs.py --benchmark-only -n 0 --benchmark-json codecs.json
    python benchmarks/milliseconds.py codecs.json benchmarks/codecs.json

One 512 x 512 chest phantom a call, cbr 1/16, 8 dB over AWGN, one thread. Each round gets a picture
of its own, because separate coding remembers the streams that it has found, and each codec begins
with none remembered; the MCS of the session is chosen before. To encode includes the search for
the rate.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch

import channels
import semcom
from semcom.image_coders import hevc, payloads

PRESETS = {"hevc-ldpc (x265 medium)": "medium"}
CODECS = (
    "hevc-ldpc",
    *PRESETS,
    "hevc-roi-ldpc",
    "avif-ldpc",
    "jpegxl-ldpc",
    "jpeg2000-ldpc",
    "medjscc",
    "medjscc-small",
    "deepjscc",
    "adjscc",
    "ntscc",
)
ROUNDS, SIDE, CBR, SNR_DB = 5, 512, 1 / 16, 8.0
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def preset(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hevc, "PRESET", PRESETS.get(side, hevc.PRESET))
    monkeypatch.setattr(payloads, "_kept", OrderedDict())


def timed(benchmark: Any, name: str, call: str) -> None:
    link = channels.link("awgn")
    codec = semcom.codec(name.split(" (")[0]).adapted(link)
    images, masks = semcom.data.phantoms("chest", n=ROUNDS + 1, size=SIDE, seed=0)
    sent = codec.encode(images[-1:], cbr=CBR, snr_db=SNR_DB, roi=masks[-1:])
    codec.decode(link(sent, snr_db=SNR_DB, seed=0))
    turns = iter(range(ROUNDS))

    def encode(turn: int) -> channels.Transmission:
        one = slice(turn, turn + 1)
        return codec.encode(images[one], cbr=CBR, snr_db=SNR_DB, roi=masks[one])

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        turn = next(turns)
        return (turn if call == "encode" else link(encode(turn), snr_db=SNR_DB, seed=turn),), {}

    benchmark.group = call
    work = encode if call == "encode" else codec.decode
    with torch.inference_mode():
        benchmark.pedantic(work, setup=setup, rounds=ROUNDS)


@pytest.mark.parametrize("side", CODECS)
def test_encode(benchmark: Any, side: str) -> None:
    timed(benchmark, side, "encode")


@pytest.mark.parametrize("side", CODECS)
def test_decode(benchmark: Any, side: str) -> None:
    timed(benchmark, side, "decode")
