"""Threads over a batch, for compiled functions that let go of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

from channels.errors import check_count
from channels.surroundings import allowed_threads

Result = TypeVar("Result")


def over_batch(
    work: Callable[[int, int], Result], batch: int, num_threads: int | None, multiple: int = 1
) -> list[Result]:
    """Call ``work(first, last)`` on parts that together cover ``range(batch)``.

    Args:
        work: handles rows first…last − 1.
        batch: rows in all; none means no call.
        num_threads: threads at most; ``None`` means as many as torch uses.
        multiple: parts begin at multiples of this.

    Returns:
        What the calls returned.

    >>> over_batch(lambda first, last: (first, last), 5, num_threads=1)
    [(0, 5)]
    """
    wanted = allowed_threads() if num_threads is None else num_threads
    groups = -(-batch // multiple)
    parts = min(check_count("num_threads", wanted, 1, 1024), groups)
    edges = [min(groups * part // parts * multiple, batch) for part in range(parts)] + [batch]
    spans = list(pairwise(edges))
    waiting = [_pool(wanted).submit(work, *span) for span in spans[1:]]
    return [work(*span) for span in spans[:1]] + [future.result() for future in waiting]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="semcom-fec")


if hasattr(os, "register_at_fork"):  # threads do not survive in a child
    os.register_at_fork(after_in_child=_pool.cache_clear)
