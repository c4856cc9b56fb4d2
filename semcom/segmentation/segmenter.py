"""The contract of every mask source: pictures in, probabilities of the region of interest out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from channels import InputError
from channels.errors import shown

SMALLEST_SIDE = 32


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


def check_grey(images: object) -> Tensor:
    """Refuse what is no batch of grey pictures.

    Raises:
        InputError: unless ``images`` is a finite floating-point tensor ``[batch, 1, H, W]``, sides
            at least 32, values in [0, 1].

    >>> import torch
    >>> check_grey(torch.rand(1, 3, 64, 64))
    Traceback (most recent call last):
    channels.errors.InputError: images must be [batch, 1, H, W], got [1, 3, 64, 64]: make them grey
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        raise InputError(
            f"images must be a floating-point tensor, got {shown(type(images).__name__)}"
        )
    if images.ndim != 4 or images.shape[1] != 1:
        hint = ": make them grey" if images.ndim == 4 else ""
        raise InputError(f"images must be [batch, 1, H, W], got {list(images.shape)}{hint}")
    if min(images.shape[2:]) < SMALLEST_SIDE:
        raise InputError(
            f"images must be at least {SMALLEST_SIDE} x {SMALLEST_SIDE}, got "
            f"{images.shape[2]} x {images.shape[3]}: enlarge them"
        )
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
        raise InputError("images must lie in [0, 1]: divide by the largest value of their type")
    return images
