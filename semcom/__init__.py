"""Codecs for semantic image communication: images → symbols → images.

>>> import semcom
>>> list(semcom.codecs())[:4]
['medjscc', 'deepjscc', 'adjscc', 'ntscc']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from semcom.neighbours import check_neighbours

check_neighbours()  # first: all below import channels

from semcom.catalogue import bound, bounds, codec, codecs, register, segmenter, segmenters  # noqa: E402
from semcom.codec import Codec  # noqa: E402
from semcom.learned import LearnedCodec  # noqa: E402
from semcom.scheme import Scheme  # noqa: E402

if TYPE_CHECKING:
    from semcom import data, metrics

    __version__: str

__all__ = [
    "Codec",
    "LearnedCodec",
    "Scheme",
    "bound",
    "bounds",
    "codec",
    "codecs",
    "data",
    "metrics",
    "register",
    "segmenter",
    "segmenters",
]


def __getattr__(name: str) -> object:
    """Import on first use what brings libraries along that much can be done without."""
    if name == "__version__":
        return import_module("importlib.metadata").version("semcom")
    if name not in ("data", "metrics"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
