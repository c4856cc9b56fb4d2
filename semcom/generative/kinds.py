"""What comes with the package for each kind of picture, and which kind a picture is of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from channels.errors import check_name
from semcom.generative import generator as painting
from semcom.generative.captioner import Captioner, Measured
from semcom.generative.generator import BASE, Generator
from semcom.generative.learned_captioner import shipped_captioner
from semcom.generative.words import choices
from semcom.generative.words.vocabulary import KIND_OF_TASK, KINDS
from semcom.metrics import dice
from semcom.segmentation.shipped import shipped as shipped_segmenter
from semcom.weightfile import packaged_names


def recognised(images: Tensor, masks: Tensor) -> list[str]:
    """The kind of each picture: that whose shipped segmenter finds most of the key region.

    By the Dice coefficient of what it finds and the mask.

    Args:
        images: float32 ``[batch, 1, H, W]`` in [0, 1].
        masks: bool of the same shape.

    >>> from semcom.data import phantoms
    >>> [recognised(*phantoms(kind, n=1, size=128))[0] for kind in ("chest", "dental")]
    ['chest', 'dental']
    """
    with torch.no_grad():
        found = [
            dice(shipped_segmenter(kind)(images.float()) > 0.5, masks > 0.5)
            for kind in KIND_OF_TASK
        ]
    return [list(KIND_OF_TASK)[place] for place in torch.stack(found).argmax(0).tolist()]


class ShippedCaptioner:
    """Describes pictures by the shipped captioner of their kind, or by what is measured.

    Args:
        kind: of all pictures; ``None``: that which each is :func:`recognised` as.

    Raises:
        InputError: if there is no such kind.

    >>> from semcom.data import phantoms
    >>> ShippedCaptioner()(*phantoms("dental", n=1, size=128))[0][:22]
    'dental panoramic X-ray'
    """

    def __init__(self, kind: str | None = None) -> None:
        self._kind = kind if kind is None else check_name("kind of picture", kind, KIND_OF_TASK)
        kinds = KIND_OF_TASK if kind is None else (kind,)
        self._captioners: dict[str, Captioner] = {
            kind: shipped_captioner(kind) or Measured(KIND_OF_TASK[kind]) for kind in kinds
        }

    @property
    def fingerprint(self) -> str:
        """What changes with anything that decides its words."""
        told = [getattr(one, "fingerprint", repr(one)) for one in self._captioners.values()]
        return ", ".join(map(str, (self._kind, *told)))

    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """A caption of each picture, see :class:`semcom.generative.captioner.Captioner`."""
        kinds = [self._kind] * len(images) if self._kind else recognised(images, masks)
        return [
            self._captioners[str(kind)](images[row : row + 1], masks[row : row + 1])[0]
            for row, kind in enumerate(kinds)
        ]


class ShippedPainter(nn.Module):
    """Paints by the shipped generator of a kind.

    Args:
        kind: of all pictures; ``None``: that which the caption says, or ``"chest"`` where none
            arrived, or no weights of its kind are there.

    Raises:
        InputError: if no weights of the kind come with the package.
    """

    def __init__(self, kind: str | None = None) -> None:
        super().__init__()
        self._kind = kind
        known = packaged_names("generator-")
        kinds = [kind] if kind else [one for one in KIND_OF_TASK if f"generator-{one}" in known]
        self.generators = nn.ModuleDict({one: painting.shipped(one) for one in kinds})

    @property
    def fingerprint(self) -> str:
        """What changes with anything that decides its pictures."""
        told = [self._generator(kind).fingerprint for kind in self.generators]
        return ", ".join(map(str, (self._kind, *told)))

    def paint(
        self,
        key: Tensor,
        key_mask: Tensor,
        text: Sequence[str | None],
        seed: int,
        steps: int = 8,
    ) -> Tensor:
        """Pictures around key regions, see :class:`semcom.generative.painter.Painter`."""
        rows = [slice(row, row + 1) for row in range(len(key))]
        return torch.cat(
            [
                self._generator(self._kind or self._said(words)).paint(
                    key[row], key_mask[row], [words], seed, steps
                )
                for row, words in zip(rows, text, strict=True)
            ]
        )

    def _generator(self, kind: str) -> Generator:
        generator = self.generators[kind]
        assert isinstance(generator, Generator)
        return generator

    def _said(self, words: str | None) -> str:
        chosen = choices(words) if words else None
        phrase = KINDS[chosen[0]] if chosen else None
        return next((kind for kind in self.generators if KIND_OF_TASK[kind] == phrase), BASE)
