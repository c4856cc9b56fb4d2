"""Options of ``semcom train``, each declared once: what is trained on, and how."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenarios.engine.workers.cores import cores
from scenarios.options.shared import Frame, SkipUnreadable
from scenarios.options.telling import tell

if TYPE_CHECKING:
    from semcom.dmic.episode import Scene
    from semcom.generative.generator import Generator
    from semcom.segmentation import Segmenter
    from semcom.training.conduct import Conduct
    from semcom.training.crops import Sample
    from semcom.training.dmic import PolicyPlan
    from semcom.training.generator import GeneratorPlan
    from semcom.training.generator.scenes import KeyScene

MOST_PHANTOMS = 100_000
_EVERY_SCENE = 60


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
        int,
        typer.Option(
            help="Pixels that larger pictures are shrunk to, a multiple of 32 at depth 4."
        ),
    ] = 256
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3
    width: Annotated[int, typer.Option(help="Channels of the U-Net's finest level.")] = 16
    depth: Annotated[int, typer.Option(help="How often the U-Net halves the resolution.")] = 4
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


@dataclass(frozen=True)
class PolicyOptions:
    """The plan of a bit allocation policy, :class:`~semcom.training.dmic.PolicyPlan`."""

    steps: Annotated[int | None, typer.Option(help="Updates; 4000, of a transfer 300.")] = None
    batch: Annotated[int, typer.Option(help="Pictures an update, each coded twice.")] = 2
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3
    gamma: Annotated[
        float, typer.Option(help="How much a unit is credited with what comes after it.")
    ] = 0.0
    reach: Annotated[
        int, typer.Option(help="Units to each side whose credits a unit is credited with, too.")
    ] = 0
    entropy: Annotated[float, typer.Option(help="Weight of the entropy of choices.")] = 0.01
    tuned: Annotated[
        str | None,
        typer.Option(
            help="What is trained: all, head, or last (head and last layer of the trunk); default: "
            "all, of a transfer head."
        ),
    ] = None
    turned: Annotated[
        bool | None,
        typer.Option(
            "--turned/--not-turned",
            help="Turn and mirror pictures, so that one is eight; default: for a transfer.",
        ),
    ] = None
    imitated: Annotated[
        int,
        typer.Option(help="Of the updates, so many first ones that imitate the rule two levels."),
    ] = 0
    seed: Annotated[int, typer.Option(help="Seed of initial weights and all draws.")] = 0

    def plan(self, transfer: bool) -> PolicyPlan:
        """The plan, of a pre-training or of a transfer.

        Raises:
            InputError: if an option does not fit.
        """
        from semcom.training.dmic import PolicyPlan

        defaults: dict[str, Any] = {"steps": 4000, "tuned": "all", "turned": False}
        if transfer:
            defaults = {"steps": 300, "tuned": "head", "turned": True}
        asked = {name: value for name, value in vars(self).items() if value is not None}
        return PolicyPlan(**(defaults | asked))


@dataclass(frozen=True)
class Diagnosed:
    """What a bit allocation policy is trained on: pictures, and segmenters that look at them."""

    images: Annotated[
        Path | None, typer.Option(help="Folder of training pictures, or a file of semcom pack.")
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            help="Segmenter that diagnoses the pictures: chest (default), angiography, dental or a "
            "file of weights."
        ),
    ] = None
    phantoms: Annotated[
        str | None,
        typer.Option(
            help="Phantoms to train on, each diagnosed by the segmenter of its kind, "
            "KIND:COUNT,…; angiography:48,dental:16."
        ),
    ] = None
    transfer: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PICTURE",
            help="Picture that a policy is transferred to, on its own; several: once for each.",
        ),
    ] = None
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MASK",
            help="What is there in the picture of --transfer; one for each, or none.",
        ),
    ] = None
    size: Annotated[
        int, typer.Option(help="Longest side that larger pictures are shrunk to; of phantoms, it.")
    ] = 512
    frame: Frame = None
    skip_unreadable: SkipUnreadable = False

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            InputError: told to the user.
        """
        from channels import InputError

        if self.transfer:
            if self.images is not None or self.phantoms is not None:
                raise InputError(
                    "--transfer learns from its picture alone: leave --images and --phantoms out"
                )
            if self.skip_unreadable:
                raise InputError(
                    "--transfer learns from every picture that is named: leave --skip-unreadable "
                    "out"
                )
            if self.mask and len(self.mask) != len(self.transfer):
                raise InputError(
                    f"--mask is given {len(self.mask)} times, --transfer {len(self.transfer)} "
                    "times: give a mask for each picture, or none"
                )
            return
        if self.mask:
            raise InputError("--mask belongs to --transfer: name its picture")
        if self.images is None and self.phantoms is None:
            raise InputError("nothing to train on: give --images, --phantoms or --transfer")
        if self.images is None and self.task is not None:
            raise InputError("--task diagnoses pictures: name their folder with --images")

    def load(self) -> tuple[list[list[Scene]], list[list[Scene]]]:
        """Scenes to train on and those to validate on, kind by kind; for a transfer none of these.

        Raises:
            InputError: if an option does not fit, or a file cannot be read.
        """
        from channels import InputError
        from scenarios.options.selection import segmenter_of
        from semcom.training.dmic.scenes import set_apart
        from semcom.training.samples import load_samples

        self.check()
        segmenter_of("--task", self.task)  # before pictures are read
        if self.transfer:
            return [self._transferred(self.transfer)], []
        kinds: list[tuple[str, list[Sample]]] = []
        for wanted in () if self.phantoms is None else self.phantoms.split(","):
            kind = wanted.strip().partition(":")[0]
            kinds.append((kind, self._drawn(wanted.strip(), [name for name, _ in kinds])))
        if self.images is not None:
            read = load_samples(
                self.images,
                size=self.size,
                frame=self.frame,
                skip_unreadable=self.skip_unreadable,
                tell=tell,
            )
            kinds.append((self.task or "chest", read))
        for task, samples in kinds:
            if len(samples) < 2:
                raise InputError(
                    f"{task} has one picture: give two at least, since one is set apart to "
                    "validate on"
                )
        scenes = [set_apart(samples, _looking_at(task)) for task, samples in kinds]
        return [learnt for learnt, _ in scenes], [apart for _, apart in scenes]

    def _drawn(self, wanted: str, before: list[str]) -> list[Sample]:
        from channels import InputError
        from channels.errors import shown
        from semcom.training.samples import phantom_samples

        kind, _, count = wanted.partition(":")
        if kind in before:
            raise InputError(f"--phantoms names {kind} twice: name each kind once")
        if count.isdecimal() and float(count) > MOST_PHANTOMS:
            raise InputError(f"--phantoms may be {MOST_PHANTOMS} at most, got {shown(wanted)}")
        return phantom_samples(wanted, self.size)

    def _transferred(self, pictures: list[Path]) -> list[Scene]:
        from channels import InputError
        from semcom.data import read_file
        from semcom.dmic.episode import Scene
        from semcom.training.dmic.plan import PRESET

        task = self.task or "chest"
        looking = _looking_at(task)
        scenes = []
        masks: Sequence[Path | None] = self.mask or [None] * len(pictures)
        for picture, mask in zip(pictures, masks, strict=True):
            found = read_file(picture, mask, self.size, frame=self.frame)
            tell(found)
            region = None if found.masks is None else found.masks[0][0].numpy()
            if region is not None and mask is not None and not region.any():
                raise InputError(f"mask {mask.name} is empty: mark what is there, or leave it out")
            scene = Scene(found.images[0][0].numpy(), looking, PRESET, region)
            if region is None and not (scene.found[0] > 0.5).any():
                raise InputError(
                    f"segmenter {task} finds nothing in {picture.name}: give its --mask, or "
                    "another --task"
                )
            scenes.append(scene)
        return scenes


