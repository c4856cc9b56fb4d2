"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a free path beside ``path`` to write to; that file takes its place at the end.

    Where the block raises, ``path`` stays as it was and nothing is left beside it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder, "a.txt")) as new:
    ...         _ = new.write_text("whole")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.txt']
    """
    new = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    with suppress(OSError):  # of a process that was killed and had this number
        new.unlink()
    try:
        yield new
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink()
