"""Real numbers, however they are given."""

from __future__ import annotations

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
