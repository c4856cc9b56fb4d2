"""Captions: sentences that are read back, words that pictures say, bits near the entropy."""

from __future__ import annotations

import importlib.resources
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import semcom
from channels import InputError
from semcom.generative.words import (
    KINDS,
    SLOTS,
    LanguageModel,
    choices,
    decode_text,
    encode_text,
    levels,
    measured,
    sentence,
    shipped,
)
from semcom.generative.words.arithmetic import TOTAL
from semcom.generative.words.coder import MOST_BYTES
from semcom.generative.words.language_model import CONTEXTS
from semcom.generative.words.levels import BRIGHTER, CONTRAST, EXPOSURE, Grades
from semcom.generative.words.vocabulary import PLACES
from tests.refusals import refused

CHEST, ANGIOGRAM, DENTAL, OTHER = KINDS
SAID = [slot.name for slot in SLOTS]
CAPTIONS = st.tuples(*(st.integers(0, len(slot.phrases) - 1) for slot in SLOTS)).map(list)
LAYOUTS = st.lists(st.sampled_from([1, 2, 2, 2]), min_size=16, max_size=16)
"""Of few grades, so that rows and columns are whole."""


def words(found: Sequence[int]) -> dict[str, str]:
    return {slot.name: slot.phrases[choice] for slot, choice in zip(SLOTS, found, strict=True)}


def said(image: np.ndarray, mask: np.ndarray | None = None) -> dict[str, str]:
    return words(measured(image.astype(np.float32), mask, kind=OTHER))


def places(found: dict[str, str], phrase: str) -> set[str]:
    return {slot.name for slot in PLACES if found[slot.name] == phrase}


def grey(value: float = 0.5, height: int = 64, width: int = 96) -> np.ndarray:
    return np.full((height, width), value)


# The grammar


@given(CAPTIONS)
def test_a_sentence_is_read_back(chosen: list[int]) -> None:
    text = sentence(chosen)
    assert choices(text) == chosen
    assert text.isascii() and "\n" not in text


@given(LAYOUTS)
def test_layouts_of_whole_rows_and_columns_are_read_back(layout: list[int]) -> None:
    chosen = [0] * (len(SLOTS) - len(PLACES)) + layout
    assert choices(sentence(chosen)) == chosen


def test_neighbours_of_the_same_word_are_joined() -> None:
    overall = [0, 3, 1, 1, 1, 1]
    row, column = [[2] * 16 for _ in range(2)]
    row[:4], row[5] = [4, 4, 4, 4], 0
    column[::4], column[3] = [0] * 4, 0
    assert sentence(overall + row) == (
        "frontal chest X-ray; bright; low contrast; black border; fine grain; mostly vertical "
        "edges; much darker at the upper left; much brighter across the top; all else as bright"
    )
    assert sentence(overall + column).endswith(
        "; much darker down the far left, at the top far right; all else as bright"
    )
    assert sentence(overall + [2] * 16).endswith("edges; as bright everywhere")
    assert sentence(overall + [1] * 16).endswith(
        "; darker across the top, the upper middle, the lower middle and the bottom"
    )
    block = [1, 2, 1, 2] * 2 + [2] * 4 + [1, 2, 1, 1]
    assert sentence(overall + block).endswith(
        "; darker at the top and upper far left and right, at the bottom far left, right and far "
        "right; all else as bright"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("bright; low", "bright;  low"),
        ("frontal", "lateral"),
        ("far left, left and right", "left, far left and right"),
        ("; all else as bright", ""),
        ("; all else as bright", "; all else as bright; all else as bright"),
        ("; bright", "; bright; bright"),
        ("darker at the top", "darker at top"),
    ],
)
def test_what_is_written_otherwise_is_no_caption(before: str, after: str) -> None:
    text = sentence([0, 3, 1, 1, 1, 1, 1, 1, 1, *[2] * 13])
    assert choices(text) is not None and before in text
    assert choices(text.replace(before, after, 1)) is None


