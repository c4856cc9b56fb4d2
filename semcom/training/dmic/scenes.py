"""Pictures as scenes: who looks at them, and which are set apart to choose weights by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from semcom.catalogue import companion
from semcom.dmic.episode import Scene
from semcom.dmic.observers import Turned
from semcom.entries import CONTROL
from semcom.segmentation import Segmenter
from semcom.training.crops import Sample
from semcom.training.dmic.plan import PRESET
from semcom.training.samples import split

_EVERY, _MOST_APART = 8, 6
"""Of so many pictures that teach a policy, one is set apart; of each kind so many at most."""


def observers(first: Segmenter) -> list[Segmenter]:
    """Who looks: a segmenter, the same at turned pictures, and the catalogue's control of its task.

    >>> from semcom import segmenter
    >>> len(observers(segmenter("chest"))), len(observers(lambda images: images))
    (3, 2)
    """
    control = companion(first, CONTROL)
    return [first, Turned(first, 1), *([] if control is None else [control])]


def set_apart(
    samples: list[Sample], looking: Sequence[Segmenter]
) -> tuple[list[Scene], list[Scene]]:
    """Scenes to learn from and to choose by: one in eight, from one to six.

    Args:
        samples: of one kind, two at least.
        looking: their observers.
    """
    every = max(min(_EVERY, len(samples)), math.ceil(len(samples) / _MOST_APART))
    learnt, apart = (
        [Scene(image[0].numpy(), looking, PRESET) for image, _ in part]
        for part in split(samples, every)
    )
    return learnt, apart
