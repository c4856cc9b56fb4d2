"""The generator: what it leaves alone, what it goes by, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import semcom
from semcom.generative.generator import Generator, in_squares, known_of
from semcom.generative.learned_captioner import LearnedCaptioner, glimpse
from semcom.generative.words import SLOTS, measured, said, sentence
from semcom.light import load_adapter, quantised, with_lora
from semcom.medjscc.source.region import region_pixels
from semcom.training.conduct import Conduct, Stopped, conducted
from semcom.training.generator import GeneratorPlan, GeneratorTask, train_generator
from semcom.training.generator.scenes import KeyScene, key_scenes
from tests.refusals import refused

KIND = "dental panoramic X-ray"
NARROW = (8, 8, 8, 8)


@pytest.fixture(scope="module")
def scenes() -> list[KeyScene]:
    images, masks = semcom.data.phantoms("dental", n=3, size=96, seed=2)
    return key_scenes(list(zip(images, masks, strict=True)), KIND, lambda images: images)


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    generator = Generator(NARROW).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    return generator


def painted(generator: Generator, scene: KeyScene, text: str | None, seed: int = 1) -> Tensor:
    return generator.paint(scene.image[None], scene.key_mask[None], [text], seed, steps=2)


def test_key_pixels_are_the_given_ones_and_no_other_pixel_is_looked_at(
    generator: Generator, scenes: list[KeyScene]
) -> None:
    scene = scenes[0]
    text = sentence(scene.choices)
    out = painted(generator, scene, text)
    key = scene.key_mask[None]
    assert torch.equal(out[key], scene.image[None][key])
    assert float(out.min()) >= 0 and float(out.max()) <= 1
    elsewhere = replace(scene, image=torch.where(scene.key_mask, scene.image, 1 - scene.image))
    assert torch.equal(painted(generator, elsewhere, text), out)


def test_the_same_seed_paints_the_same_and_words_and_seeds_change_it(
    generator: Generator, scenes: list[KeyScene]
) -> None:
    scene, other = scenes[0], list(scenes[0].choices)
    other[1] = (other[1] + 2) % len(SLOTS[1].phrases)
    text = sentence(scene.choices)
    out = painted(generator, scene, text)
    with torch.inference_mode():
        assert torch.equal(painted(generator, scene, text), out)
    for differing in (
        painted(generator, scene, sentence(other)),
        painted(generator, scene, None),
        painted(generator, scene, text, seed=2),
    ):
        assert not torch.equal(differing, out)
    assert torch.equal(
        painted(generator, scene, "some other text"), painted(generator, scene, None)
    )


def test_a_file_gives_the_same_generator_and_nothing_else_does(
    generator: Generator, scenes: list[KeyScene], tmp_path: Path
) -> None:
    generator.save(tmp_path / "g.safetensors")
    first, second = (Generator.load(tmp_path / "g.safetensors") for _ in range(2))
    assert torch.equal(painted(first, scenes[0], None), painted(second, scenes[0], None))
    assert first.fingerprint == second.fingerprint
    semcom.segmenter("chest").save(tmp_path / "other.safetensors")
    refused(lambda: Generator.load(tmp_path / "other.safetensors"), "no weights of a generator")
    refused(lambda: Generator((8, 8, 8)), "four numbers of features")  # type: ignore[arg-type]
    refused(lambda: Generator((8, 8, 8, 12)), "multiples of 8")


def test_what_does_not_fit_is_refused(generator: Generator, scenes: list[KeyScene]) -> None:
    image, key = scenes[0].image[None], scenes[0].key_mask[None]
    refused(lambda: generator.paint(image, key, [], 1), "one caption for each")
    refused(lambda: generator.paint(image, key[..., :32], [None], 1), "do not belong together")
    refused(lambda: generator.paint(image, key, [None], 1, steps=0), "steps")
    refused(lambda: generator.paint(image, key, [None], -1), "seed")
    refused(lambda: generator.paint(image, key.float(), [None], 1), "key_mask must be bool")
    refused(lambda: generator.paint(image[0], key[0], [None], 1), "key must be float32")
    refused(lambda: generator.paint(image[:0], key[:0], [], 1), "key must be float32")
    hidden = torch.where(key, image, torch.nan)
    assert torch.equal(
        generator.paint(hidden, key, [None], 1, 1), generator.paint(image, key, [None], 1, 1)
    )


def test_what_is_no_plain_generator_is_not_saved_as_one(tmp_path: Path) -> None:
    for other in (quantised(Generator((16,) * 4), 8), with_lora(Generator((16,) * 4), 2)):
        assert isinstance(other, Generator)
        refused(lambda: other.save(tmp_path / "g.safetensors"), "its own layers")  # noqa: B023
    assert not (tmp_path / "g.safetensors").exists()


def test_one_step_of_a_trained_network_shows_the_mean_of_what_it_learned(tmp_path: Path) -> None:
    """Two grey pictures that one caption fits: the mean is half-way, words tell them apart."""
    dark, bright = (torch.full((1, 64, 64), grey) for grey in (0.3, 0.7))
    key = torch.zeros(1, 64, 64, dtype=torch.bool)
    words = [measured(image[0], kind=KIND) for image in (dark, bright)]
    plan = GeneratorPlan(steps=250, batch=4, crop=64, learning_rate=1e-2, wordless=0.5)
    known = [
        KeyScene(image, key, tuple(choices), glimpse(image[None], key[None])[0])
        for image, choices in zip((dark, bright), words, strict=True)
    ]
    losses = []
    generator, _ = train_generator(
        known,
        plan,
        tmp_path / "run",
        first=Generator(NARROW),
        on_step=lambda step, loss: losses.append(loss),
    )
    assert sum(losses[-20:]) < 0.8 * sum(losses[:20])
    shown = [
        float(generator.paint(dark[None], key[None], [text], 3, steps=1).mean())
        for text in (sentence(words[0]), sentence(words[1]), None)
    ]
    assert shown[0] < 0.45 and shown[1] > 0.55, shown
    assert shown[0] < shown[2] < shown[1]


def test_a_run_that_was_cut_ends_as_if_it_had_not_been(
    scenes: list[KeyScene], tmp_path: Path
) -> None:
    plan = GeneratorPlan(steps=4, batch=2, crop=64)

    def begun() -> Generator:
        torch.manual_seed(3)
        return Generator(NARROW)

    whole, worded = train_generator(scenes, plan, tmp_path / "whole", first=begun())
    with pytest.raises(Stopped), conducted(Conduct(seconds=1e-9)):
        train_generator(scenes, plan, tmp_path / "cut", first=begun())
    again, anew = train_generator(scenes, plan, tmp_path / "cut", first=begun())
    assert again.fingerprint == whole.fingerprint
    assert anew.fingerprint == worded.fingerprint != LearnedCaptioner(KIND).fingerprint


def test_nothing_is_asked_of_it_inside_the_key(scenes: list[KeyScene]) -> None:
    torch.manual_seed(0)
    everywhere = replace(scenes[0], key_mask=torch.ones_like(scenes[0].key_mask))
    plan = GeneratorPlan(steps=1, batch=1, crop=64)
    task = GeneratorTask(Generator(NARROW), LearnedCaptioner(KIND, 8), [everywhere], [], plan)
    assert float(task.loss(0).detach()) == 0
    known = known_of(scenes[0].image[None], scenes[0].key_mask[None], said([None]))
    assert known.maps.shape[-2:] == in_squares(scenes[0].image[None]).shape[-2:]


def test_key_regions_are_whole_blocks_that_hold_the_mask() -> None:
    mask = torch.zeros(1, 1, 70, 100, dtype=torch.bool)
    mask[..., 30:40, 50:95] = True
    key = region_pixels(mask)
    assert key.shape == mask.shape
    assert bool(key[..., 32:48, 48:96].all()) and not bool(key[..., 64:, :].any())


def test_adapters_alone_are_trained_and_written(scenes: list[KeyScene], tmp_path: Path) -> None:
    """The quantised weights stay as they are, and the file of the adapters fits them alone."""
    torch.manual_seed(4)
    base = quantised(Generator((16, 16, 16, 16)), bits=4)
    adapted = with_lora(base, rank=2)
    assert isinstance(adapted, Generator)
    plan = GeneratorPlan(steps=4, batch=2, crop=64, learning_rate=1e-2)
    train_generator(scenes, plan, tmp_path / "run", first=adapted)
    again = load_adapter(base, tmp_path / "run" / "generator.safetensors")
    assert isinstance(again, Generator)
    state = again.state_dict()
    moved = [name for name, value in state.items() if name.endswith("lora_b") and value.any()]
    assert moved
    for name, value in base.state_dict().items():
        there = state.get(name, state.get(".base.".join(name.rsplit(".stored.", 1))))
        if there is not None:
            assert torch.equal(there, value)
    text = sentence(scenes[0].choices)
    assert not torch.equal(painted(again, scenes[0], text), painted(base, scenes[0], text))  # type: ignore[arg-type]


def test_pictures_that_hold_no_part_are_named(scenes: list[KeyScene], tmp_path: Path) -> None:
    plan, out = GeneratorPlan(steps=1, batch=1, crop=128), tmp_path / "run"
    refused(lambda: train_generator(scenes, plan, out), "96 x 96, smaller than a crop of 128")
    assert not out.exists()
