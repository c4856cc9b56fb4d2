"""Whether received images have the texture of those sent: inner features of a segmenter, compared.

After the single-image FID of Shaham, Dekel, Michaeli, "SinGAN", ICCV 2019, which takes an Inception
network's features before its second pooling; here they are those of our own segmenter before its
second pooling, at a quarter of the resolution that it works at. Numbers of the two networks cannot
be compared. Of the network's levels it is the one that sees damage and not the place: on phantoms
of chests and teeth, noise of 0.03 and a blur over 3 pixels count 50 to 110 times as much as a shift
by 4 pixels; one level deeper 3 to 13 times, two levels deeper 0.4 to 8 times. The level before the
first pooling sees damage half as well, beside the spread of its features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from channels import InputError
from channels.errors import shown
from channels.surroundings import undisturbed
from semcom.images import as_images
from semcom.metrics import frechet_distance
from semcom.metrics.checks import check_alike
from semcom.segmentation.unet import UNetSegmenter


def frechet(out: Tensor, images: Tensor, segmenter: UNetSegmenter) -> Tensor:
    """Fréchet distance of each image over inner features of a segmenter at all its positions.

    A Gaussian is fitted to the features of the received and of the sent image each
    (:func:`semcom.metrics.frechet_distance`): where things are does not count, how they look does.
    The network takes brightness and contrast of a whole image off, so that these do not count
    either, and sees images shrunk to its ``longest_side``.

    Args:
        out: received images, float ``[batch, 1, H, W]`` in [0, 1].
        images: sent images, of the same shape.
        segmenter: whose features, e.g. ``semcom.segmenter("chest")``.

    Returns:
        float32 ``[batch]``, 0 where the two are equal; lower is better.

    Raises:
        InputError: if the shapes differ, an image is not in [0, 1], or the segmenter is no
            :class:`UNetSegmenter`.

    >>> images = torch.rand(2, 1, 64, 64)
    >>> frechet(images, images, UNetSegmenter()).round(decimals=6)
    tensor([0., 0.])
    """
    out, images = as_images(out), as_images(images)
    check_alike("images", out, images)
    pairs = zip(_features(out, segmenter), _features(images, segmenter), strict=True)
    distances = [frechet_distance(received, sent) for received, sent in pairs]
    return torch.tensor(distances, dtype=torch.float32, device=images.device)


def frechet_of_set(
    out: Tensor | Sequence[Tensor], images: Tensor | Sequence[Tensor], segmenter: UNetSegmenter
) -> float:
    """The same over many images: a Gaussian for all positions of all images of a side.

    Sets need not hold the same images, nor as many.

    Args:
        out: received images, float ``[batch, 1, H, W]`` in [0, 1], or a list of ``[1, H, W]`` of
            any sizes.
        images: sent images, likewise.
        segmenter: whose features.

    Raises:
        InputError: if an image is not in [0, 1], there is none, or the segmenter is no
            :class:`UNetSegmenter`.

    >>> images = torch.rand(3, 1, 64, 64)
    >>> round(frechet_of_set(images, [images[2], images[0], images[1]], UNetSegmenter()), 6)
    0.0
    """
    received, sent = (
        [features for image in side for features in _features(as_images(image[None]), segmenter)]
        for side in (out, images)
    )
    if not received or not sent:
        raise InputError("a set holds no image: pass at least one")
    return frechet_distance(torch.cat(received), torch.cat(sent))


def _features(images: Tensor, segmenter: UNetSegmenter) -> list[Tensor]:
    """Features of each image, ``[positions, features]``."""
    if not isinstance(segmenter, UNetSegmenter):
        raise InputError(
            f"frechet looks inside a UNetSegmenter, got {shown(segmenter)}: pass "
            'semcom.segmenter("chest") or another of its kind'
        )
    with undisturbed(), torch.no_grad():
        return [features.flatten(1).T for features in segmenter.early_features(images)]
