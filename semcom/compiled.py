"""How this package compiles functions, and where the results wait for the next process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from numba import config, njit

from semcom.cache import user_cache


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that lets go of Python's lock, and keep it on disk.

    Numba renews a cached function when its own file changes, not when what it calls does, nor when
    two releases give a file the same date. So the cache's folder is named after the contents of
    the function's package. It lies in ``NUMBA_CACHE_DIR`` or the user's cache folder; where that
    cannot be written, nothing is kept.

    >>> from semcom.fec.layered import decode
    >>> decode.targetoptions["nogil"]
    True
    """
    chosen = config.CACHE_DIR
    folder = _folder(chosen, function.__module__.rpartition(".")[0])
    config.CACHE_DIR = str(folder or chosen)
    try:
        return njit(nogil=True, cache=folder is not None, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = chosen


@cache
def _folder(chosen: str, package: str) -> Path | None:
    """A folder that can be written, if there is one."""
    sources = sorted(
        entry.read_bytes() for entry in files(package).iterdir() if entry.name.endswith(".py")
    )
    digest = hashlib.sha256(b"".join(sources)).hexdigest()[:16]
    try:
        folder = (
            Path(chosen) if chosen else user_cache()
        ) / f"{package.rpartition('.')[2]}-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
