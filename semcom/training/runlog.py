"""The log of a run: a line of ``log.csv``, the same in words."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

from channels.files import atomic_write

_FIRST, _LAST = "step", "seconds"


class Entry(NamedTuple):
    """What is known at a step.

    Args:
        step: steps done.
        loss: mean over the steps since the last entry; NaN before the first step.
        score: of the averaged weights on samples kept apart; NaN without any.
        seconds: spent on the run so far, in all calls.
        steps_per_s: since the last entry.
    """

    step: int
    loss: float
    score: float
    seconds: float
    steps_per_s: float = math.nan

    def __str__(self) -> str:
        """One line, without what is not known.

        >>> print(Entry(120, 1.234, 0.98, 130.0, 3.2))
        step 120  loss 1.234  validation 0.98  3.2 steps/s  2 min
        """
        parts = [
            f"step {self.step}",
            "" if math.isnan(self.loss) else f"loss {self.loss:.4g}",
            "" if math.isnan(self.score) else f"validation {self.score:.4g}",
            "" if math.isnan(self.steps_per_s) else f"{self.steps_per_s:.2g} steps/s",
            in_words(self.seconds),
        ]
        return "  ".join(part for part in parts if part)


def in_words(seconds: float) -> str:
    """A time as one reads it.

    >>> in_words(45), in_words(130), in_words(30_000)
    ('45 s', '2 min', '8.3 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class RunLog:
    """``log.csv`` of a run.

    Args:
        path: of the file.
        loss: name of the loss, with its unit.
        score: name of the score, with its unit.
        step: steps that a checkpoint has; lines past it are dropped.
    """

    def __init__(self, path: Path, loss: str, score: str, step: int) -> None:
        self._path, self._columns = path, (_FIRST, loss, score, _LAST)
        if path.exists():
            self._trim(step)

    def write(self, entry: Entry) -> None:
        """Append a line."""
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(self._columns)
            numbers = f"{entry.loss:.4f}", f"{entry.score:.4f}", f"{entry.seconds:.1f}"
            writer.writerow([entry.step, *numbers])

    def _trim(self, step: int) -> None:
        rows = self._path.read_text(errors="replace").splitlines()
        places = [row.split(",")[0] for row in rows]
        kept = [r for r, at in zip(rows, places, strict=True) if at.isdecimal() and int(at) <= step]
        with atomic_write(self._path) as new:
            new.write_text("\n".join([",".join(self._columns), *kept]) + "\n")
