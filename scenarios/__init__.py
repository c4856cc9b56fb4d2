"""Who is compared with whom, over what.

Five floors, each built on those below: :mod:`scenarios.command` on :mod:`scenarios.comparisons` on
:mod:`scenarios.options` on :mod:`scenarios.engine` on :mod:`scenarios.results`.

>>> import scenarios
>>> callable(scenarios.snr)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from scenarios.registry import SCENARIOS

if TYPE_CHECKING:
    from scenarios.comparisons.ablation import ablation as ablation
    from scenarios.comparisons.allocation.dmic import dmic as dmic
    from scenarios.comparisons.bandwidth import bandwidth as bandwidth
    from scenarios.comparisons.bits.ber import ber as ber
    from scenarios.comparisons.doppler import doppler as doppler
    from scenarios.comparisons.generative import generative as generative
    from scenarios.comparisons.mismatch import mismatch as mismatch
    from scenarios.comparisons.satellite_pass import satellite_pass as satellite_pass
    from scenarios.comparisons.send import send as send
    from scenarios.comparisons.snr import snr as snr
    from scenarios.results.rate_saving import rate_saving as rate_saving
    from scenarios.results.table import Table as Table

_HOMES = SCENARIOS | {
    "Table": "scenarios.results.table",
    "rate_saving": "scenarios.results.rate_saving",
    "send": "scenarios.comparisons.send",
}


def __getattr__(name: str) -> object:
    """Import on first use, so that ``semcom --help`` does not wait for PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'scenarios' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
