"""Two layers under two MCS: what is left when one is lost, and when two are chosen."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import channels
import semcom
from channels import InputError, Reception, Session, Transmission
from semcom.codec import Codec
from semcom.image_coders.layered_source import layered_source
from semcom.image_coders.payloads import payload
from semcom.image_coders.source import source_coder
from semcom.modem.adaptation import (
    awgn_success_probabilities,
    choose_mcs,
    link_success_probabilities,
)
from semcom.modem.mcs import MCSTable, mcs_table, place_of
from semcom.modem.quality import expected_gain_db
from semcom.modem.realisations import noise_variances
from semcom.separate import LayeredCodec, ModulatedBlock, SeparateCodec
from semcom.separate.layer_choice import choose_layers, layers_gain_db
from semcom.separate.layers import Layers, layers_code, layers_numbers, layers_of
from tests.semcom.images import coloured, psnr, textured

XRAY = semcom.data.phantoms("chest", n=1, size=192, seed=3)[0][0, 0, 16:].numpy()
IMAGES = torch.from_numpy(np.stack([textured(96, 80, seed=n) for n in range(2)]))[:, None]
CBR = 1 / 2
TWO = layers_code(place_of(6, 1, "all"), place_of(12, 1, "all"), eighths=4, table="all")


def received(tx: Transmission, lost: str = "") -> Reception:
    """Over next to no noise, but with noise in the place of one layer's symbols."""
    rx = channels.link("awgn")(tx, 30.0, seed=1)
    half = tx.session.channel_uses - tx.session.channel_uses // 2
    part = {"": slice(0, 0), "base": slice(0, half), "refinement": slice(half, None)}[lost]
    symbols = rx.symbols.clone()
    symbols[:, part] = torch.randn_like(symbols[:, part])
    return dataclasses.replace(rx, symbols=symbols)


def layers_of_session(session: Session) -> Layers:
    found = LayeredCodec().layers(session)
    assert found is not None
    return found


@pytest.mark.parametrize("header", ["billed", "external"])
@pytest.mark.parametrize(("base_bytes", "budget"), [(300, 900), (900, 1800)])
def test_either_length_is_worth_what_a_stream_of_its_own_is(
    header: str, base_bytes: int, budget: int
) -> None:
    """Within 0.4 dB here, 0.05 dB on average over X-rays of 512 x 512."""
    coder, plain = layered_source(header, base_bytes), source_coder("jpeg2000", header)
    coded = coder.fit(XRAY, budget)
    assert 0.98 * budget <= len(coded) <= budget
    images = coder.decode_base(coded[:base_bytes], 176, 192), coder.decode(coded, 176, 192)
    for length, image in zip((base_bytes, budget), images, strict=True):
        alone = plain.decode(plain.fit(XRAY, length), 176, 192)
        assert psnr(image, XRAY) > psnr(alone, XRAY) - 0.4
    assert psnr(images[1], XRAY) > psnr(images[0], XRAY) + 1.5


def test_without_room_the_refinement_is_empty() -> None:
    coder = layered_source("billed", 600)
    coded = coder.fit(XRAY, 600)
    base = coder.decode_base(coded, 176, 192)
    assert np.array_equal(coder.decode(coded + bytes(9), 176, 192), base)
    assert psnr(base, XRAY) > 30
    flat = np.full((64, 64), 0.5, np.float32)
    assert psnr(coder.decode(coder.fit(flat, 9000), 64, 64), flat) > 50
    with pytest.raises(InputError, match="raise cbr"):
        layered_source("billed", 60).fit(XRAY, 600)


def test_what_is_no_stream_is_refused() -> None:
    coder = layered_source("billed", 300)
    for garbage in (b"", bytes(300), b"\xff" * 300):
        with pytest.raises(InputError, match="send it again"):
            coder.decode_base(garbage, 64, 64)


@pytest.mark.parametrize("header", ["billed", "external"])
def test_the_base_survives_the_refinement(header: str) -> None:
    codec = LayeredCodec(TWO, header=header)
    tx = codec.encode(IMAGES, cbr=CBR, snr_db=9.0)
    found = layers_of_session(tx.session)
    coder = layered_source(header, found.base_bytes)
    payloads = [payload(coder, image.numpy(), found.bytes, None) for image in IMAGES[:, 0]]
    whole, none_lost = codec.decode_with_outage(received(tx))
    base, still_none = codec.decode_with_outage(received(tx, lost="refinement"))
    grey, all_lost = codec.decode_with_outage(received(tx, lost="base"))
    assert not none_lost.any() and not still_none.any() and all_lost.all()
    assert torch.equal(grey, torch.full_like(grey, 0.5))
    for row, coded in enumerate(payloads):
        own = coder.decode_base(coded[: found.base_bytes], 96, 80), coder.decode(coded, 96, 80)
        assert torch.equal(base[row, 0], torch.from_numpy(own[0]))
        assert torch.equal(whole[row, 0], torch.from_numpy(own[1]))
    assert bool((semcom.metrics.psnr(whole, IMAGES) > semcom.metrics.psnr(base, IMAGES) + 1).all())


