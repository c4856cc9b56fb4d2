"""``semcom train``: codecs, segmenters, bit allocation, with the loops behind shipped weights."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scenarios.options.shared import Frame, SkipUnreadable, grouped
from scenarios.options.telling import tell
from scenarios.options.training import (
    MOST_PHANTOMS,
    Course,
    Data,
    Diagnosed,
    PaintedOptions,
    PolicyOptions,
    SegmenterOptions,
)

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


@trains.callback()
def _train() -> None:
    """Train a codec, segmenter or policy; stopped and started again, it goes on from there."""


def _codec(codec: str) -> Callable[..., None]:
    @grouped
    def train(
        *,
        data: Data,
        steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 12_000,
        batch: Annotated[int | None, typer.Option(help="Crops per step; 16, ntscc 8.")] = None,
        crop: Annotated[int, typer.Option(help="Side of a crop in pixels.")] = 128,
        learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 6e-4,
        seed: Annotated[int, typer.Option(help="Seed of initial weights, crops and links.")] = 0,
        course: Course,
    ) -> None:
        began_s = time.monotonic()
        import torch

        from semcom.catalogue import begun, learned
        from semcom.training import default_plan
        from semcom.training import train as run

        conduct = course.conduct(began_s)
        data.check()
        folder = course.folder(codec)
        plan = replace(default_plan(codec, steps, seed), crop=crop, learning_rate=learning_rate)
        if batch is not None:
            plan = replace(plan, batch=batch)
        torch.manual_seed(plan.seed)
        model = learned(codec) if course.weights is None else begun(codec, course.weights)
        training, validation = data.load()
        with _carried_out(codec, steps, conduct) as on_step:
            run(
                model,
                training,
                plan,
                folder,
                validation=validation,
                device=course.device,
                on_step=on_step,
            )
        typer.echo(f"weights: {folder / codec}.safetensors, log: {folder / 'log.csv'}")

    return train


for _name in ("deepjscc", "adjscc", "ntscc"):
    trains.command(_name, help=f"Train {_name} through random links.")(_codec(_name))


@trains.command()
@grouped
def medjscc(
    *,
    config: Annotated[
        str, typer.Option(help=r"base, small, or a TOML file with \[codec] and \[\[stages]].")
    ] = "base",
    data: Data,
    mixed_precision: Annotated[
        bool | None,
        typer.Option(
            help="Compute in bfloat16; default: on a GPU. On a CPU without AVX-512 BF16 it is slow."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of initial weights and all draws.")] = 0,
    course: Course,
) -> None:
    """Train medjscc stage by stage: entropy model, transforms, all through random links."""
    began_s = time.monotonic()
    import torch

    from channels import InputError
    from semcom.catalogue import begun
    from semcom.training.medjscc import train_medjscc
    from semcom.training.medjscc.config import read_config

    conduct = course.conduct(began_s)
    data.check()
    folder = course.folder("medjscc")
    if not 0 <= seed < 2**40:
        raise InputError(f"seed must lie in 0..2^40-1, got {seed}")
    torch.manual_seed(seed)
    codec, stages = read_config(config, seed)
    if course.weights is not None:
        given = begun("medjscc-small" if config == "small" else "medjscc", course.weights)
        if not isinstance(given, type(codec)) or given.config() != codec.config():
            asked = f"the configuration asks for {codec.config()}"
            raise InputError(f"{course.weights} holds {given.config()}, {asked}")
        codec = given
    training, validation = data.load()
    with _carried_out("medjscc", sum(stage.steps for stage in stages), conduct) as on_step:
        train_medjscc(
            codec,
            training,
            stages,
            folder,
            validation=validation,
            device=course.device,
            mixed_precision=course.device != "cpu" if mixed_precision is None else mixed_precision,
            on_step=on_step,
        )
    typer.echo(f"weights: {folder / 'medjscc.safetensors'}, logs: {folder}/*/log.csv")


@trains.command()
@grouped
def segmenter(
    *,
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
    labelled: Annotated[
        float, typer.Option(help="Share of the masks that is trained with; 0.1 for a tenth.")
    ] = 1.0,
    validation: Annotated[
        float, typer.Option(help="Share of the masks set apart to choose the weights by.")
    ] = 0.1,
    decoded: Annotated[
        int,
        typer.Option(
            min=0, max=100, help="Copies of each labelled picture as codecs deliver it, beside it."
        ),
    ] = 0,
    frame: Frame = None,
    skip_unreadable: SkipUnreadable = False,
    plan: SegmenterOptions,
    course: Course,
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
    from semcom.training.segmentation.decoded import decoded as decoded_copies

    read = partial(load_samples, frame=frame, skip_unreadable=skip_unreadable, tell=tell)
    conduct = course.conduct(began_s)
    segmenter_plan = SegmenterPlan(**asdict(plan))
    kind, _, count = (phantoms or "chest").partition(":")
    if count.isdecimal() and float(count) > MOST_PHANTOMS:
        raise InputError(f"--phantoms may be {MOST_PHANTOMS} at most, got {shown(phantoms)}")
    task = kind if task is None else task
    folder = course.folder(f"segmenter-{task}")
    drawn = [] if phantoms is None else phantom_samples(phantoms, 2 * plan.longest_side)
    if data is None:
        if not drawn:
            raise InputError("nothing to train on: give --data or --phantoms")
        few = few_labels(drawn, labelled, validation, plan.seed)
    else:
        if is_packed(data):
            samples = read(data)
        else:
            for part in ("images", "masks"):
                if not (data / part).is_dir():
                    raise InputError(f"--data {data} has no folder {part}: put them side by side")
            samples = read(data / "images", data / "masks")
        few = few_labels(samples, labelled, validation, plan.seed)
        few = few._replace(labelled=[*few.labelled, *drawn])
    few = few._replace(
        labelled=[*few.labelled, *decoded_copies(few.labelled, decoded, plan.seed)],
        validation=[*few.validation, *decoded_copies(few.validation, min(decoded, 1), plan.seed)],
    )
    more = [] if unlabelled is None else [image for image, _ in read(unlabelled)]
    first: UNetSegmenter | None = None
    if course.weights is not None:
        begun = segmenter_of(task, None if course.weights == PACKAGE else course.weights)
        if not isinstance(begun, UNetSegmenter):
            raise InputError(f"segmenter {task!r} has no weights of ours: leave --weights out")
        first = begun
    typer.echo(
        f"{len(few.labelled)} labelled, {len(few.unlabelled) + len(more)} unlabelled pictures, "
        f"{len(few.validation)} to choose weights by"
    )
    with _carried_out(f"{task} segmenter, {plan.method}", plan.steps, conduct) as on_step:
        train_segmenter(
            task,
            few.labelled,
            [*few.unlabelled, *more],
            segmenter_plan,
            folder,
            validation=few.validation,
            device=course.device,
            on_step=on_step,
            first=first,
        )
    typer.echo(f"weights: {folder / 'segmenter.safetensors'}, log: {folder / 'log.csv'}")


@trains.command()
@grouped
def dmic(*, data: Diagnosed, policy: PolicyOptions, course: Course) -> None:
    """Train a bit allocation policy for HEVC, or transfer one to a picture and its mask.

    Of each kind of pictures one in eight, six at most, is set apart to choose the weights by; a
    transfer goes on from the shipped weights or --weights, and the last average is what comes out.
    """
    began_s = time.monotonic()
    from channels import InputError
    from semcom.catalogue import PACKAGE
    from semcom.dmic import Policy, shipped
    from semcom.training.dmic.teach import train_policy

    transfer = bool(data.transfer)
    if transfer and course.weights is None:
        course = replace(course, weights=PACKAGE)
    conduct = course.conduct(began_s)
    if course.device != "cpu":
        raise InputError("policies learn where images are coded, on the CPU: leave --device out")
    data.check()
    plan = policy.plan(transfer)
    folder = course.folder("dmic-transfer" if transfer else "dmic")
    first = None
    if course.weights is not None:
        first = shipped() if course.weights == PACKAGE else Policy.load(course.weights)
    training, validation = data.load()
    with _carried_out("dmic", plan.steps, conduct) as on_step:
        train_policy(training, plan, folder, validation=validation, first=first, on_step=on_step)
    typer.echo(f"weights: {folder / 'policy.safetensors'}, log: {folder / 'log.csv'}")


@trains.command()
@grouped
def generator(*, painted: PaintedOptions, course: Course) -> None:
    """Train the generator that paints what lies around the key region, and the words for it.

    One picture in 60 is set apart to score by.
    """
    began_s = time.monotonic()
    from channels import InputError
    from semcom.catalogue import PACKAGE
    from semcom.generative.generator import Generator, shipped
    from semcom.generative.learned_captioner import shipped_captioner
    from semcom.training.generator import train_generator

    conduct = course.conduct(began_s)
    if course.device != "cpu":
        raise InputError("generators are trained on the CPU so far: leave --device out")
    plan, folder = painted.plan(), course.folder("generator")
    first = captioner = None
    if painted.lora and course.weights is None:
        course = replace(course, weights=PACKAGE)
    if course.weights is not None:
        first = shipped() if course.weights == PACKAGE else Generator.load(course.weights)
        if painted.lora:
            first = painted.adapted(first)
        if course.weights == PACKAGE:
            captioner = shipped_captioner(painted.kind)
    scenes, validation = painted.load()
    with _carried_out("generator", plan.steps, conduct) as on_step:
        train_generator(
            scenes,
            plan,
            folder,
            validation=validation,
            first=first,
            captioner=captioner,
            on_step=on_step,
        )
    weights = f"{folder / 'generator.safetensors'} and {folder / 'captioner.safetensors'}"
    typer.echo(f"weights: {weights}, log: {folder / 'log.csv'}")


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
