"""The one place where random numbers of a link are seeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from sionna.phy import config

from channels.errors import InputError


@contextmanager
def seeded(seed: int | None, device: torch.device | str = "cpu") -> Iterator[None]:
    """Draw reproducibly inside the block and leave every generator as it was found.

    Sionna draws from generators of its own, and setting its seed also restarts torch's default
    generator; a training loop in the same process must not notice. ``None`` changes nothing.

    >>> with seeded(3):
    ...     first = config.torch_rng("cpu").initial_seed()
    >>> first
    3
    """
    if seed is None:
        yield
        return
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InputError(f"seed must be an integer in 0..2^63-1, got {seed!r}")
    name = _sionna_name(device)
    old_seed = config.seed
    states = [config.torch_rng(name).get_state(), torch.get_rng_state()]
    on_gpu = torch.device(device).type == "cuda"
    cuda_state = torch.cuda.get_rng_state(device) if on_gpu else None
    config.seed = seed
    try:
        yield
    finally:
        config.seed = old_seed
        config.torch_rng(name).set_state(states[0])
        torch.set_rng_state(states[1])
        if cuda_state is not None:
            torch.cuda.set_rng_state(cuda_state, device)


def _sionna_name(device: torch.device | str) -> str:
    """The name under which Sionna keeps a device's generator."""
    device = torch.device(device)
    return f"cuda:{device.index or 0}" if device.type == "cuda" else device.type


def generator(device: torch.device | str = "cpu") -> torch.Generator:
    """Sionna's generator for a device, from which every draw of a link comes."""
    found: torch.Generator = config.torch_rng(_sionna_name(device))
    return found
