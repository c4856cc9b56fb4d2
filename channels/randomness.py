"""The one place where random numbers of a link are seeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch

from channels.errors import check_seed
from channels.surroundings import check_device, single_precision

ONE_AT_A_TIME = RLock()
"""Threads share Sionna's generators: a seeded draw must not meet another's."""


@contextmanager
def seeded(seed: int | None, device: torch.device | str = "cpu", stream: int = 0) -> Iterator[None]:
    """Draw reproducibly inside the block and leave every generator as it was found.

    All that a link draws comes from Sionna's generator for the device. Setting Sionna's own seed
    would also restart torch's default generator, which a training loop in the same process must
    not notice; so only that generator is seeded. ``None`` changes nothing.

    Args:
        seed: an integer in 0…2^63 − 1, or ``None``.
        device: where draws are made.
        stream: independent draws for the same seed, 0…7.

    >>> with seeded(3):
    ...     first = torch.rand(1, generator=generator())
    >>> with seeded(3):
    ...     print(bool(first == torch.rand(1, generator=generator())))
    True
    """
    if seed is None:
        with single_precision():
            yield
        return
    seed = check_seed(seed)
    source = generator(device)
    with ONE_AT_A_TIME, single_precision():
        state = source.get_state()
        source.manual_seed((seed * 8 + stream) % 2**64)
        try:
            yield
        finally:
            source.set_state(state)


def _sionna_name(device: torch.device | str) -> str:
    """The name under which Sionna keeps a device's generator."""
    device = check_device(device)
    return f"cuda:{device.index or 0}" if device.type == "cuda" else device.type


def generator(device: torch.device | str = "cpu") -> torch.Generator:
    """Sionna's generator for a device, from which every draw of a link comes.

    >>> generator("cpu").device
    device(type='cpu')
    """
    from sionna.phy import config

    source: torch.Generator = config.torch_rng(_sionna_name(device))
    return source
