"""Images and masks made smaller, in one way everywhere."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def shrunk_shape(shape: tuple[int, ...], size: int | None) -> tuple[int, ...]:
    """Height and width with the longest side at most ``size``, the aspect ratio kept.

    >>> shrunk_shape((400, 200), 100), shrunk_shape((40, 20), 100)
    ((100, 50), (40, 20))
    """
    longest = max(shape)
    if size is None or longest <= size:
        return shape
    return tuple(max(1, round(side * size / longest)) for side in shape)


def shrunk_image(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An image float32 ``[1, H, W]`` in [0, 1] at a smaller height and width, bicubic.

    >>> import torch
    >>> shrunk_image(torch.rand(1, 64, 64), (32, 48)).shape
    torch.Size([1, 32, 48])
    """
    if tuple(image.shape[-2:]) == tuple(shape):
        return image
    small = functional.interpolate(image[None], size=shape, mode="bicubic", antialias=True)
    return small[0].clamp(0, 1)


def shrunk_mask(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A mask bool ``[1, H, W]`` at a smaller height and width, by its nearest pixels.

    >>> import torch
    >>> shrunk_mask(torch.ones(1, 64, 64, dtype=torch.bool), (32, 48)).all()
    tensor(True)
    """
    if tuple(mask.shape[-2:]) == tuple(shape):
        return mask
    size = tuple(shape)
    return functional.interpolate(mask[None].float(), size=size, mode="nearest-exact")[0] > 0
