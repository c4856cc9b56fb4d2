"""Who is compared with whom, over what.

>>> import scenarios
>>> callable(scenarios.snr)
True
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.ablation import ablation
    from scenarios.bandwidth import bandwidth
    from scenarios.ber import ber
    from scenarios.doppler import doppler
    from scenarios.mismatch import mismatch
    from scenarios.rate_saving import rate_saving
    from scenarios.results import Table
    from scenarios.satellite_pass import satellite_pass
    from scenarios.send import send
    from scenarios.snr import snr

__all__ = [
    "Table",
    "ablation",
    "bandwidth",
    "ber",
    "doppler",
    "mismatch",
    "rate_saving",
    "satellite_pass",
    "send",
    "snr",
]

_HOMES = {
    "Table": "scenarios.results",
    "ablation": "scenarios.ablation",
    "bandwidth": "scenarios.bandwidth",
    "ber": "scenarios.ber",
    "doppler": "scenarios.doppler",
    "mismatch": "scenarios.mismatch",
    "rate_saving": "scenarios.rate_saving",
    "satellite_pass": "scenarios.satellite_pass",
    "send": "scenarios.send",
    "snr": "scenarios.snr",
}


class _Package(ModuleType):
    """Binds the scenario where the import system would bind the module of the same name."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and value.__name__ == _HOMES.get(name):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Import on first use, so that ``semcom --help`` does not wait for PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'scenarios' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
