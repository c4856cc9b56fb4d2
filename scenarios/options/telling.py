"""What a command says of the files that it reads: how white was found, and what was left out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semcom.data import Folder

_last: list[str] = []


def tell(folder: Folder) -> None:
    """Say how a folder was read; each file that was skipped is listed when the command ends."""
    print(folder.white_line(), file=sys.stderr)
    for line in folder.choices():
        print(line, file=sys.stderr)
    if folder.skipped:
        print(f"skipped {len(folder.skipped)}, listed at the end", file=sys.stderr)
        _last.extend(f"skipped: {reason}" for reason in folder.skipped)


def tell_the_last() -> None:
    """Say what was left to the end.

    >>> tell_the_last()
    """
    while _last:
        print(_last.pop(0), file=sys.stderr)