def _looking_at(task: str) -> list[Segmenter]:
    """Who looks at pictures of a task."""
    from scenarios.options.selection import segmenter_of
    from semcom.training.dmic.scenes import observers

    first = segmenter_of("--task", task)
    assert first is not None
    return observers(first)


@dataclass(frozen=True)
class PaintedOptions:
    """What a generator learns from, and :class:`~semcom.training.generator.GeneratorPlan`."""

    kind: Annotated[
        str, typer.Option(help="Of the pictures: chest, angiography or dental; one a run.")
    ] = "chest"
    images: Annotated[
        Path | None, typer.Option(help="Folder of training pictures, or a file of semcom pack.")
    ] = None
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of their masks, by stem; the kind's segmenter finds others."),
    ] = None
    phantoms: Annotated[
        int, typer.Option(help="Phantoms of the kind to train on, beside pictures or alone.")
    ] = 0
    size: Annotated[
        int, typer.Option(help="Longest side that larger pictures are shrunk to; of phantoms, it.")
    ] = 512
    frame: Frame = None
    skip_unreadable: SkipUnreadable = False
    steps: Annotated[int, typer.Option(help="Updates.")] = 20_000
    batch: Annotated[int, typer.Option(help="Parts of pictures an update.")] = 8
    crop: Annotated[int, typer.Option(help="Side of a part in pixels, a multiple of 32.")] = 256
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-4
    wordless: Annotated[
        float, typer.Option(help="Share of the parts that are painted without words.")
    ] = 0.1
    lora: Annotated[
        bool,
        typer.Option(
            "--lora", help="Train adapters of the weights (--weights, or the shipped ones) alone."
        ),
    ] = False
    rank: Annotated[int | None, typer.Option(help="Of the adapters, with --lora; 8.")] = None
    bits: Annotated[
        int | None,
        typer.Option(help="That weights under adapters are stored in: 32, 8 or 4; with --lora; 4."),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of initial weights and all draws.")] = 0

    def adapted(self, generator: Generator) -> Generator:
        """The generator with adapters to train, its weights in so many bits.

        Raises:
            InputError: if an option does not fit.
        """
        from semcom.generative.generator import Generator
        from semcom.light import quantised, with_lora

        bits = 4 if self.bits is None else self.bits
        small = generator if bits == 32 else quantised(generator, bits)
        adapted = with_lora(small, 8 if self.rank is None else self.rank)
        assert isinstance(adapted, Generator)
        return adapted

    def plan(self) -> GeneratorPlan:
        """The plan.

        Raises:
            InputError: if an option does not fit.
        """
        from channels import InputError
        from semcom.training.generator import GeneratorPlan

        for name in ("rank", "bits"):
            if getattr(self, name) is not None and not self.lora:
                raise InputError(f"--{name} is of adapters: add --lora, or leave it out")
        return GeneratorPlan(
            self.steps, self.batch, self.crop, self.learning_rate, self.wordless, self.seed
        )

    def load(self) -> tuple[list[KeyScene], list[KeyScene]]:
        """Scenes to train on, and those set apart to validate on.

        Raises:
            InputError: if an option does not fit, or there is nothing to train on.
        """
        from channels import InputError
        from channels.errors import check_count, check_name
        from semcom import segmenter
        from semcom.generative.words.vocabulary import KIND_OF_TASK
        from semcom.training.generator.scenes import key_scenes
        from semcom.training.samples import load_samples, phantom_samples, split

        kind = check_name("kind of picture", self.kind, KIND_OF_TASK)
        check_count("--phantoms", self.phantoms, 0, MOST_PHANTOMS)
        if self.images is None and not self.phantoms:
            raise InputError("nothing to train on: give --images or --phantoms")
        samples: list[Sample] = []
        if self.images is not None:
            samples += load_samples(
                self.images,
                self.masks,
                size=self.size,
                frame=self.frame,
                skip_unreadable=self.skip_unreadable,
                tell=tell,
            )
        if self.phantoms:
            samples += phantom_samples(f"{kind}:{self.phantoms}", self.size)
        return split(key_scenes(samples, KIND_OF_TASK[kind], segmenter(kind)), _EVERY_SCENE)
