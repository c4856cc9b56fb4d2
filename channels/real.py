"""Real numbers, however they are given."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from channels.errors import InputError, shown


def real_tensor(name: str, value: object) -> Tensor:
    """Numbers, sequences, arrays or tensors as a float64 tensor; ``name`` is for the error.

    Args:
        name: what the error calls it.
        value: real numbers of any shape, NaN included.

    Returns:
        float64 of the same shape; of a tensor on its device, with its gradient.

    Raises:
        InputError: on complex numbers, bools, dates, text, ragged sequences and the like.

    >>> real_tensor("level", [1, 2])
    tensor([1., 2.], dtype=torch.float64)
    """
    try:
        tensor = value if isinstance(value, Tensor) else torch.tensor(np.array(value, order="C"))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} must be real numbers, got {shown(value)}") from error
    if tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(f"{name} must be real numbers, got {shown(value)}")
    return tensor.double()


DIGITS = 12
"""Decimal digits to which points along an axis are told apart."""

LARGEST_DENOMINATOR = 4096
"""Fractions up to this denominator are points themselves, 1/3 as 1/16."""


def on_grid(value: float) -> float:
    """The point along an axis that a number means: what is equal but for rounding is one point.

    That is the fraction of a denominator up to 4096 that the number equals within 1e-12 (of
    numbers above 1: relative to them), or else the number rounded to 12 significant digits.

    >>> on_grid(0.1 + 0.2), on_grid(1 - 2 / 3) == 1 / 3, on_grid(4.771212547196624)
    (0.3, True, 4.7712125472)
    """
    near = float(Fraction(value).limit_denominator(LARGEST_DENOMINATOR))
    if abs(value - near) <= 10**-DIGITS * max(1.0, abs(near)):
        return near
    return float(f"{value:.{DIGITS}g}")
