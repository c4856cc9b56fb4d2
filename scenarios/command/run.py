"""``semcom run``: the scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from scenarios.engine.cores import cores

if TYPE_CHECKING:
    from scenarios.command.selection import Selection

runs = typer.Typer(help="Run a scenario: who is compared with whom, over what.")
"""The commands of ``semcom run``."""

_Images = Annotated[
    Path | None, typer.Option(help="Folder of PNG, JPEG, TIFF or DICOM; default: phantoms.")
]
_Masks = Annotated[
    str | None,
    typer.Option(
        help="Folder of masks, named as images; or the segmenter that finds them, chest, "
        "angiography, dental or a file of weights; or none. Default: chest; phantoms have "
        "their own."
    ),
]
_Limit = Annotated[int | None, typer.Option(min=1, help="Take the first pictures only.")]
_Size = Annotated[
    int | None, typer.Option(min=32, help="Shrink to this longest side; phantoms: 256.")
]
_Codecs = Annotated[
    str | None,
    typer.Option(
        "--codecs",
        "--codec",
        help="Names of codecs (hevc-ldpc) and bounds (hevc-capacity: the same image coder, an "
        "ideal code), separated by commas; semcom info lists both; default: all codecs "
        "but medjscc-small and ntscc.",
    ),
]
_Mcs = Annotated[
    str,
    typer.Option(
        help="Curves of each separate codec: auto, the MCS adapted to SNR and link, and "
        "indices to hold; auto,4,13."
    ),
]
_Channel = Annotated[str, typer.Option(help="Links, separated by commas.")]
_Snr = Annotated[str, typer.Option(help="E_s/N_0 in dB, start:stop:step.")]
_Cbr = Annotated[
    str,
    typer.Option(
        help="Complex channel uses per pixel, 1/16 or 0.0625; several rates separated by commas."
    ),
]
_Diagnosis = Annotated[
    str | None,
    typer.Option(
        help="Segmenter of the diagnostic Dice: chest, angiography, dental or a file of weights; "
        "default: none is measured."
    ),
]
_Seed = Annotated[int, typer.Option(min=0, help="Seeds phantoms, fading and noise.")]
_Trials = Annotated[
    int, typer.Option(min=1, help="Draws of fading and noise per picture and point.")
]
_Ci = Annotated[
    float | None,
    typer.Option(
        help="Repeat each point until mean PSNR over these pictures is known to so many dB (half "
        "the 95 % interval)."
    ),
]
_MaxTrials = Annotated[int, typer.Option(min=2, help="Trials that are enough for --ci anyhow.")]
_Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes, of one thread; default, and at most: one per core."),
]

_Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Dask cluster instead, tcp://host:port of its scheduler (extra dask).",
    ),
]


@runs.callback()
def _scenarios() -> None:
    """Run a scenario: who is compared with whom, over what."""


@runs.command("snr")
def run_snr(
    images: _Images = None,
    masks: _Masks = None,
    limit: _Limit = None,
    size: _Size = None,
    codecs: _Codecs = None,
    mcs: _Mcs = "auto",
    channel: _Channel = "ntn-tdl-c",
    snr: _Snr = "0:12:2",
    cbr: _Cbr = "1/16",
    diagnosis: _Diagnosis = None,
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/snr"
    ),
    seed: _Seed = 0,
    trials: _Trials = 1,
    ci: _Ci = None,
    max_trials: _MaxTrials = 64,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
) -> None:
    """Picture quality against SNR, at one rate or several, for every codec over every link.

    Prints the table and writes results.parquet, results.csv, curves with 95 % bands and a panel
    of pictures. A second run finds finished points in the same folder.
    """
    rates, points, schemes = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    sent = _selection(images, masks, limit, size, seed)
    from scenarios.command.comparing import Request, run

    run(
        Request(
            scenario="snr",
            sent=sent,
            codecs=None if codecs is None else parse_names(codecs),
            mcs=schemes,
            links=parse_names(channel),
            snr_db=points,
            cbr=rates,
            diagnosis=diagnosis,
            out=out,
            trials=trials,
            ci_db=ci,
            max_trials=max_trials,
            workers=workers or cores(),
            scheduler=scheduler,
        )
    )


@runs.command("mismatch")
def run_mismatch(
    images: _Images = None,
    masks: _Masks = None,
    limit: _Limit = None,
    size: _Size = None,
    codecs: Annotated[
        str | None,
        typer.Option(
            "--codecs",
            "--codec",
            help="Names of codecs, separated by commas; default: all trained.",
        ),
    ] = None,
    mcs: _Mcs = "auto",
    channel: _Channel = "ntn-tdl-c",
    believed_snr: Annotated[
        float, typer.Option(help="E_s/N_0 in dB that the transmitter believes.")
    ] = 10.0,
    snr: Annotated[
        str, typer.Option(help="E_s/N_0 in dB that the channel gives, start:stop:step.")
    ] = "0:10:1",
    cbr: _Cbr = "1/16",
    diagnosis: _Diagnosis = None,
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/mismatch"
    ),
    seed: _Seed = 0,
    trials: _Trials = 1,
    ci: _Ci = None,
    max_trials: _MaxTrials = 64,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
) -> None:
    """Picture quality against an SNR that the transmitter does not know.

    Codecs choose modulation, code and rates for the believed SNR. Prints and writes what semcom
    run snr does.
    """
    rates, points, schemes = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    sent = _selection(images, masks, limit, size, seed)
    from scenarios.command.comparing import Request, run

    run(
        Request(
            scenario="mismatch",
            sent=sent,
            codecs=None if codecs is None else parse_names(codecs),
            mcs=schemes,
            links=parse_names(channel),
            snr_db=points,
            cbr=rates,
            diagnosis=diagnosis,
            out=out,
            trials=trials,
            ci_db=ci,
            max_trials=max_trials,
            workers=workers or cores(),
            scheduler=scheduler,
            believed_snr_db=believed_snr,
        )
    )


@runs.command("doppler")
def run_doppler(
    images: _Images = None,
    masks: _Masks = None,
    limit: _Limit = None,
    size: _Size = None,
    codecs: _Codecs = None,
    mcs: _Mcs = "auto",
    channel: _Channel = "ntn-tdl-c",
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
    cbr: _Cbr = "1/16",
    diagnosis: _Diagnosis = None,
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/doppler"
    ),
    seed: _Seed = 0,
    trials: _Trials = 1,
    ci: _Ci = None,
    max_trials: _MaxTrials = 64,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
) -> None:
    """Picture quality against residual Doppler, its rate, or the terminal's speed.

    Prints and writes what semcom run snr does, along that setting.
    """
    rates, points, schemes = parse_rates(cbr), parse_snr(snr), parse_mcs(mcs)
    tried = None if values is None else parse_numbers("--values", values)
    sent = _selection(images, masks, limit, size, seed)
    from scenarios.command.comparing import Request, run
    from scenarios.comparisons.doppler import varied_links

    links, settings = varied_links(parse_names(channel), along, tried, estimator)
    run(
        Request(
            scenario="doppler",
            sent=sent,
            codecs=None if codecs is None else parse_names(codecs),
            mcs=schemes,
            links=links,
            snr_db=points,
            cbr=rates,
            diagnosis=diagnosis,
            out=out,
            trials=trials,
            ci_db=ci,
            max_trials=max_trials,
            workers=workers or cores(),
            scheduler=scheduler,
            settings=settings,
        )
    )


@runs.command("bandwidth")
def run_bandwidth(
    images: _Images = None,
    masks: _Masks = None,
    limit: _Limit = None,
    size: _Size = None,
    codecs: Annotated[
        str, typer.Option("--codecs", "--codec", help="Names of codecs, separated by commas.")
    ] = "medjscc,hevc-ldpc,jpeg2000-ldpc",
    mcs: _Mcs = "auto",
    channel: _Channel = "ntn-tdl-c",
    bandwidths: Annotated[
        str, typer.Option(help="NR channel bandwidths in MHz, separated by commas.")
    ] = "5,20,100,400",
    snr: Annotated[float, typer.Option(help="E_s/N_0 in dB, the same at every bandwidth.")] = 6.0,
    cbr: Annotated[
        str, typer.Option(help="Complex channel uses per pixel, separated by commas.")
    ] = "1/128,1/64,1/32,1/16,1/8,1/4",
    diagnosis: _Diagnosis = None,
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/bandwidth"
    ),
    seed: _Seed = 0,
    trials: _Trials = 1,
    ci: _Ci = None,
    max_trials: _MaxTrials = 64,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
) -> None:
    """Picture quality against bandwidth ratio, and the time on air at channel bandwidths.

    Prints and writes what semcom run snr does, along the rate; on_air.csv and on_air.png.
    """
    rates, schemes = parse_rates(cbr), parse_mcs(mcs)
    widths_hz = [1e6 * width for width in parse_numbers("--bandwidths", bandwidths)]
    sent = _selection(images, masks, limit, size, seed)
    from scenarios.command.comparing import Request, run
    from scenarios.comparisons.bandwidth import channels_of
    from scenarios.comparisons.on_air import OnAir

    links, settings = channels_of(parse_names(channel), widths_hz)
    table, grid = run(
        Request(
            scenario="bandwidth",
            sent=sent,
            codecs=parse_names(codecs),
            mcs=schemes,
            links=links,
            snr_db=[snr],
            cbr=rates,
            diagnosis=diagnosis,
            out=out,
            trials=trials,
            ci_db=ci,
            max_trials=max_trials,
            workers=workers or cores(),
            scheduler=scheduler,
            settings=settings,
            x="cbr",
        )
    )
    found = OnAir(table, grid)
    found.save(Path(out) / "on_air.csv")
    found.plot("psnr", Path(out) / "on_air.png")
    found.print_times()


@runs.command("satellite-pass")
def run_satellite_pass(
    images: _Images = None,
    masks: _Masks = None,
    limit: _Limit = None,
    size: _Size = None,
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
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/satellite_pass"
    ),
    seed: _Seed = 0,
    trials: _Trials = 1,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
) -> None:
    """How many pictures arrive well enough before a LEO satellite sets.

    Prints them and writes pass.csv, pass.png, results.parquet and results.csv.
    """
    rates = parse_rates(cbr)
    sent = _selection(images, masks, limit, size, seed)
    from scenarios.comparisons.satellite_pass import satellite_pass
    from scenarios.engine.cluster import cluster
    from scenarios.engine.inputs import folder

    where = folder(out)
    pictures, regions = sent.load()
    with cluster(scheduler) as executor:
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
            seed=seed,
            trials=trials,
            executor=executor,
            workers=workers or cores(),
            out=where,
            progress=True,
        )
    found.table.save(where / "results.parquet")
    found.table.save(where / "results.csv")
    found.save(where / "pass.csv")
    found.plot(where / "pass.png")
    found.print()
    typer.echo(f"Results are in {where}")


@runs.command("ablation")
def run_ablation(
    images: _Images = None,
    masks: _Masks = None,
    limit: _Limit = None,
    size: _Size = None,
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
    channel: _Channel = "ntn-tdl-c",
    snr: _Snr = "0:12:4",
    cbr: Annotated[str, typer.Option(help="Complex channel uses per pixel, 1/16 or 0.0625.")] = (
        "1/16"
    ),
    diagnosis: _Diagnosis = None,
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/ablation"
    ),
    seed: _Seed = 0,
    trials: _Trials = 1,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
) -> None:
    """What each part of Med-JSCC brings: paired differences to the whole, at equal rate.

    Prints them and writes differences.csv, differences.png, results.parquet and results.csv. A
    second run finds finished points in the same folder.
    """
    cbr_offered, points = parse_rate(cbr), parse_snr(snr)
    sent = _selection(images, masks, limit, size, seed)
    from scenarios.command.selection import segmenter_of
    from scenarios.comparisons.ablation import ablation
    from scenarios.engine.cluster import cluster
    from scenarios.engine.inputs import folder
    from semcom.catalogue import codec

    where = folder(out)
    whole = codec("medjscc") if weights is None else codec("medjscc", weights=weights)
    finder = segmenter_of("--segmenter", segmenter)
    diagnoses = segmenter_of("--diagnosis", diagnosis)
    pictures, regions = sent.load()
    with cluster(scheduler) as executor:
        found = ablation(
            pictures,
            regions,
            codec=whole,
            links=parse_names(channel),
            snr_db=points,
            cbr=cbr_offered,
            segmenter=finder,
            diagnosis=diagnoses,
            seed=seed,
            trials=trials,
            executor=executor,
            workers=workers or cores(),
            out=where,
            progress=True,
        )
    found.table.save(where / "results.parquet")
    found.table.save(where / "results.csv")
    found.save(where / "differences.csv")
    found.plot(where / "differences.png")
    found.print()
    typer.echo(f"Results are in {where}")


@runs.command("ber")
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
    channel: Annotated[str, typer.Option(help="Links, separated by commas.")] = "awgn",
    snr: Annotated[
        str | None,
        typer.Option(
            help="E_s/N_0 in dB, start:stop:step; default: where each scheme fails now and then."
        ),
    ] = None,
    channel_uses: Annotated[int, typer.Option(min=1, help="QAM symbols of a block.")] = 2048,
    block_errors: Annotated[int, typer.Option(min=1, help="Wrong blocks that end a point.")] = 100,
    max_blocks: Annotated[int, typer.Option(min=1, help="Blocks that end a point anyhow.")] = 2000,
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/ber"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Seeds bits, fading and noise.")] = 0,
    workers: _Workers = None,
    scheduler: _Scheduler = None,
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
            links=parse_names(channel),
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


def _selection(
    images: Path | None, masks: str | None, limit: int | None, size: int | None, seed: int
) -> Selection:
    """What is sent; the first to need PyTorch, which takes seconds to load."""
    from rich.console import Console

    with Console(stderr=True).status("loading PyTorch and Sionna"):
        from scenarios.command.selection import Selection

    return Selection(images, masks, limit, size, seed)
