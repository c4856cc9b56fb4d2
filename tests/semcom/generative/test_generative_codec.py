"""The generative codec: key pixels are never painted, and every bit is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import channels
import semcom
from channels import Reception
from semcom.generative import Generative
from semcom.generative.captioner import Measured, shortened
from semcom.generative.codec import WORDS_BYTES, words_block
from semcom.generative.generator import Generator
from semcom.generative.words import SLOTS, encode_text, sentence, shipped
from semcom.generative.words.vocabulary import GRADED, KIND_OF_TASK
from semcom.medjscc import MedJSCC
from tests.refusals import refused

SIDE = 128


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    return semcom.data.phantoms("dental", n=2, size=SIDE, seed=5)


@pytest.fixture(scope="module")
def codec() -> Generative:
    torch.manual_seed(0)
    generator = Generator((8, 8, 8, 8)).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    return Generative("dental", generator=generator)


def received(codec: Generative, pictures: tuple[Tensor, Tensor], snr_db: float) -> Reception:
    images, masks = pictures
    tx = codec.encode(images, cbr=1 / 16, snr_db=snr_db, roi=masks)
    assert int(tx.used.max()) <= SIDE**2 // 16
    return channels.link("awgn")(tx, snr_db, seed=1)


def test_key_pixels_are_those_of_the_key_decoder_and_the_rest_is_marked(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    rx = received(codec, pictures, 12.0)
    shown, outage, made_up = codec.decode_with_made_up(rx)
    assert made_up is not None
    start = codec.words_uses(rx.session)
    inner = replace(rx.session, codec="medjscc", channel_uses=rx.session.channel_uses - start)
    key_decoder = semcom.codec("medjscc")
    assert isinstance(key_decoder, MedJSCC)
    key, lost, region = key_decoder.with_options(region_only=True).decode_region(
        Reception(rx.symbols[:, start:], rx.noise_var[:, start:], rx.snr_db, inner)
    )
    assert not outage.any() and not lost.any()
    assert torch.equal(made_up.painted, ~region)
    assert torch.equal(shown[region], key[region])
    assert bool(region[pictures[1]].all()), "all of the mask is key"
    assert not torch.equal(shown[~region], key[~region])
    assert torch.equal(codec.decode(rx), shown)


def test_the_words_that_arrive_are_those_that_the_picture_says(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    shown, outage, made_up = codec.decode_with_made_up(received(codec, pictures, 12.0))
    assert made_up is not None
    assert all(text is not None and text.startswith("dental panoramic") for text in made_up.texts)
    blind = replace_words(received(codec, pictures, 12.0), codec)
    without, outage, none_said = codec.decode_with_made_up(blind)
    assert none_said is not None
    assert none_said.texts == [None, None]
    assert not outage.any(), "words are no part of the picture's outage"
    assert torch.equal(without[~none_said.painted], shown[~made_up.painted])
    assert not torch.equal(without, shown)


def replace_words(rx: Reception, codec: Generative) -> Reception:
    """The same with symbols of the words that say nothing."""
    symbols = rx.symbols.clone()
    symbols[:, : codec.words_uses(rx.session)] *= -1
    return Reception(symbols, rx.noise_var, rx.snr_db, rx.session)


def test_a_lost_key_paints_nothing(codec: Generative, pictures: tuple[Tensor, Tensor]) -> None:
    images, masks = pictures
    tx = codec.encode(images, cbr=1 / 16, snr_db=20.0, roi=masks)
    _, outage, made_up = codec.decode_with_made_up(channels.link("awgn")(tx, 0.0, seed=1))
    assert made_up is not None
    assert outage.all() and not made_up.painted.any()


def test_a_picture_does_not_depend_on_its_place_in_a_batch(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    rx = received(codec, pictures, 12.0)
    second = Reception(rx.symbols[1:], rx.noise_var[1:], rx.snr_db[1:], rx.session)
    assert torch.equal(codec.decode(rx)[1:], codec.decode(second))


def test_captions_that_are_too_long_say_nearly_the_same_or_nothing() -> None:
    """No grade moves by more than one, and nothing that has no grades moves at all."""
    model, draws = shipped(), np.random.default_rng(0)
    lost = 0
    for number in range(60):
        kind = number % 4
        said = [kind, *(int(draws.integers(len(slot.phrases))) for slot in SLOTS[1:])]
        for most in (29, 45, 69):
            short = shortened(said, model, most)
            lost += short is None
            if short is None:
                assert most < 60, "that is long enough for any"
                continue
            assert (
                model.bits(short) <= most and len(encode_text(sentence(short), model)) <= most + 3
            )
            for graded, before, after in zip(GRADED, said, short, strict=True):
                assert before == after or (graded and abs(before - after) == 1)
            assert model.bits(said) > most or short == said
    assert lost > 0


def test_every_caption_is_sent_or_left_out_in_the_shortest_block(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = pictures
    assert words_block(images[0].numel() // 32, 3.0).payload_bits < 48  # type: ignore[union-attr]
    for places in ([0, 4] * 8, [2] * 16):
        text = sentence([2, 4, 0, 2, 0, 1, *places])
        tx = codec.saying(lambda x, m, text=text: [text] * len(x)).encode(  # type: ignore[misc]
            images, cbr=1 / 32, snr_db=3.0, roi=masks
        )
        _, _, made_up = codec.decode_with_made_up(channels.link("awgn")(tx, 30.0, seed=1))
        assert made_up is not None and made_up.texts[0] is not None
        assert made_up.texts[0] == "" or made_up.texts[0].startswith("dental")


def test_words_take_an_eighth_at_most_and_fewer_where_there_is_little() -> None:
    bits = {}
    for uses in (64, 576, 1024, 8192):
        for snr_db in (-6.0, 3.0, 12.0):
            block = words_block(uses, snr_db)
            assert block is None or block.channel_uses <= uses / 8
            bits[uses, snr_db] = 0 if block is None else block.payload_bits
    assert bits[8192, -6.0] >= 8 * WORDS_BYTES[0]
    assert 8 * WORDS_BYTES[-1] <= bits[576, 3.0] < bits[8192, 3.0]
    assert bits[64, -6.0] == 0


def test_what_cannot_be_sent_is_refused(codec: Generative, pictures: tuple[Tensor, Tensor]) -> None:
    images, masks = pictures
    refused(lambda: codec.encode(images, cbr=1 / 16, snr_db=9.0), "pass a mask as roi")
    refused(lambda: codec.encode(images, cbr=1 / 16, snr_db=9.0, roi=0 * masks), "image 0 is empty")
    refused(lambda: Generative("hands"), "kind of picture")
    refused(lambda: Measured("hands"), "kind of picture")
    refused(lambda: Generative("dental", generator="nowhere.safetensors"), "nowhere")
    refused(lambda: Generative("dental", generator=7), "must be a painter or a file")  # type: ignore[arg-type]
    assert KIND_OF_TASK["dental"] in sentence([2] + [0] * 5 + [2] * 16)


@pytest.mark.parametrize(
    ("said", "arrives"), [("x" * 10_000, ""), ("a foggy day " * 900, "a foggy"), ("Herz", "Herz")]
)
def test_free_text_arrives_as_far_as_it_fits(
    codec: Generative, pictures: tuple[Tensor, Tensor], said: str, arrives: str
) -> None:
    def free(images: Tensor, masks: Tensor) -> list[str]:
        return [said] * len(images)

    talking = Generative("dental", generator=codec._generator, captioner=free)
    _, _, made_up = talking.decode_with_made_up(received(talking, pictures, 12.0))
    assert made_up is not None and made_up.texts == [arrives] * 2


def test_a_key_region_everywhere_leaves_nothing_to_paint(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    images = pictures[0][:1]
    tx = codec.encode(images, cbr=1 / 4, snr_db=15.0, roi=torch.ones_like(images))
    _, outage, made_up = codec.decode_with_made_up(channels.link("awgn")(tx, 15.0, seed=1))
    assert made_up is not None
    assert not made_up.painted.any() and not outage.any()


class Overpainting:
    """Paints over everything, what it is given too."""

    fingerprint = "over"

    def __init__(self, shape: tuple[int, ...] | None = None) -> None:
        self._shape = shape

    def paint(
        self, key: Tensor, key_mask: Tensor, text: object, seed: int, steps: int = 8
    ) -> Tensor:
        key.fill_(0.3)
        key_mask.fill_(False)
        return key if self._shape is None else torch.zeros(self._shape)


def test_no_painter_reaches_the_key(codec: Generative, pictures: tuple[Tensor, Tensor]) -> None:
    over = Generative("dental", generator=Overpainting())
    rx = received(codec, pictures, 12.0)
    shown, _, made_up = over.decode_with_made_up(rx)
    own, _, there = codec.decode_with_made_up(rx)
    assert made_up is not None and there is not None
    assert torch.equal(made_up.painted, there.painted)
    assert torch.equal(shown[~made_up.painted], own[~there.painted])
    assert bool((shown[made_up.painted] == 0.3).all())
    other = Generative("dental", generator=Overpainting((1, 1, 8, 8)))
    refused(lambda: other.decode(rx), "a painter must give float32")


def test_no_pixel_of_a_mask_is_painted(codec: Generative) -> None:
    images = torch.rand(12, 1, 96, 96, generator=torch.Generator().manual_seed(3))
    masks = torch.zeros_like(images)
    for row in range(6):
        masks[row, :, 14 + row : 49, 20 : 49 + row] = 1
        masks[6 + row, :, 10 * row + 15, 48 - 3 * row] = 1
    least = Generative("dental", generator=codec._generator, margin_px=3)
    rx = channels.link("awgn")(least.encode(images, cbr=1 / 4, snr_db=15, roi=masks), 15, seed=1)
    _, outage, made_up = least.decode_with_made_up(rx)
    assert made_up is not None and not outage.any()
    assert not bool((made_up.painted & (masks > 0)).any())
    refused(lambda: Generative("dental", generator=codec._generator, margin_px=2), "margin_px")


def test_what_is_no_captioner_no_key_and_no_device_is_told(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = pictures
    for told in (["a"], ["a", "b", "c"], None, "ab", [1, 2]):
        mute = codec.saying(lambda x, m, told=told: told)  # type: ignore[misc, return-value]
        refused(
            lambda: mute.encode(images, cbr=1 / 16, snr_db=12.0, roi=masks),  # noqa: B023
            "a list of 2 strings",
        )
    refused(lambda: codec.saying(3), "captioner must be a call")  # type: ignore[arg-type]
    refused(lambda: Generative(captioner="hello"), "captioner must be a call")  # type: ignore[arg-type]
    refused(lambda: Generative(key="medjscc"), "key must be a codec")  # type: ignore[arg-type]
    refused(lambda: codec.to("foo"), "device")
    altered = images.clone()
    wiping = codec.saying(lambda x, m: [str(x.zero_().sum())] * len(x))
    wiping.encode(altered, cbr=1 / 16, snr_db=12.0, roi=masks)
    assert torch.equal(altered, images)
