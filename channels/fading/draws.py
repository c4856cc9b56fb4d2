"""What propagation models share: the check of a call, and uniform draws."""

from __future__ import annotations

import torch
from torch import Tensor

from channels.errors import check_count, check_number
from channels.randomness import generator

MOST = 10**8
"""Most images and most time steps of one call."""


def check_draw(
    batch_size: int, num_time_steps: int, sampling_frequency: float
) -> tuple[int, int, float]:
    """Check what a channel model is called with.

    Args:
        batch_size: number of images.
        num_time_steps: number of samples.
        sampling_frequency: samples per second, 1e-6 to 1e12.

    Returns:
        The same as Python's own numbers.

    Raises:
        InputError: on a count that is not a positive int, or a rate out of range.

    >>> check_draw(16, 28, 15e3)
    (16, 28, 15000.0)
    """
    return (
        check_count("batch_size", batch_size, 1, MOST),
        check_count("num_time_steps", num_time_steps, 1, MOST),
        check_number("sampling_frequency", sampling_frequency, 1e-6, 1e12),
    )


def uniform(shape: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Draws in [0, 1) from the link's own generator, float32.

    >>> uniform((2, 3), "cpu").shape
    torch.Size([2, 3])
    """
    return torch.rand(shape, dtype=torch.float32, device=device, generator=generator(device))
