"""How a call to train is carried out: for how long, how often it reports, what it starts from."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any

from channels.errors import keep_number
from semcom.training.schedule import Schedule

FIRST_LINE_S = 30.0
"""Seconds to the first log line: with a validation it is there within a minute."""


class Stopped(Exception):
    """A training stopped before its end, with a checkpoint: the same call goes on.

    >>> raise Stopped("stopped after 60 s at step 12 of 100: run it again to go on")
    Traceback (most recent call last):
    semcom.training.conduct.Stopped: stopped after 60 s at step 12 of 100: run it again to go on
    """


def _say_nothing(line: str) -> None:
    """Print nothing."""


@dataclass
class Conduct:
    """How a call to train is carried out; when it stops or reports changes no result.

    It reaches the loop as an argument, or from the surroundings through :func:`conducted`: a
    training of several stages needs to know nothing of it.

    Args:
        seconds: stop after about so many, counted from when this was made, with a checkpoint;
            ``None``: at the end. Every call does one step at least.
        log_seconds: seconds between log lines with a validation and a checkpoint, at most; the
            first line of a call comes within a minute in any case.
        from_weights: the module comes with weights that are worth something: they are scored
            first, and only what has a better score is written.
        changes: fields of :class:`semcom.training.schedule.Schedule` that replace the plan's; part
            of what fixes the weights.
        say: gets each log line as text.

    Raises:
        InputError: if a number of seconds is out of range.

    >>> conduct = Conduct(seconds=600.0)
    >>> conduct.over()
    ''
    >>> conduct.stop("interrupted")
    >>> conduct.over()
    'interrupted'
    """

    seconds: float | None = None
    log_seconds: float = 180.0
    from_weights: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    say: Callable[[str], None] = _say_nothing
    began_s: float = field(default_factory=time.monotonic)
    heard: signal.Signals | None = field(default=None, init=False)
    _asked: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.seconds is not None:
            keep_number(self, "seconds", 1e-9, 1e9)
        keep_number(self, "log_seconds", 1e-9, 1e9)

    def schedule_of(self, plan: object) -> Schedule:
        """The schedule of a plan, which may have none, with what is to be changed in it."""
        return replace(getattr(plan, "schedule", None) or Schedule(), **self.changes)

    def stop(self, reason: str) -> None:
        """Ask the loop to stop after the step that it is at."""
        self._asked = self._asked or reason

    def over(self, needed_s: float = 0.0) -> str:
        """Why to stop now, if going on takes so many seconds; empty if there is no reason."""
        if self.seconds is not None and time.monotonic() + needed_s >= self.began_s + self.seconds:
            self.stop(f"stopped after {self.seconds:g} s")
        return self._asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let SIGTERM and Ctrl-C ask the loop to stop; a second one ends the process at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def heard(number: int, frame: FrameType | None) -> None:
            self.heard = signal.Signals(number)
            self.stop(f"stopped by {self.heard.name}")
            signal.signal(number, before[self.heard])

        for number in before:
            signal.signal(number, heard)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_CURRENT: ContextVar[Conduct] = ContextVar("conduct")


def current() -> Conduct:
    """What :func:`conducted` has set around the caller, or a conduct of defaults.

    >>> current().seconds is None
    True
    """
    return _CURRENT.get(None) or Conduct()


@contextmanager
def conducted(conduct: Conduct) -> Iterator[None]:
    """Carry out all training inside the block in this way.

    >>> with conducted(Conduct(seconds=60.0)):
    ...     current().seconds
    60.0
    """
    token = _CURRENT.set(conduct)
    try:
        yield
    finally:
        _CURRENT.reset(token)
