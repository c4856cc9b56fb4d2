"""All jobs of the scenario ``dmic``: those that a folder holds, and those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scenarios.comparisons.allocation.coding import MEASURED, Job, carried_out
from scenarios.comparisons.allocation.observers import identity_of
from scenarios.engine.inputs import Sample
from scenarios.engine.journal import Journal
from scenarios.engine.kept import kept
from scenarios.engine.progress import Report
from scenarios.engine.provenance import code_digest, key_of, versions
from scenarios.engine.task import Outcome
from semcom.dmic.episode import Exchange, Scene, exchanges
from semcom.segmentation import Segmenter

_CODING = tuple(Path(__file__).with_name(name) for name in ("coding.py", "ways.py"))
_EXCHANGES: dict[str, tuple[type, ...]] = dict.fromkeys(
    ("bits", "slope", "spread", "loss"), (list,)
)


def coded(
    jobs: Sequence[tuple[int, Job]],
    samples: Sequence[Sample],
    folder: Path | None,
    executor: Executor | None,
    workers: int,
    report: Report,
) -> list[dict[str, Any]]:
    """What came of every job, in their order.

    Args:
        jobs: each with the place of its picture.
        samples: the pictures, which keys are made of.
        folder: of the journal.
        executor: who does the work; ``None`` for processes of our own.
        workers: how many of these.
        report: told of progress.
    """
    keys = _keys(jobs, samples)
    return kept(_carried_out, jobs, keys, MEASURED, folder, executor, workers, report, _named)


def exchange_rates(
    samples: Sequence[Sample],
    segmenter: Segmenter,
    base_qps: tuple[int, ...],
    preset: str,
    folder: Path | None,
    report: Report,
) -> dict[int, Exchange]:
    """What the segmenter's losses cost at each base QP, from the anchors of all pictures.

    Raises:
        InputError: as of :func:`semcom.dmic.episode.exchanges`.
    """
    common = ["dmic exchange rates", code_digest(*_CODING), versions(), identity_of(segmenter)]
    key = key_of([*common, [sample.digest for sample in samples], list(base_qps), preset])
    found = Journal(folder, _EXCHANGES).read().get(key)
    if found is None:
        scenes = []
        for place, sample in enumerate(samples):
            report(place, len(samples), f"anchors of picture {place}")
            scenes.append(Scene(sample.image[0].numpy(), [segmenter], preset))
            for qp in base_qps:
                scenes[-1].anchor(qp)
        rates = [asdict(rate) for rate in exchanges(scenes, base_qps).values()]
        values: dict[str, Any] = {name: [rate[name] for rate in rates] for name in _EXCHANGES}
        with Journal(folder, _EXCHANGES) as journal:
            journal.write(key, Outcome(values, 0.0, 0.0))
        found = values
    each = [dict(zip(found, held, strict=True)) for held in zip(*found.values(), strict=True)]
    return {qp: Exchange(**rate) for qp, rate in zip(base_qps, each, strict=True)}


def _carried_out(placed: tuple[int, Job]) -> dict[str, Any]:
    return carried_out(placed[1])


def _named(placed: tuple[int, Job]) -> str:
    place, job = placed
    return f"{job.way.label} of picture {place}"


def _keys(jobs: Sequence[tuple[int, Job]], samples: Sequence[Sample]) -> list[str]:
    """Hashes of all that outcomes depend on; a rule depends on neither seed nor exchange rates."""
    if not jobs:
        return []
    first = jobs[0][1]
    observers = [identity_of(observer) for observer in first.observers]
    common: list[object] = ["dmic", code_digest(*_CODING), versions(), observers]
    common.append(first.preset)
    digests = [sample.digest for sample in samples]
    keys = []
    for place, job in jobs:
        own: list[object] = [job.way.identity, digests[place], list(job.base_qps)]
        if job.way.is_upper:
            rates = {str(qp): asdict(rate) for qp, rate in job.exchanges.items()}
            own += [rates, job.encodes, job.seed]
        elif job.way.name == "sensitivity":
            own.append(job.seed)
        keys.append(key_of([*common, *own]))
    return keys
