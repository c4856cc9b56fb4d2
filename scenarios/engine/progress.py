"""A progress bar that says what remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console

Report: TypeAlias = Callable[[int, int, str], None]
"""Called with (tasks done in this run, tasks to do in this run, what happens now)."""


def silent(done: int, total: int, what: str) -> None:
    """Report nothing."""


@contextmanager
def bar(title: str, console: Console | None = None) -> Iterator[Report]:
    """Draw a bar on the standard error stream, or another console, while the block runs.

    >>> with bar("snr") as report:
    ...     report(1, 2, "hevc-ldpc over awgn at 6 dB")
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", style="dim", markup=False),
    )
    console = console or Console(stderr=True)
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None, what="starting")

        def report(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, what=what)

        yield report


@contextmanager
def training_progress(
    title: str, steps: int
) -> Iterator[tuple[Callable[[int, float], None], Callable[[str], None]]]:
    """Draw a bar for a training run of ``steps`` while the block runs, and say lines above it.

    Where there is no terminal there is no bar, but the lines.

    >>> with training_progress("deepjscc", 2) as (on_step, say):
    ...     on_step(1, -20.0)
    """
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with bar(title, console) as report:
        yield lambda done, loss: report(done, steps, f"loss {loss:.2f}"), say
