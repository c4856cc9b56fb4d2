"""Safetensors files, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from channels.errors import InputError, check_path, shown
from channels.files import atomic_write


def store(
    tensors: Mapping[str, Tensor], path: str | os.PathLike[str], metadata: Mapping[str, str]
) -> None:
    """Write tensors and metadata to a file; one of that name is replaced once the new is whole.

    Raises:
        InputError: if the path is none, leads to no regular file, or cannot be written to.

    >>> store({}, "/dev/null", {})
    Traceback (most recent call last):
    channels.errors.InputError: /dev/null is no file that can be replaced: name another
    """
    path = check_path("a file must have a name", path)
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file that can be replaced: name another")
        if not path.parent.is_dir():
            raise InputError(f"the folder {path.parent} is not there: make it first")
        with atomic_write(path) as new:
            save_file(whole, new, dict(metadata))
            umask = os.umask(0)
            os.umask(umask)
            new.chmod(0o666 & ~umask)
    except InputError:
        raise
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{shown(str(path))} cannot be written: {reason}") from error
