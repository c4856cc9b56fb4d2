"""Scenario: how many images a LEO satellite takes along before it sets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Unpack

import typer

from scenarios.engine.run_options import RunOptions, WorkOptions, parted
from scenarios.options.parsing import parse_names, parse_rates
from scenarios.options.shared import Out, Run, Sent, grouped

if TYPE_CHECKING:
    from scenarios.comparisons.goodput import Moment, PassGoodput
    from scenarios.engine import inputs
    from scenarios.engine.sweep import Sweep

CBR = (1 / 64, 1 / 32, 1 / 16)


def satellite_pass(
    images: inputs.Images,
    masks: inputs.Masks = None,
    *,
    codecs: inputs.Codecs,
    orbit: str = "leo600",
    band: str = "s",
    environment: str = "suburban",
    direction: str = "downlink",
    max_elevation_deg: float = 60.0,
    moments: int = 6,
    cbr: inputs.Points = CBR,
    threshold_db: float = 30.0,
    estimator: str = "lmmse",
    **run: Unpack[RunOptions],
) -> PassGoodput:
    """Count the images that arrive well enough while a satellite passes.

    Elevation sets the SNR (link budget of TR 38.821 at the link's own bandwidth), the fading
    (TR 38.811, system level) and the residual Doppler. An image counts if its ROI-PSNR (PSNR
    without a region) reaches the threshold. At each elevation each codec sends at that rate of
    ``cbr`` at which most such images arrive per second; the link is theirs alone.

    Args:
        images: as of :func:`scenarios.snr`.
        masks: as of :func:`scenarios.snr`.
        codecs: as of :func:`scenarios.snr`.
        orbit: ``"leo600"`` or ``"leo1200"``.
        band: ``"s"``, a handheld, or ``"ka"``, a VSAT.
        environment: ``"suburban"``, ``"urban"`` or ``"dense-urban"``.
        direction: ``"downlink"`` or ``"uplink"``, of the link budget.
        max_elevation_deg: how high the satellite rises, 10 to 90.
        moments: elevations that are simulated, from the highest to 10 degrees; what lies between
            is interpolated, and the satellite rises as it sets.
        cbr: rates that codecs choose from, complex channel uses per image sample.
        threshold_db: least ROI-PSNR of an image that counts, in dB.
        estimator: ``"lmmse"``, ``"ls"`` or ``"perfect"``, how receivers know the channel.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`;
            ``draws`` are independent by default: the sum over a pass is better known by that.

    Raises:
        InputError: if an argument does not fit, or a codec cannot serve a rate.

    >>> import torch
    >>> goodput = satellite_pass(
    ...     torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", band="ka", moments=2, cbr=1/4,
    ...     threshold_db=5.0,
    ... )
    >>> goodput.totals["codec"].tolist(), bool(goodput.totals["delivered"][0] > 1e5)
    (['jpeg2000-ldpc'], True)
    """
    from channels.errors import check_number
    from scenarios.comparisons.goodput import PassGoodput, moments_of
    from scenarios.engine.experiment import carry_out, lay_out
    from scenarios.engine.workers.pool import executor_for
    from scenarios.results.table import Table

    steps = moments_of(orbit, band, environment, direction, max_elevation_deg, moments, estimator)
    threshold_db = check_number("threshold_db", threshold_db, 0, 100)
    drawn, work = parted({"draws": "independent", **run})
    first = lay_out(
        "satellite_pass",
        images,
        masks,
        codecs=codecs,
        links=steps[0].link,
        snr_db=steps[0].snr_db,
        cbr=cbr,
        **drawn,
    )
    with executor_for(work.get("executor"), work.get("workers", 1)) as pool:
        shared: WorkOptions = {**work, "executor": pool, "workers": 1}
        tables = [carry_out(_at(first, step), **shared) for step in steps]
    pixels = [sample.image.numel() for sample in first.samples]
    return PassGoodput(Table.merge(tables), steps, pixels, threshold_db)


def _at(grid: Sweep, step: Moment) -> Sweep:
    """The same images and codecs at another moment."""
    name = step.link.name
    shared, elevation_deg = name.partition(",")[0], step.elevation_deg
    return replace(
        grid,
        links={name: step.link},
        snr_db=(step.snr_db,),
        link_parameters={name: {"link": shared, "elevation_deg": elevation_deg}},
    )


@grouped
def command(
    *,
    sent: Sent,
    codecs: Annotated[
        str, typer.Option("--codecs", "--codec", help="Names of codecs, separated by commas.")
    ] = "medjscc,hevc-ldpc,hevc-roi-ldpc,avif-ldpc",
    orbit: Annotated[str, typer.Option(help="leo600 or leo1200.")] = "leo600",
    band: Annotated[str, typer.Option(help="s, a handheld, or ka, a VSAT.")] = "s",
    environment: Annotated[
        str, typer.Option(help="Around the terminal, as semcom info lists links.")
    ] = "suburban",
    direction: Annotated[str, typer.Option(help="downlink or uplink.")] = "downlink",
    max_elevation: Annotated[
        float, typer.Option(help="How high the satellite rises, in degrees.")
    ] = 60.0,
    moments: Annotated[
        int, typer.Option(min=2, max=1000, help="Elevations that are simulated.")
    ] = 6,
    cbr: Annotated[
        str, typer.Option(help="Rates to choose from, channel uses per image sample (H·W·C).")
    ] = "1/64,1/32,1/16",
    threshold: Annotated[
        float, typer.Option(help="Least ROI-PSNR of a picture that counts, in dB.")
    ] = 30.0,
    out: Out = "results/satellite_pass",
    run: Run,
) -> None:
    """How many pictures arrive well enough before a LEO satellite sets.

    Prints them and writes pass.csv, pass.png, results.parquet and results.csv.
    """
    rates = parse_rates(cbr)
    selection = sent.selection(run.seed)
    from scenarios.options.writing import working, write

    with working(run, out) as work:
        images, masks = selection.load()
        goodput = satellite_pass(
            images,
            masks,
            codecs=parse_names(codecs),
            orbit=orbit,
            band=band,
            environment=environment,
            direction=direction,
            max_elevation_deg=max_elevation,
            moments=moments,
            cbr=rates,
            threshold_db=threshold,
            **run.drawn(),
            **work,
        )
    write(goodput, "pass", out, goodput.table)
