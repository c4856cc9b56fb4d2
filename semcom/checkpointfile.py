"""Checkpoints of other networks' authors, read without running anything in them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from channels import InputError
from channels.errors import shown


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
