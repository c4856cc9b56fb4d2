"""Jobs whose outcomes a folder keeps: what it holds is read, what is missing is done."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar

from scenarios.engine.journal import Journal
from scenarios.engine.progress import Report
from scenarios.engine.provenance import pickled
from scenarios.engine.task import Outcome
from scenarios.engine.workers.pool import executor_for, finished

J = TypeVar("J")


def kept(
    work: Callable[[J], dict[str, Any]],
    jobs: Sequence[J],
    keys: Sequence[str],
    columns: Mapping[str, tuple[type, ...]],
    folder: Path | None,
    executor: Executor | None,
    workers: int,
    report: Report,
    named: Callable[[J], str],
) -> list[dict[str, Any]]:
    """What came of every job, in their order.

    Args:
        work: carries a job out; importable by name where others do it.
        jobs: what is wanted.
        keys: of each, a hash of all that its outcome depends on.
        columns: names and types of an outcome's values, as of the journal.
        folder: of the journal; ``None`` keeps nothing.
        executor: who does the work; ``None`` for processes of our own.
        workers: how many of these.
        report: told of progress.
        named: a job in words.

    >>> from scenarios.engine.progress import silent
    >>> columns, doubled = {"twice": (int,)}, lambda job: {"twice": 2 * job}
    >>> kept(doubled, [1, 2], ["a", "b"], columns, None, None, 1, silent, str)
    [{'twice': 2}, {'twice': 4}]
    """
    known: dict[str, dict[str, Any]] = dict(Journal(folder, columns).read())
    missing = [place for place, key in enumerate(keys) if key not in known]
    if missing:
        todo = [jobs[place] for place in missing]
        with (
            executor_for(executor, min(workers, len(todo))) as pool,
            Journal(folder, columns) as journal,
        ):
            report(0, len(todo), "starting")
            sent = [(work, pickled(job) if pool else job) for job in todo]
            for done, (place, outcome) in enumerate(finished(pool, _done, sent), start=1):
                key = keys[missing[place]]
                known[key] = outcome
                journal.write(key, Outcome(outcome, 0.0, 0.0))
                report(done, len(todo), named(todo[place]))
    return [known[key] for key in keys]


def _done(work: Callable[[Any], dict[str, Any]], job: Any) -> dict[str, Any]:
    return work(pickle.loads(job) if isinstance(job, bytes) else job)
