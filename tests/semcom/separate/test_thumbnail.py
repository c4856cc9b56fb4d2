"""A coarse image for lost ones: what it costs, when it is shown, and that nothing else changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import channels
import semcom
from channels import InputError, Reception
from semcom.analogue.base_layer import GAIN_DB
from semcom.image_coders.source import source_coder
from semcom.metrics import psnr
from semcom.modem.adaptation import link_success
from semcom.modem.mcs import mcs_table
from semcom.modem.quality import expected_gain_db
from semcom.separate import ModulatedBlock, SeparateCodec
from tests.semcom.images import coloured

SIDE, CBR = 96, 1 / 2
USES = round(CBR * SIDE**2)
SHARE = USES // 64
FAST = 24
"""MCS of a block that does not arrive at 0 dB, 16-QAM and more."""


def xrays(n: int) -> Tensor:
    return semcom.data.phantoms("chest", n=n, size=SIDE, seed=8)[0]


def quarters() -> Tensor:
    """Far stronger low frequencies than any X-ray has."""
    upper = torch.arange(SIDE) < SIDE // 2
    return (upper[:, None] ^ upper)[None, None].float()


def with_thumbnail(mcs: Any = "auto", source: str = "jpeg2000") -> SeparateCodec:
    return SeparateCodec(source, mcs, fallback="thumbnail")


def heard(codec: SeparateCodec, images: Tensor, snr_db: float, seed: int = 1) -> Reception:
    return channels.link("awgn")(codec.encode(images, cbr=CBR, snr_db=snr_db), snr_db, seed)


@pytest.mark.parametrize("cbr", [1 / 3, 0.1, 1 / 40])
def test_power_is_one_and_all_channel_uses_are_used(cbr: float) -> None:
    images = torch.cat([xrays(1), quarters(), torch.full((1, 1, SIDE, SIDE), 0.5)])
    tx = with_thumbnail().encode(images, cbr=cbr, snr_db=9.0)
    uses = round(cbr * SIDE**2)
    assert tx.symbols.shape == (3, uses) and tx.used.tolist() == [uses] * 3
    assert torch.allclose(tx.symbols.abs().square().mean(1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(("kind", "gain_db"), [("chest", 5), ("angiography", 2), ("dental", 4)])
def test_a_lost_image_shows_it_and_is_lost_all_the_same(kind: str, gain_db: float) -> None:
    """At 0 dB SNR, several decibels closer than grey."""
    images = semcom.data.phantoms(kind, n=3, size=SIDE, seed=8)[0]
    shown, lost = with_thumbnail(FAST).decode_with_outage(heard(with_thumbnail(FAST), images, 0.0))
    grey, also_lost = SeparateCodec("jpeg2000", FAST).decode_with_outage(
        heard(SeparateCodec("jpeg2000", FAST), images, 0.0)
    )
    assert lost.all() and also_lost.all()
    assert float(shown.min()) >= 0 and float(shown.max()) <= 1
    assert float((psnr(shown, images) - psnr(grey, images)).mean()) > gain_db


def test_what_arrives_is_what_the_coder_makes_of_the_smaller_block() -> None:
    images, codec = xrays(2), with_thumbnail(FAST)
    decoded, lost = codec.decode_with_outage(heard(codec, images, 20.0))
    assert not lost.any()
    size = ModulatedBlock(USES - SHARE, mcs_table("all")[FAST]).payload_bits // 8
    assert size < ModulatedBlock(USES, mcs_table("all")[FAST]).payload_bits // 8
    coder = source_coder("jpeg2000")
    for row in range(2):
        own = coder.decode(coder.fit(images[row, 0].numpy(), size), SIDE, SIDE)
        assert torch.equal(decoded[row, 0], torch.from_numpy(own))


def test_one_lost_of_three() -> None:
    images, codec = xrays(3), with_thumbnail(FAST)
    rx = heard(codec, images, 20.0)
    whole = codec.decode(rx)
    symbols = rx.symbols.clone()
    symbols[1, SHARE:] = torch.randn_like(symbols[1, SHARE:])
    decoded, lost = codec.decode_with_outage(dataclasses.replace(rx, symbols=symbols))
    assert lost.tolist() == [False, True, False]
    assert torch.equal(decoded[::2], whole[::2])
    qualities = psnr(decoded, images)
    grey = psnr(torch.full_like(images[1:2], 0.5), images[1:2])
    assert float(grey) + 4 < float(qualities[1]) < float(qualities[::2].min()) - 4


@pytest.mark.parametrize(("cbr", "gain_db"), [(CBR, 3.0), (1 / 40, 0.3)])
def test_colour(cbr: float, gain_db: float) -> None:
    """Also where one 64th of the channel uses is less than one for each plane."""
    images, codec = torch.from_numpy(coloured(48, 40))[None], with_thumbnail(40)
    assert cbr == CBR or round(cbr * 3 * 48 * 40) // 64 < 3
    tx = codec.encode(images, cbr=cbr, snr_db=30.0)
    link = channels.link("awgn")
    arrived, not_lost = codec.decode_with_outage(link(tx, 30.0, seed=1))
    coarse, lost = codec.decode_with_outage(link(tx, 6.0, seed=1))
    assert not not_lost.any() and lost.all()
    grey = float(psnr(torch.full_like(images, 0.5), images))
    assert float(psnr(coarse, images)) > grey + gain_db
    assert float(psnr(arrived, images)) > float(psnr(coarse, images)) + 1


@pytest.mark.parametrize("on_loss", ["conceal", "drop"])
def test_a_lost_image_is_one_thing_alone(on_loss: str) -> None:
    message = "a lost image is its thumbnail: leave on_loss out"
    with pytest.raises(InputError, match=message) as caught:
        SeparateCodec(on_loss=on_loss, fallback="thumbnail")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=message):
        SeparateCodec(on_loss=on_loss).with_fallback("thumbnail")


@pytest.mark.parametrize("wrong", ["thumbnails", "grey", "", 1, ["thumbnail"], True])
def test_other_fallbacks_get_one_line(wrong: Any) -> None:
    with pytest.raises(InputError, match="unknown fallback") as caught:
        semcom.codec("hevc-ldpc", fallback=wrong)
    assert "\n" not in str(caught.value)


def test_the_name_of_the_option_reaches_the_fingerprint() -> None:
    prints = [semcom.codec("hevc-ldpc", fallback=kind).fingerprint for kind in (None, "thumbnail")]
    assert prints[0] != prints[1]
    plain = SeparateCodec()
    assert [plain.with_fallback(kind).fingerprint for kind in (None, "thumbnail")] == prints
    assert plain.fingerprint == prints[0]
    assert with_thumbnail().with_mcs(4).fingerprint != SeparateCodec("jpeg2000", 4).fingerprint


def test_the_mcs_is_that_of_the_highest_quality_with_the_thumbnail() -> None:
    """A lost image costs less, so a faster scheme is risked; in the block's own channel uses."""
    link, images = channels.link("rayleigh"), xrays(1)
    coder, pixels = source_coder("jpeg2000"), SIDE**2
    smallest, header = coder.smallest(SIDE, SIDE), coder.header_bytes(SIDE, SIDE)
    chosen, without = [], []
    for snr_db in (1.5, 7.5, 10.5):
        success = link_success(link, USES - SHARE, snr_db)
        worths = []
        for mcs in mcs_table("all"):
            block = ModulatedBlock(USES - SHARE, mcs)
            gain = max(expected_gain_db(block.payload_bits, pixels, header) - GAIN_DB, 0)
            worths.append(success(block) * gain if block.payload_bits >= 8 * smallest else 0)
        for codec, indices in ((with_thumbnail(), chosen), (SeparateCodec("jpeg2000"), without)):
            session = codec.adapted(link).encode(images, cbr=CBR, snr_db=snr_db).session
            assert session.mcs is not None
            indices.append(session.mcs)
        assert worths[chosen[-1]] == pytest.approx(max(worths))
    assert all(np.array(chosen) >= without) and chosen != without


