"""Options of ``semcom train``, each declared once: what is trained on, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.engine.cores import cores
from scenarios.options.shared import Frame, SkipUnreadable
from scenarios.options.telling import tell

if TYPE_CHECKING:
    from semcom.training.conduct import Conduct
    from semcom.training.crops import Sample

MOST_PHANTOMS = 100_000


@dataclass(frozen=True)
class Data:
    """What a codec is trained on."""

    images: Annotated[
        Path | None, typer.Option(help="Folder of training pictures, or a file of semcom pack.")
    ] = None
    masks: Annotated[Path | None, typer.Option(help="Folder of their masks, by stem.")] = None
    phantoms: Annotated[
        int, typer.Option(help="Phantoms of each kind (chest, dental) to train on.")
    ] = 100
    size: Annotated[
        int | None, typer.Option(help="Longest side that larger pictures are shrunk to.")
    ] = None
    frame: Frame = None
    skip_unreadable: SkipUnreadable = False

    def check(self) -> None:
        """Refuse a number of phantoms that is none.

        Raises:
            InputError: told to the user.
        """
        from channels.errors import check_count

        check_count("--phantoms", self.phantoms, 0, MOST_PHANTOMS)

    def load(self) -> tuple[list[Sample], list[Sample]]:
        """Samples to train on, and those set apart to validate on."""
        from semcom.training.samples import load_samples, split

        samples = load_samples(
            self.images,
            self.masks,
            self.phantoms,
            self.size,
            frame=self.frame,
            skip_unreadable=self.skip_unreadable,
            tell=tell,
        )
        return split(samples)


@dataclass(frozen=True)
class Course:
    """How a training is carried out, whatever is trained."""

    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Weights to go on from, a file or package for the shipped ones; default: random "
            "ones. They are scored first, and weights are written only if they score better.",
        ),
    ] = None
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Learning rate: cosine (default; warm-up, then down to 1 %), constant (for runs "
            "whose end is open), or decay (down to 1 % at once, for the run after a constant one).",
        ),
    ] = None
    optimizer: Annotated[str | None, typer.Option(help="adam (default) or soap.")] = None
    averaging: Annotated[
        float | None,
        typer.Option(
            help="Decay of the average of the weights; 0.998, for long runs 0.999 and more."
        ),
    ] = None
    seconds: Annotated[
        float | None,
        typer.Option(help="Stop after about so many, with a checkpoint; the same command goes on."),
    ] = None
    log_seconds: Annotated[
        float,
        typer.Option(help="At most so many between log lines with validation and checkpoint."),
    ] = 180.0
    threads: Annotated[
        int, typer.Option(min=1, help="Processor threads, at most one per core.")
    ] = 1
    nice: Annotated[
        int, typer.Option(min=0, max=19, help="Let other processes go first: 19 all of them.")
    ] = 0
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu"
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Folder of the run, by default in runs/; the same folder resumes it.",
        ),
    ] = None

    def conduct(self, began_s: float) -> Conduct:
        """What is asked of the loop; threads and priority are set for this process.

        Raises:
            InputError: if an option does not fit.
        """
        import torch

        from channels.errors import check_number
        from channels.surroundings import check_device
        from semcom.training.conduct import Conduct
        from semcom.training.schedule import Schedule

        check_device(self.device)
        asked = {
            "shape": self.schedule,
            "optimizer": self.optimizer,
            "averaging": self.averaging,
        }
        changes = {name: value for name, value in asked.items() if value is not None}
        Schedule(**changes)  # type: ignore[arg-type]
        if self.seconds is not None:
            check_number("--seconds", self.seconds, 1e-9, 1e9)
        check_number("--log-seconds", self.log_seconds, 1e-9, 1e9)
        torch.set_num_threads(min(self.threads, cores()))
        if self.nice and hasattr(os, "nice"):
            os.nice(self.nice)
        goes_on = self.weights is not None
        return Conduct(self.seconds, self.log_seconds, goes_on, changes, began_s=began_s)

    def folder(self, name: str) -> Path:
        """The folder of a run: the one that was asked for, or one of this name in runs/."""
        from semcom.training.loop import check_folder

        return check_folder(f"runs/{name}" if self.out is None else self.out)


@dataclass(frozen=True)
class SegmenterOptions:
    """The plan of a segmenter's training, :class:`~semcom.segmentation.training.SegmenterPlan`."""

    method: Annotated[
        str, typer.Option(help="supervised, mean-teacher, bcp, self-training or transmedseg.")
    ] = "transmedseg"
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 2000
    batch: Annotated[int, typer.Option(help="Labelled pictures a step; as many unlabelled.")] = 4
    longest_side: Annotated[
        int, typer.Option(help="Pixels that larger pictures are shrunk to, a multiple of 32.")
    ] = 256
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3
    width: Annotated[int, typer.Option(help="Channels of the U-Net's finest level.")] = 16
    turn_deg: Annotated[float, typer.Option(help="Largest random turn, either way.")] = 15.0
    zoom: Annotated[float, typer.Option(help="Largest random change of scale, a share.")] = 0.25
    bend: Annotated[float, typer.Option(help="Random bending, a share of half the side.")] = 0.0
    stretch: Annotated[
        float, typer.Option(help="Largest change of width over height, in octaves.")
    ] = 0.0
    mixed_precision: Annotated[bool, typer.Option(help="Compute in bfloat16.")] = True
    seed: Annotated[
        int, typer.Option(help="Seed of initial weights, choice of labels and draws.")
    ] = 0
