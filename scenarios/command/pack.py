"""``semcom pack``: pictures and masks in one file, to be trained on elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.options.shared import Frame, SkipUnreadable
from scenarios.options.telling import tell


def pack(
    images: Annotated[Path, typer.Option(help="Folder of pictures.")],
    masks: Annotated[Path | None, typer.Option(help="Folder of their masks, by stem.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Longest side that larger pictures are shrunk to.")
    ] = None,
    frame: Frame = None,
    skip_unreadable: SkipUnreadable = False,
    max_mb: Annotated[
        float, typer.Option(help="Largest size of the file, in MB; all pictures shrink to fit it.")
    ] = 60.0,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file, .safetensors.")] = Path(
        "data.safetensors"
    ),
) -> None:
    """Pack pictures, 8 bits a pixel, and masks, 1 bit, into a file; --images of train takes it."""
    from semcom.data import pack as write
    from semcom.training.samples import load_samples

    samples = load_samples(
        images, masks, size=size, frame=frame, skip_unreadable=skip_unreadable, tell=tell
    )
    share = write(samples, out, max_mb)
    masked = sum(mask is not None for _, mask in samples)
    how = "not shrunk" if share == 1 else f"shrunk to {share:g} of their sides"
    finer = sum(bool(((image * 255).frac() - 0.5).abs().min() < 0.499) for image, _ in samples)
    if finer:
        how += f"; {finer} had finer grey values than 8 bits, rounded"
    megabytes = out.stat().st_size / 1e6
    typer.echo(f"{out}: {len(samples)} pictures, {masked} with masks, {megabytes:.1f} MB; {how}")
