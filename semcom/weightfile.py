"""Files of weights, read with suspicion; :func:`channels.tensorfile.store` writes them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from channels import InputError
from channels.errors import check_path

Network = TypeVar("Network", bound=nn.Module)

_ENDS = ".safetensors"


def stored(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file, on the CPU.

    Raises:
        InputError: if the file is missing or damaged, or a number in it is not finite.

    >>> stored("nowhere.safetensors")
    Traceback (most recent call last):
    channels.errors.InputError: nowhere.safetensors is not there
    """
    path = check_path("weights are loaded from a file", path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name the .safetensors file in it")
        if not path.is_file():
            raise InputError(f"{path} is not there")
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except InputError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        told = complaint(error)
        raise InputError(f"{str(path)[:300]} is no whole safetensors file: {told}") from error
    for name, value in tensors.items():
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{path} is damaged: {name} holds numbers that are not finite")
    return tensors, metadata


def packaged(name: str) -> AbstractContextManager[Path]:
    """The file of weights of a name that comes with the package, for as long as the block runs.

    >>> with packaged("deepjscc") as path:
    ...     path.name
    'deepjscc.safetensors'
    """
    return as_file(files("semcom").joinpath(f"weights/{name}{_ENDS}"))


def packaged_names(begins: str) -> list[str]:
    """Names of files of weights that come with the package and begin so, in order.

    >>> packaged_names("medjscc")
    ['medjscc', 'medjscc-outline', 'medjscc-small']
    """
    there = [file.name for file in files("semcom").joinpath("weights").iterdir()]
    return sorted(
        name.removesuffix(_ENDS)
        for name in there
        if name.startswith(begins) and name.endswith(_ENDS)
    )


def rebuilt(
    build: Callable[[], Network], state: dict[str, Tensor], path: str | os.PathLike[str]
) -> Network:
    """A network with the weights of a file, frozen, in evaluation mode.

    Args:
        build: makes the network; what it draws leaves the global generator as it was.
        state: what the file holds.
        path: of the file, for errors.

    Raises:
        InputError: if the weights are not of such a network.

    >>> rebuilt(lambda: torch.nn.Linear(1, 1), {}, "mine.safetensors")
    Traceback (most recent call last):
    channels.errors.InputError: mine.safetensors does not hold such weights: ...
    """
    try:
        with torch.random.fork_rng(devices=[]):
            network = build()
        network.load_state_dict(state)
    except (TypeError, ValueError, RuntimeError) as error:
        told = complaint(error)
        raise InputError(f"{Path(path).name} does not hold such weights: {told}") from error
    return network.eval().requires_grad_(False)


def complaint(error: Exception) -> str:
    r"""What an error says, on one line that is not too long.

    >>> complaint(ValueError("missing:\n  a"))
    'missing: a'
    """
    return " ".join(str(error).split())[:200]


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Twelve hexadecimal digits that change with any name or number.

    >>> digest({"a": torch.zeros(1)}) == digest({"a": torch.ones(1)})
    False
    """
    sha256 = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        sha256.update(name.encode())
        sha256.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha256.hexdigest()[:12]


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors in half precision, the others as they are.

    Raises:
        InputError: if a number is too large for it, or not finite.

    >>> halved({"a": torch.tensor([1e6])})
    Traceback (most recent call last):
    channels.errors.InputError: a does not fit half precision: it holds numbers beyond 65504
    """
    halves = {}
    for name, value in tensors.items():
        halves[name] = value.half() if value.is_floating_point() else value
        if not bool(torch.isfinite(halves[name]).all()):
            raise InputError(f"{name} does not fit half precision: it holds numbers beyond 65504")
    return halves
