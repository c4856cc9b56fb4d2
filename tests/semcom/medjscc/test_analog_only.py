"""When a finer analog base layer takes the place of a digital part that would hardly arrive."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import channels
import semcom
from channels import Reception, Transmission
from semcom.medjscc import MedJSCC
from semcom.medjscc.analog_only import AnalogOnly
from semcom.metrics import psnr
from tests.semcom.medjscc.headers import headers_of


def alone(sender: MedJSCC, tx: Transmission) -> list[bool]:
    return [header.analog_only for header in headers_of(sender, tx)]


def test_where_a_digital_part_would_be_lost_it_is_not_sent(
    trained: MedJSCC, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over NTN-TDL-C at -8 dB many digital parts are lost; over AWGN at 3 dB none is."""
    images = semcom.data.phantoms("chest", n=3, size=384, seed=9)[0]
    point = {"cbr": 1 / 64, "snr_db": -8.0}
    over_awgn = trained.adapted(channels.link("awgn"))
    link = channels.link("ntn-tdl-c")
    faded = trained.adapted(link)
    assert not any(alone(over_awgn, over_awgn.encode(images, cbr=1 / 64, snr_db=3.0)))
    without = faded.encode(images, **point)
    assert all(alone(faded, without))

    monkeypatch.setattr(AnalogOnly, "serves_better", lambda *_: False)
    digital = faded.encode(images, **point)
    assert not any(alone(faded, digital))
    found = {
        name: torch.stack(
            [psnr(faded.decode(link(tx, -8.0, seed=seed)), images).mean() for seed in range(12)]
        )
        for name, tx in {"without": without, "digital": digital}.items()
    }
    difference = found["without"] - found["digital"]
    assert difference.mean() > 2 * difference.std() / math.sqrt(12)


def test_without_a_digital_part_a_finer_base_layer_is_sent(
    narrow: MedJSCC, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AnalogOnly, "serves_better", lambda *_: True)
    generator = torch.Generator().manual_seed(5)
    blocks = torch.rand(2, 1, 24, 24, generator=generator)
    images = torch.nn.functional.interpolate(blocks, (384, 384), mode="nearest")
    tx = narrow.encode(images, cbr=1 / 144, snr_db=0.0, roi=images)
    parts = narrow._layout(tx.session)
    assert tx.used.tolist() == [1024] * 2
    rx = channels.link("awgn")(tx, 0.0, seed=1)
    out, lost = narrow.decode_with_outage(rx)
    assert not lost.any()
    symbols = rx.symbols.clone()
    symbols[:, : parts.header.channel_uses] *= 1j
    spoilt = Reception(symbols, rx.noise_var, rx.snr_db, rx.session)
    coarse, lost = narrow.decode_with_outage(spoilt)
    assert lost.all()
    assert (psnr(out, images) > psnr(coarse, images) + 1).all()
    for found in narrow.rate_map(rx):
        assert found is not None
        assert float(found.symbols.sum()) == pytest.approx(parts.shared_uses)
        assert (found.digital, found.analogue) == (0, parts.shared_uses)


@pytest.mark.filterwarnings("ignore:link .* a residual offset")
def test_a_header_that_never_arrives_stops_nothing(narrow: MedJSCC) -> None:
    """Pilots 0.64 ms apart see an offset of 1800 Hz as another; the chance of the header is 0."""
    images = semcom.data.phantoms("chest", n=1, size=128, seed=5)[0]
    offset = channels.Residual(offset_hz=1800.0)
    link = channels.link("ntn-tdl-c", residual=offset, estimator="lmmse")
    sender = narrow.adapted(link)
    tx = sender.encode(images, cbr=1 / 16, snr_db=10.0)
    assert sender.decode_with_outage(link(tx, 10.0, seed=0))[1].all()


@pytest.mark.parametrize("offset_hz", [0.0, 200.0])
def test_a_header_is_slower_than_the_digital_part(offset_hz: float, narrow: MedJSCC) -> None:
    """A residual offset that LMMSE still judges rightly changes nothing of that."""
    images = semcom.data.phantoms("chest", n=2, size=256, seed=5)[0]
    link = channels.link(
        "ntn-tdl-c", residual=channels.Residual(offset_hz=offset_hz), estimator="lmmse"
    )
    sender = narrow.adapted(link)
    tx = sender.encode(images, cbr=1 / 16, snr_db=10.0)
    parts = sender._layout(replace(tx.session, mcs=None))
    assert parts.header.mcs.bits_per_use * 1.8 <= parts.mcs.bits_per_use
    assert sender._layout(tx.session).header == parts.header
    assert parts.header_success > 0.999
    lost = [sender.decode_with_outage(link(tx, 10.0, seed=seed))[1] for seed in range(6)]
    assert torch.cat(lost).float().mean() <= 1 - parts.digital_success + 3 * math.sqrt(0.25 / 12)
