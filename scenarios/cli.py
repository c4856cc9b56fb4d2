"""``semcom run snr``, ``semcom train``, ``semcom info``.

Commands import PyTorch inside their functions, so that ``semcom --help`` is quick. A command of
another module joins with ``app.command()(function)``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from scenarios.options import parse_mcs, parse_names, parse_rate, parse_snr
from scenarios.train_command import trains

app = typer.Typer(
    help="Compare learned and classical image transmission over satellite links.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
runs = typer.Typer(help="Run a scenario: who is compared with whom, over what.")
app.add_typer(runs, name="run", no_args_is_help=True)
app.add_typer(trains, name="train")

_UsageError: type[Any] = typer.BadParameter.__mro__[1]


@runs.callback()
def _scenarios() -> None:
    """Run a scenario: who is compared with whom, over what."""


@runs.command("snr")
def run_snr(
    images: Annotated[
        Path | None, typer.Option(help="Folder of PNG, JPEG, TIFF or DICOM; default: phantoms.")
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            help="Folder of masks, named as images; or the segmenter that finds them, chest, "
            "angiography, dental or a file of weights; or none. Default: chest; phantoms have "
            "their own."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first pictures only.")] = None,
    size: Annotated[
        int | None, typer.Option(min=32, help="Shrink to this longest side; phantoms: 256.")
    ] = None,
    codecs: Annotated[
        str | None,
        typer.Option(
            "--codecs",
            "--codec",
            help="Names of codecs (hevc-ldpc) and bounds (hevc-capacity: the same image coder, an "
            "ideal code), separated by commas; semcom info lists both; default: all codecs.",
        ),
    ] = None,
    mcs: Annotated[
        str,
        typer.Option(
            help="Curves of each separate codec: auto, the MCS adapted to SNR and link, and "
            "indices to hold; auto,4,13."
        ),
    ] = "auto",
    channel: Annotated[str, typer.Option(help="Links, separated by commas.")] = "ntn-tdl-c",
    snr: Annotated[str, typer.Option(help="E_s/N_0 in dB, start:stop:step.")] = "0:12:2",
    cbr: Annotated[str, typer.Option(help="Complex channel uses per pixel, 1/16 or 0.0625.")] = (
        "1/16"
    ),
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder of the results.")] = (
        "results/snr"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Seeds phantoms, fading and noise.")] = 0,
    trials: Annotated[
        int, typer.Option(min=1, help="Draws of fading and noise per picture and point.")
    ] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one per core.")
    ] = None,
) -> None:
    """Picture quality against SNR, at one rate, for every codec over every link.

    Prints the table and writes results.parquet, results.csv, curves with 95 % bands and a panel
    of pictures. A second run finds finished points in the same folder.
    """
    rate, points, schemes = parse_rate(cbr), parse_snr(snr), parse_mcs(mcs)
    from rich.console import Console

    with Console(stderr=True).status("loading PyTorch and Sionna"):
        from scenarios.command import Request, run

    run(
        Request(
            images=images,
            masks=masks,
            limit=limit,
            size=size,
            codecs=None if codecs is None else parse_names(codecs),
            mcs=schemes,
            links=parse_names(channel),
            snr_db=points,
            cbr=rate,
            out=out,
            seed=seed,
            trials=trials,
            workers=workers or os.cpu_count() or 1,
        )
    )


@app.command()
def info() -> None:
    """Print versions, and the codecs, bounds, segmenters and links there are."""
    from rich.console import Console
    from rich.text import Text

    import channels
    from scenarios.sweep import versions
    from semcom.catalogue import bounds, codecs, segmenters

    console = Console()
    for title, entries in (
        ("versions", {**versions(), "python": sys.version.split()[0]}),
        ("codecs", codecs()),
        ("bounds", bounds()),
        ("segmenters", segmenters()),
        ("links", channels.links()),
    ):
        console.print(Text(title, style="bold"))
        for name, meaning in entries.items():
            console.print(Text(f"  {name:<22} {meaning}"))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process.

    Args:
        arguments: without the program's name; ``None`` means those of the process.

    Raises:
        SystemExit: with code 0; 2 and one line on the standard error stream where an input cannot
            be used; 130 after Ctrl-C.
    """
    try:
        code = typer.main.get_command(app).main(
            args=arguments, prog_name="semcom", standalone_mode=False
        )
    except _UsageError as error:
        _fail(str(error.format_message()))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))
    except ValueError as error:
        from channels import InputError

        if not isinstance(error, InputError):
            raise
        _fail(str(error))
    if code == 130:
        print("semcom: interrupted; what was finished is kept, run again to go on", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> NoReturn:
    if message:
        print("semcom: error:", " ".join(message.split()), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
