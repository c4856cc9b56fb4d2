"""Scenario: how many pictures a LEO satellite takes along before it sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

import torch

import channels
from channels import Pass
from channels.errors import check_count, check_name, check_number
from channels.orbit.geometry import ALTITUDES_M
from scenarios.comparisons.deliveries import Deliveries, Moment
from scenarios.engine import inputs
from scenarios.engine.experiment import carry_out, lay_out
from scenarios.engine.pool import hands
from scenarios.engine.run_options import RunOptions, WorkOptions, parted
from scenarios.engine.sweep import Sweep
from scenarios.results.table import Table

CBR = (1 / 64, 1 / 32, 1 / 16)
_LOWEST_DEG = 10.0


def satellite_pass(
    images: inputs.Pictures,
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
) -> Deliveries:
    """Count the pictures that arrive well enough while a satellite passes.

    Elevation sets the SNR (link budget of TR 38.821 at the link's own bandwidth), the fading
    (TR 38.811, system level) and the residual Doppler. A picture counts if its ROI-PSNR (PSNR
    without a region) reaches the threshold. At each elevation each codec sends at that rate of
    ``cbr`` at which most such pictures arrive per second; the link is theirs alone.

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
        cbr: rates that codecs choose from, complex channel uses per picture element.
        threshold_db: least ROI-PSNR of a picture that counts, in dB.
        estimator: ``"lmmse"``, ``"ls"`` or ``"perfect"``, how receivers know the channel.
        **run: how often, by whom and where, see :class:`~scenarios.engine.run_options.RunOptions`.

    Raises:
        InputError: if an argument does not fit, or a codec cannot serve a rate.

    >>> found = satellite_pass(
    ...     torch.rand(1, 1, 64, 64), codecs="jpeg2000-ldpc", band="ka", moments=2, cbr=1/4,
    ...     threshold_db=5.0,
    ... )
    >>> found.totals["codec"].tolist(), bool(found.totals["delivered"][0] > 1e5)
    (['jpeg2000-ldpc'], True)
    """
    steps = moments_of(orbit, band, environment, direction, max_elevation_deg, moments, estimator)
    check_number("threshold_db", threshold_db, 0, 100)
    drawn, work = parted(run)
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
    with hands(work.get("executor"), work.get("workers", 1)) as pool:
        shared: WorkOptions = {**work, "executor": pool, "workers": 1}
        tables = [carry_out(_at(first, step), **shared) for step in steps]
    pixels = [picture.image.numel() for picture in first.pictures]
    return Deliveries(Table.merge(tables), steps, pixels, threshold_db)


def _at(grid: Sweep, step: Moment) -> Sweep:
    """The same pictures and codecs at another moment."""
    name = step.link.name
    shared, elevation_deg = name.partition(",")[0], step.elevation_deg
    return replace(
        grid,
        links={name: step.link},
        snr_db=(step.snr_db,),
        settings={name: {"link": shared, "elevation_deg": elevation_deg}},
    )


def moments_of(
    orbit: str,
    band: str,
    environment: str,
    direction: str,
    max_elevation_deg: float,
    count: int,
    estimator: str,
) -> list[Moment]:
    """Moments of a pass from its highest elevation to its end; as of :func:`satellite_pass`.

    >>> steps = moments_of("leo600", "s", "urban", "downlink", 60.0, 3, "lmmse")
    >>> [round(step.elevation_deg) for step in steps], steps[0].snr_db > steps[-1].snr_db
    ([60, 28, 10], True)
    """
    check_name("orbit", orbit, [name for name in ALTITUDES_M if name.startswith("leo")])
    check_count("moments", count, 2, 1000)
    highest = check_number("max_elevation_deg", max_elevation_deg, _LOWEST_DEG + 1, 90)
    name = f"{orbit}-{band}-{environment}"
    width_hz = channels.link(name).grid.bandwidth_hz
    budget = channels.link_budget(orbit, band=band, direction=direction, bandwidth_hz=width_hz)
    over = Pass(ALTITUDES_M[orbit], highest, budget.carrier_hz, _LOWEST_DEG)
    seen = over.at(torch.linspace(0, over.duration_s / 2, count, dtype=torch.float64))
    found = []
    for time_s, elevation in zip(seen.time_s.tolist(), seen.elevation_deg.tolist(), strict=True):
        elevation_deg = round(max(elevation, _LOWEST_DEG), 1)
        link = channels.link(name, elevation_deg=elevation_deg, estimator=estimator)
        link = replace(link, name=f"{name}, {elevation_deg:g} deg")
        snr_db = round(float(budget.cnr_db(elevation_deg)), 2)
        found.append(Moment(time_s, elevation_deg, snr_db, link))
    return found
