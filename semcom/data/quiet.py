"""A library that says on its way what a file holds, kept from everyone."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Hear no warning, and no log record of a library, while the block runs.

    >>> with quiet("pydicom"):
    ...     logging.getLogger("pydicom").error("a patient's name")
    """
    log = logging.getLogger(library)
    before = log.propagate, log.disabled
    log.propagate, log.disabled = False, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.propagate, log.disabled = before