def test_the_session_does_not_depend_on_content() -> None:
    sessions = {
        with_thumbnail().encode(images, cbr=CBR, snr_db=6.0).session
        for images in (xrays(1), quarters(), 1 - xrays(1))
    }
    assert len(sessions) == 1


@pytest.mark.parametrize("snr_db", [0.0, 15.0])
def test_no_image_takes_much_power_from_its_block(snr_db: float) -> None:
    """A block is received by its nominal amplitudes: 0.1 dB of them, and faster ones are lost."""
    for images in (xrays(1), quarters(), torch.ones(1, 1, SIDE, SIDE)):
        tx = with_thumbnail(FAST).encode(images, cbr=CBR, snr_db=snr_db)
        power = tx.symbols.abs().square()
        assert float(power[:, :SHARE].mean()) < 2.001
        assert float(power[:, SHARE:].mean()) > 10 ** (-0.07 / 10)


def test_decoding_needs_nothing_but_the_reception() -> None:
    rx = heard(with_thumbnail(FAST).adapted(channels.link("rayleigh")), xrays(2), 0.0)
    fresh = with_thumbnail().decode(rx)
    assert torch.equal(fresh, with_thumbnail(FAST).decode(rx))
    double = dataclasses.replace(
        rx, symbols=rx.symbols.to(torch.complex128), noise_var=rx.noise_var.double()
    )
    assert torch.allclose(with_thumbnail().decode(double), fresh, atol=1e-6)
