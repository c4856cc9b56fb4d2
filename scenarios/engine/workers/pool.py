"""Where tasks run: in this process, in worker processes, or on any executor."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from channels import InputError
from scenarios.engine.workers.cores import cores

T = TypeVar("T")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextmanager
def executor_for(executor: Executor | None, workers: int) -> Iterator[Executor | None]:
    """Give the executor to work with, ``None`` for this process.

    Args:
        executor: used as it is and left open; ``None`` for processes of our own.
        workers: number of processes, of one thread each; 1 means this one. There are never more
            than cores: they would only wait for one another.

    Raises:
        InputError: if a worker process died.

    >>> with executor_for(None, workers=1) as executor:
    ...     print(executor)
    None
    """
    workers = min(workers, cores())
    if executor is not None or workers == 1:
        yield executor
        return
    pool = _Processes(workers)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process died: use fewer workers if memory is short, and keep the call of a "
            "script under if __name__ == '__main__'"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def finished(
    executor: Executor | None,
    function: Callable[..., T],
    jobs: Sequence[tuple[Any, ...]],
    kinds: Sequence[Hashable] | None = None,
) -> Iterator[tuple[int, T]]:
    """Call ``function`` with each job's arguments and yield results as they come.

    Args:
        executor: from :func:`executor_for`.
        function: importable by name where the executor has other processes.
        jobs: the arguments of each call.
        kinds: what jobs have in common: a process of our own keeps to one kind as long as there is
            work for all, since a codec caches what it learns about an image.

    Yields:
        ``(index of the job, result)`` in the order of completion.

    >>> list(finished(None, pow, [(2, 3), (3, 2)]))
    [(0, 8), (1, 9)]
    """
    kinds = kinds or [None] * len(jobs)
    if executor is None:
        places = {kind: place for place, kind in enumerate(dict.fromkeys(kinds))}
        for index in sorted(range(len(jobs)), key=lambda index: places[kinds[index]]):
            yield index, function(*jobs[index])
        return
    if isinstance(executor, _Processes):
        yield from executor.finished(function, jobs, kinds)
        return
    with _interrupts_held():
        index_of = {executor.submit(function, *job): index for index, job in enumerate(jobs)}
    try:
        for future in as_completed(index_of):
            yield index_of[future], future.result()
    finally:
        for future in index_of:
            future.cancel()


class _Processes(Executor):
    """Processes, each with a queue of its own, which all start at once."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pools = [
            ProcessPoolExecutor(1, context, initializer=_start_worker) for _ in range(workers)
        ]
        self._turns = itertools.cycle(self._pools)
        with _interrupts_held(), _one_thread_each():
            for pool in self._pools:
                pool.submit(int)

    def submit(self, function: Callable[..., T], /, *job: Any, **named: Any) -> Future[T]:
        """One call in the next process."""
        return next(self._turns).submit(function, *job, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End every process."""
        for pool in self._pools:
            pool.shutdown(wait, cancel_futures=cancel_futures)

    def finished(
        self,
        function: Callable[..., T],
        jobs: Sequence[tuple[Any, ...]],
        kinds: Sequence[Hashable],
    ) -> Iterator[tuple[int, T]]:
        """As of :func:`finished`: each process has one job and gets the next when it is done."""
        waiting: dict[Hashable, deque[int]] = {}
        for index, kind in enumerate(kinds):
            waiting.setdefault(kind, deque()).append(index)
        at: dict[ProcessPoolExecutor, Hashable] = {}
        running: dict[Future[T], tuple[int, ProcessPoolExecutor]] = {}

        def employ(pool: ProcessPoolExecutor) -> None:
            if any(waiting.values()):
                at[pool] = _next_kind(waiting, at, pool)
                index = waiting[at[pool]].popleft()
                running[pool.submit(function, *jobs[index])] = index, pool

        try:
            for pool in self._pools:
                employ(pool)
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index, pool = running.pop(future)
                    result = future.result()
                    employ(pool)
                    yield index, result
        finally:
            for future in running:
                future.cancel()


def _next_kind(
    waiting: dict[Hashable, deque[int]],
    at: dict[ProcessPoolExecutor, Hashable],
    pool: ProcessPoolExecutor,
) -> Hashable:
    """The kind that a process was at, else one that none is at, else that with most to do."""
    if pool in at and waiting[at[pool]]:
        return at[pool]
    taken = set(at.values())
    for kind, left in waiting.items():
        if left and kind not in taken:
            return kind
    return max(waiting, key=lambda kind: len(waiting[kind]))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, which a terminal sends to all; ours decides."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute in one thread, in every library that has threads of its own.

    Libraries read this when they are loaded, which in a new process is before our first line.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker() -> None:
    """End with the parent: a killed run must not leave idle processes behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
