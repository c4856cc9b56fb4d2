"""Threads over a batch, for compiled functions that let go of Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

from channels.errors import check_count


def over_batch(work: Callable[[int, int], None], batch: int, num_threads: int | None) -> None:
    """Call ``work(first, last)`` on parts that together cover ``range(batch)``.

    Args:
        work: handles rows first…last − 1.
        batch: rows in all.
        num_threads: threads at most; ``None`` means as many as torch uses.

    >>> over_batch(lambda first, last: print(first, last), 5, num_threads=1)
    0 5
    """
    wanted = torch.get_num_threads() if num_threads is None else num_threads
    parts = min(check_count("num_threads", wanted, 1, 1024), batch)
    if parts <= 1:
        work(0, batch)
        return
    edges = [batch * part // parts for part in range(parts + 1)]
    waiting = [
        _pool(parts).submit(work, *edge) for edge in zip(edges[1:-1], edges[2:], strict=True)
    ]
    work(edges[0], edges[1])
    for future in waiting:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="semcom-fec")
