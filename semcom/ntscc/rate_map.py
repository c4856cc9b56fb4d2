"""The rates of an image as bytes: levels of blocks of cells, each predicted from its neighbours."""

from __future__ import annotations

import constriction
import numpy as np
from numpy.typing import NDArray

from channels import InputError
from semcom.ntscc.allocation import TOP, Levels, blockwise, spread
from semcom.range_bytes import reading, written

LEAST_BYTES = 4
BLOCKS = (1, 2, 4)
"""Sides of a block, in cells; the finest that fits is taken."""

_SCALES = (0.4, 0.8, 1.4, 2.4)
_queue = constriction.stream.queue
_model = constriction.stream.model
_SETTING = _model.Uniform(1 + len(BLOCKS) * len(_SCALES))
_EQUAL = len(BLOCKS) * len(_SCALES)
_LEVEL = _model.QuantizedLaplace(0, TOP)


def rate_map(bits: NDArray[np.float64], budget: int, num_bytes: int) -> tuple[bytes, Levels]:
    """The best map of an image's rates that a number of bytes holds.

    Args:
        bits: what the entropy model says of each cell, ``[rows, columns]``.
        budget: real numbers in all.
        num_bytes: room for the map.

    Returns:
        The bytes, and the level of each cell ``[rows, columns]`` before
        :func:`semcom.ntscc.allocation.filled`.

    >>> bits = np.arange(64.0).reshape(8, 8)
    >>> data, levels = rate_map(bits, 512, 64)
    >>> np.array_equal(levels, read_map(data, (8, 8)))
    True
    """
    for setting, side in enumerate(BLOCKS):
        levels = blockwise(bits, side, budget)
        written = min(
            (_written(levels, setting * len(_SCALES) + index) for index in range(len(_SCALES))),
            key=len,
        )
        cells = spread(levels, side, bits.shape)
        data = _shortened(written, cells, num_bytes)
        if data is not None:
            return data, cells
    nothing = np.zeros(bits.shape, dtype=np.int64)
    data = _shortened(_written(nothing[:0], _EQUAL), nothing, num_bytes)
    if data is None:
        raise InputError(f"{num_bytes} bytes hold no map of rates: raise cbr")
    return data, nothing


def read_map(data: bytes, shape: tuple[int, ...]) -> Levels:
    """Undo :func:`rate_map`: levels ``[rows, columns]``; what was cut off counts as zero bytes.

    Raises:
        InputError: if the bytes are no map.
    """
    decoder = reading(data)
    try:
        chosen = int(decoder.decode(_SETTING))
        if chosen == _EQUAL:
            return np.zeros(shape, dtype=np.int64)
        block, index = divmod(chosen, len(_SCALES))
        side = BLOCKS[block]
        levels = np.zeros([-(-length // side) for length in shape], dtype=np.int64)
        scale = np.array([_SCALES[index]])
        for row, column in np.ndindex(*levels.shape):
            mean = np.array([_predicted(levels, row, column)])
            levels[row, column] = decoder.decode(_LEVEL, mean, scale)[0]
    except AssertionError as error:
        raise InputError("these bytes are no map of rates") from error
    return spread(levels, side, shape)


def _written(levels: Levels, setting: int) -> bytes:
    encoder = _queue.RangeEncoder()
    encoder.encode(setting, _SETTING)
    if levels.size:
        means = np.array([_predicted(levels, *place) for place in np.ndindex(*levels.shape)])
        scales = np.full(levels.size, _SCALES[setting % len(_SCALES)])
        encoder.encode(levels.ravel().astype(np.int32), _LEVEL, means, scales)
    return written(encoder)


def _predicted(levels: Levels, row: int, column: int) -> float:
    """Mean of the neighbours above and to the left, of what there is."""
    known = [levels[row - 1, column]] if row else []
    known += [levels[row, column - 1]] if column else []
    return float(sum(known)) / len(known) if known else TOP / 2


def _shortened(data: bytes, cells: Levels, num_bytes: int) -> bytes | None:
    """The data in so many bytes: a coder's last word often says more than a reader needs."""
    if len(data) <= num_bytes:
        return data
    if len(data) > num_bytes + 4:
        return None
    first = int.from_bytes(data[:num_bytes], "big")
    for number in (first, first + 1):
        if number < 256**num_bytes:
            short = number.to_bytes(num_bytes, "big")
            try:
                if np.array_equal(read_map(short, cells.shape), cells):
                    return short
            except InputError:
                continue
    return None
