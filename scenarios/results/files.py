"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from channels import InputError
from channels.errors import check_path
from channels.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAMED = "a file must have a name"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to, which takes the place of ``path`` at the end.

    Raises:
        InputError: if nothing can be written there.
    """
    path = check_path(NAMED, path)
    if path.is_dir():
        raise InputError(f"cannot write {str(path)!r}: it is a folder, name a file in it")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise InputError(
            f"cannot write {path.name!r}: folder {str(path.parent)!r} is not there or not "
            "writable, create it first or name another"
        )
    try:
        with atomic_write(path) as new:
            yield new
    except OSError as error:
        raise InputError(f"cannot write {path.name!r}: {error.strerror or error}") from error


def save_rows(frame: pd.DataFrame, path: str | Path) -> None:
    """Write rows to a ``.csv`` file.

    Raises:
        InputError: on another ending, or a folder that is not there.
    """
    if check_path(NAMED, path).suffix != ".csv":
        raise InputError(f"cannot save to {Path(path).name!r}: name it .csv")
    with replacing(path) as new:
        frame.to_csv(new, index=False, lineterminator="\n")


def save_figure(figure: Figure, path: str | Path, description: str = "") -> None:
    """Write a figure to a ``.png``, ``.pdf`` or ``.svg`` file, fonts as TrueType.

    Publishers' checkers reject matplotlib's default, Type 3.

    Args:
        figure: the figure.
        path: where to.
        description: kept among the file's metadata: in a PNG as the text chunk ``Description``, in
            an SVG as Dublin Core's element of that name, in a PDF as its subject.

    Raises:
        InputError: on another ending, or a folder that is not there.
    """
    from matplotlib import rc_context

    ending = check_path(NAMED, path).suffix[1:].lower()
    if ending not in figure.canvas.get_supported_filetypes():
        raise InputError(f"cannot draw {Path(path).name!r}: name it .png, .pdf or .svg")
    with replacing(path) as new, rc_context({"pdf.fonttype": 42, "ps.fonttype": 42}):
        told = {"Subject" if ending == "pdf" else "Description": description}
        figure.savefig(new, dpi=200, metadata=told if description else None)


@contextmanager
def folder_for(path: Path | None) -> Iterator[None]:
    """Create a folder, and remove it again if nothing was written.

    Args:
        path: the folder, there or not; ``None`` for none.

    Raises:
        InputError: if nothing can be written there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     with folder_for(Path(parent, "a", "b")):
    ...         Path(parent, "a", "b").is_dir()
    ...     list(Path(parent).iterdir())
    True
    []
    """
    if path is None:
        yield
        return
    created: list[Path] = []
    try:
        _create(path, created)
        yield
    finally:
        with suppress(OSError):  # not empty, or never created
            for folder in created:
                folder.rmdir()


def _create(folder: Path, created: list[Path]) -> None:
    try:
        created += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        is_file = isinstance(error, FileExistsError)
        reason = "it is a file" if is_file else getattr(error, "strerror", error)
        raise InputError(
            f"cannot write results to {str(folder)!r}: {reason}; name a folder that can be written"
        ) from None
