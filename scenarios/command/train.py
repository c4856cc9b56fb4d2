"""``semcom train``: train a learned codec or a segmenter, with the loops behind shipped weights."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scenarios.engine.cores import cores

if TYPE_CHECKING:
    from semcom.training.conduct import Conduct


class _Trains(TyperGroup):
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            from channels.errors import unknown_name

            raise unknown_name("thing to train", args[0], self.commands)
        return super().resolve_command(ctx, args)


trains = typer.Typer(cls=_Trains, no_args_is_help=True)
"""The commands of ``semcom train``."""

_Device = Annotated[str, typer.Option(help="cpu or cuda.")]
_Images = Annotated[
    Path | None, typer.Option(help="Folder of training pictures, or a file of semcom pack.")
]
_Masks = Annotated[Path | None, typer.Option(help="Folder of their masks, by stem.")]
_Phantoms = Annotated[int, typer.Option(help="Phantoms of each kind (chest, dental) to train on.")]
_Size = Annotated[int | None, typer.Option(help="Longest side that larger pictures are shrunk to.")]
_Out = Annotated[
    str | None,
    typer.Option(
        metavar="PATH", help="Folder of the run, by default in runs/; the same folder resumes it."
    ),
]
_Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Weights to go on from, a file or package for the shipped ones; default: random ones. "
        "They are scored first, and weights are written only if they score better.",
    ),
]
_Shape = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        help="Learning rate: cosine (default; warm-up, then down to 1 %), constant (for runs whose "
        "end is open), or decay (down to 1 % at once, for the run after a constant one).",
    ),
]
_Optimizer = Annotated[str | None, typer.Option(help="adam (default) or soap.")]
_Averaging = Annotated[
    float | None,
    typer.Option(help="Decay of the average of the weights; 0.998, for long runs 0.999 and more."),
]
_Seconds = Annotated[
    float | None,
    typer.Option(help="Stop after about so many, with a checkpoint; the same command goes on."),
]
_LogSeconds = Annotated[
    float, typer.Option(help="At most so many between log lines with validation and checkpoint.")
]
_Threads = Annotated[int, typer.Option(min=1, help="Processor threads, at most one per core.")]
_Nice = Annotated[
    int, typer.Option(min=0, max=19, help="Let other processes go first: 19 all of them.")
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
        learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 6e-4,
        seed: Annotated[int, typer.Option(help="Seed of initial weights, crops and links.")] = 0,
        weights: _Weights = None,
        schedule: _Shape = None,
        optimizer: _Optimizer = None,
        averaging: _Averaging = None,
        seconds: _Seconds = None,
        log_seconds: _LogSeconds = 180.0,
        threads: _Threads = 1,
        nice: _Nice = 0,
        device: _Device = "cpu",
        out: _Out = None,
    ) -> None:
        began_s = time.monotonic()
        from dataclasses import replace

        import torch

        from channels.errors import check_count
        from semcom.catalogue import begun, learned
        from semcom.training import default_plan
        from semcom.training import train as run
        from semcom.training.samples import load_samples, split

        _check_device(device)
        conduct = _conduct(
            began_s, seconds, log_seconds, weights, schedule, optimizer, averaging, threads, nice
        )
        check_count("--phantoms", phantoms, 0, _MOST_PHANTOMS)
        folder = _folder(out, codec)
        plan = replace(default_plan(codec, steps, seed), crop=crop, learning_rate=learning_rate)
        if batch is not None:
            plan = replace(plan, batch=batch)
        torch.manual_seed(plan.seed)
        model = learned(codec) if weights is None else begun(codec, weights)
        training, validation = split(load_samples(images, masks, phantoms, size))
        with _carried_out(codec, steps, conduct) as on_step:
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
    weights: _Weights = None,
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
    schedule: _Shape = None,
    optimizer: _Optimizer = None,
    averaging: _Averaging = None,
    seconds: _Seconds = None,
    log_seconds: _LogSeconds = 180.0,
    threads: _Threads = 1,
    nice: _Nice = 0,
    device: _Device = "cpu",
    out: _Out = None,
) -> None:
    """Train medjscc stage by stage: entropy model, transforms, all through random links."""
    began_s = time.monotonic()
    import torch

    from channels import InputError
    from channels.errors import check_count
    from semcom.catalogue import begun
    from semcom.training.medjscc import train_medjscc
    from semcom.training.medjscc.config import read_config
    from semcom.training.samples import load_samples, split

    _check_device(device)
    conduct = _conduct(
        began_s, seconds, log_seconds, weights, schedule, optimizer, averaging, threads, nice
    )
    check_count("--phantoms", phantoms, 0, _MOST_PHANTOMS)
    folder = _folder(out, "medjscc")
    if not 0 <= seed < 2**40:
        raise InputError(f"seed must lie in 0..2^40-1, got {seed}")
    torch.manual_seed(seed)
    codec, stages = read_config(config, seed)
    if weights is not None:
        given = begun("medjscc-small" if config == "small" else "medjscc", weights)
        if not isinstance(given, type(codec)) or given.config() != codec.config():
            raise InputError(
                f"{weights} holds {given.config()}, the configuration asks for {codec.config()}"
            )
        codec = given
    training, validation = split(load_samples(images, masks, phantoms, size))
    with _carried_out("medjscc", sum(stage.steps for stage in stages), conduct) as on_step:
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
        Path | None,
        typer.Option(
            help="Folder with images/ and masks/, these by stem, or a file of semcom pack."
        ),
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Folder or packed file of more pictures, without masks.")
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
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
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
    weights: _Weights = None,
    schedule: _Shape = None,
    optimizer: _Optimizer = None,
    averaging: _Averaging = None,
    seconds: _Seconds = None,
    log_seconds: _LogSeconds = 180.0,
    threads: _Threads = 1,
    nice: _Nice = 0,
    device: _Device = "cpu",
    out: _Out = None,
) -> None:
    """Train a segmenter from few labels and many pictures.

    Of the masks, some are set apart to choose the best weights by, a share is trained with, and
    the pictures of the rest are used without.
    """
    began_s = time.monotonic()
    from channels import InputError
    from channels.errors import shown
    from semcom.catalogue import PACKAGE
    from semcom.catalogue import segmenter as segmenter_of
    from semcom.data.packed import is_packed
    from semcom.segmentation import UNetSegmenter
    from semcom.training.samples import load_samples, phantom_samples
    from semcom.training.segmentation import SegmenterPlan, few_labels, train_segmenter

    _check_device(device)
    conduct = _conduct(
        began_s, seconds, log_seconds, weights, schedule, optimizer, averaging, threads, nice
    )
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
        if is_packed(data):
            samples = load_samples(data)
        else:
            for part in ("images", "masks"):
                if not (data / part).is_dir():
                    raise InputError(f"--data {data} has no folder {part}: put them side by side")
            samples = load_samples(data / "images", data / "masks")
        few = few_labels(samples, labelled, validation, seed)
        few = few._replace(labelled=[*few.labelled, *drawn])
    more = [] if unlabelled is None else [image for image, _ in load_samples(unlabelled)]
    first: UNetSegmenter | None = None
    if weights is not None:
        begun = segmenter_of(task, None if weights == PACKAGE else weights)
        if not isinstance(begun, UNetSegmenter):
            raise InputError(
                f"segmenter {task!r} has no weights to go on from: leave --weights out"
            )
    typer.echo(
        f"{len(few.labelled)} labelled, {len(few.unlabelled) + len(more)} unlabelled pictures, "
        f"{len(few.validation)} to choose weights by"
    )
    with _carried_out(f"{task} segmenter, {method}", steps, conduct) as on_step:
        train_segmenter(
            task,
            few.labelled,
            [*few.unlabelled, *more],
            plan,
            folder,
            validation=few.validation,
            device=device,
            on_step=on_step,
            first=first,
        )
    typer.echo(f"weights: {folder / 'segmenter.safetensors'}, log: {folder / 'log.csv'}")


def _conduct(
    began_s: float,
    seconds: float | None,
    log_seconds: float,
    weights: str | None,
    schedule: str | None,
    optimizer: str | None,
    averaging: float | None,
    threads: int,
    nice: int,
) -> Conduct:
    """What these options ask of the loop; threads and priority are set for this process."""
    import torch

    from channels.errors import check_number
    from semcom.training.conduct import Conduct
    from semcom.training.schedule import Schedule

    asked = {"shape": schedule, "optimizer": optimizer, "averaging": averaging}
    changes = {name: value for name, value in asked.items() if value is not None}
    Schedule(**changes)  # type: ignore[arg-type]
    if seconds is not None:
        check_number("--seconds", seconds, 1e-9, 1e9)
    check_number("--log-seconds", log_seconds, 1e-9, 1e9)
    torch.set_num_threads(min(threads, cores()))
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    return Conduct(seconds, log_seconds, weights is not None, changes, began_s=began_s)


@contextmanager
def _carried_out(
    title: str, steps: int, conduct: Conduct
) -> Iterator[Callable[[int, float], None]]:
    """Train inside the block: report, listen to signals; end the command where it is stopped."""
    from scenarios.engine.progress import training_progress
    from semcom.training.conduct import Stopped, conducted

    try:
        with (
            training_progress(title, steps) as (on_step, conduct.say),
            conducted(conduct),
            conduct.listening(),
        ):
            yield on_step
    except Stopped as stopped:
        typer.echo(str(stopped), err=True)
        if conduct.heard == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise typer.Exit(0 if conduct.heard is None else 128 + conduct.heard) from None


def _folder(out: str | None, name: str) -> Path:
    """The folder of a run: the one that was asked for, or one of this name in runs/."""
    from semcom.training.loop import check_folder

    return check_folder(f"runs/{name}" if out is None else out)


def _check_device(device: str) -> None:
    import torch

    from channels import InputError

    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise InputError(f"device {device!r} is not there: use --device cpu")
