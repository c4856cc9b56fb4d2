"""``semcom send``: one picture through one link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.options.parsing import parse_names, parse_rate
from scenarios.options.shared import Device, Frame, Rgb


def send(
    picture: Annotated[
        Path | None, typer.Argument(help="PNG, JPEG, TIFF or DICOM; default: a chest phantom.")
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            help="File of its mask; or the segmenter that finds it, chest, angiography, dental or "
            "a file of weights; or none. Default: chest; a phantom has its own."
        ),
    ] = None,
    codecs: Annotated[
        str | None,
        typer.Option(
            "--codecs",
            "--codec",
            help="Codecs, separated by commas; default: medjscc,hevc-ldpc, with --rgb "
            "hevc-ldpc,avif-ldpc.",
        ),
    ] = None,
    link: Annotated[str, typer.Option(help="One link; semcom info lists them.")] = "ntn-tdl-c",
    snr: Annotated[float, typer.Option(help="E_s/N_0 in dB.")] = 6.0,
    cbr: Annotated[
        str, typer.Option(help="Complex channel uses per image sample (H·W·C), 1/16.")
    ] = "1/16",
    size: Annotated[
        int | None, typer.Option(min=32, help="Shrink to this longest side; a phantom: 256.")
    ] = None,
    frame: Frame = None,
    rgb: Rgb = False,
    seed: Annotated[int, typer.Option(min=0, help="Seeds fading and noise.")] = 0,
    device: Device = "cpu",
    out: Annotated[Path, typer.Option(help="Figure to draw, .png, .pdf or .svg.")] = Path(
        "sent.png"
    ),
) -> None:
    """Send one picture once: before, after, and a line of numbers for each codec."""
    offered = parse_rate(cbr)
    from rich.console import Console

    with Console(stderr=True).status("loading PyTorch and Sionna"):
        from scenarios.comparisons.send import send as sending
        from scenarios.options.selection import one_picture
    if codecs is None:
        codecs = "hevc-ldpc,avif-ldpc" if rgb else "medjscc,hevc-ldpc"
    image, region = one_picture(picture, mask, size, seed, frame, rgb)
    sent = sending(
        image,
        region,
        codecs=parse_names(codecs),
        link=link,
        snr_db=snr,
        cbr=offered,
        seed=seed,
        device=device,
    )
    sent.plot(out)
    for line in sent.lines():
        typer.echo(line)
    typer.echo(f"Drawn to {out}", err=True)
