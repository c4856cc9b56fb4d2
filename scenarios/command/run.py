"""``semcom run``: the scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.command.options import (
    parse_mcs,
    parse_names,
    parse_numbers,
    parse_rate,
    parse_rates,
    parse_snr,
    parse_whole,
)
from scenarios.command.shared import (
    Cbr,
    Codecs,
    Diagnosis,
    Links,
    Mcs,
    Out,
    Renamed,
    Run,
    Scheduler,
    Sent,
    Snr,
    Workers,
    grouped,
)
from scenarios.engine.cores import cores

runs = typer.Typer(help="Run a scenario: who is compared with whom, over what.")
"""The commands of ``semcom run``."""


@runs.callback()
def _scenarios() -> None:
    """Run a scenario: who is compared with whom, over what."""


@runs.command("snr", cls=Renamed)
@grouped
def run_snr(
    *,
    sent: Sent,
    codecs: Codecs = None,
    mcs: Mcs = "auto",
    link: Links = "ntn-tdl-c",
    snr: Snr = "0:12:2",
    cbr: Cbr = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/snr",
    run: Run,
) -> None:
    """Picture quality against SNR, at one rate or several, for every codec over every link.

    Prints the table and writes results.parquet, results.csv, curves with 95 % bands and a panel
    of pictures. A second run finds finished points in the same folder.
    """
    rates, points, schemes = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    selection = sent.selection(run.seed)
    from scenarios.command.comparing import Request, compare
    from scenarios.comparisons.snr import plan
    from scenarios.engine.inputs import routes

    request = Request(selection, codecs, schemes, rates, diagnosis, out, run)
    links = list(routes(parse_names(link)).values())
    compare(request, plan, links=links, snr_db=points)


@runs.command("mismatch", cls=Renamed)
@grouped
def run_mismatch(
    *,
    sent: Sent,
    codecs: Annotated[
        str | None,
        typer.Option(
            "--codecs",
            "--codec",
            help="Names of codecs, separated by commas; default: all trained.",
        ),
    ] = None,
    mcs: Mcs = "auto",
    link: Links = "ntn-tdl-c",
    believed_snr: Annotated[
        float, typer.Option(help="E_s/N_0 in dB that the transmitter believes.")
    ] = 10.0,
    snr: Annotated[
        str, typer.Option(help="E_s/N_0 in dB that the channel gives, start:stop:step.")
    ] = "0:10:1",
    cbr: Cbr = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/mismatch",
    run: Run,
) -> None:
    """Picture quality against an SNR that the transmitter does not know.

    Codecs choose modulation, code and rates for the believed SNR. Prints and writes what semcom
    run snr does.
    """
    rates, points, schemes = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    selection = sent.selection(run.seed)
    from scenarios.command.comparing import Request, compare
    from scenarios.comparisons.mismatch import plan
    from scenarios.engine.inputs import routes

    request = Request(selection, codecs, schemes, rates, diagnosis, out, run)
    links = list(routes(parse_names(link)).values())
    compare(request, plan, links=links, snr_db=points, believed_snr_db=believed_snr)


@runs.command("doppler", cls=Renamed)
@grouped
def run_doppler(
    *,
    sent: Sent,
    codecs: Codecs = None,
    mcs: Mcs = "auto",
    link: Links = "ntn-tdl-c",
    along: Annotated[
        str,
        typer.Option(
            help="offset_hz, the residual carrier offset; rate_hz_per_s, its rate; or speed_mps, "
            "the terminal's."
        ),
    ] = "offset_hz",
    values: Annotated[
        str | None, typer.Option(help="What to try, in that unit, separated by commas.")
    ] = None,
    estimator: Annotated[
        str, typer.Option(help="How receivers know the channel: lmmse, ls or perfect.")
    ] = "lmmse",
    snr: Annotated[str, typer.Option(help="E_s/N_0 in dB, start:stop:step, or one.")] = "10",
    cbr: Cbr = "1/16",
    diagnosis: Diagnosis = None,
    out: Out = "results/doppler",
    run: Run,
) -> None:
    """Picture quality against residual Doppler, its rate, or the terminal's speed.

    Prints and writes what semcom run snr does, along that setting.
    """
    rates, points, schemes = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    tried = None if values is None else parse_numbers("--values", values)
    selection = sent.selection(run.seed)
    from scenarios.command.comparing import Request, compare
    from scenarios.comparisons.doppler import plan

    request = Request(selection, codecs, schemes, rates, diagnosis, out, run)
    links = parse_names(link)
    compare(
        request, plan, links=links, snr_db=points, along=along, values=tried, estimator=estimator
    )


@runs.command("bandwidth", cls=Renamed)
@grouped
def run_bandwidth(
    *,
    sent: Sent,
    codecs: Annotated[
        str, typer.Option("--codecs", "--codec", help="Names of codecs, separated by commas.")
    ] = "medjscc,hevc-ldpc,jpeg2000-ldpc",
    mcs: Mcs = "auto",
    link: Links = "ntn-tdl-c",
    bandwidths: Annotated[
        str, typer.Option(help="NR channel bandwidths in MHz, separated by commas.")
    ] = "5,20,100,400",
    snr: Annotated[float, typer.Option(help="E_s/N_0 in dB, the same at every bandwidth.")] = 6.0,
    cbr: Annotated[
        str, typer.Option(help="Complex channel uses per pixel, separated by commas.")
    ] = "1/128,1/64,1/32,1/16,1/8,1/4",
    diagnosis: Diagnosis = None,
    out: Out = "results/bandwidth",
    run: Run,
) -> None:
    """Picture quality against bandwidth ratio, and the time on air at channel bandwidths.

    Prints and writes what semcom run snr does, along the rate; on_air.csv and on_air.png.
    """
    rates, schemes = parse_rates(cbr), parse_mcs(mcs)
    widths_hz = [1e6 * width for width in parse_numbers("--bandwidths", bandwidths)]
    selection = sent.selection(run.seed)
    from scenarios.command.comparing import Request, compare
    from scenarios.comparisons.bandwidth import plan
    from scenarios.comparisons.on_air import OnAir

    request = Request(selection, codecs, schemes, rates, diagnosis, out, run, x="cbr")
    links = parse_names(link)
    found = OnAir(*compare(request, plan, links=links, snr_db=snr, bandwidths_hz=widths_hz))
    found.save(Path(out) / "on_air.csv")
    found.plot("psnr", Path(out) / "on_air.png")
    found.print_times()


@runs.command("satellite-pass", cls=Renamed)
@grouped
def run_satellite_pass(
    *,
    sent: Sent,
    codecs: Annotated[
        str, typer.Option("--codecs", "--codec", help="Names of codecs, separated by commas.")
    ] = "medjscc,hevc-ldpc,jpeg2000-ldpc",
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
        str, typer.Option(help="Rates to choose from, channel uses per pixel.")
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
    from scenarios.comparisons.satellite_pass import satellite_pass
    from scenarios.engine.cluster import cluster
    from scenarios.engine.inputs import folder

    where = folder(out)
    pictures, regions = selection.load()
    with cluster(run.scheduler) as executor:
        found = satellite_pass(
            pictures,
            regions,
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
            executor=executor,
            workers=run.processes,
            out=where,
            progress=True,
        )
    found.table.save(where / "results.parquet")
    found.table.save(where / "results.csv")
    found.save(where / "pass.csv")
    found.plot(where / "pass.png")
    found.print()
    typer.echo(f"Results are in {where}")


@runs.command("ablation", cls=Renamed)
@grouped
def run_ablation(
    *,
    sent: Sent,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of medjscc; default: those in the package.")
    ] = None,
    segmenter: Annotated[
        str | None,
        typer.Option(
            help="Segmenter whose masks the encoder gets in the place of given ones, chest, "
            "angiography, dental or a file of weights; default: no such contender."
        ),
    ] = None,
    link: Links = "ntn-tdl-c",
    snr: Snr = "0:12:4",
    cbr: Annotated[str, typer.Option(help="Complex channel uses per pixel, 1/16 or 0.0625.")] = (
        "1/16"
    ),
    diagnosis: Diagnosis = None,
    out: Out = "results/ablation",
    run: Run,
) -> None:
    """What each part of Med-JSCC brings: paired differences to the whole, at equal rate.

    Prints them and writes differences.csv, differences.png, results.parquet and results.csv. A
    second run finds finished points in the same folder.
    """
    cbr_offered, points = parse_rate(cbr), parse_snr(snr)
    selection = sent.selection(run.seed)
    from scenarios.command.selection import segmenter_of
    from scenarios.comparisons.ablation import ablation
    from scenarios.engine.cluster import cluster
    from scenarios.engine.inputs import folder
    from semcom.catalogue import codec

    where = folder(out)
    whole = codec("medjscc") if weights is None else codec("medjscc", weights=weights)
    finder = segmenter_of("--segmenter", segmenter)
    diagnoses = segmenter_of("--diagnosis", diagnosis)
    pictures, regions = selection.load()
    with cluster(run.scheduler) as executor:
        found = ablation(
            pictures,
            regions,
            codec=whole,
            links=parse_names(link),
            snr_db=points,
            cbr=cbr_offered,
            segmenter=finder,
            **run.drawn(diagnoses),
            executor=executor,
            workers=run.processes,
            out=where,
            progress=True,
        )
    found.table.save(where / "results.parquet")
    found.table.save(where / "results.csv")
    found.save(where / "differences.csv")
    found.plot(where / "differences.png")
    found.print()
    typer.echo(f"Results are in {where}")


@runs.command("ber", cls=Renamed)
def run_ber(
    mcs: Annotated[
        str, typer.Option(help="Indices of modulation and coding schemes, separated by commas.")
    ] = "2,7,11,16,22",
    table: Annotated[
        int, typer.Option(min=1, max=3, help="MCS table of TS 38.214 clause 5.1.3.1.")
    ] = 1,
    uncoded: Annotated[
        str, typer.Option(help="Bits per symbol of uncoded QAM, separated by commas; or none.")
    ] = "2,4,6",
    link: Links = "awgn",
    snr: Annotated[
        str | None,
        typer.Option(
            help="E_s/N_0 in dB, start:stop:step; default: where each scheme fails now and then."
        ),
    ] = None,
    channel_uses: Annotated[int, typer.Option(min=1, help="QAM symbols of a block.")] = 2048,
    block_errors: Annotated[int, typer.Option(min=1, help="Wrong blocks that end a point.")] = 100,
    max_blocks: Annotated[int, typer.Option(min=1, help="Blocks that end a point anyhow.")] = 2000,
    out: Out = "results/ber",
    seed: Annotated[int, typer.Option(min=0, help="Seeds bits, fading and noise.")] = 0,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Bit and block error rate against SNR: transport blocks of each MCS, uncoded QAM, theory.

    Prints the table and writes ber.csv and ber.png. A second run finds finished points in the same
    folder.
    """
    points = None if snr is None else parse_snr(snr)
    schemes = parse_whole("--mcs", mcs)
    orders = [] if uncoded == "none" else parse_whole("--uncoded", uncoded)
    from rich.console import Console

    with Console(stderr=True).status("loading PyTorch and Sionna"):
        from scenarios.comparisons.bits.ber import ber
        from scenarios.engine.cluster import cluster
        from scenarios.engine.inputs import folder
        from scenarios.engine.progress import bar

    where = folder(out)
    with cluster(scheduler) as executor, bar("semcom run ber") as report:
        found = ber(
            mcs=schemes,
            uncoded=orders,
            links=parse_names(link),
            snr_db=points,
            channel_uses=channel_uses,
            table=table,
            min_block_errors=block_errors,
            max_blocks=max_blocks,
            seed=seed,
            executor=executor,
            workers=workers or cores(),
            out=where,
            report=report,
        )
    found.save(where / "ber.csv")
    found.plot(where / "ber.png")
    found.print()
    typer.echo(f"Results are in {where}")
