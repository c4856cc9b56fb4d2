"""The contract of every mask source: images in, probabilities of the region of interest out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from channels import InputError
from channels.surroundings import undisturbed
from semcom.images import ROUNDING, as_images, clamped


@runtime_checkable
class Segmenter(Protocol):
    """A mask source. Any callable that keeps this contract plugs in wherever masks are wanted.

    >>> from semcom.segmentation import UNetSegmenter
    >>> isinstance(UNetSegmenter(), Segmenter)
    True
    """

    def __call__(self, images: Tensor) -> Tensor:
        """Find the region of interest.

        Args:
            images: float ``[batch, 1, H, W]`` in [0, 1].

        Returns:
            float32 ``[batch, 1, H, W]``, the probability of each pixel to lie in the region.
        """


def probabilities(segmenter: Segmenter, images: Tensor) -> Tensor:
    """Ask a mask source, and hold it to its contract.

    Args:
        segmenter: the source; it gets a copy of the images.
        images: float ``[batch, 1, H, W]`` in [0, 1].

    Returns:
        float32 ``[batch, 1, H, W]`` in [0, 1], where ``images`` are.

    Raises:
        InputError: on what are no grey images, or if it gives anything else.

    >>> import torch
    >>> probabilities(lambda images: 5 * images, torch.ones(1, 1, 32, 32))
    Traceback (most recent call last):
    channels.errors.InputError: a segmenter must give probabilities in [0, 1]: ...
    """
    if isinstance(segmenter, type) or not callable(segmenter):
        raise InputError(f"a segmenter must be an object that can be called, got {segmenter!r}")
    images = as_images(images)
    with undisturbed():
        output = segmenter(images.clone())
    if not isinstance(output, Tensor) or not output.is_floating_point():
        what = output.dtype if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"a segmenter must give a float tensor, got {what}")
    if output.shape != images.shape:
        raise InputError(
            f"a segmenter must give {list(images.shape)} for such images, got {list(output.shape)}"
        )
    if not bool(((output >= -ROUNDING) & (output <= 1 + ROUNDING)).all()):
        raise InputError(
            "a segmenter must give probabilities in [0, 1]: put a sigmoid behind logits"
        )
    return clamped(output.float()).to(images.device)
