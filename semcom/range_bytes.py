"""What constriction's range coder writes, as bytes, and back.

Zero bytes may follow what was written, and those at its end are left out: in a block of a fixed
size no length has to be sent.
"""

from __future__ import annotations

from typing import Any

import constriction
import numpy as np

_queue = constriction.stream.queue


def written(encoder: Any) -> bytes:
    """All that a ``RangeEncoder`` has written.

    >>> coder, even = _queue.RangeEncoder(), constriction.stream.model.Uniform(2)
    >>> coder.encode(1, even)
    >>> reading(written(coder)).decode(even)
    1
    """
    data: bytes = encoder.get_compressed().astype(">u4").tobytes()
    return data.rstrip(b"\0")


def reading(data: bytes) -> Any:
    """A ``RangeDecoder`` of bytes; what was cut off counts as zero bytes."""
    padded = data + b"\0" * (-len(data) % 4 + 8)
    return _queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))