@given(st.text())
def test_no_text_breaks_the_grammar(text: str) -> None:
    found = choices(text)
    assert found is None or sentence(found) == text


def test_a_slot_has_two_to_eight_phrases_of_its_own() -> None:
    assert len(set(SAID)) == len(SAID) == 22
    for slot in SLOTS:
        assert 2 <= len(set(slot.phrases)) == len(slot.phrases) <= 8
        assert not any(";" in phrase or "," in phrase for phrase in slot.phrases)


# What pictures say


def test_a_dark_corner_is_said() -> None:
    image = grey()
    image[:16, :24] = 0.1
    found = said(image)
    assert places(found, "much darker") == {"top far left"}
    assert places(found, "as bright") == {slot.name for slot in PLACES[1:]}
    assert found["exposure"] == "middle grey"
    flipped = torch.from_numpy(image).flip(0, 1)
    assert places(words(measured(flipped, kind=OTHER)), "much darker") == {"bottom far right"}


@pytest.mark.parametrize("size", [(32, 32), (37, 95), (301, 64), (512, 512)])
def test_any_size(size: tuple[int, int]) -> None:
    image = grey(0.4, *size)
    image[-(size[0] // 4) :] = 0.8
    found = said(image)
    assert places(found, "much brighter") == {f"bottom {c}" for c in ("left", "right")} | {
        "bottom far left",
        "bottom far right",
    }
    assert found["contrast"] == "medium contrast" and found["exposure"] == "middle grey"


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        (0.0, "very dark"), (0.4, "dark"), (0.5, "middle grey"), (0.6, "bright"),
        (1.0, "very bright"),
    ],
)  # fmt: skip
def test_exposure(value: float, phrase: str) -> None:
    found = said(grey(value))
    assert found["exposure"] == phrase
    assert found["contrast"] == "very low contrast" and len(places(found, "as bright")) == 16


@pytest.mark.parametrize(
    ("by", "phrase"),
    [(0.02, "very low"), (0.08, "low"), (0.14, "medium"), (0.3, "high")],
)
def test_contrast_is_the_rms_of_places(by: float, phrase: str) -> None:
    image = grey()
    image[:, :48] -= by
    image[:, 48:] += by
    found = said(image)
    assert found["contrast"] == f"{phrase} contrast"
    assert len(places(found, "brighter")) == len(places(found, "darker")) == 8


def test_the_key_region_says_nothing() -> None:
    image, mask = grey(), np.zeros((64, 96), dtype=bool)
    image[:16, :24] = 0.1
    mask[:16, :24] = True
    assert said(image, mask) == said(grey())
    mask[0, 0] = False
    assert places(said(image, mask), "much darker") == {"top far left"}
    noise = np.random.default_rng(0).random((64, 96))
    everywhere = said(noise, np.ones((64, 96), dtype=bool))
    assert everywhere == said(grey())


def test_borders_are_said() -> None:
    assert said(grey())["border"] == "no border"
    for value, phrase in ((0.0, "black border"), (1.0, "white border")):
        image = grey()
        image[:, :12] = image[:, -12:] = image[:6] = value
        assert said(image)["border"] == phrase
    one_side = grey()
    one_side[:, :12] = 0
    assert said(one_side)["border"] == "no border"


def test_grain_is_said_with_its_size() -> None:
    draws = np.random.default_rng(1)
    assert said(grey() + np.linspace(-0.3, 0.3, 96))["grain"] == "no grain"
    fine = grey() + 0.03 * draws.standard_normal((64, 96))
    coarse = grey() + 0.03 * np.kron(draws.standard_normal((16, 24)), np.ones((4, 4)))
    assert said(fine.clip(0, 1))["grain"] == "fine grain"
    assert said(coarse.clip(0, 1))["grain"] == "coarse grain"


