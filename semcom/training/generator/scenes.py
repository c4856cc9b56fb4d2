"""Pictures with their key regions and the words that they say themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semcom.generative.key_region import key_region
from semcom.generative.learned_captioner import glimpse
from semcom.generative.words import measured
from semcom.medjscc.source.region import region_pixels
from semcom.segmentation.segmenter import Segmenter
from semcom.training.crops import Sample


@dataclass(frozen=True, eq=False)
class KeyScene:
    """A picture that a generator learns from.

    Args:
        image: float32 ``[1, H, W]`` in [0, 1].
        key_mask: what it is given, bool ``[1, H, W]``.
        choices: what it says itself, the index of a phrase for each slot.
        glimpse: what a captioner looks at, float32 ``[2, 96, 96]``.
    """

    image: Tensor
    key_mask: Tensor
    choices: tuple[int, ...]
    glimpse: Tensor


def key_scenes(samples: Sequence[Sample], kind: str, segmenter: Segmenter) -> list[KeyScene]:
    """Pictures with key regions in blocks, as Med-JSCC sends them, and the words measured.

    Args:
        samples: pictures with masks; where there is none, ``segmenter`` finds it.
        kind: of the pictures, a phrase of the vocabulary.
        segmenter: finds regions of interest.

    >>> from semcom.data import phantoms
    >>> images, masks = phantoms("dental", n=1, size=64)
    >>> scenes = key_scenes([(images[0], masks[0])], "dental panoramic X-ray", lambda x: x)
    >>> scenes[0].key_mask.shape, len(scenes[0].choices)
    (torch.Size([1, 64, 64]), 22)
    """
    scenes = []
    for image, given in samples:
        mask = given
        if mask is None:
            with torch.no_grad():
                mask = segmenter(image[None])[0] > 0.5
        key = region_pixels(key_region(mask[None]))[0]
        said = tuple(measured(image[0], key[0], kind=kind))
        scenes.append(KeyScene(image, key, said, glimpse(image[None], key[None])[0]))
    return scenes
