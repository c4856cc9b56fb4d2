"""Channel uses, code rate and modulation against a stored rate-distortion curve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import channels
import semcom
from semcom.modem.mcs import mcs_table
from semcom.separate import SeparateCodec

STORED = Path(__file__).parent / "data" / "hevc_chest_phantom.json"


@pytest.mark.parametrize(
    ("cbr", "index"), [(1 / 32, 9), (1 / 32, 16), (1 / 16, 9), (1 / 16, 17), (1 / 8, 13)]
)
def test_plateau_is_where_the_rate_distortion_curve_says(cbr: float, index: int) -> None:
    """C cbr R log2 M bits per pixel, less CRCs and unfilled bits, give the PSNR of the chain."""
    bpp, psnr_db = np.array(json.loads(STORED.read_text())["bpp_psnr_db"]).T
    images, _ = semcom.data.phantoms("chest", n=1, size=256, seed=0)
    codec = SeparateCodec("hevc", mcs=index, mcs_table=1, header="billed")
    mcs = mcs_table(1)[index]
    tx = codec.encode(images, cbr=cbr, snr_db=40.0)
    received = codec.decode(channels.link("awgn")(tx, 40.0, seed=0))
    offered = cbr * mcs.code_rate * mcs.bits_per_symbol
    assert bpp.min() < offered < bpp.max()
    expected = np.interp(np.log2(offered), np.log2(bpp), psnr_db)
    slope = np.gradient(psnr_db, np.log2(bpp)).max()
    # CRCs take 1 to 5 % of these small payloads, the search leaves up to 1 %.
    lowest = expected - slope * np.log2(1 / 0.93) - 0.1
    assert lowest <= float(semcom.metrics.psnr(received, images)[0]) <= expected + 0.1
