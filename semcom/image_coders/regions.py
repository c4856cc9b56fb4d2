"""Regions of an image that an encoder is asked to quantise more finely or more coarsely."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av


class Region(NamedTuple):
    """A rectangle of pixels and what is added to its QP."""

    top: int
    left: int
    height: int
    width: int
    qp_offset: int


def any_in_blocks(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Which blocks of ``side`` x ``side`` pixels hold any pixel of a mask.

    Args:
        mask: bool ``[H, W]``.
        side: side of a block in pixels; blocks at the right and lower edge may stick out.

    Returns:
        bool ``[ceil(H / side), ceil(W / side)]``.

    >>> any_in_blocks(np.eye(5, dtype=bool), 2).astype(int).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    height, width = mask.shape
    rows, columns = math.ceil(height / side), math.ceil(width / side)
    padded = np.pad(mask, ((0, rows * side - height), (0, columns * side - width)))
    blocks: NDArray[np.bool_] = np.any(padded.reshape(rows, side, columns, side), axis=(1, 3))
    return blocks


def regions(offsets: NDArray[np.int64], side: int) -> list[Region]:
    """Few rectangles that cover every cell with an offset other than 0 exactly once.

    Runs of equal offsets in a row become one rectangle, and grow downwards as long as the next
    row holds the very same run.

    Args:
        offsets: int64 ``[rows, columns]``, QP offset of each cell.
        side: side of a cell in pixels.

    >>> regions(np.array([[0, -6, -6], [0, -6, -6]]), 16)
    [Region(top=0, left=16, height=32, width=32, qp_offset=-6)]
    """
    done: list[Region] = []
    growing: dict[tuple[int, int, int], Region] = {}
    for row, values in enumerate(offsets):
        bounds = np.flatnonzero(np.diff(values)) + 1
        grown: dict[tuple[int, int, int], Region] = {}
        for start, stop in zip([0, *bounds], [*bounds, len(values)], strict=True):
            offset = int(values[start])
            if offset:
                run = (int(start), int(stop), offset)
                new = Region(row * side, run[0] * side, 0, (run[1] - run[0]) * side, offset)
                above = growing.pop(run, new)
                grown[run] = above._replace(height=above.height + side)
        done += growing.values()
        growing = grown
    return [*done, *growing.values()]


def mark(frame: av.VideoFrame, marked: list[Region], bit_depth: int) -> av.VideoFrame:
    """Attach regions to a frame (libavfilter's addroi); where some overlap the first one counts.

    libavcodec's libx265 wrapper multiplies the offset it is handed by ``51 + 6 (bit_depth - 8)``.

    >>> import av
    >>> frame = mark(av.VideoFrame(64, 64, "gray"), [Region(0, 0, 32, 32, -6)], 8)
    >>> [str(data.type) for data in frame.side_data]
    ['Type.REGIONS_OF_INTEREST']
    """
    import av

    if not marked:
        return frame
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format.name,
        time_base=Fraction(1, 25),
    )
    qp_range = 51 + 6 * (bit_depth - 8)
    for region in marked:
        width = min(region.width, frame.width - region.left)
        height = min(region.height, frame.height - region.top)
        options = f"x={region.left}:y={region.top}:w={width}:h={height}"
        added = graph.add("addroi", f"{options}:qoffset={region.qp_offset}/{qp_range}")
        last.link_to(added)
        last = added
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.pull()