@pytest.mark.parametrize("on_loss", ["conceal", "drop"])
def test_a_lost_base_is_an_outage_whatever_is_shown(on_loss: str) -> None:
    codec = LayeredCodec(TWO, on_loss=on_loss)
    tx = codec.encode(IMAGES, cbr=CBR, snr_db=9.0)
    shown, lost = codec.decode_with_outage(received(tx, lost="base"))
    assert lost.all()
    assert bool(shown.isnan().all()) == (on_loss == "drop")
    assert not codec.decode_with_outage(received(tx, lost="refinement"))[1].any()


@pytest.fixture(scope="module")
def faded() -> Codec:
    return semcom.codec("jpeg2000-layered-ldpc").adapted(channels.link("rayleigh"))


def test_uses_power_and_session_whatever_the_image_shows(faded: Codec) -> None:
    sessions = set()
    for image in (IMAGES[:1], 1 - IMAGES[1:] / 2):
        tx = faded.encode(image, cbr=CBR, snr_db=12.0)
        assert tx.symbols.shape == (1, 3840) and tx.used.tolist() == [3840]
        assert float(tx.symbols.abs().square().mean()) == pytest.approx(1, abs=1e-5)
        found = layers_of_session(tx.session)
        assert found.base.channel_uses + found.refinement.channel_uses == 3840
        sessions.add(tx.session)
    assert len(sessions) == 1


def test_decoding_needs_nothing_but_the_reception(faded: Codec, tmp_path: Path) -> None:
    tx = faded.encode(IMAGES, cbr=CBR, snr_db=12.0)
    assert layers_of_session(tx.session)
    rx = channels.link("rayleigh")(tx, 12.0, seed=4)
    rx.save(tmp_path / "rx.safetensors")
    fresh = LayeredCodec().decode(Reception.load(tmp_path / "rx.safetensors"))
    assert torch.equal(fresh, faded.decode(rx))


def test_colour() -> None:
    images = torch.from_numpy(coloured(96, 80))[None]
    codec = LayeredCodec(TWO)
    tx = codec.encode(images, cbr=CBR, snr_db=9.0)
    whole, base = (
        float(semcom.metrics.psnr(codec.decode(received(tx, lost)), images))
        for lost in ("", "refinement")
    )
    assert whole > base + 1 > 24


@pytest.mark.parametrize("snr_db", [-3.0, 9.0])
def test_over_gaussian_noise_there_is_one_layer_as_without(snr_db: float) -> None:
    sent = [
        codec.encode(IMAGES, cbr=CBR, snr_db=snr_db)
        for codec in (LayeredCodec(), SeparateCodec("jpeg2000"))
    ]
    assert sent[0].session.mcs == sent[1].session.mcs
    assert torch.equal(sent[0].symbols, sent[1].symbols)
    plain = SeparateCodec("jpeg2000").decode(received(sent[1]))
    assert torch.equal(LayeredCodec().decode(received(sent[0])), plain)


@pytest.mark.parametrize(
    ("name", "uses", "pixels", "snr_db"),
    [
        ("rayleigh", 3840, 7680, 6.0),
        ("ntn-tdl-c", 8192, 2**18, 6.0),
    ],
)
def test_two_layers_are_chosen_where_they_are_expected_to_bring_more(
    name: str, uses: int, pixels: int, snr_db: float
) -> None:
    chances = link_success_probabilities(channels.link(name), uses, snr_db)

    def success(block: ModulatedBlock) -> float:
        return float(np.mean(chances(block, 0)))

    index = choose_mcs(uses, pixels, 164, 1, success, header_bytes=116)
    whole = ModulatedBlock(uses, mcs_table(1)[index])
    one = success(whole) * expected_gain_db(whole.payload_bits, pixels, 116)
    found = layers_of(choose_layers(uses, pixels, 164, 1, chances, 116), uses, 1)
    assert found is not None
    parts = chances(found.base, 0), chances(found.refinement, found.base.channel_uses)
    assert layers_gain_db(found, *parts, pixels, 116) > one + 0.05
    assert found.base_bytes >= 164
    assert found.base.mcs.bits_per_use < found.refinement.mcs.bits_per_use


def test_both_layers_meet_one_fade() -> None:
    """Fades that take both at once cost less than those that take them in turns."""
    found = layers_of(TWO, 3840, "all")
    assert found is not None
    alike, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    both, base = (expected_gain_db(8 * n, 7680) for n in (found.bytes - 16, found.base_bytes))
    assert layers_gain_db(found, alike, alike, 7680) == pytest.approx(both / 2, abs=0.01)
    assert layers_gain_db(found, alike, other, 7680) == pytest.approx(base / 2, abs=0.01)


