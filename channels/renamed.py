"""Old names of what has a new one, kept for one version."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable


def renamed(module: str, **names: str) -> Callable[[str], object]:
    """A module's ``__getattr__`` that still knows old names, and warns of each.

    Args:
        module: the module's ``__name__``.
        **names: the new name of each old one.

    >>> __getattr__ = renamed("channels.errors", BadInput="InputError")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     kept = __getattr__("BadInput")
    >>> kept.__name__, str(caught[0].message)
    ('InputError', 'channels.errors.BadInput is now called InputError')
    """

    def find(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        text = f"{module}.{name} is now called {names[name]}"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return getattr(sys.modules[module], names[name])

    return find
