"""``semcom train``: train a learned codec or a segmenter, with the loops behind shipped weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _Trains(TyperGroup):
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            from channels.errors import unknown_name

            raise unknown_name("thing to train", args[0], self.commands)
        return super().resolve_command(ctx, args)


trains = typer.Typer(cls=_Trains, no_args_is_help=True)
"""The commands of ``semcom train``."""

_Device = Annotated[str, typer.Option(help="cpu or cuda.")]
_Images = Annotated[Path | None, typer.Option(help="Folder of training pictures.")]
_Masks = Annotated[Path | None, typer.Option(help="Folder of their masks, by stem.")]
_Phantoms = Annotated[int, typer.Option(help="Phantoms of each kind (chest, dental) to train on.")]
_Size = Annotated[int | None, typer.Option(help="Longest side that larger pictures are shrunk to.")]
_Out = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="Folder of the run, by default in runs/; the same folder resumes it."
    ),
]
_MOST_PHANTOMS = 100_000


@trains.callback()
def _train() -> None:
    """Train a codec or a segmenter; stopped and started again, it goes on from its checkpoint."""


def _codec(codec: str) -> Callable[..., None]:
    def train(
        images: _Images = None,
        masks: _Masks = None,
        phantoms: _Phantoms = 100,
        size: _Size = None,
        steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 12_000,
        batch: Annotated[int | None, typer.Option(help="Crops per step; 16, ntscc 8.")] = None,
        crop: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 128,
        learning_rate: Annotated[float, typer.Option(help="Peak learning rate of Adam.")] = 6e-4,
        seed: Annotated[int, typer.Option(help="Seed of initial weights, crops and links.")] = 0,
        device: _Device = "cpu",
        out: _Out = None,
    ) -> None:
        from dataclasses import replace

        import torch

        from channels.errors import check_count
        from scenarios.progress import training_progress
        from semcom.catalogue import learned
        from semcom.samples import load_samples, split
        from semcom.training import default_plan
        from semcom.training import train as run

        _check_device(device)
        check_count("--phantoms", phantoms, 0, _MOST_PHANTOMS)
        folder = _folder(out, codec)
        plan = replace(default_plan(codec, steps, seed), crop=crop, learning_rate=learning_rate)
        if batch is not None:
            plan = replace(plan, batch=batch)
        torch.manual_seed(plan.seed)
        model = learned(codec)
        training, validation = split(load_samples(images, masks, phantoms, size))
        with training_progress(codec, steps) as on_step:
            run(
                model, training, plan, folder, validation=validation, device=device, on_step=on_step
            )
        typer.echo(f"weights: {folder / codec}.safetensors, log: {folder / 'log.csv'}")

    return train


for _name in ("deepjscc", "adjscc", "ntscc"):
    trains.command(_name, help=f"Train {_name} through random links.")(_codec(_name))


@trains.command()
def medjscc(
    config: Annotated[
        str, typer.Option(help=r"base, small, or a TOML file with \[codec] and \[\[stages]].")
    ] = "base",
    weights: Annotated[
        Path | None, typer.Option(help="Weights to go on from; default: random ones.")
    ] = None,
    images: _Images = None,
    masks: _Masks = None,
    phantoms: _Phantoms = 100,
    size: _Size = None,
    mixed_precision: Annotated[
        bool | None,
        typer.Option(
            help="Compute in bfloat16; default: on a GPU. On a CPU without AVX-512 BF16 it is slow."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of initial weights and all draws.")] = 0,
    device: _Device = "cpu",
    out: _Out = None,
) -> None:
    """Train medjscc stage by stage: entropy model, transforms, all through random links."""
    import torch

    from channels import InputError
    from channels.errors import check_count
    from scenarios.progress import training_progress
    from semcom.medjscc import MedJSCC
    from semcom.samples import load_samples, split
    from semcom.training.config import read_config
    from semcom.training.medjscc import train_medjscc

    _check_device(device)
    check_count("--phantoms", phantoms, 0, _MOST_PHANTOMS)
    folder = _folder(out, "medjscc")
    if not 0 <= seed < 2**40:
        raise InputError(f"seed must lie in 0..2^40-1, got {seed}")
    torch.manual_seed(seed)
    codec, stages = read_config(config, seed)
    if weights is not None:
        begun = MedJSCC.load(weights)
        if begun.config() != codec.config():
            raise InputError(
                f"{weights} holds {begun.config()}, the configuration asks for {codec.config()}"
            )
        codec = begun.requires_grad_(True)
    training, validation = split(load_samples(images, masks, phantoms, size))
    with training_progress("medjscc", sum(stage.steps for stage in stages)) as on_step:
        train_medjscc(
            codec,
            training,
            stages,
            folder,
            validation=validation,
            device=device,
            mixed_precision=device != "cpu" if mixed_precision is None else mixed_precision,
            on_step=on_step,
        )
    typer.echo(f"weights: {folder / 'medjscc.safetensors'}, logs: {folder}/*/log.csv")


@trains.command()
def segmenter(
    data: Annotated[
        Path | None, typer.Option(help="Folder with images/ and masks/, these by stem.")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Folder of more pictures, without masks.")
    ] = None,
    phantoms: Annotated[
        str | None,
        typer.Option(
            help="Phantoms with masks to train on, KIND:COUNT; dental:200. With --data, which "
            "alone the weights are then chosen by, or without."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="What the masks show; default: the kind of the phantoms, or chest."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="supervised, mean-teacher, bcp, self-training or transmedseg.")
    ] = "transmedseg",
    labelled: Annotated[
        float, typer.Option(help="Share of the masks that is trained with; 0.1 for a tenth.")
    ] = 1.0,
    validation: Annotated[
        float, typer.Option(help="Share of the masks set apart to choose the weights by.")
    ] = 0.1,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 2000,
    batch: Annotated[int, typer.Option(help="Labelled pictures a step; as many unlabelled.")] = 4,
    longest_side: Annotated[
        int, typer.Option(help="Pixels that larger pictures are shrunk to, a multiple of 32.")
    ] = 256,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate of Adam.")] = 2e-3,
    width: Annotated[int, typer.Option(help="Channels of the U-Net's finest level.")] = 16,
    turn_deg: Annotated[float, typer.Option(help="Largest random turn, either way.")] = 15.0,
    zoom: Annotated[float, typer.Option(help="Largest random change of scale, a share.")] = 0.25,
    bend: Annotated[float, typer.Option(help="Random bending, a share of half the side.")] = 0.0,
    stretch: Annotated[
        float, typer.Option(help="Largest change of width over height, in octaves.")
    ] = 0.0,
    mixed_precision: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = True,
    seed: Annotated[
        int, typer.Option(help="Seed of initial weights, choice of labels and draws.")
    ] = 0,
    device: _Device = "cpu",
    out: _Out = None,
) -> None:
    """Train a segmenter from few labels and many pictures.

    Of the masks, some are set apart to choose the best weights by, a share is trained with, and
    the pictures of the rest are used without.
    """
    from channels import InputError
    from channels.errors import shown
    from scenarios.progress import training_progress
    from semcom.data import load_folder
    from semcom.samples import load_samples, phantom_samples
    from semcom.segmentation.few_labels import few_labels
    from semcom.segmentation.training import SegmenterPlan, train_segmenter

    _check_device(device)
    plan = SegmenterPlan(
        method=method,
        steps=steps,
        batch=batch,
        longest_side=longest_side,
        learning_rate=learning_rate,
        width=width,
        turn_deg=turn_deg,
        zoom=zoom,
        bend=bend,
        stretch=stretch,
        mixed_precision=mixed_precision,
        seed=seed,
    )
    kind, _, count = (phantoms or "chest").partition(":")
    if count.isdecimal() and float(count) > _MOST_PHANTOMS:
        raise InputError(f"--phantoms may be {_MOST_PHANTOMS} at most, got {shown(phantoms)}")
    task = kind if task is None else task
    folder = _folder(out, f"segmenter-{task}")
    drawn = [] if phantoms is None else phantom_samples(phantoms, 2 * longest_side)
    if data is None:
        if not drawn:
            raise InputError("nothing to train on: give --data or --phantoms")
        few = few_labels(drawn, labelled, validation, seed)
    else:
        for part in ("images", "masks"):
            if not (data / part).is_dir():
                raise InputError(f"--data {data} has no folder {part}: put them side by side")
        samples = load_samples(data / "images", data / "masks")
        few = few_labels(samples, labelled, validation, seed)
        few = few._replace(labelled=[*few.labelled, *drawn])
    more = [] if unlabelled is None else list(load_folder(unlabelled)[0])
    typer.echo(
        f"{len(few.labelled)} labelled, {len(few.unlabelled) + len(more)} unlabelled pictures, "
        f"{len(few.validation)} to choose weights by"
    )
    with training_progress(f"{task} segmenter, {method}", steps) as on_step:
        train_segmenter(
            task,
            few.labelled,
            [*few.unlabelled, *more],
            plan,
            folder,
            validation=few.validation,
            device=device,
            on_step=on_step,
        )
    typer.echo(f"weights: {folder / 'segmenter.safetensors'}, log: {folder / 'log.csv'}")


def _folder(out: str | None, name: str) -> Path:
    """The folder of a run: the one that was asked for, or one of this name in runs/."""
    from semcom.training.loop import check_folder

    return check_folder(f"runs/{name}" if out is None else out)


def _check_device(device: str) -> None:
    import torch

    from channels import InputError

    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"device {device!r} is not there: use --device cpu")
