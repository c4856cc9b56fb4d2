"""How many processor cores there are for this process."""

from __future__ import annotations

import os


def cores() -> int:
    """Cores that this process may use; fewer than the machine's where it is confined to some.

    >>> cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
