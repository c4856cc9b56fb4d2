"""Finished tasks on disk, one JSON line each, so that a killed run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType, TracebackType
from typing import Self

from scenarios.engine.task import Measured, Outcome
from scenarios.results.columns import measured

_TYPES = {"float64": (float, NoneType), "Int64": (int, NoneType), "bool": (bool,)}


class Journal:
    """An append-only file of finished tasks, each on disk before the next one is counted.

    Every line carries the key of its task, a hash of all that its outcome depends on. Runs of
    different definitions share a journal without mixing, and a wider grid finds its old points.

    Args:
        folder: where ``journal.jsonl`` lies; created on the first finished task.
            ``None`` keeps nothing.
        columns: names and types of what is measured, by default those of any table; a line of
            others is passed over.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     values = dict.fromkeys(measured()) | {"outage": False}
    ...     with Journal(Path(folder)) as journal:
    ...         journal.write("abc", Outcome(values, 0.1, 0.2))
    ...     list(Journal(Path(folder)).read())
    ['abc']
    """

    def __init__(
        self, folder: Path | None, columns: Mapping[str, tuple[type, ...]] | None = None
    ) -> None:
        self._columns = columns or types_of()
        self._path = None if folder is None else folder / "journal.jsonl"
        self._descriptor: int | None = None

    def read(self) -> dict[str, Measured]:
        """Measured values of every finished task by key; a damaged line counts as not."""
        if self._path is None or not self._path.exists():
            return {}
        finished: dict[str, Measured] = {}
        for line in self._path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
                key, values = entry["key"], entry["measured"]
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
            if isinstance(key, str) and self._is_measured(values):
                finished[key] = values
        return finished

    def write(self, key: str, outcome: Outcome) -> None:
        """Append a finished task and wait until the disk has it."""
        if self._path is None:
            return
        if self._descriptor is None:
            self._descriptor = _open(self._path)
        entry = {
            "key": key,
            "measured": outcome.measured,
            "encode_s": round(outcome.encode_s, 4),
            "decode_s": round(outcome.decode_s, 4),
        }
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")
        os.fsync(self._descriptor)

    def _is_measured(self, values: object) -> bool:
        return (
            isinstance(values, dict)
            and values.keys() == self._columns.keys()
            and all(type(values[name]) in types for name, types in self._columns.items())
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def types_of(requested: Collection[str] = ()) -> dict[str, tuple[type, ...]]:
    """Names and types of what a table holds that was asked for some metrics.

    >>> types_of(["vsi"])["vsi"]
    (<class 'float'>, <class 'NoneType'>)
    """
    return {name: _TYPES[column.dtype] for name, column in measured(requested).items()}


def _open(path: Path) -> int:
    """Open for appending, on a new line even after a torn one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    if torn:
        os.write(descriptor, b"\n")
    return descriptor
