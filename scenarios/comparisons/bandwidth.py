"""Scenario: picture quality against bandwidth ratio, and the time on air at channel bandwidths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import channels
from channels import Grid, Link
from channels.errors import check_number
from scenarios.comparisons.on_air import OnAir
from scenarios.engine import inputs
from scenarios.engine.experiment import carry_out, lay_out
from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.engine.sweep import Sweep

CBR = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
BANDWIDTHS_HZ = (5e6, 20e6, 100e6, 400e6)
_FR2_HZ = 7.125e9


def bandwidth(
    images: inputs.Pictures,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str] = "ntn-tdl-c",
    bandwidths_hz: Sequence[float] = BANDWIDTHS_HZ,
    snr_db: float = 6.0,
    cbr: inputs.Points = CBR,
    **run: Unpack[RunOptions],
) -> OnAir:
    """Compare codecs across the channel uses that a picture gets, and say how long they take.

    The bandwidth ratio counts channel uses; a channel of so many hertz turns them into seconds, and
    its width decides how many independent fades a picture meets. SNR is the same at every
    bandwidth: at equal transmit power it would fall by 10 log10 of their ratio.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`.
        codecs: as of :func:`scenarios.snr`.
        links: names of links, or one.
        bandwidths_hz: NR channel bandwidths in Hz, 5 to 400 MHz: at 15 kHz spacing up to 50 MHz,
            at 30 kHz up to 100 MHz, at 120 kHz (FR2) beyond and above 7 GHz.
        snr_db: average E_s/N_0 in dB.
        cbr: rates, or one, complex channel uses per picture element.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        The table, and the time on air of each bandwidth and rate.

    Raises:
        InputError: if an argument does not fit, a codec cannot serve a rate, or NR has no such
            channel.

    >>> import torch
    >>> found = bandwidth(
    ...     torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", links="awgn", bandwidths_hz=[5e6],
    ...     cbr=[1/4, 1/2], snr_db=12,
    ... )
    >>> found.frame[["cbr", "on_air_s"]].round(6).to_numpy().tolist()
    [[0.25, 0.000284], [0.5, 0.000568]]
    """
    drawn, work = parted(run)
    grid = plan(
        images,
        masks,
        codecs=codecs,
        links=links,
        bandwidths_hz=bandwidths_hz,
        snr_db=snr_db,
        cbr=cbr,
        **drawn,
    )
    return OnAir(carry_out(grid, **work), grid)


def plan(
    images: inputs.Pictures,
    masks: inputs.Masks,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str],
    bandwidths_hz: Sequence[float],
    snr_db: float,
    cbr: inputs.Points,
    **drawn: Unpack[GridOptions],
) -> Sweep:
    """The grid of :func:`bandwidth`, checked."""
    varied, settings = channels_of(links, bandwidths_hz)
    return lay_out(
        "bandwidth",
        images,
        masks,
        codecs=codecs,
        links=varied,
        snr_db=snr_db,
        cbr=cbr,
        settings=settings,
        **drawn,
    )


def channels_of(
    links: str | Sequence[str], bandwidths_hz: Sequence[float]
) -> tuple[list[Link], dict[str, dict[str, float | str]]]:
    """Links on the grids of NR channels, and the bandwidth of each; as of :func:`bandwidth`.

    >>> channels_of("awgn", [20e6])[0][0].grid.num_subcarriers
    1272
    """
    found: list[Link] = []
    settings: dict[str, dict[str, float | str]] = {}
    for name in [links] if isinstance(links, str) else links:
        for width_hz in sorted(set(bandwidths_hz)):
            made = channels.link(name)
            grid = _grid(check_number("bandwidths_hz", width_hz, 1e6, 1e9), made.carrier_hz)
            megahertz = width_hz / 1e6
            found.append(replace(made, name=f"{name}, {megahertz:g} MHz", grid=grid))
            settings[found[-1].name] = {"link": name, "bandwidth_mhz": float(megahertz)}
    return found, settings


def _grid(bandwidth_hz: float, carrier_hz: float) -> Grid:
    if carrier_hz > _FR2_HZ or bandwidth_hz > 100e6:
        return Grid.nr(bandwidth_hz, 120e3, "fr2")
    return Grid.nr(bandwidth_hz, 15e3 if bandwidth_hz <= 50e6 else 30e3)
