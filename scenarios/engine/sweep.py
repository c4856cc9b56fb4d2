"""The engine: a grid of codecs, links, points and images → tasks → rows.

Every codec sees the same fading and the same noise at the same (link, point, image, trial).
Rows do not depend on the number of workers, on the executor, or on interruptions.
"""

from __future__ import annotations

import inspect
import itertools
import math
import pickle
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

from torch import nn

from channels import InputError, Link
from channels.errors import check_whole
from scenarios.engine.inputs import Sample
from scenarios.engine.journal import Journal, types_of
from scenarios.engine.own_code import own_code
from scenarios.engine.progress import Report, silent
from scenarios.engine.provenance import code_digest, identity, key_of, pickled, versions
from scenarios.engine.run_options import Draws
from scenarios.engine.stopping import Stop
from scenarios.engine.task import (
    TURN,
    Arrived,
    Measured,
    Outcome,
    Task,
    draw_seed,
    dry_run,
    schemes_turn,
    transmit,
)
from scenarios.engine.workers.pool import executor_for, finished
from scenarios.results import columns
from scenarios.results.files import folder_for
from scenarios.results.statistics import half_width_db
from semcom.scheme import Scheme
from semcom.segmentation import Segmenter

T = TypeVar("T")
Row: TypeAlias = dict[str, str | float | int | bool | None]
Point: TypeAlias = tuple[str, float, float]
"""Name of a link, rate, SNR in dB."""

Early: TypeAlias = Callable[[list[Row]], None]
"""Shows rows while others are still missing."""


class Prepared(NamedTuple):
    """What transmissions of one codec over one link need.

    Args:
        codec: fitted to the link.
        link: the link.
        diagnosis: who diagnoses what arrives.
        device: where all is computed.
        requested: metrics that are measured on request.
    """

    codec: Scheme
    link: Link
    diagnosis: tuple[Segmenter, ...]
    device: str
    requested: tuple[str, ...]


_ONE_TASK = Path(__file__).with_name("task.py")


@dataclass(frozen=True, eq=False)
class Sweep:
    """A grid of tasks.

    Args:
        scenario: name in tables; part of every seed.
        codecs: codecs and bounds by label.
        links: links by name.
        samples: what is sent.
        snr_db: points, average E_s/N_0 in dB.
        rates: complex channel uses per image sample.
        seed: seeds every fading and noise draw.
        trials: repetitions with independent draws.
        regions: where the regions of interest come from, in words.
        diagnosis: the segmenter of the diagnostic Dice, and its control, as far as wanted.
        believed_snr_db: what every transmitter believes; ``None``: what is true.
        stop: when a point has been repeated enough; ``None``: after ``trials``.
        link_parameters: of links that differ in one, by name: its value under its own name, and
            under ``"link"`` the name that they share; with it they share fading and noise.
        draws: ``"common"``: the same fading and noise at every SNR; ``"independent"``: others.
        device: where all is computed.
        requested: metrics that are measured on request, and what each depends on that does not
            come with the package.
    """

    scenario: str
    codecs: Mapping[str, Scheme]
    links: Mapping[str, Link]
    samples: Sequence[Sample]
    snr_db: tuple[float, ...]
    rates: tuple[float, ...]
    seed: int
    trials: int = 1
    regions: str = "none"
    diagnosis: tuple[Segmenter, ...] = ()
    believed_snr_db: float | None = None
    stop: Stop | None = None
    link_parameters: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    draws: Draws = "common"
    device: str = "cpu"
    requested: Mapping[str, str] = field(default_factory=dict)

    def points(self) -> list[Point]:
        """Where codecs are compared."""
        return list(itertools.product(self.links, self.rates, self.snr_db))

    def tasks(self, trials: Mapping[Point, int] | None = None) -> list[Task]:
        """Every task, in the order of the table's rows; of some points more than at first."""
        return [
            Task(
                codec,
                link,
                snr_db,
                cbr,
                image,
                trial,
                self._draw(link, snr_db, image, trial),
                self.believed_snr_db,
            )
            for link in self.links
            for cbr in self.rates
            for codec in self.codecs
            for snr_db in self.snr_db
            for image in range(len(self.samples))
            for trial in range((trials or {}).get((link, cbr, snr_db), self.trials))
        ]

    def _draw(self, link: str, snr_db: float, image: int, trial: int) -> int:
        drawn_as = str(self.link_parameters.get(link, {}).get("link", link))
        point = snr_db if self.draws == "independent" else None
        return draw_seed(self.scenario, self.seed, drawn_as, image, trial, point)

    def keys(self, tasks: Sequence[Task]) -> list[str]:
        """A hash for each task of everything that its outcome depends on."""
        codecs = {label: identity(codec) for label, codec in self.codecs.items()}
        links = {
            name: f"{link.identity} {own_code(link.propagation)}".strip()
            for name, link in self.links.items()
        }
        contents = [sample.digest for sample in self.samples]
        diagnosis = [identity(segmenter) for segmenter in self.diagnosis]
        common = [self.scenario, code_digest(*_measuring(self.requested)), versions(), diagnosis]
        common += [] if self.device == "cpu" else [self.device]
        common += [dict(self.requested)] if self.requested else []
        return [
            key_of(
                [
                    *common,
                    task.codec,
                    codecs[task.codec],
                    links[task.link],
                    contents[task.image],
                    task.snr_db,
                    task.believed_snr_db,
                    task.cbr,
                    task.draw,
                ]
            )
            for task in tasks
        ]


