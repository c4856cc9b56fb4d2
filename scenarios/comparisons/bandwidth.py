"""Scenario: image quality against bandwidth ratio, and the time on air at channel bandwidths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Unpack

import typer

from scenarios.engine.run_options import GridOptions, RunOptions, parted
from scenarios.options.parsing import parse_mcs, parse_names, parse_numbers, parse_rates
from scenarios.options.shared import Diagnosis, Fallback, Links, Mcs, Out, Run, Sent, grouped

if TYPE_CHECKING:
    from scenarios.comparisons.on_air import OnAir
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep

CBR = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4)
BANDWIDTHS_HZ = (5e6, 20e6, 100e6, 400e6)


def bandwidth(
    images: inputs.Images,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    links: str | Sequence[str] = "ntn-tdl-c",
    bandwidths_hz: Sequence[float] = BANDWIDTHS_HZ,
    snr_db: float = 6.0,
    cbr: inputs.Points = CBR,
    **run: Unpack[RunOptions],
) -> OnAir:
    """Compare codecs across the channel uses that an image gets, and say how long they take.

    The bandwidth ratio counts channel uses; a channel of so many hertz turns them into seconds, and
    its width decides how many independent fades an image meets. SNR is the same at every
    bandwidth: at equal transmit power it would fall by 10 log10 of their ratio.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`.
        codecs: as of :func:`scenarios.snr`.
        links: names of links, or one.
        bandwidths_hz: NR channel bandwidths in Hz, 5 to 400 MHz: at 15 kHz spacing up to 50 MHz,
            at 30 kHz up to 100 MHz, at 120 kHz (FR2) beyond and above 7 GHz.
        snr_db: average E_s/N_0 in dB.
        cbr: rates, or one, complex channel uses per image sample.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Returns:
        The table, and the time on air of each bandwidth and rate.

    Raises:
        InputError: if an argument does not fit, a codec cannot serve a rate, or NR has no such
            channel.

    >>> import torch
    >>> on_air = bandwidth(
    ...     torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", links="awgn", bandwidths_hz=[5e6],
    ...     cbr=[1/4, 1/2], snr_db=12,
    ... )
    >>> on_air.frame[["cbr", "on_air_s"]].round(6).to_numpy().tolist()
    [[0.25, 0.000284], [0.5, 0.000568]]
    """
    from scenarios.comparisons.on_air import OnAir
    from scenarios.engine.experiment import carry_out

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
    images: inputs.Images,
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
    from scenarios.comparisons.swept_links import channels_of
    from scenarios.engine.experiment import lay_out

    varied, link_parameters = channels_of(links, bandwidths_hz)
    return lay_out(
        "bandwidth",
        images,
        masks,
        codecs=codecs,
        links=varied,
        snr_db=snr_db,
        cbr=cbr,
        link_parameters=link_parameters,
        **drawn,
    )


@grouped
def command(
    *,
    sent: Sent,
    codecs: Annotated[
        str, typer.Option("--codecs", "--codec", help="Names of codecs, separated by commas.")
    ] = "medjscc,hevc-ldpc,hevc-roi-ldpc,avif-ldpc",
    mcs: Mcs = "auto",
    fallback: Fallback = None,
    link: Links = "ntn-tdl-c",
    bandwidths: Annotated[
        str, typer.Option(help="NR channel bandwidths in MHz, separated by commas.")
    ] = "5,20,100,400",
    snr: Annotated[float, typer.Option(help="E_s/N_0 in dB, the same at every bandwidth.")] = 6.0,
    cbr: Annotated[
        str,
        typer.Option(help="Complex channel uses per image sample (H·W·C), separated by commas."),
    ] = "1/128,1/64,1/32,1/16,1/8,1/4",
    diagnosis: Diagnosis = None,
    out: Out = "results/bandwidth",
    run: Run,
) -> None:
    """Picture quality against bandwidth ratio, and the time on air at channel bandwidths.

    Prints and writes what semcom run snr does, along the rate; on_air.csv and on_air.png.
    """
    rates, indices = parse_rates(cbr), parse_mcs(mcs)
    widths_hz = [1e6 * width for width in parse_numbers("--bandwidths", bandwidths)]
    selection = sent.selection(run.seed)
    from scenarios.comparisons.on_air import OnAir
    from scenarios.options.writing import Request, compare

    request = Request(selection, codecs, indices, rates, diagnosis, out, run, fallback, x="cbr")
    links = parse_names(link)
    on_air = OnAir(*compare(request, plan, links=links, snr_db=snr, bandwidths_hz=widths_hz))
    on_air.save(Path(out) / "on_air.csv")
    on_air.plot("psnr", Path(out) / "on_air.png")
    on_air.print_times()
