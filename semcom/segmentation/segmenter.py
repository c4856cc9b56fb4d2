"""The contract of every mask source: images in, probabilities of the region of interest out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from channels import InputError
from semcom.codec import MIN_SIDE


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
        float ``[batch, 1, H, W]`` in [0, 1], where ``images`` are.

    Raises:
        InputError: if it gives anything else.

    >>> import torch
    >>> probabilities(lambda images: 5 * images, torch.ones(1, 1, 32, 32))
    Traceback (most recent call last):
    channels.errors.InputError: a segmenter must give probabilities in [0, 1]: ...
    """
    if isinstance(segmenter, type) or not callable(segmenter):
        raise InputError(f"a segmenter must be an object that can be called, got {segmenter!r}")
    output = segmenter(images.clone())
    if not isinstance(output, Tensor) or not output.is_floating_point():
        what = output.dtype if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"a segmenter must give a float tensor, got {what}")
    if output.shape != images.shape:
        raise InputError(
            f"a segmenter must give {list(images.shape)} for such images, got {list(output.shape)}"
        )
    if not bool(((output >= 0) & (output <= 1)).all()):
        raise InputError(
            "a segmenter must give probabilities in [0, 1]: put a sigmoid behind logits"
        )
    return output.to(images.device)


def check_grey(images: object) -> Tensor:
    """Refuse what is no batch of grey images.

    Raises:
        InputError: unless ``images`` is a finite floating-point tensor ``[batch, 1, H, W]``, sides
            at least 32, values in [0, 1].

    >>> import torch
    >>> check_grey(torch.rand(1, 3, 64, 64))
    Traceback (most recent call last):
    channels.errors.InputError: images must be [batch, 1, H, W], got [1, 3, 64, 64]: make them grey
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise InputError(f"images must be a floating-point tensor, got {kind}")
    if images.ndim != 4 or images.shape[1] != 1:
        hint = ": make them grey" if images.ndim == 4 else ""
        raise InputError(f"images must be [batch, 1, H, W], got {list(images.shape)}{hint}")
    if not len(images):
        raise InputError("images hold no image: pass at least one")
    if min(images.shape[2:]) < MIN_SIDE:
        raise InputError(
            f"images must be at least {MIN_SIDE} x {MIN_SIDE}, got "
            f"{images.shape[2]} x {images.shape[3]}: enlarge them"
        )
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
        if not bool(images.isfinite().all()):
            raise InputError("images must be finite: they hold NaN or infinity")
        raise InputError("images must lie in [0, 1]: divide by the largest value of their type")
    return images
