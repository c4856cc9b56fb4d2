"""Where tasks run: in this process, in worker processes, or on any executor."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from channels import InputError

T = TypeVar("T")


@contextmanager
def hands(executor: Executor | None, workers: int) -> Iterator[Executor | None]:
    """Give the executor to work with, ``None`` for this process.

    Args:
        executor: used as it is and left open; ``None`` for processes of our own.
        workers: number of processes; 1 means this one.

    Raises:
        InputError: if a worker process died.

    >>> with hands(None, workers=1) as executor:
    ...     print(executor)
    None
    """
    if executor is not None or workers == 1:
        yield executor
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker)
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
    executor: Executor | None, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, T]]:
    """Call ``function`` with each job's arguments and yield results as they come.

    Args:
        executor: from :func:`hands`.
        function: importable by name where the executor has other processes.
        jobs: the arguments of each call.

    Yields:
        ``(index of the job, result)`` in the order of completion.

    >>> list(finished(None, pow, [(2, 3), (3, 2)]))
    [(0, 8), (1, 9)]
    """
    if executor is None:
        for index, job in enumerate(jobs):
            yield index, function(*job)
        return
    with _interrupts_held():
        index_of = {executor.submit(function, *job): index for index, job in enumerate(jobs)}
    try:
        for future in as_completed(index_of):
            yield index_of[future], future.result()
    finally:
        for future in index_of:
            future.cancel()


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


def _start_worker() -> None:
    """End with the parent: a killed run must not leave idle processes behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
