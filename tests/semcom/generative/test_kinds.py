"""Which kind of picture it is, and what is used for it."""

from __future__ import annotations

import pytest
import torch

import semcom
from semcom.generative.generator import Generator
from semcom.generative.kinds import BASE, ShippedCaptioner, ShippedPainter, recognised
from semcom.generative.words import sentence
from semcom.generative.words.vocabulary import KIND_OF_TASK, KINDS
from tests.refusals import refused


@pytest.mark.parametrize("kind", ["chest", "dental"])
def test_phantoms_are_recognised_and_captioned_as_what_they_are(kind: str) -> None:
    images, masks = semcom.data.phantoms(kind, n=3, size=256, seed=4)  # type: ignore[arg-type]
    assert recognised(images, masks) == [kind] * 3
    assert all(text.startswith(KIND_OF_TASK[kind]) for text in ShippedCaptioner()(images, masks))
    assert ShippedCaptioner(kind)(images, masks) == ShippedCaptioner()(images, masks)


def test_the_words_choose_the_generator_and_without_them_it_is_the_base() -> None:
    painter = ShippedPainter()
    key, mask = torch.rand(1, 1, 64, 64), torch.zeros(1, 1, 64, 64) > 0
    mask[..., 16:48, 16:48] = True
    for kind, generator in painter.generators.items():
        assert isinstance(generator, Generator)
        text = sentence([KINDS.index(KIND_OF_TASK[kind])] + [1] * 5 + [2] * 16)
        own = generator.paint(key, mask, [text], 3, 1)
        assert torch.equal(painter.paint(key, mask, [text], 3, 1), own)
    base = painter.generators[BASE]
    assert isinstance(base, Generator)
    for text in (None, "", "free text"):
        assert torch.equal(
            painter.paint(key, mask, [text], 3, 1), base.paint(key, mask, [text], 3, 1)
        )


def test_other_kinds_are_refused() -> None:
    refused(lambda: ShippedCaptioner("hands"), "kind of picture")
    refused(lambda: ShippedPainter("hands"), "no weights of a generator of 'hands'")
