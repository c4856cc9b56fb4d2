"""Folders of models of others, read with suspicion."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from channels import InputError
from channels.errors import check_path
from semcom.weightfile import complaint

_READ = {".json", ".safetensors", ".txt", ".model"}


def check_folder(folder: str | os.PathLike[str], index: str) -> tuple[Path, dict[str, Any]]:
    """A folder that holds a model, and what its index says.

    Args:
        folder: as ``save_pretrained`` writes it.
        index: name of the JSON file that describes the model.

    Raises:
        InputError: if there is no such folder, no index in it, or no weights in safetensors.

    >>> check_folder("someone/some-model", "config.json")
    Traceback (most recent call last):
    channels.errors.InputError: someone/some-model is no folder here: models are read from disk, ...
    """
    path = check_path("a model is loaded from a folder", folder)
    if not os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises where a name is too long
        raise InputError(
            f"{str(path)[:300]} is no folder here: models are read from disk, never looked up "
            "online; fetch the model and name its folder"
        )
    try:
        described = json.loads((path / index).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} holds no model: no readable {index} in it") from error
    if not isinstance(described, dict):
        raise InputError(f"{path} holds no model: {index} says nothing of one")
    if next(path.rglob("*.safetensors"), None) is None:
        raise InputError(
            f"{path} holds no weights in safetensors; pickles (.bin, .pt) are not read: save the "
            "model anew with save_pretrained"
        )
    return path, described


def library(name: str) -> Any:
    """A library of the extra ``generative``.

    Raises:
        InputError: if it cannot be imported.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f'this needs {name} ({complaint(error)}): pip install "semcom[generative]"'
        ) from error


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Offline while the block runs; whatever goes wrong in it is one line.

    Raises:
        InputError: for any error within.
    """
    constants = library("huggingface_hub.constants")
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # whatever a foreign folder makes of the library
        raise InputError(f"{path} cannot be loaded: {complaint(error)}") from error
    finally:
        constants.HF_HUB_OFFLINE = before


def folder_digest(path: Path) -> str:
    """Twelve digits that change with any file that a model is read from."""
    told = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix in _READ and file.is_file():
            told.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as opened:
                told.update(hashlib.file_digest(opened, "sha256").digest())
    return told.hexdigest()[:12]
