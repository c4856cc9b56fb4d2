"""The generator in fewer bits, what an adapter wins back, and what adapters transfer."""

from __future__ import annotations

import gc
import re
import time
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from csv import DictReader
from ctypes import CDLL
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import pandas as pd
import torch
from painting import Seen, painted_scores, pictures_of, said, written
from torch import Tensor

import semcom
from channels.tensorfile import store
from semcom.generative.generator import BASE_BITS, STRIDE, Generator, Known, shipped
from semcom.generative.kinds import ShippedCaptioner
from semcom.generative.learned_captioner import LearnedCaptioner, shipped_captioner
from semcom.generative.words.vocabulary import KIND_OF_TASK
from semcom.light import load_adapter, quantised, trainable_share, with_lora
from semcom.training import loop
from semcom.training.generator import GeneratorPlan, GeneratorTask
from semcom.training.generator.scenes import KeyScene, key_scenes
from semcom.training.samples import load_samples, phantom_samples
from semcom.weightfile import halved

BASE = "chest"
RANK = 8
WAYS = ("fp32", "fp16", "int8", "int4", "int4 + LoRA")
TRANSFERS = ("none", "LoRA on int4", "full fine-tuning")
LEARNED = ("angiography", "dental")
REPEATS, PROCESSES = 7, 3


class Half(Generator):
    """A generator whose weights are in half precision, and what it computes as well."""

    def forward(self, x: Tensor, time: Tensor, known: Known) -> Tensor:
        """As of :class:`Generator`, under autocast."""
        with torch.autocast(x.device.type, torch.float16):
            return super().forward(x, time, known).float()