def test_directions_of_edges_are_said() -> None:
    wave = 0.5 + 0.3 * np.sin(np.arange(96) / 4)
    vertical = np.broadcast_to(wave, (96, 96))
    assert said(vertical)["edges"] == "mostly vertical edges"
    assert said(vertical.T)["edges"] == "mostly horizontal edges"
    assert said((vertical + vertical.T) / 2)["edges"] == "edges in all directions"


def test_levels_lie_within_their_grades() -> None:
    for grades in (EXPOSURE, CONTRAST, BRIGHTER):
        assert [grades.of(middle) for middle in grades.middles] == list(range(len(grades.middles)))
        assert len(grades.ends) == len(grades.middles) - 1
    assert isinstance(EXPOSURE, Grades)
    for name, grades in (("exposure", EXPOSURE), ("contrast", CONTRAST), ("top left", BRIGHTER)):
        assert len(SLOTS[SAID.index(name)].phrases) == len(grades.middles)


@given(CAPTIONS)
def test_levels_are_numbers_of_a_picture(chosen: list[int]) -> None:
    found = levels(chosen)
    assert found.places.dtype == np.float32 and found.places.shape == (4, 4)
    assert 0 <= found.places.min() <= found.places.max() <= 1
    assert found.kind == chosen[0]
    order = np.argsort(chosen[6:], kind="stable")
    assert (np.diff(found.places.ravel()[order]) >= 0).all()


def test_levels_are_near_what_was_measured() -> None:
    images, masks = semcom.data.phantoms("chest", n=2, size=128, seed=3)
    for image, mask in zip(images[:, 0], masks[:, 0], strict=True):
        found = levels(measured(image, mask, kind=CHEST))
        outside = torch.where(mask, torch.nan, image)
        assert abs(found.exposure - float(outside.nanmean())) < 0.1
        blocks = outside.reshape(4, 32, 4, 32).permute(0, 2, 1, 3).reshape(4, 4, -1)
        off = (blocks.nanmean(-1) - torch.from_numpy(found.places)).square().nanmean().sqrt()
        assert off < 0.1


def test_the_same_words_whoever_holds_the_picture() -> None:
    images, masks = semcom.data.phantoms("dental", n=1, size=96, seed=1)
    image, mask = images[0, 0], masks[0, 0]
    first = measured(image, mask, kind=DENTAL)
    assert first == measured(image.numpy(), mask.numpy(), kind=DENTAL)
    assert first == measured(image.double(), mask.int(), kind=DENTAL)
    assert first == measured(image.clone().requires_grad_(), mask, kind=DENTAL)
    turned = np.ascontiguousarray(image.numpy()[::-1])[::-1]
    turned.flags.writeable = False
    assert first == measured(turned, mask, kind=DENTAL)


def test_pictures_that_cannot_be_measured_are_refused() -> None:
    image = grey().astype(np.float32)
    refused(lambda: measured(image, kind="chest"), "unknown kind of picture 'chest'")
    refused(lambda: measured(image[None], kind=OTHER), r"a picture must be \[H, W\]")
    refused(lambda: measured(image[:16], kind=OTHER), "32")
    refused(lambda: measured(image * 255, kind=OTHER), r"must lie in \[0, 1\]")
    refused(lambda: measured(image * np.nan, kind=OTHER), "NaN")
    refused(lambda: measured(image.astype(np.uint8), kind=OTHER), "divide by 255")
    refused(lambda: measured("chest.png", kind=OTHER), "a picture must be a tensor")  # type: ignore[arg-type]
    refused(lambda: measured(image.astype(object), kind=OTHER), "a picture must hold numbers")
    refused(lambda: measured(image, image[:32] > 0, kind=OTHER), "the picture's size")
    refused(lambda: measured(image, image, kind=OTHER), "a key mask must be bool")


# Bits


