"""The packages that come with this one, and whoever else bears their names."""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

_BESIDE = Path(__file__).parents[1]


def check_neighbours() -> None:
    """Refuse another package of the name ``channels``, and warn of another ``scenarios``.

    This package cannot do without the first. Of the second it knows nothing, but who imports it
    next would get another.

    Raises:
        ImportError: on one line, with the file that is in the way.
    """
    if found := another("channels", "signal.py"):
        raise ImportError(
            f"semcom brings a package channels of its own, but {found} is in its way: rename it, "
            "or take it off sys.path (Django Channels needs an environment of its own)"
        )
    if found := another("scenarios", "registry.py"):
        warnings.warn(
            f"semcom brings a package scenarios of its own, but {found} is in its way: rename it, "
            "or take it off sys.path",
            RuntimeWarning,
            stacklevel=3,
        )


def another(name: str, file: str) -> Path | None:
    """Where a package of this name stands that is not ours; ``file`` is one that ours has.

    >>> another("channels", "signal.py") is None
    True
    """
    module = sys.modules.get(name)
    places = [getattr(module, "__file__", None)]
    if module is None:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):
            return None
        places = [None if spec is None else spec.origin]
    place = places[0]
    if place is None:
        return None
    folder = Path(place).parent
    ours = (folder / file).is_file() and folder.resolve() == (_BESIDE / name).resolve()
    return None if ours else Path(place)
