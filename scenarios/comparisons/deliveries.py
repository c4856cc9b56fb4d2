"""Deprecated: :mod:`scenarios.comparisons.goodput`."""

from __future__ import annotations

import warnings


def __getattr__(name: str) -> object:
    """``Deliveries``, which is now ``PassGoodput``."""
    if name != "Deliveries":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from scenarios.comparisons.goodput import PassGoodput

    warnings.warn(
        "scenarios.comparisons.deliveries.Deliveries is now "
        "scenarios.comparisons.goodput.PassGoodput",
        DeprecationWarning,
        stacklevel=2,
    )
    return PassGoodput