def run(
    sweep: Sweep,
    *,
    out: Path | None = None,
    executor: Executor | None = None,
    workers: int = 1,
    report: Report = silent,
    early: Early | None = None,
) -> list[Row]:
    """Carry out what is missing of a sweep.

    Args:
        sweep: the grid.
        out: folder of the journal that finished tasks are kept in and found in; created only
            when every codec has shown that it can serve the rate.
        executor: any executor; ``None`` for processes of our own.
        workers: number of processes where there is no executor; 1 means this one.
        report: told of progress.
        early: given the rows of the first image as soon as all of it is finished, of the first two,
            four, and so on; images are worked on one after another.

    Returns:
        One row per task, in the order of the tasks.

    Raises:
        InputError: if ``out`` cannot be written to, a codec cannot serve the rate, or a worker
            process died.
    """
    workers = check_whole("workers", workers, 1)
    if not isinstance(executor, Executor | None):
        raise InputError(
            f"executor must be a concurrent.futures.Executor or None, got {executor!r}"
        )
    with folder_for(out):
        return _run(sweep, out, executor, workers, report, early)


def receive(sweep: Sweep, task: Task) -> Arrived:
    """The image behind a row, what was measured of it, and what is made up; on the CPU."""
    ready = _adapted(*_parts(sweep, task.codec, task.link))
    sample = sweep.samples[task.image].to(sweep.device)
    arrived = transmit(ready.codec, ready.link, sample, task, ready.diagnosis, ready.requested)
    made_up = arrived.made_up
    if made_up is not None:
        made_up = replace(made_up, painted=made_up.painted.cpu())
    return Arrived(arrived.image.cpu(), arrived.outcome, made_up)


def describe(task: Task) -> str:
    """A task in words.

    >>> describe(Task("hevc-ldpc", "awgn", 6.0, 1 / 16, image=0, trial=0, draw=1))
    'picture 1: hevc-ldpc over awgn at 6 dB'
    """
    return f"picture {task.image + 1}: {task.codec} over {task.link} at {task.snr_db:g} dB"


def _measuring(requested: Collection[str]) -> list[Path]:
    """Files that say how one task is carried out and what is measured of it."""
    measured = columns.measured(requested).values()
    files = {Path(inspect.getfile(c.measure)) for c in measured if c.measure}
    return [_ONE_TASK, Path(str(columns.__file__)), *sorted(files)]


