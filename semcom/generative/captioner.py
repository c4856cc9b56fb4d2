"""From pictures to captions: the contract, and the words that pictures say themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from torch import Tensor

from channels import InputError
from channels.errors import shown
from channels.surroundings import undisturbed
from semcom.generative.words.arithmetic import TOTAL
from semcom.generative.words.coder import MOST_BYTES, encode_text
from semcom.generative.words.language_model import LanguageModel
from semcom.generative.words.measured import measured
from semcom.generative.words.vocabulary import GRADED, SLOTS, kind_index, sentence
from semcom.weightfile import digest

_PRICES = (8.0, 4.0, 2.0, 1.0, 0.5, 0.0)
_BEAM = 64


class Captioner(Protocol):
    """Anything that describes pictures outside their key regions."""

    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """A caption of each picture.

        Args:
            images: float32 ``[batch, 1, H, W]`` in [0, 1].
            masks: bool of the same shape, true in the key region, which needs no words.
        """
        ...


@dataclass(frozen=True)
class Measured:
    """Words by measurement, see :func:`semcom.generative.words.measured`.

    Args:
        kind: of the pictures, one of :data:`~semcom.generative.words.vocabulary.KINDS`.

    Raises:
        InputError: if there is no such kind.

    >>> from semcom.data import phantoms
    >>> Measured("dental panoramic X-ray")(*phantoms("dental", n=1, size=64))[0][:22]
    'dental panoramic X-ray'
    """

    kind: str

    def __post_init__(self) -> None:
        kind_index(self.kind)

    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """A caption of each picture."""
        return [
            sentence(measured(image[0], mask[0], kind=self.kind))
            for image, mask in zip(images, masks, strict=True)
        ]


@dataclass(frozen=True)
class Silent:
    """No words, to measure what words are worth: they take their channel uses and say nothing.

    >>> from semcom.data import phantoms
    >>> Silent()(*phantoms("chest", n=2, size=64))
    ['', '']
    """

    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """Nothing of each picture."""
        return [""] * len(images)


class OfAnother:
    """Words of another picture, to measure what the right ones are worth.

    A picture gets those of the next one of a set, the last those of the first; one that is not
    among them those of the first.

    Args:
        captioner: whose words they are.
        pictures: of each an image, float32 ``[1, H, W]``, and its key region, bool of that shape.

    Raises:
        InputError: with fewer than two pictures.

    >>> from semcom.data import phantoms
    >>> images, masks = phantoms("chest", n=2, size=64)
    >>> right = Measured("frontal chest X-ray")
    >>> wrong = OfAnother(right, list(zip(images, masks, strict=True)))
    >>> wrong(images, masks) == right(images, masks)[::-1]
    True
    """

    def __init__(self, captioner: Captioner, pictures: Sequence[tuple[Tensor, Tensor]]) -> None:
        if len(pictures) < 2:
            raise InputError("words of another picture need two pictures: pass more")
        with undisturbed():
            said = [captioner(image[None], mask[None])[0] for image, mask in pictures]
        names = [_digest(image) for image, _ in pictures]
        self._first = said[0]
        self._next = dict(zip(names, [*said[1:], said[0]], strict=True))

    @property
    def fingerprint(self) -> str:
        """Changes with what it says of any picture."""
        return f"of another, {sha256(repr(sorted(self._next.items())).encode()).hexdigest()[:12]}"

    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """A caption of the next picture, for each."""
        return [self._next.get(_digest(image), self._first) for image in images]


def _digest(image: Tensor) -> str:
    return digest({"image": image})


def captions(captioner: Captioner, images: Tensor, masks: Tensor) -> list[str]:
    """What a captioner says, checked.

    Args:
        captioner: may alter what it is given.
        images: float32 ``[batch, 1, H, W]`` in [0, 1].
        masks: bool of the same shape.

    Raises:
        InputError: unless it is one string for each image.

    >>> import torch
    >>> images = torch.zeros(2, 1, 32, 32)
    >>> captions(lambda images, masks: ["dark"], images, images > 0)
    Traceback (most recent call last):
    channels.errors.InputError: a captioner must give a list of 2 strings, got ['dark']
    """
    told = captioner(images.clone(), masks.clone())
    if (
        not isinstance(told, list | tuple)
        or len(told) != len(images)
        or not all(isinstance(text, str) for text in told)
    ):
        raise InputError(
            f"a captioner must give a list of {len(images)} strings, got {shown(told)}"
        )
    return list(told)


def shortened(choices: list[int], model: LanguageModel, most_bits: float) -> list[int] | None:
    """Choices that say nearly the same in fewer bits.

    Grades are moved to one beside them, as few as have to be: of all such captions, by a beam
    search through the slots, the one of the least ``bits + price * moves`` for the largest price of
    8, 4, 2, 1, 0.5 or 0 bits at which it fits. Nothing else is changed.

    Args:
        choices: of each slot the index of a phrase.
        model: of captions.
        most_bits: what they may take by the model.

    Returns:
        ``None`` if none is so short.

    >>> from semcom.generative.words import shipped
    >>> long = [0, 4, 0, 2, 0, 2] + [0, 4] * 8
    >>> short = shortened(long, shipped(), 60)
    >>> round(shipped().bits(long)) > 60 > shipped().bits(short)
    True
    >>> shortened(long, shipped(), 8) is None
    True
    """
    if model.bits(choices) <= most_bits:
        return list(choices)
    for price in _PRICES:
        found = _cheapest(choices, model, price)
        if model.bits(found) <= most_bits:
            return found
    return None


def _cheapest(choices: list[int], model: LanguageModel, price: float) -> list[int]:
    """The caption of the least bits and price of moves, among the likeliest so far at each slot."""
    beam: list[tuple[float, list[int]]] = [(0.0, [])]
    for slot, graded, choice in zip(SLOTS, GRADED, choices, strict=True):
        near = [
            other for other in (choice, choice - 1, choice + 1) if 0 <= other < len(slot.phrases)
        ]
        longer = []
        for cost, before in beam:
            frequencies = model.after(before)
            for other in near if graded else [choice]:
                bits = math.log2(TOTAL / frequencies[other])
                longer.append((cost + bits + price * (other != choice), [*before, other]))
        beam = sorted(longer)[:_BEAM]
    return beam[0][1]


def cut(text: str, model: LanguageModel, most_bits: int) -> str:
    """The first words of a free text, as many as fit; none where not even one does.

    Args:
        text: outside the vocabulary.
        model: of captions, the one that will decode.
        most_bits: that the message may take.

    Raises:
        InputError: if it cannot be written in UTF-8.

    >>> from semcom.generative.words import shipped
    >>> cut("a foggy day at the sea", shipped(), 72)
    'a foggy'
    """
    kept = ""
    for word in text.split():
        longer = f"{kept} {word}" if kept else word
        if len(longer) > MOST_BYTES // 4 or len(encode_text(longer, model)) > most_bits:
            break
        kept = longer
    return kept
