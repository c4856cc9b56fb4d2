"""A small network that words a picture such that the generator's comes near it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_count
from channels.surroundings import undisturbed
from semcom.generative.kept import KeptNetwork
from semcom.generative.words import NOTHING, SLOTS, measured, said, sentence
from semcom.generative.words.vocabulary import GRADED, OVERALL, kind_index
from semcom.weightfile import packaged, packaged_names

GLIMPSE = 96
"""Side in pixels at which a picture is looked at."""

_SURE = 4.0
"""Logit of what is measured over its neighbours, before anything is learned."""


class LearnedCaptioner(KeptNetwork):
    """Chooses words around those that are measured, at most one grade from each.

    ::

        picture, mask at 96 x 96 ─ four convolutions, stride 2 ─ 4 x 4 ─┬─ places ─▶ + logits
                                                                 mean ──┴─ overall ─▶ + logits
        measured words ───────────────────────────────────── 4, 0 beside it, impossible beyond ─┘

    Trained with the generator (:class:`semcom.training.generator.GeneratorTask`): choices are drawn
    by the straight-through Gumbel-softmax (Jang, Gu, Poole; Maddison, Mnih, Teh; ICLR 2017), and
    the generator's error says which are good. So a word always means what it says, and which of two
    that fit is said is learned.

    Args:
        kind: of the pictures, one of :data:`~semcom.generative.words.vocabulary.KINDS`.
        width: features of the first layer, a multiple of 8.

    Raises:
        InputError: if there is no such kind, or the width is out of range.

    >>> from semcom.data import phantoms
    >>> captioner = LearnedCaptioner("dental panoramic X-ray", 8).eval()
    >>> images, masks = phantoms("dental", n=2, size=64)
    >>> captioner(images, masks > 0)[0][:22]
    'dental panoramic X-ray'
    """

    noun = "captioner"

    def __init__(self, kind: str, width: int = 16) -> None:
        kind_index(kind)
        width = check_count("width", width, 8, 256)
        if width % 8:
            raise InputError(f"width must be a multiple of 8, got {width}")
        super().__init__(kind=kind, width=width)
        self.kind = kind
        layers: list[nn.Module] = []
        for inputs, outputs in ((2, 1), (1, 2), (2, 4), (4, 4)):
            before = inputs * width if layers else 2
            layers += [
                nn.Conv2d(before, outputs * width, 3, stride=2, padding=1),
                nn.GroupNorm(8, outputs * width),
                nn.SiLU(),
            ]
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4))
        self.places = nn.Conv2d(4 * width, NOTHING, 1)
        self.overall = nn.Linear(4 * width, len(OVERALL) * NOTHING)
        for head in (self.places, self.overall):
            for parameter in head.parameters():
                nn.init.zeros_(parameter)

    @torch.no_grad()
    def __call__(self, images: Tensor, masks: Tensor) -> list[str]:
        """A caption of each picture, see :class:`semcom.generative.captioner.Captioner`."""
        with undisturbed():
            plain = [
                measured(image[0], mask[0], kind=self.kind)
                for image, mask in zip(images, masks, strict=True)
            ]
            logits = self.logits(glimpse(images, masks).to(self.places.weight.device), plain)
        return [sentence(row) for row in logits.argmax(-1).tolist()]

    def logits(self, glimpses: Tensor, plain: Sequence[Sequence[int]]) -> Tensor:
        """How good phrases are, ``[batch, 22, NOTHING]``; minus infinity where none can be said.

        Args:
            glimpses: of the pictures, see :func:`glimpse`.
            plain: what is measured of each, ``[22]``.
        """
        found = self.trunk(glimpses)
        overall = self.overall(found.mean((2, 3))).unflatten(1, (len(OVERALL), NOTHING))
        learned = torch.cat([overall, self.places(found).flatten(2).transpose(1, 2)], dim=1)
        known = said(plain)[..., :NOTHING].to(learned)
        beside = F.max_pool1d(known, 3, 1, 1) * _graded().to(learned)
        possible = torch.maximum(known, beside) * _phrases().to(learned)
        return torch.where(possible > 0, learned + _SURE * known, -torch.inf)

    def drawn(self, glimpses: Tensor, plain: Sequence[Sequence[int]], noise: Tensor) -> Tensor:
        """Shares of phrases with gradients: one each, drawn by its logits.

        Args:
            glimpses: of the pictures.
            plain: what is measured of each.
            noise: Gumbel's, ``[batch, 22, NOTHING]``; zeros for the likeliest.

        Returns:
            ``[batch, 22, NOTHING + 1]``, as of :func:`~semcom.generative.words.shares.said`.
        """
        soft = (self.logits(glimpses, plain) + noise).softmax(-1)
        hard = F.one_hot(soft.argmax(-1), NOTHING).to(soft)
        return F.pad(hard + soft - soft.detach(), (0, 1))


def glimpse(images: Tensor, masks: Tensor) -> Tensor:
    """What a captioner looks at: ``[batch, 2, 96, 96]``, picture and mask made small.

    >>> glimpse(torch.rand(1, 1, 40, 64), torch.zeros(1, 1, 40, 64) > 0).shape
    torch.Size([1, 2, 96, 96])
    """
    both = torch.cat([images - 0.5, masks.to(images.dtype)], dim=1)
    return F.interpolate(both, (GLIMPSE, GLIMPSE), mode="bilinear", antialias=True)


def shipped_captioner(kind: str) -> LearnedCaptioner | None:
    """The captioner that comes with the package for a kind; ``None`` if none does.

    Args:
        kind: ``"chest"``, ``"angiography"`` or ``"dental"``.
    """
    if f"captioner-{kind}" not in packaged_names("captioner-"):
        return None
    with packaged(f"captioner-{kind}") as path:
        return LearnedCaptioner.load(path)


def _graded() -> Tensor:
    """One for each slot with grades, ``[22, 1]``: the others stay as measured."""
    return torch.tensor(GRADED).float()[:, None]


def _phrases() -> Tensor:
    """One for each phrase that there is, ``[22, NOTHING]``."""
    return torch.tensor(
        [[float(index < len(slot.phrases)) for index in range(NOTHING)] for slot in SLOTS]
    )
