"""Which images of a set keep their masks: for training from few labels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from channels import InputError
from channels.errors import check_count, check_number
from semcom.training.crops import Sample


class FewLabels(NamedTuple):
    """A set of images, divided.

    Args:
        labelled: images with masks, to train on.
        unlabelled: images without masks, or whose masks are not looked at.
        validation: images with masks, to choose the weights by.
    """

    labelled: list[Sample]
    unlabelled: list[Tensor]
    validation: list[Sample]


def few_labels(
    samples: list[Sample], labelled: float = 1.0, validation: float = 0.1, seed: int = 0
) -> FewLabels:
    """Divide a set at random: masks to train with, masks to choose weights by, images without.

    It divides by image: films of one patient may come to lie on both sides.

    Args:
        samples: images with their masks or ``None``.
        labelled: share of the masks left after validation that is trained with, in (0, 1]; one
            image at least.
        validation: share of the masks set apart, in [0, 0.9]; one image at least, unless 0.
        seed: which ones.

    Raises:
        InputError: if a share is out of range, or too few images have masks.

    >>> samples = [(torch.rand(1, 32, 32), torch.ones(1, 32, 32, dtype=torch.bool))] * 10
    >>> [len(part) for part in few_labels(samples, labelled=0.2)]
    [2, 7, 1]
    """
    labelled = check_number("labelled", labelled, 0, 1)
    validation = check_number("validation", validation, 0, 0.9)
    draws = torch.Generator().manual_seed(check_count("seed", seed, 0, 2**62))
    order = torch.randperm(len(samples), generator=draws).tolist()
    masked = [i for i in order if samples[i][1] is not None]
    apart = max(round(validation * len(masked)), 1) if validation else 0
    left = masked[apart:]
    if not labelled or not left:
        raise InputError(
            f"no labelled image to train on: {len(masked)} of {len(samples)} have masks, up to "
            f"{apart} of them are kept for validation, and {labelled:g} of the rest is asked for: "
            "give more masks, or lower validation"
        )
    used = left[: max(round(labelled * len(left)), 1)]
    known = {*used, *masked[:apart]}
    return FewLabels(
        [samples[i] for i in used],
        [samples[i][0] for i in order if i not in known],
        [samples[i] for i in masked[:apart]],
    )
