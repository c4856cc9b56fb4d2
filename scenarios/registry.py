"""Scenarios by name: the one line that each costs beside its own file."""

from __future__ import annotations

SCENARIOS = {
    "snr": "scenarios.comparisons.snr",
    "mismatch": "scenarios.comparisons.mismatch",
    "doppler": "scenarios.comparisons.doppler",
    "bandwidth": "scenarios.comparisons.bandwidth",
    "satellite_pass": "scenarios.comparisons.satellite_pass",
    "ablation": "scenarios.comparisons.ablation",
    "ber": "scenarios.comparisons.bits.ber",
    "generative": "scenarios.comparisons.generative",
    "dmic": "scenarios.comparisons.allocation.dmic",
}
"""The module of each: a function of the scenario's name, and ``command``, its options as typed.

``scenarios.NAME`` and ``semcom run NAME`` import it when it is asked for.
"""
