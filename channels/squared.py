"""|x|² without the square root that ``abs`` takes: several times as fast for complex tensors."""

from __future__ import annotations

from torch import Tensor


def squared_magnitude(x: Tensor) -> Tensor:
    """|x|² of a complex tensor, real, same shape.

    >>> import torch
    >>> squared_magnitude(torch.tensor([3 + 4j])).item()
    25.0
    """
    return x.real.square() + x.imag.square()
