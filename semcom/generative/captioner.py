"""From pictures to captions: the contract, and the words that pictures say themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.generative.words.coder import MOST_BYTES, encode_text
from semcom.generative.words.language_model import LanguageModel
from semcom.generative.words.measured import measured
from semcom.generative.words.vocabulary import AS_BRIGHT, OVERALL, SLOTS, kind_index, sentence


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
    return sha256(image.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]


def shortened(choices: list[int], model: LanguageModel, most_bits: float) -> list[int]:
    """Choices that say less, until they fit.

    Places are called as bright as the picture, one after another, each time the one that saves
    most bits; then what is said of the whole picture becomes what is likeliest.

    Args:
        choices: of each slot the index of a phrase.
        model: of captions.
        most_bits: what they may take by the model.

    >>> from semcom.generative.words import shipped
    >>> long = [0, 4, 0, 2, 0, 2] + [0, 4] * 8
    >>> round(shipped().bits(long)) > 60 > shipped().bits(shortened(long, shipped(), 60))
    True
    """
    chosen = list(choices)
    while model.bits(chosen) > most_bits:
        plainer = [
            [*chosen[:slot], other, *chosen[slot + 1 :]]
            for slot in range(1, len(SLOTS))
            for other in ([AS_BRIGHT] if slot >= len(OVERALL) else range(len(SLOTS[slot].phrases)))
            if other != chosen[slot]
        ]
        best = min(plainer, key=model.bits, default=chosen)
        if model.bits(best) >= model.bits(chosen):
            break
        chosen = best
    return chosen


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