@given(CAPTIONS)
@settings(deadline=None)
def test_captions_come_back_in_bits_near_their_entropy(chosen: list[int]) -> None:
    text, model = sentence(chosen), shipped()
    bits = encode_text(text, model)
    assert decode_text(bits, model) == text
    assert model.bits(chosen) + 1 <= len(bits) < model.bits(chosen) + 3
    assert bits.dtype == np.uint8 and bits[0] == 0


@given(st.text())
@example("")
@example("Röntgenbild: Herz groß, 左肺清晰, сердце, 🫁")
@settings(deadline=None)
def test_any_text_comes_back(text: str) -> None:
    bits = encode_text(text, shipped())
    assert decode_text(bits, shipped()) == text
    length = len(text.encode())
    assert len(bits) <= 2 + 8 * length + 2 * (length + 1).bit_length() - 1


def test_long_texts_travel_deflated_or_are_refused() -> None:
    letters = np.random.default_rng(0).integers(97, 123, 10_000).astype(np.uint8)
    dull, various = "the heart is wide; " * 550, letters.tobytes().decode()
    for text in (dull, various):
        assert decode_text(encode_text(text, shipped()), shipped()) == text
    assert len(encode_text(dull, shipped())) < 2000
    refused(lambda: encode_text(dull, shipped(), most_bits=500), "bits where 500 are left")
    refused(lambda: encode_text("x" * (MOST_BYTES + 1), shipped()), "65537 bytes, 65536 at most")
    assert len(encode_text("x" * MOST_BYTES, shipped(), most_bits=1000)) <= 1000
    most = len(encode_text(various, shipped()))
    assert len(encode_text(various, shipped(), most_bits=most)) == most


@given(st.one_of(CAPTIONS.map(sentence), st.text()), st.lists(st.integers(0, 1), max_size=80))
@settings(deadline=None)
def test_a_message_says_where_it_ends(text: str, follows: list[int]) -> None:
    bits = encode_text(text, shipped())
    assert decode_text(np.append(bits, follows), shipped()) == text
    refused(lambda: decode_text(bits[:-1], shipped()), "damaged")


@given(st.lists(st.integers(0, 1), max_size=400))
@settings(deadline=None)
def test_damaged_bits_give_a_text_or_an_error(bits: list[int]) -> None:
    try:
        text = decode_text(np.array(bits, np.uint8), shipped())
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(text, str)


def test_a_small_message_does_not_grow_without_end() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"x" * 10_000_000) + packer.flush()
    size = f"{len(bomb) + 1:b}"
    header = "11" + "0" * (len(size) - 1) + size
    bits = np.append([int(bit) for bit in header], np.unpackbits(np.frombuffer(bomb, np.uint8)))
    refused(lambda: decode_text(bits, shipped()), "the bits stand for no text")


def test_what_is_no_text_or_no_bits_is_refused() -> None:
    model = shipped()
    refused(lambda: encode_text(b"heart", model), "a caption must be a string")  # type: ignore[arg-type]
    refused(lambda: encode_text("\ud800", model), "cannot be written in UTF-8")
    refused(lambda: encode_text("heart", model, most_bits=-1), "most_bits")
    refused(lambda: encode_text("heart", model, most_bits=1.5), "most_bits")  # type: ignore[arg-type]
    for bits in ("0101", [0, 2], [[0, 1]], [[0], [0, 1]], 0, None, [0.5]):
        refused(lambda bits=bits: decode_text(bits, model), "bits must be a row of 0 and 1")
    refused(lambda: decode_text(np.zeros(0, np.uint8), model), "the bits end within")
    refused(lambda: sentence([0] * 3), "choices must be 22 numbers, one for each slot")
    refused(lambda: sentence(None), "choices must be 22 numbers")  # type: ignore[arg-type]
    refused(
        lambda: sentence([4] + [0] * 21), r"the choice for kind must be an int in 0\.\.3, got 4"
    )


# The language model