def _run(
    sweep: Sweep,
    out: Path | None,
    executor: Executor | None,
    workers: int,
    report: Report,
    early: Early | None,
) -> list[Row]:
    measured = Journal(out, types_of(sweep.requested)).read()
    trials = dict.fromkeys(sweep.points(), sweep.trials)
    with ExitStack() as open_ones:
        runner: _Runner | None = None
        while True:
            tasks = sweep.tasks(trials)
            keys = sweep.keys(tasks)
            missing = {
                key: task for key, task in zip(keys, tasks, strict=True) if key not in measured
            }
            if missing and runner is None:
                pool = open_ones.enter_context(executor_for(executor, min(workers, len(missing))))
                runner = _Runner(sweep, pool, open_ones.enter_context(Journal(out)), report)
            pairs = list(zip(tasks, keys, strict=True))
            if missing and runner is not None:
                left = _Left(missing.values())
                for key, values in runner.carry_out(missing):
                    measured[key] = values
                    images = left.after(missing[key].image)
                    if early is not None and images:
                        early([_row(sweep, t, measured[k]) for t, k in pairs if t.image < images])
            rows = [_row(sweep, task, measured[key]) for task, key in pairs]
            longer = {} if sweep.stop is None else _longer(rows, trials, sweep.stop)
            if not longer:
                return rows
            trials |= longer


class _Runner:
    """Carries out tasks with codecs that are fitted once, an executor and a journal."""

    def __init__(
        self, sweep: Sweep, pool: Executor | None, journal: Journal, report: Report
    ) -> None:
        self._sweep, self._pool, self._journal, self._report = sweep, pool, journal, report
        self._prepared: dict[tuple[str, str], bytes | Prepared] = {}
        self._samples = [pickled(p) if pool else p for p in sweep.samples]

    def carry_out(self, missing: Mapping[str, Task]) -> Iterator[tuple[str, Measured]]:
        """Do what is missing, image by image, and keep each outcome as it comes."""
        self._report(0, len(missing), "starting, fitting codecs to links")
        keys = sorted(missing, key=lambda key: missing[key].image)
        todo = [missing[key] for key in keys]
        self._fit(todo)
        jobs = [(self._prepared[t.codec, t.link], self._samples[t.image], t) for t in todo]
        outcomes = finished(self._pool, _transmit, jobs, [(t.image, t.codec) for t in todo])
        for done, (index, outcome) in enumerate(outcomes, start=1):
            self._journal.write(keys[index], outcome)
            self._report(done, len(missing), describe(todo[index]))
            yield keys[index], outcome.measured

    def _fit(self, tasks: Sequence[Task]) -> None:
        names = {(task.codec, task.link) for task in tasks} - self._prepared.keys()
        new = _prepared(self._sweep, [t for t in tasks if (t.codec, t.link) in names], self._pool)
        _dry_run_all(self._sweep, new, self._samples, self._pool)
        self._prepared |= new


class _Left:
    """What is left to do of each image."""

    def __init__(self, missing: Iterable[Task]) -> None:
        self._left = Counter(task.image for task in missing)
        self._due = 1

    def after(self, image: int) -> int:
        """One task of an image is finished: how many images are ready to be shown, or 0.

        The first one, and whenever the first have become twice as many; not all of them.

        >>> left = _Left(Task("a", "awgn", 6.0, 1 / 16, image, 0, 0) for image in range(5))
        >>> [left.after(image) for image in (1, 0, 2, 3, 4)]
        [0, 2, 0, 4, 0]
        """
        self._left[image] -= 1
        self._left += Counter()
        if not self._left:
            return 0
        ready = min(self._left)
        if ready < self._due:
            return 0
        while self._due <= ready:
            self._due *= 2
        return ready


def _longer(rows: Sequence[Row], trials: Mapping[Point, int], stop: Stop) -> dict[Point, int]:
    """Points that are not known well enough yet, with the trials that they get next."""
    psnr_db: dict[tuple[Point, object], dict[object, list[float]]] = {}
    for row in rows:
        point = row["link"], row["cbr"], row["snr_db"]
        by_image = psnr_db.setdefault((point, row["codec"]), {})  # type: ignore[arg-type]
        value = row["psnr"]
        by_image.setdefault(row["image"], []).append(math.inf if value is None else float(value))
    longer = {}
    for (point, _), by_image in psnr_db.items():
        tight = half_width_db(list(by_image.values())) <= stop.ci_db
        if not tight and trials[point] < stop.max_trials:
            longer[point] = stop.after(trials[point])
    return longer


