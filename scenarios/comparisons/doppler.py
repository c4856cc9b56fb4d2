"""Scenario: picture quality against residual Doppler, its rate, or the terminal's speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import channels
from channels import InputError, Link, Residual
from channels.errors import check_name, check_number
from scenarios.engine import inputs
from scenarios.engine.experiment import carry_out, lay_out
from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.engine.sweep import Sweep
from scenarios.results.style import told
from scenarios.results.table import Table

VALUES = {
    "offset_hz": (0.0, 150.0, 300.0, 600.0, 1000.0, 1500.0),
    "rate_hz_per_s": (0.0, 600.0, 6e3, 6e4, 3e5),
    "speed_mps": (0.0, 1.0, 10.0, 30.0, 100.0),
}
"""What is tried by default.

1500 Hz is a tenth of a subcarrier of 15 kHz; a satellite at 600 km has up to 0.6 kHz/s at 2 GHz and
6 kHz/s at 20 GHz; 100 m/s is a fast train.
"""


def doppler(
    images: inputs.Pictures,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str] = "ntn-tdl-c",
    along: str = "offset_hz",
    values: Sequence[float] | None = None,
    snr_db: inputs.Points = 10.0,
    cbr: inputs.Points = 1 / 16,
    estimator: str = "lmmse",
    **run: Unpack[RunOptions],
) -> Table:
    """Compare codecs across what Doppler pre-compensation leaves, or across terminal speeds.

    An offset is common to all paths and couples subcarriers (ICI), a rate lets it drift, a speed
    makes the scatter fade faster. Receivers estimate the channel from pilots; every codec is
    adapted to each link's statistics, Doppler included. At all values fading and noise have the
    same seeds.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`.
        codecs: as of :func:`scenarios.snr`.
        links: names of links, or one.
        along: ``"offset_hz"``, the residual carrier offset in Hz; ``"rate_hz_per_s"``, its rate in
            Hz/s; ``"speed_mps"``, the terminal's speed in m/s.
        values: what to try, in that unit; by default :data:`VALUES`.
        snr_db: points, or one, average E_s/N_0 in dB.
        cbr: rates, or one, complex channel uses per picture element.
        estimator: ``"lmmse"``, ``"ls"`` or ``"perfect"``, how receivers know the channel.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        One row per codec × link × value × rate × point × picture × trial; curves run along the
        value.

    Raises:
        InputError: if an argument does not fit, a codec cannot serve a rate, or a link cannot have
            such Doppler.

    >>> import torch
    >>> table = doppler(
    ...     torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", links="awgn", values=[0, 900], cbr=1/4
    ... )
    >>> table.located(table.summary("psnr"))[["link", "offset_hz"]].to_numpy().tolist()
    [['awgn', 0.0], ['awgn', 900.0]]
    """
    drawn, work = parted(run)
    grid = plan(
        images,
        masks,
        codecs=codecs,
        links=links,
        along=along,
        values=values,
        snr_db=snr_db,
        cbr=cbr,
        estimator=estimator,
        **drawn,
    )
    return carry_out(grid, **work)


def plan(
    images: inputs.Pictures,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str],
    along: str,
    values: Sequence[float] | None,
    snr_db: inputs.Points,
    cbr: inputs.Points,
    estimator: str,
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`doppler`, checked."""
    varied, settings = varied_links(links, along, values, estimator)
    return lay_out(
        "doppler",
        images,
        masks,
        codecs=codecs,
        links=varied,
        snr_db=snr_db,
        cbr=cbr,
        settings=settings,
        **drawn,
    )


def varied_links(
    links: str | Sequence[str], along: str, values: Sequence[float] | None, estimator: str
) -> tuple[list[Link], dict[str, dict[str, float | str]]]:
    """Links that differ in one setting, and what it is in each; arguments as of :func:`doppler`.

    >>> links, settings = varied_links("rayleigh", "speed_mps", [3.0], "ls")
    >>> settings
    {'rayleigh, 3 m/s': {'link': 'rayleigh', 'speed_mps': 3.0}}
    """
    check_name("along", along, VALUES)
    found: list[Link] = []
    settings: dict[str, dict[str, float | str]] = {}
    for name in [links] if isinstance(links, str) else links:
        for value in sorted(set(VALUES[along] if values is None else values)):
            found.append(_link(name, along, check_number(along, value, -1e7, 1e7), estimator))
            settings[found[-1].name] = {"link": name, along: float(value)}
    return found, settings


def _link(name: str, along: str, value: float, estimator: str) -> Link:
    """A link with one setting, named after it."""
    if along == "speed_mps":
        if name == "awgn":
            raise InputError("awgn has no scatter and knows no speed: name another link")
        link = channels.link(name, estimator=estimator, speed_mps=value, residual=Residual())
    else:
        residual = Residual(**{along: value})
        link = channels.link(name, estimator=estimator, residual=residual)
    return replace(link, name=f"{name}, {told(along, value)}")