def tables(model: LanguageModel) -> dict[str, np.ndarray]:
    """Of each slot, what :meth:`LanguageModel.after` says in all contexts."""
    found = {}
    for at, slot in enumerate(SLOTS):
        shape = [len(SLOTS[other].phrases) for other in CONTEXTS[at]]
        table = np.zeros((*shape, len(slot.phrases)), np.int64)
        for context in np.ndindex(*shape):
            before = [0] * at
            for other, choice in zip(CONTEXTS[at], context, strict=True):
                before[other] = choice
            table[context] = model.after(before)
        found[slot.name] = table
    return found


@pytest.mark.parametrize("model", [shipped(), LanguageModel.counted([])])
def test_frequencies_add_up_and_leave_nothing_out(model: LanguageModel) -> None:
    for table in tables(model).values():
        assert (table.sum(-1) == TOTAL).all() and (table >= 1).all()
        assert (table / TOTAL >= 1 / 16 / table.shape[-1] - 1 / TOTAL).all()


def test_both_ends_agree_after_saving_and_loading(tmp_path: Path) -> None:
    draws = np.random.default_rng(2)
    captions = [[int(draws.integers(len(slot.phrases))) for slot in SLOTS] for _ in range(50)]
    model = LanguageModel.counted(captions)
    model.save(tmp_path / "words.safetensors")
    again = LanguageModel.load(tmp_path / "words.safetensors")
    assert again.fingerprint == model.fingerprint != shipped().fingerprint
    for caption in captions:
        text = sentence(caption)
        assert decode_text(encode_text(text, model), again) == text
    for name, table in tables(model).items():
        assert np.array_equal(table, tables(again)[name])


def test_what_was_seen_costs_less() -> None:
    seen, other = [0, 3, 1, 1, 1, 0] + [1] * 16, [0, 3, 1, 1, 1, 0] + [3] * 16
    model = LanguageModel.counted([seen] * 100)
    assert model.bits(seen) < 8 < 40 < model.bits(other)
    kinds = LanguageModel.counted([[1, *seen[1:]]] * 100)
    assert kinds.after([]) == [TOTAL // 4] * 4
    another = [2, *seen[1:]]
    assert model.bits(seen) < kinds.bits(another) < kinds.bits([2, *other[1:]])


def test_captions_of_phantoms_are_short() -> None:
    """Measured on 24 of 256 x 256: 33.4, 43.4 and 25.7 bits; of 128 x 128 alike."""
    bounds = {"chest": (CHEST, 40), "angiography": (ANGIOGRAM, 50), "dental": (DENTAL, 32)}
    for kind, (name, most) in bounds.items():
        images, masks = semcom.data.phantoms(kind, n=6, size=128, seed=7)
        bits = [
            len(encode_text(sentence(measured(image, mask, kind=name)), shipped()))
            for image, mask in zip(images[:, 0], masks[:, 0], strict=True)
        ]
        assert np.mean(bits) < most, kind


def test_files_of_other_things_are_refused(tmp_path: Path) -> None:
    refused(lambda: LanguageModel.load(tmp_path / "none.safetensors"), "is not there")
    path = Path(str(importlib.resources.files("semcom") / "weights" / "dmic.safetensors"))
    refused(lambda: LanguageModel.load(path), "holds no language model of captions")
    good = tables(shipped())
    refused(lambda: LanguageModel({}), "named as its slots")
    refused(lambda: LanguageModel({**good, "kind": good["kind"] + 1}), "in all 4096")
    refused(lambda: LanguageModel({**good, "kind": good["kind"] / 2}), "must be integers")
    refused(lambda: LanguageModel({**good, "kind": good["grain"]}), r"integers \[4\], got")
    refused(lambda: LanguageModel.counted([[0]]), "choices must be 22 numbers")


def test_the_weights_are_small_and_have_a_card() -> None:
    weights = importlib.resources.files("semcom") / "weights"
    assert len((weights / "generative-words.safetensors").read_bytes()) < 60_000
    assert "Not for clinical use" in (weights / "generative-words.md").read_text("utf-8")
