"""The one place where random numbers of a link are seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import numpy as np
import torch

from channels.errors import check_seed
from channels.surroundings import check_device, single_precision

ONE_AT_A_TIME = RLock()
"""Threads share Sionna's generators: a seeded draw must not meet another's."""


@contextmanager
def seeded(
    seed: int | None,
    device: torch.device | str = "cpu",
    stream: int = 0,
    *,
    everywhere: bool = False,
) -> Iterator[None]:
    """Draw reproducibly inside the block and leave every generator as it was found.

    All that a link draws comes from Sionna's generator for the device, and only that one is seeded
    unless channel models of one's own are at work. ``None`` changes nothing.

    Args:
        seed: an integer in 0…2^63 − 1, or ``None``.
        device: where draws are made.
        stream: independent draws for the same seed, 0…7.
        everywhere: whether to seed the global generators of torch, NumPy and Python too, and
            Sionna's of NumPy and Python.

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
    with ONE_AT_A_TIME, _seeded(seed, device, stream, everywhere):
        yield


@contextmanager
def seeded_meanwhile(
    seed: int, device: torch.device | str = "cpu", stream: int = 0
) -> Iterator[None]:
    """Like :func:`seeded` everywhere, for code of others, which may have threads of its own.

    Other threads are not kept from drawing meanwhile, so none can wait for another for ever.

    >>> with seeded_meanwhile(3):
    ...     first = random.random(), float(torch.rand(()))
    >>> with seeded_meanwhile(3):
    ...     print((random.random(), float(torch.rand(()))) == first)
    True
    """
    with _seeded(seed, device, stream, everywhere=True):
        yield


@contextmanager
def _seeded(seed: int, device: torch.device | str, stream: int, everywhere: bool) -> Iterator[None]:
    source, value = generator(device), (check_seed(seed) * 8 + stream) % 2**64
    with single_precision(), _global_ones(value if everywhere else None, device):
        state = source.get_state()
        source.manual_seed(value)
        try:
            yield
        finally:
            source.set_state(state)


@contextmanager
def _global_ones(value: int | None, device: torch.device | str) -> Iterator[None]:
    """Seed what draws without being handed a generator; ``None`` leaves all as it is."""
    if value is None:
        yield
        return
    from sionna.phy import config

    device = check_device(device)
    torchs = [torch.default_generator]
    if device.type == "cuda":
        torchs.append(torch.cuda.default_generators[torch.device(_sionna_name(device)).index])
    pythons = [random.getstate, config.py_rng.getstate]
    kept = [one.get_state() for one in torchs], [get() for get in pythons]
    legacy, bits = np.random.get_state(), config.np_rng.bit_generator.state  # noqa: NPY002
    for one in torchs:
        one.manual_seed(value)
    random.seed(value)
    config.py_rng.seed(value)
    np.random.seed(np.random.SeedSequence(value).generate_state(4))  # noqa: NPY002
    config.np_rng.bit_generator.state = np.random.default_rng(value).bit_generator.state
    try:
        yield
    finally:
        for one, state in zip(torchs, kept[0], strict=True):
            one.set_state(state)
        random.setstate(kept[1][0])
        config.py_rng.setstate(kept[1][1])
        np.random.set_state(legacy)  # noqa: NPY002
        config.np_rng.bit_generator.state = bits


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
