"""Where a user's results that can be computed again are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    """Folder ``semcom`` in the user's cache folder; it need not exist.

    Raises:
        RuntimeError: if the user has no home.

    >>> user_cache().name
    'semcom'
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "semcom"
