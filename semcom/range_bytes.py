"""What constriction's range coder writes, as bytes, and back.

Zero bytes may follow what was written, and those at its end are left out: in a block of a fixed
size no length has to be sent.
"""

from __future__ import annotations

from typing import Any

import constriction
import numpy as np

_queue = constriction.stream.queue
_STATE_BYTES = 8
_STATES = 256**_STATE_BYTES


def written(encoder: Any) -> bytes:
    """The shortest bytes that say all that a ``RangeEncoder`` was given.

    The coder's state is an interval of 64-bit numbers behind the words that are settled, and any
    number in it will do: the one that ends in the most zero bytes is taken.

    >>> coder, even = _queue.RangeEncoder(), constriction.stream.model.Uniform(2)
    >>> coder.encode(1, even)
    >>> len(written(coder)), reading(written(coder)).decode(even)
    (1, 1)
    """
    settled, (lower, span) = encoder.pos()
    words = encoder.get_compressed()
    data, rest = (part.astype(">u4").tobytes() for part in (words[:settled], words[settled:]))
    lower, span = int(lower), int(span)
    if int.from_bytes(rest.ljust(_STATE_BYTES, b"\0"), "big") < lower:
        lower -= _STATES  # a carry into the settled words
    kept, number = next(
        (kept, number)
        for kept in range(_STATE_BYTES + 1)
        if (number := max(-(-lower // _unit(kept)), 0)) * _unit(kept) < min(lower + span, _STATES)
    )
    shortest: bytes = (data + number.to_bytes(kept, "big")).rstrip(b"\0")
    return shortest


def _unit(kept: int) -> int:
    """The least number whose bytes behind the first ``kept`` are zeros."""
    unit: int = 256 ** (_STATE_BYTES - kept)
    return unit


def reading(data: bytes) -> Any:
    """A ``RangeDecoder`` of bytes; what was cut off counts as zero bytes."""
    padded = data + b"\0" * (-len(data) % 4 + 8)
    return _queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
