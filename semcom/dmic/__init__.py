"""DMIC: HEVC's bits where a diagnosis needs them, by a policy that chooses QPs block by block.

:class:`~semcom.dmic.environment.BitAllocation` needs gymnasium: it is imported only when
it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from semcom.dmic.policy import Policy
from semcom.dmic.rules import RULES
from semcom.dmic.weights import shipped

if TYPE_CHECKING:
    from semcom.dmic.environment import BitAllocation as BitAllocation

__all__ = ["RULES", "Policy", "shipped"]


def __getattr__(name: str) -> object:
    """Import the environment on first use."""
    if name != "BitAllocation":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("semcom.dmic.environment").BitAllocation
