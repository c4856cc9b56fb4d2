"""Links that differ in one swept parameter: residual Doppler, speed, bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import channels
from channels import Grid, InputError, Link, Residual
from channels.errors import check_name
from scenarios.engine.inputs import numbers
from scenarios.results.style import told

Swept: TypeAlias = tuple[list[Link], dict[str, dict[str, float | str]]]
"""Links, and by the name of each: the name that they share, and the value of its parameter."""

VALUES = {
    "offset_hz": (0.0, 150.0, 300.0, 600.0, 1000.0, 1500.0),
    "rate_hz_per_s": (0.0, 600.0, 6e3, 6e4, 3e5),
    "speed_mps": (0.0, 1.0, 10.0, 30.0, 100.0),
}
"""What is tried by default.

1500 Hz is a tenth of a subcarrier of 15 kHz; a satellite at 600 km has up to 0.6 kHz/s at 2 GHz and
6 kHz/s at 20 GHz; 100 m/s is a fast train.
"""
_FR2_HZ = 7.125e9


def varied_links(
    links: str | Sequence[str], along: str, values: Sequence[float] | None, estimator: str
) -> Swept:
    """Links that differ in one parameter, and what it is in each; as of :func:`scenarios.doppler`.

    >>> links, parameters = varied_links("rayleigh", "speed_mps", [3.0], "ls")
    >>> parameters
    {'rayleigh, 3 m/s': {'link': 'rayleigh', 'speed_mps': 3.0}}
    """
    check_name("along", along, VALUES)
    swept = numbers(along, VALUES[along] if values is None else values, -1e7, 1e7)
    varied: list[Link] = []
    parameters: dict[str, dict[str, float | str]] = {}
    for name in [links] if isinstance(links, str) else links:
        for value in swept:
            varied.append(_link(name, along, value, estimator))
            parameters[varied[-1].name] = {"link": name, along: value}
    return varied, parameters


def _link(name: str, along: str, value: float, estimator: str) -> Link:
    """A link with one parameter, named after it."""
    if along == "speed_mps":
        if name == "awgn":
            raise InputError("awgn has no scatter and knows no speed: name another link")
        link = channels.link(name, estimator=estimator, speed_mps=value, residual=Residual())
    else:
        residual = Residual(**{along: value})
        link = channels.link(name, estimator=estimator, residual=residual)
    return replace(link, name=f"{name}, {told(along, value)}")


def channels_of(links: str | Sequence[str], bandwidths_hz: Sequence[float]) -> Swept:
    """Links on the grids of NR channels, their bandwidths; as of :func:`scenarios.bandwidth`.

    >>> channels_of("awgn", [20e6])[0][0].grid.num_subcarriers
    1272
    """
    varied: list[Link] = []
    parameters: dict[str, dict[str, float | str]] = {}
    for name in [links] if isinstance(links, str) else links:
        for width_hz in numbers("bandwidths_hz", bandwidths_hz, 1e6, 1e9):
            link = channels.link(name)
            grid = _grid(width_hz, link.carrier_hz)
            megahertz = width_hz / 1e6
            varied.append(replace(link, name=f"{name}, {megahertz:g} MHz", grid=grid))
            parameters[varied[-1].name] = {"link": name, "bandwidth_mhz": megahertz}
    return varied, parameters


def _grid(bandwidth_hz: float, carrier_hz: float) -> Grid:
    if carrier_hz > _FR2_HZ or bandwidth_hz > 100e6:
        return Grid.nr(bandwidth_hz, 120e3, "fr2")
    return Grid.nr(bandwidth_hz, 15e3 if bandwidth_hz <= 50e6 else 30e3)
