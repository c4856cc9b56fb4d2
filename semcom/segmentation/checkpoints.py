"""Checkpoints of SAM 2 and its medical descendants, read without running anything in them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from channels import InputError
from channels.errors import shown

SIZES = {(96, 12): "t", (96, 16): "s", (112, 24): "b+", (144, 48): "l"}
"""Hiera variants by channels of the first stage and number of blocks (SAM 2, table 12)."""
_STEM = "image_encoder.trunk.patch_embed.proj.weight"
_BLOCK = "image_encoder.trunk.blocks."


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Tensors of a checkpoint, by the names that the network gives them.

    Reads safetensors, and PyTorch files with tensors alone: bare state dictionaries (Medical-SAM2,
    3-D training), those under ``"model"`` (SAM 2, MedSAM2) or ``"state_dict"`` (Medical-SAM2, 2-D
    training), with or without the ``module.`` of data-parallel training.

    Args:
        path: of the file.

    Returns:
        Tensors on the CPU.

    Raises:
        InputError: if the file is missing, damaged, holds code beside tensors, or no network.

    >>> read_checkpoint("nowhere.pt")
    Traceback (most recent call last):
    channels.errors.InputError: nowhere.pt is not there: give the path of a checkpoint
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a checkpoint must be the path of a file, got {shown(path)}")
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not there: give the path of a checkpoint")
    content = _content(path)
    state = next((part for part in _nested(content) if _is_state(part)), None)
    if state is None:
        raise InputError(f"{path.name} holds no network: neither bare nor under model, state_dict")
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    for name, value in state.items():
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{path.name} is damaged: {name} holds numbers that are not finite")
    return dict(state)


def recognised(state: Mapping[str, Tensor]) -> str:
    """Which of SAM 2's configurations a checkpoint was trained with.

    Raises:
        InputError: if it is none of them.

    >>> state = {_STEM: torch.zeros(96, 3, 7, 7), "obj_ptr_tpos_proj.weight": torch.zeros(64, 256)}
    >>> state |= {f"{_BLOCK}{number}.norm1.weight": torch.zeros(96) for number in range(12)}
    >>> recognised(state)
    'sam2.1_hiera_t'
    """
    stem = state.get(_STEM)
    blocks = {name.split(".")[3] for name in state if name.startswith(_BLOCK)}
    size = None if stem is None or not stem.ndim else SIZES.get((len(stem), len(blocks)))
    if size is None:
        raise InputError("the checkpoint is of no SAM 2 network with a Hiera encoder: give config")
    version = "sam2.1" if "obj_ptr_tpos_proj.weight" in state else "sam2"
    return f"{version}_hiera_{size}"


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put a checkpoint into a network, all of it or nothing.

    Args:
        network: to be filled.
        state: tensors by name.
        source: name of the file, for messages.

    Raises:
        InputError: if names or shapes differ.

    >>> fill(nn.Linear(2, 1), {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}, "a.pt")
    Traceback (most recent call last):
    channels.errors.InputError: a.pt does not fit the configuration: weight is [1, 3], not [1, 2]
    """
    wanted = network.state_dict()
    problems = [f"{name} is missing" for name in wanted.keys() - state.keys()]
    problems += [f"{name} is not expected" for name in state.keys() - wanted.keys()]
    problems += [
        f"{name} is {list(state[name].shape)}, not {list(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InputError(f"{source} does not fit the configuration: {min(problems)}{more}")
    network.load_state_dict(dict(state))


def _content(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a foreign file makes of its readers
        if isinstance(error, pickle.UnpicklingError):
            raise InputError(
                f"{path.name} is damaged or holds more than tensors, which could run code when it "
                "is read: store its state dictionary alone, with safetensors.torch.save_file"
            ) from error
        raise InputError(f"{path.name} is damaged, or no checkpoint of PyTorch") from error


def _nested(content: Any) -> list[Any]:
    if not isinstance(content, Mapping):
        return []
    return [content, content.get("model"), content.get("state_dict")]


def _is_state(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and len(part) > 0
        and all(isinstance(n, str) and isinstance(v, Tensor) for n, v in part.items())
    )
