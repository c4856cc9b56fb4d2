"""Who is compared with whom, over what.

Four floors, each built on those below: :mod:`scenarios.command` on :mod:`scenarios.comparisons` on
:mod:`scenarios.engine` on :mod:`scenarios.results`.

>>> import scenarios
>>> callable(scenarios.snr)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.comparisons.ablation import ablation
    from scenarios.comparisons.bandwidth import bandwidth
    from scenarios.comparisons.bits.ber import ber
    from scenarios.comparisons.doppler import doppler
    from scenarios.comparisons.mismatch import mismatch
    from scenarios.comparisons.satellite_pass import satellite_pass
    from scenarios.comparisons.send import send
    from scenarios.comparisons.snr import snr
    from scenarios.results.rate_saving import rate_saving
    from scenarios.results.table import Table

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
    "Table": "scenarios.results.table",
    "ablation": "scenarios.comparisons.ablation",
    "bandwidth": "scenarios.comparisons.bandwidth",
    "ber": "scenarios.comparisons.bits.ber",
    "doppler": "scenarios.comparisons.doppler",
    "mismatch": "scenarios.comparisons.mismatch",
    "rate_saving": "scenarios.results.rate_saving",
    "satellite_pass": "scenarios.comparisons.satellite_pass",
    "send": "scenarios.comparisons.send",
    "snr": "scenarios.comparisons.snr",
}


def __getattr__(name: str) -> object:
    """Import on first use, so that ``semcom --help`` does not wait for PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'scenarios' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found
