"""Warnings that point at the line of a user that led to them, not at a line of these packages."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_HOME = Path(__file__).parents[1]
_OURS = tuple(f"{_HOME / name}/" for name in ("channels", "semcom", "scenarios"))


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, naming the nearest caller outside the packages channels, semcom and scenarios.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("mind the gap")
    >>> caught[0].filename.startswith(_OURS), str(caught[0].message)
    (False, 'mind the gap')
    """
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        level += 1
        if frame.f_back is None:
            break
        frame = frame.f_back
    warnings.warn(message, category, stacklevel=level)