def test_a_block_meets_the_noise_of_its_own_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    noise_var = np.repeat([[0.01, 100.0]], 512, axis=1)
    monkeypatch.setattr("semcom.modem.adaptation.noise_variances", lambda *_: noise_var)
    chances = link_success_probabilities(channels.link("awgn"), 1024, 0.0)
    block = ModulatedBlock(512, mcs_table(1)[9])
    assert [float(chances(block, start)[0]) for start in (0, 512)] == [1.0, 0.0]


@pytest.mark.parametrize("table", [1, 2, 3, "all"])
def test_every_pair_has_a_number_of_its_own(table: MCSTable) -> None:
    schemes = range(len(mcs_table(table)))
    numbers = {
        layers_code(base, refinement, eighths, table): (base, refinement, eighths)
        for base in schemes
        for refinement in schemes
        for eighths in range(1, 8)
    }
    assert len(numbers) == 7 * len(schemes) ** 2
    assert min(numbers) >= len(schemes)
    assert all(layers_numbers(code, table) == parts for code, parts in numbers.items())


def test_what_is_no_choice_of_layers_is_refused() -> None:
    rx = received(LayeredCodec(TWO).encode(IMAGES, cbr=CBR, snr_db=9.0))
    for mcs in (43, 43 * 43 - 1, 8 * 43 * 43, 2**31 - 1, None):
        session = dataclasses.replace(rx.session, mcs=mcs)
        with pytest.raises(InputError, match=f"mcs is {mcs}.*decode with the codec that encoded"):
            LayeredCodec().decode(dataclasses.replace(rx, session=session))
    with pytest.raises(InputError, match="mcs is 100"):
        LayeredCodec(mcs=100)
    with pytest.raises(InputError, match="raise cbr"):
        LayeredCodec().encode(IMAGES, cbr=1 / 800, snr_db=10.0)


@pytest.mark.parametrize("option", ["source", "target_bler", "adaptation", "bit_depth"])
def test_options_that_mean_nothing_here_are_refused(option: str) -> None:
    options: dict[str, Any] = {option: 1}
    with pytest.raises(InputError, match=option):
        semcom.codec("jpeg2000-layered-ldpc", **options)


def test_a_fixed_choice_is_used_at_every_snr() -> None:
    codec = LayeredCodec().with_mcs(TWO)
    assert {codec.encode(IMAGES, cbr=CBR, snr_db=x).session.mcs for x in (0.0, 20.0)} == {TWO}
    one, plain = (
        kind.with_mcs(4).encode(IMAGES, cbr=CBR, snr_db=0.0).symbols
        for kind in (LayeredCodec(), SeparateCodec("jpeg2000"))
    )
    assert torch.equal(one, plain)
    prints = {LayeredCodec(mcs).fingerprint for mcs in ("auto", 4, TWO)}  # type: ignore[arg-type]
    assert len(prints) == 3


def test_one_realisation_of_gaussian_noise() -> None:
    block = ModulatedBlock(512, mcs_table(1)[9])
    assert awgn_success_probabilities(20.0)(block, 100).tolist() == [1.0]


def test_every_so_manieth_symbol_tells_what_all_of_them_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chances of blocks anywhere in a transmission, from all symbols and from every eighth."""
    link = channels.link("ntn-tdl-c")
    noise_var = noise_variances(link, 8192, 6.0)
    blocks = [(ModulatedBlock(80, mcs_table(1)[9]), 8000)]
    blocks += [(ModulatedBlock(6000, mcs_table(1)[index]), 100) for index in (8, 11, 14)]
    expected = [link_success_probabilities(link, 8192, 6.0)(*block) for block in blocks]
    monkeypatch.setattr("semcom.modem.adaptation.stride", lambda _: 8)
    monkeypatch.setattr("semcom.modem.adaptation.noise_variances", lambda *_: noise_var[:, ::8])
    found = [link_success_probabilities(link, 8192, 6.0)(*block) for block in blocks]
    for ours, all_symbols in zip(found, expected, strict=True):
        assert ours.mean() == pytest.approx(all_symbols.mean(), abs=0.02)
    assert 0.05 < expected[2].mean() < 0.95


def test_a_block_between_two_symbols_that_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    noise_var = np.repeat([[0.01, 100.0]], 64, axis=1)
    monkeypatch.setattr("semcom.modem.adaptation.stride", lambda _: 512)
    monkeypatch.setattr("semcom.modem.adaptation.noise_variances", lambda *_: noise_var)
    chances = link_success_probabilities(channels.link("awgn"), 2**16, 0.0)
    block = ModulatedBlock(100, mcs_table(1)[4])
    assert [float(chances(block, start)[0]) for start in (1, 2**16 - 100)] == [1.0, 0.0]


def test_noise_variances_of_a_long_transmission_are_few() -> None:
    assert noise_variances(channels.link("awgn"), 2**17, 3.0).shape == (60, 2**15)
