"""The learned captioner: what it may say, that it learns to say what helps, its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import semcom
from semcom.generative.generator import Generator
from semcom.generative.learned_captioner import LearnedCaptioner, glimpse
from semcom.generative.words import NOTHING, SLOTS, choices, grey_places, levels, measured, said
from semcom.training.generator import GeneratorPlan, train_generator
from semcom.training.generator.scenes import KeyScene
from tests.refusals import refused

KIND = "dental panoramic X-ray"


@pytest.fixture(scope="module")
def wild() -> LearnedCaptioner:
    """One with random preferences, much stronger than what is measured."""
    torch.manual_seed(5)
    captioner = LearnedCaptioner(KIND, 8).eval().requires_grad_(False)
    for parameter in captioner.parameters():
        parameter.add_(3 * torch.randn_like(parameter))
    return captioner


def test_a_word_is_never_more_than_a_grade_from_what_is_measured(wild: LearnedCaptioner) -> None:
    images, masks = semcom.data.phantoms("dental", n=6, size=96, seed=3)
    graded, other = 0, 0
    for image, mask, text in zip(images, masks, wild(images, masks > 0), strict=True):
        plain, worded = measured(image[0], mask[0], kind=KIND), choices(text)
        assert worded is not None
        for slot, before, after in zip(SLOTS, plain, worded, strict=True):
            if slot.name in ("exposure", "contrast") or slot in SLOTS[6:]:
                assert abs(before - after) <= 1
                graded += before != after
            else:
                other += before != after
    assert graded > 10 and other == 0


def test_before_it_has_learned_it_says_what_is_measured() -> None:
    images, masks = semcom.data.phantoms("dental", n=2, size=64)
    texts = LearnedCaptioner(KIND, 8).eval()(images, masks > 0)
    plain = [
        measured(image[0], mask[0], kind=KIND) for image, mask in zip(images, masks, strict=True)
    ]
    assert [choices(text) for text in texts] == plain


def test_drawn_words_are_one_each_with_gradients_and_follow_their_chances() -> None:
    """Of 4000 draws of an even choice among three the share is a third within 4.5 deviations."""
    captioner = LearnedCaptioner(KIND, 8)
    image, mask = torch.rand(1, 1, 64, 64), torch.zeros(1, 1, 64, 64) > 0
    plain = [measured(image[0, 0], mask[0, 0], kind=KIND)]
    plain[0][-1] = 2
    with torch.no_grad():
        captioner.places.bias[[1, 3]] = 4.0
    draws = torch.Generator().manual_seed(0)
    uniform = torch.rand(4000, len(SLOTS), NOTHING, generator=draws).clamp(1e-6, 1 - 1e-6)
    words = captioner.drawn(
        glimpse(image, mask).expand(4000, -1, -1, -1), plain * 4000, -torch.log(-torch.log(uniform))
    )
    assert torch.allclose(words.sum(-1), torch.ones(4000, len(SLOTS)), atol=1e-5)
    shares = words[:, -1].mean(0)
    assert shares[[1, 2, 3]].sub(1 / 3).abs().max() < 4.5 * (2 / 9 / 4000) ** 0.5
    grey_places(words).sum().backward()
    assert captioner.places.bias.grad is not None and captioner.places.bias.grad.abs().sum() > 0


def test_grey_places_are_the_levels_of_words() -> None:
    images, masks = semcom.data.phantoms("dental", n=3, size=64)
    rows = [
        measured(image[0], mask[0], kind=KIND) for image, mask in zip(images, masks, strict=True)
    ]
    expected = torch.stack([torch.from_numpy(levels(row).places) for row in rows])
    assert torch.allclose(grey_places(said(rows)), expected)


def test_it_learns_which_of_two_words_that_fit_brings_the_picture_near(tmp_path: Path) -> None:
    """Bright pictures are measured one grade too dark; the generator shows the words' places."""
    images = [torch.full((1, 64, 64), grey) for grey in (0.44, 0.46)]
    key = torch.zeros(1, 64, 64, dtype=torch.bool)
    plain = [tuple(measured(image[0], kind=KIND)) for image in images]
    assert plain[0] != plain[1]
    scenes = [
        KeyScene(image, key, plain[0], glimpse(image[None], key[None])[0]) for image in images
    ]
    scenes[1] = KeyScene(torch.full((1, 64, 64), 0.8), key, plain[0], 2 * scenes[1].glimpse + 0.4)
    plan = GeneratorPlan(steps=200, batch=4, crop=64, learning_rate=2e-2, wordless=0.0)
    torch.manual_seed(0)
    _, captioner = train_generator(
        scenes,
        plan,
        tmp_path / "run",
        first=Generator((8, 8, 8, 8)),
        captioner=LearnedCaptioner(KIND, 8),
    )
    glimpses = torch.stack([scene.glimpse for scene in scenes])
    said_now = captioner.logits(glimpses, [plain[0]] * 2).argmax(-1)
    assert not torch.equal(said_now[0], said_now[1])
    assert (tmp_path / "run" / "captioner.safetensors").exists()


def test_files_are_read_with_suspicion(wild: LearnedCaptioner, tmp_path: Path) -> None:
    wild.save(tmp_path / "c.safetensors")
    again = LearnedCaptioner.load(tmp_path / "c.safetensors")
    images, masks = semcom.data.phantoms("dental", n=1, size=64)
    assert again.kind == KIND
    assert len(again(images, masks > 0)) == 1
    semcom.segmenter("chest").save(tmp_path / "other.safetensors")
    refused(
        lambda: LearnedCaptioner.load(tmp_path / "other.safetensors"), "no weights of a captioner"
    )
    refused(lambda: LearnedCaptioner("hand"), "kind of picture")
    refused(lambda: LearnedCaptioner(KIND, 12), "multiple of 8")
