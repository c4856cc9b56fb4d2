"""``semcom train``: train a learned codec with the loop and the plan behind the shipped weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    codec: Annotated[str, typer.Argument(help="medjscc or deepjscc")],
    images: Annotated[Path | None, typer.Option(help="Folder of training pictures.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of their masks, by stem.")] = None,
    phantoms: Annotated[
        int, typer.Option(help="Phantoms of each kind (chest, dental) to train on.")
    ] = 100,
    size: Annotated[
        int | None, typer.Option(help="Longest side that larger pictures are shrunk to.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 12_000,
    batch: Annotated[int, typer.Option(help="Crops per step.")] = 16,
    crop: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate of Adam.")] = 6e-4,
    seed: Annotated[int, typer.Option(help="Seed of initial weights, crops and links.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; the same folder resumes it.")
    ] = None,
) -> None:
    """Train a learned codec; stopped and started again, it goes on from its last checkpoint."""
    from dataclasses import replace

    import torch

    from channels import InputError
    from scenarios.progress import training_progress
    from semcom.catalogue import learned
    from semcom.medjscc import MedJSCC
    from semcom.samples import load_samples, split
    from semcom.training import default_plan
    from semcom.training import train as run

    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"device {device!r} is not there: use --device cpu")
    if phantoms < 0:
        raise InputError(f"--phantoms must not be negative, got {phantoms}")
    plan = replace(
        default_plan(codec, steps, seed), batch=batch, crop=crop, learning_rate=learning_rate
    )
    torch.manual_seed(plan.seed)
    model = learned(codec)
    training, validation = split(load_samples(images, masks, phantoms, size))
    if isinstance(model, MedJSCC):
        model.calibrate_on(training)
    folder = out or Path("runs") / codec
    with training_progress(codec, steps) as on_step:
        run(model, training, plan, folder, validation=validation, device=device, on_step=on_step)
    typer.echo(f"weights: {folder / codec}.safetensors, log: {folder / 'log.csv'}")
