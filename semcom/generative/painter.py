"""From a key region and words to a picture: the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from channels import InputError
from channels.errors import shown


class Painter(Protocol):
    """Anything that paints what lies around a key region."""

    @property
    def fingerprint(self) -> str:
        """What changes with anything that decides its pictures."""
        ...

    def paint(
        self,
        key: Tensor,
        key_mask: Tensor,
        text: Sequence[str | None],
        seed: int,
        steps: int = 8,
    ) -> Tensor:
        """Pictures whose key region is as given, to the bit, and the rest painted.

        Args:
            key: float32 ``[batch, 1, H, W]`` in [0, 1]; nothing but the key region is looked at.
            key_mask: bool, of the same shape.
            text: a caption for each, ``None`` where there is none.
            seed: the same one paints the same pictures.
            steps: how long to paint.

        Returns:
            float32 ``[batch, 1, H, W]`` in [0, 1].
        """
        ...


def check_scene(key: Tensor, key_mask: Tensor, text: Sequence[str | None]) -> None:
    """Refuse what does not belong together.

    Raises:
        InputError: if shapes differ, captions are not one for each, or the mask is not bool.
    """
    if key.ndim != 4 or key.shape[1] != 1 or not len(key) or not key.is_floating_point():
        raise InputError(f"key must be float32 [batch, 1, H, W], got {key.dtype} {list(key.shape)}")
    if key_mask.dtype != torch.bool:
        raise InputError(f"key_mask must be bool, got {key_mask.dtype}: compare it with 0.5")
    if key.shape != key_mask.shape or len(text) != len(key):
        raise InputError(
            f"key {list(key.shape)}, key_mask {list(key_mask.shape)} and {len(text)} captions "
            "do not belong together: one shape, one caption for each"
        )


def check_painted(painted: object, key: Tensor) -> Tensor:
    """What a painter gave, of the shape and type of its key.

    Raises:
        InputError: if it is something else, or not of numbers.

    >>> check_painted(None, torch.zeros(1, 1, 32, 32))
    Traceback (most recent call last):
    channels.errors.InputError: a painter must give float32 [1, 1, 32, 32], got None
    """
    if not isinstance(painted, Tensor) or painted.shape != key.shape:
        raise InputError(f"a painter must give float32 {list(key.shape)}, got {shown(painted)}")
    painted = painted.to(key)
    if not bool(painted.isfinite().all()):
        raise InputError("a painter gave numbers that are not finite")
    return painted.clamp(0, 1)
