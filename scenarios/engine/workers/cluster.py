"""A Dask cluster as an executor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from channels import InputError

P = ParamSpec("P")
T = TypeVar("T")
_PATIENCE_S = 30
_RETRIES = 3
_LARGE = 2**16


@contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """The workers of a Dask scheduler, for the ``executor`` of any scenario.

    Every worker needs semcom and its dependencies in the same versions. What a worker that dies
    was at is done by another.

    Args:
        address: of the scheduler, ``tcp://host:port``; ``None`` for no cluster.

    Raises:
        InputError: if distributed is not installed, or no scheduler answers.

    >>> with cluster(None) as executor:
    ...     print(executor)
    None
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("a Dask cluster needs distributed: pip install semcom[dask]") from None
    try:
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, timeout=_PATIENCE_S, set_as_default=False
        )
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"no Dask scheduler answers at {address!r}: {reason}") from None
    with client:
        yield _Cluster(client)


class _Cluster(Executor):
    """A client's executor that sends large arguments, as codecs with their weights, but once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor: Executor = client.get_executor(pure=False, retries=_RETRIES)
        self._sent: dict[str, Any] = {}

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it on some worker."""
        return self._executor.submit(function, *map(self._once, args), **kwargs)  # type: ignore[arg-type]

    def _once(self, argument: object) -> object:
        """Large bytes as the result of a task: a worker that lost them asks for them again."""
        if not isinstance(argument, bytes) or len(argument) < _LARGE:
            return argument
        key = f"semcom-{hashlib.sha256(argument).hexdigest()}"
        if key not in self._sent:
            self._sent[key] = self._client.submit(bytes, argument, key=key, retries=_RETRIES)
        return self._sent[key]
