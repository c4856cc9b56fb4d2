"""The overview of Med-JSCC, and when it is sent alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import channels
import semcom
from channels import Transmission
from semcom.fec.bits import unpacked
from semcom.medjscc import MedJSCC, overview
from semcom.medjscc.header import Header
from semcom.medjscc.plain import Trial
from semcom.metrics import psnr
from tests.headers import headers_of


def heard(numbers: Tensor, noise_var: float, seed: int) -> tuple[Tensor, Tensor]:
    noise = torch.randn(numbers.shape, generator=torch.Generator().manual_seed(seed))
    return numbers + math.sqrt(noise_var) * noise, torch.full_like(numbers, noise_var)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(32, 90),
    width=st.integers(32, 90),
    uses=st.integers(1, 5000),
    snr_db=st.floats(-5, 25),
)
def test_any_shape_and_budget(height: int, width: int, uses: int, snr_db: float) -> None:
    """A level is kept by a single symbol; nothing is sent twice or left out at a full budget."""
    level = torch.full((1, 1, height, width), 0.3)
    numbers = overview.send(level, uses, snr_db)
    assert numbers.shape == (1, 2 * uses)
    assert int((numbers.abs() > 1e-4).sum()) == 1
    out = overview.receive(*heard(numbers, 1e-8, 1), (height, width), snr_db)
    assert (out - level).abs().max() < 1e-2


def test_with_a_number_for_each_pixel_and_no_noise_nothing_is_missing() -> None:
    picture = semcom.data.phantoms("chest", n=1, size=64, seed=3)[0] - 0.5
    numbers = overview.send(picture, 64 * 64 // 2, 60.0)
    out = overview.receive(numbers, torch.full_like(numbers, 1e-12), (64, 64), 60.0)
    assert (out - picture).abs().max() < 1e-3


@pytest.mark.parametrize("uses", [64, 1024])
def test_low_frequencies_are_worth_more_than_means_of_blocks(uses: int) -> None:
    """At 0 dB a decibel or more on average than block means of the same power; Wiener both."""
    pictures = semcom.data.phantoms("chest", n=6, size=256, seed=4)[0] - 0.5
    numbers = overview.send(pictures, uses, 0.0)
    numbers = numbers / (2 * numbers.square().mean(1, keepdim=True)).sqrt()
    strength = (2 * overview.send(pictures, uses, 0.0).square().mean(1)).sqrt()
    out = overview.receive(*heard(numbers, 0.5, 2), (256, 256), 0.0)
    out = out * strength[:, None, None, None]

    side = math.isqrt(2 * uses)
    means = torch.nn.functional.adaptive_avg_pool2d(pictures, side)
    power = means.square().mean((1, 2, 3), keepdim=True)
    sent, noise_var = heard((means / (2 * power).sqrt()), 0.5, 2)
    blocks = sent * (2 * power).sqrt() * 0.5 / (0.5 + noise_var)
    blocks = torch.nn.functional.interpolate(blocks, (256, 256), mode="bicubic")
    gained = psnr(out + 0.5, pictures + 0.5) - psnr(blocks + 0.5, pictures + 0.5)
    assert gained.min() > 0 and gained.mean() > 1


def is_plain(sender: MedJSCC, tx: Transmission) -> list[bool]:
    return [header.plain for header in headers_of(sender, tx)]


def test_where_a_digital_part_would_be_lost_it_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over NTN-TDL-C at -3 dB most digital parts are lost; over AWGN at 3 dB none is."""
    images = semcom.data.phantoms("chest", n=3, size=384, seed=9)[0]
    point = {"cbr": 1 / 64, "snr_db": -3.0}
    over_awgn = semcom.codec("medjscc").adapted(channels.link("awgn"))
    link = channels.link("ntn-tdl-c")
    faded = semcom.codec("medjscc").adapted(link)
    assert isinstance(over_awgn, MedJSCC) and isinstance(faded, MedJSCC)
    assert not any(is_plain(over_awgn, over_awgn.encode(images, cbr=1 / 64, snr_db=3.0)))
    plain = faded.encode(images, **point)
    assert all(is_plain(faded, plain))

    monkeypatch.setattr(Trial, "serves_better", lambda *_: False)
    digital = faded.encode(images, **point)
    assert not any(is_plain(faded, digital))
    found = {
        name: torch.stack(
            [psnr(faded.decode(link(tx, -3.0, seed=seed)), images).mean() for seed in range(12)]
        )
        for name, tx in {"plain": plain, "digital": digital}.items()
    }
    difference = found["plain"] - found["digital"]
    assert difference.mean() > 2 * difference.std() / math.sqrt(12)


def test_a_header_that_never_arrives_stops_nothing() -> None:
    """Pilots 0.64 ms apart see an offset of 1500 Hz as another; the chance of the header is 0."""
    images = semcom.data.phantoms("chest", n=1, size=128, seed=5)[0]
    offset = channels.Residual(offset_hz=1500.0)
    link = channels.link("ntn-tdl-c", residual=offset, estimator="lmmse")
    sender = semcom.codec("medjscc").adapted(link)
    tx = sender.encode(images, cbr=1 / 16, snr_db=10.0)
    assert sender.decode_with_outage(link(tx, 10.0, seed=0))[1].all()


@pytest.mark.parametrize("offset_hz", [0.0, 1000.0])
def test_a_header_is_slower_than_the_digital_part(offset_hz: float) -> None:
    """At 1000 Hz one made for 6 dB below the nominal SNR hardly ever arrives."""
    images = semcom.data.phantoms("chest", n=2, size=256, seed=5)[0]
    link = channels.link(
        "ntn-tdl-c", residual=channels.Residual(offset_hz=offset_hz), estimator="lmmse"
    )
    sender = semcom.codec("medjscc").adapted(link)
    assert isinstance(sender, MedJSCC)
    tx = sender.encode(images, cbr=1 / 16, snr_db=10.0)
    parts = sender._layout(replace(tx.session, mcs=None))
    assert parts.header.mcs.index <= parts.mcs.index - 4
    assert sender._layout(tx.session).header == parts.header
    assert parts.header_chance > 0.999
    lost = [sender.decode_with_outage(link(tx, 10.0, seed=seed))[1] for seed in range(6)]
    assert torch.cat(lost).float().mean() <= 1 - parts.chance + 3 * math.sqrt(0.25 / 12)


def test_a_header_that_tells_too_short_a_block_is_a_lost_picture() -> None:
    """Its checksum holds, as by chance one in 2^16 does."""
    images = semcom.data.phantoms("chest", n=1, size=128, seed=5)[0]
    sender = semcom.codec("medjscc")
    assert isinstance(sender, MedJSCC)
    tx = sender.encode(images, cbr=1 / 16, snr_db=10.0)
    block = sender._layout(tx.session).header
    for length in (0, 1):
        told = Header(40, 0, 3, length, 128).pack()
        symbols = tx.symbols.clone()
        symbols[:, : block.channel_uses] = block.encode(unpacked(told, block.payload_bits)[None])
        sent = Transmission(symbols, tx.used, tx.session)
        assert sender.decode_with_outage(channels.link("awgn")(sent, 20.0, seed=0))[1].all()