def _row(sweep: Sweep, task: Task, measured: Measured) -> Row:
    return {
        **measured,
        "scenario": sweep.scenario,
        "codec": task.codec,
        "link": task.link,
        "snr_db": task.snr_db,
        "believed_snr_db": task.told_snr_db,
        "cbr": task.cbr,
        "image": task.image,
        "trial": task.trial,
    }


def _prepared(
    sweep: Sweep, tasks: Sequence[Task], pool: Executor | None
) -> dict[tuple[str, str], bytes | Prepared]:
    """Codecs with their links as they travel: pickled once for all tasks, or fitted and here."""
    codecs: dict[tuple[str, str], bytes | Prepared] = {}
    for name in dict.fromkeys((task.codec, task.link) for task in tasks):
        parts = _parts(sweep, *name)
        codecs[name] = pickled(parts) if pool else _adapted(*parts)
    return codecs


def _parts(
    sweep: Sweep, codec: str, link: str
) -> tuple[Scheme, Link, tuple[Segmenter, ...], str, tuple[str, ...]]:
    """What :func:`_adapted` makes ready."""
    requested = tuple(sweep.requested)
    return sweep.codecs[codec], sweep.links[link], sweep.diagnosis, sweep.device, requested


def _dry_run_all(
    sweep: Sweep,
    prepared: Mapping[tuple[str, str], bytes | Prepared],
    samples: Sequence[bytes | Sample],
    pool: Executor | None,
) -> None:
    """Let every codec encode the smallest image with the least SNR and rate, before all else."""
    sizes = [sample.image.numel() for sample in sweep.samples]
    smallest, snr_db, cbr = sizes.index(min(sizes)), sweep.snr_db[0], sweep.rates[0]
    jobs = [
        (codec, samples[smallest], Task(*name, snr_db, cbr, smallest, 0, 0, sweep.believed_snr_db))
        for name, codec in prepared.items()
    ]
    for _ in finished(pool, _dry_run, jobs):
        pass


def _adapted(
    codec: Scheme,
    link: Link,
    diagnosis: tuple[Segmenter, ...],
    device: str,
    requested: tuple[str, ...] = (),
) -> Prepared:
    if device != "cpu":
        codec, diagnosis = _on(codec, device), tuple(_on(one, device) for one in diagnosis)
    with schemes_turn(codec.name, f"fitted to {link.name}", draw=0, device=device):
        adapted = codec.adapted(link)
    if not isinstance(adapted, Scheme):
        raise InputError(f"{codec.name}: adapted must return a codec or bound, got {adapted!r}")
    return Prepared(adapted, link, diagnosis, device, requested)


def _on(part: T, device: str) -> T:
    """A copy whose networks are on a device; what has none is as it was."""
    if isinstance(part, nn.Module):
        return deepcopy(part).to(device)
    moved = getattr(part, "to", None)
    return part if moved is None else moved(device)


@lru_cache(maxsize=16)
def _adapted_from(blob: bytes) -> Prepared:
    """A prepared codec from its pickle; each process fits it once."""
    return _adapted(*pickle.loads(blob))


def _unpickled(prepared: bytes | Prepared) -> Prepared:
    return _adapted_from(prepared) if isinstance(prepared, bytes) else prepared


def _dry_run(prepared: bytes | Prepared, sample: bytes | Sample, task: Task) -> None:
    """Encode and no more: an InputError tells that it cannot serve."""
    with TURN:
        ready = _unpickled(prepared)
        sent = pickle.loads(sample) if isinstance(sample, bytes) else sample
        dry_run(ready.codec, sent.to(ready.device), task)


def _transmit(prepared: bytes | Prepared, sample: bytes | Sample, task: Task) -> Outcome:
    with TURN:
        ready = _unpickled(prepared)
        sent = pickle.loads(sample) if isinstance(sample, bytes) else sample
        at = sent.to(ready.device)
        arrived = transmit(ready.codec, ready.link, at, task, ready.diagnosis, ready.requested)
        return arrived.outcome
