"""What an image still shows after transmission: the masks that a frozen network finds in it."""

from __future__ import annotations

import torch
from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.images import as_images
from semcom.metrics import dice
from semcom.segmentation.segmenter import Segmenter, probabilities


def diagnostic_dice(out: Tensor, images: Tensor, segmenter: Segmenter) -> Tensor:
    """Dice overlap of the masks that a segmenter finds in received and in sent images.

    The sent image's mask is the reference, not a doctor's: what is measured is the link's harm,
    not the segmenter's error. Compare only what was measured with one segmenter.

    Args:
        out: received images, float ``[batch, 1, H, W]`` in [0, 1].
        images: sent images, of the same shape.
        segmenter: a mask source, e.g. ``semcom.segmenter("chest")``.

    Returns:
        float32 ``[batch]`` in [0, 1]; 1 where it finds nothing in either.

    Raises:
        InputError: if the shapes differ, an image is not in [0, 1], or the segmenter breaks its
            contract.

    >>> images = torch.rand(2, 1, 32, 32)
    >>> diagnostic_dice(images, images, lambda images: images)
    tensor([1., 1.])
    """
    out, images = as_images(out), as_images(images)
    if out.shape != images.shape:
        raise InputError(
            f"images have different shapes, {list(out.shape)} and {list(images.shape)}: "
            "compare like with like"
        )
    with undisturbed(), torch.no_grad():
        return dice(probabilities(segmenter, out) > 0.5, probabilities(segmenter, images) > 0.5)