@dataclass(frozen=True)
class Training:
    """How a generator goes on from the shipped one of chest X-rays.

    Args:
        kind: of the pictures that it learns from.
        adapted: adapters of rank 8 on four bits learn; else all weights do.
        steps: updates.
        pictures: to learn from, at most.
        size: their longest side.
        data: where they are.
        kept: folder of trainings.
    """

    kind: str
    adapted: bool
    steps: int
    pictures: int
    size: int
    data: Path
    kept: Path

    @property
    def folder(self) -> Path:
        """Of the training, another for other weights to begin with."""
        way = "lora" if self.adapted else "full"
        told = f"{self.kind}-{way}-{self.steps}-{self.pictures}-{self.size}"
        return self.kept / "trained" / f"{told}-{shipped(BASE).fingerprint}"

    def begun(self) -> Generator:
        """What learns."""
        if not self.adapted:
            return deepcopy(shipped(BASE)).requires_grad_(True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            adapted = with_lora(quantised(shipped(BASE), BASE_BITS), RANK)
        assert isinstance(adapted, Generator)
        return adapted

    def scenes(self) -> list[KeyScene]:
        """Pictures to learn from: phantoms of teeth, for there are no others."""
        if self.kind == "dental":
            samples = phantom_samples(f"dental:{self.pictures}", self.size)
        else:
            folder = self.data / self.kind / "train"
            samples = load_samples(folder / "images", folder / "masks", size=self.size)
            samples = samples[:: -(-len(samples) // self.pictures)]
        return key_scenes(samples, KIND_OF_TASK[self.kind], semcom.segmenter(self.kind))

    def carried_out(self) -> tuple[Generator, float]:
        """The generator as its file holds it, and the minutes that it took.

        What is said of pictures does not learn: all generators are told the same.
        """
        file = self.folder / "generator.safetensors"
        if not file.exists():
            captioner = shipped_captioner(self.kind) or LearnedCaptioner(KIND_OF_TASK[self.kind])
            captioner.requires_grad_(False)
            plan = GeneratorPlan(steps=self.steps, crop=max(self.size // 64, 1) * STRIDE)
            task = GeneratorTask(self.begun(), captioner, self.scenes(), (), plan)
            loop.run(task, self.folder, log_every=50, on_step=reported(self.folder.name))
        with (self.folder / "log.csv").open() as log:
            seconds = float(list(DictReader(log))[-1]["seconds"])
        if not self.adapted:
            return Generator.load(file), seconds / 60
        adapted = load_adapter(quantised(shipped(BASE), BASE_BITS), file)
        assert isinstance(adapted, Generator)
        return adapted.eval().requires_grad_(False), seconds / 60


def reported(name: str) -> Callable[[int, float], None]:
    """Prints every fiftieth step."""

    def on_step(step: int, loss: float) -> None:
        if step % 50 == 0:
            print(f"{name}: step {step}, loss {loss:.4g}", flush=True)

    return on_step


def light(asked: Namespace) -> None:
    """Fewer bits for chest X-rays, and transfers to other kinds."""
    asked.kept.mkdir(parents=True, exist_ok=True)
    fewer_bits(asked)
    transferred(asked)


def training(asked: Namespace, kind: str, adapted: bool) -> Training:
    """One that was asked for."""
    return Training(kind, adapted, asked.steps, asked.train, asked.size, asked.data, asked.kept)


def fewer_bits(asked: Namespace) -> None:
    """Scores of each picture in one table, what is spent in the other."""
    own = training(asked, BASE, adapted=True)
    adapted, minutes = own.carried_out()
    seen = pictures_of(asked.data, BASE, asked.size, asked.pictures)
    texts = [said(ShippedCaptioner(BASE), one) for one in seen]
    generators = {way: adapted if way == WAYS[-1] else in_bits(way) for way in WAYS}
    rows = scored(generators, seen, texts, BASE, asked.kept, "weights")
    written(pd.DataFrame(rows), asked.out / "generative_light.csv")
    ratios = step_times(generators, seen[0], texts[0])
    costs = []
    for way, generator in generators.items():
        print(f"{way}: file and memory", flush=True)
        costs.append(
            {
                "weights": way,
                "file_bytes": file_bytes(way, generator, asked.kept),
                "peak_bytes": peak_bytes(way, own, seen[0], texts[0]),
                "time_ratio": ratios[way],
                "trainable": trainable_share(own.begun()) if way == WAYS[-1] else 0.0,
                "steps": asked.steps if way == WAYS[-1] else 0,
                "minutes": minutes if way == WAYS[-1] else 0.0,
            }
        )
    written(pd.DataFrame(costs), asked.out / "generative_light_cost.csv")


def transferred(asked: Namespace) -> None:
    """Scores of each picture of kinds that the generator of chest X-rays has not learned."""
    rows = []
    for kind in LEARNED:
        if kind not in asked.kinds:
            continue
        seen = pictures_of(asked.data, kind, asked.size, asked.pictures)
        texts = [said(ShippedCaptioner(kind), one) for one in seen]
        trained = {"none": (shipped(BASE), 0.0)}
        shares = {"none": 0.0}
        for way, adapted in zip(TRANSFERS[1:], (True, False), strict=True):
            how = training(asked, kind, adapted)
            trained[way], shares[way] = how.carried_out(), trainable_share(how.begun())
        generators = {way: generator for way, (generator, _) in trained.items()}
        rows += [
            {
                "kind": kind,
                **row,
                "trainable": shares[str(row["way"])],
                "steps": asked.steps if row["way"] != "none" else 0,
                "minutes": trained[str(row["way"])][1],
            }
            for row in scored(generators, seen, texts, kind, asked.kept, "way")
        ]
    if rows:
        written(pd.DataFrame(rows), asked.out / "generative_transfer.csv")


def scored(
    generators: dict[str, Generator],
    seen: list[Seen],
    texts: list[str],
    kind: str,
    folder: Path,
    called: str,
) -> list[dict[str, object]]:
    """A row for each generator and picture."""
    rows = []
    for way, generator in generators.items():
        print(f"{kind}: {way}", flush=True)
        for number, (one, text) in enumerate(zip(seen, texts, strict=True)):
            found = painted_scores(generator, one, text, kind, folder)
            rows.append({called: way, "picture": number, **found})
    return rows


def in_bits(way: str) -> Generator:
    """The shipped generator of chest X-rays with its weights stored so."""
    generator = shipped(BASE)
    if way == "fp16":
        half = Half(**generator.config()).half()
        half.load_state_dict(generator.state_dict())
        return half.eval().requires_grad_(False)
    if way.startswith("int"):
        light = quantised(generator, int(way.removeprefix("int")))
        assert isinstance(light, Generator)
        return light
    return generator


def file_bytes(way: str, generator: Generator, folder: Path) -> int:
    """Of a file of all that it is made of; what has no codes in half precision but for fp32."""
    state = generator.state_dict()
    path = folder / "weighed.safetensors"
    store(state if way == "fp32" else halved(state), path, {})
    size = path.stat().st_size
    path.unlink()
    return size


def step_times(generators: dict[str, Generator], seen: Seen, text: str) -> dict[str, float]:
    """Median time of one step over that of fp32, taken in turns in one run."""
    spent: dict[str, list[float]] = {way: [] for way in generators}
    for repeat in range(REPEATS + 1):
        for way, generator in generators.items():
            begun = time.perf_counter()
            generator.paint(seen.image, seen.key, [text], 0, 1)
            if repeat:  # the first one warms up
                spent[way].append(time.perf_counter() - begun)
    pairs = {way: zip(own, spent["fp32"], strict=True) for way, own in spent.items()}
    return {way: median(own / whole for own, whole in both) for way, both in pairs.items()}


def peak_bytes(way: str, own: Training, seen: Seen, text: str) -> int:
    """Median over fresh processes of the most memory that weights and one step take."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        jobs = [
            pool.submit(memory_taken, way, own, seen.image, seen.key, text)
            for _ in range(PROCESSES)
        ]
        return int(median(job.result() for job in jobs))


def memory_taken(way: str, own: Training, image: Tensor, key: Tensor, text: str) -> int:
    """Peak resident memory of this process while it paints, less what it had without weights."""
    torch.set_num_threads(1)
    Generator((8, 8, 8, 8)).eval().paint(image, key, [text], 0, 1)  # libraries' own
    tidied()
    before = resident("VmRSS")
    generator = own.carried_out()[0] if way == WAYS[-1] else in_bits(way)
    tidied()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    generator.paint(image, key, [text], 0, 1)
    return resident("VmHWM") - before


def tidied() -> None:
    """Give back what is free, as far as glibc can."""
    gc.collect()
    CDLL("libc.so.6").malloc_trim(0)


def resident(name: str) -> int:
    """Bytes of this process in memory, of Linux."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])
