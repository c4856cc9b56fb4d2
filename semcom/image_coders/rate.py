"""The best quality of an image coder that fits a byte budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from channels import InputError

FILLED = 0.99
"""Share of the budget from which on a stream is taken to fill it."""

_AROUND = 8
_BEYOND = 1 / 32


class BudgetTooSmall(InputError):
    """The coarsest image takes more bytes than there are."""


@dataclass(frozen=True)
class Ladder:
    """An image coded at all the qualities of a coder.

    Args:
        encode: codes it at a step, 0 (coarsest) to ``finest``, in one of ``nudges`` slightly
            different ways; 0 is the plain one.
        finest: the finest step.
        nudges: how many ways there are, the later the smaller if they differ in bytes at all.
        start: a guess of the step that fills the budget.
        steps_per_octave: about how many steps double the bytes.
    """

    encode: Callable[[int, int], bytes]
    finest: int
    nudges: int
    start: int
    steps_per_octave: float


def fit(
    ladder: Ladder, budget: int, error: Callable[[bytes], float], filled: float = FILLED
) -> bytes:
    """Find a stream of at most ``budget`` bytes that fills 99 % of it, or the best there is.

    Brackets the budget from the guess on, by steps that the sizes seen suggest, then interpolates
    the logarithm of the size and bisects, in turns. Where the ladder's steps are too coarse to fill
    the budget, steps that exceed it are coded in the nudged ways. If nothing fills it, then of
    the three largest streams that fit the one with the least error wins: sizes need not rise at
    every step.

    Args:
        ladder: the image at all qualities.
        budget: bytes that the stream may take.
        error: the distortion of a stream, any monotone measure.
        filled: the share of the budget to settle for.

    Raises:
        InputError: if even step 0 takes more than ``budget`` bytes.

    >>> ladder = Ladder(lambda step, number: bytes(110 + 9 * step - number), 99, 9, 50, 20)
    >>> len(fit(ladder, 252, error=lambda stream: -len(stream)))
    250
    """
    fitting: list[bytes] = []
    low, high = -1, ladder.finest + 1
    log_low = log_high = 0.0
    aim = math.log2(max((1 + filled) / 2 * budget, 1))
    step = min(max(ladder.start, 0), ladder.finest)
    reach, interpolate = 1.0, True
    while True:
        stream = ladder.encode(step, 0)
        size = math.log2(len(stream))
        if len(stream) <= budget:
            fitting.append(stream)
            low, log_low = step, size
            if len(stream) >= filled * budget:
                return stream
        else:
            high, log_high = step, size
        if high - low <= 1:
            break
        if low < 0 or high > ladder.finest:
            move = round(reach * ladder.steps_per_octave * (aim - size))
            step = min(max(step + move, low + 1), high - 1)
            reach *= 2
        else:
            share = (aim - log_low) / (log_high - log_low) if interpolate else 0.5
            step = min(max(round(low + share * (high - low)), low + 1), high - 1)
            interpolate = not interpolate
    if low < 0:
        raise BudgetTooSmall(
            f"the coarsest image takes {len(stream)} bytes but the channel budget holds "
            f"{max(budget, 0)}: raise cbr or snr_db"
        )
    if low < ladder.finest:
        for stream in _nudged(ladder, high, budget):
            if filled * budget <= len(stream) <= budget:
                return stream
            if len(stream) <= budget:
                fitting.append(stream)
    return min(sorted(fitting, key=len)[-3:], key=error)


def _nudged(ladder: Ladder, step: int, budget: int) -> Iterator[bytes]:
    """Streams of two steps that exceed the budget, nudged: by bisection, then around its end."""
    for chosen in (step, min(step + round(_BEYOND * ladder.steps_per_octave), ladder.finest)):
        over, under = 0, ladder.nudges
        while under - over > 1:
            number = (over + under) // 2
            stream = ladder.encode(chosen, number)
            over, under = (over, number) if len(stream) <= budget else (number, under)
            yield stream
        around = range(max(under - _AROUND, 1), min(under + _AROUND, ladder.nudges))
        for number in around:
            yield ladder.encode(chosen, number)
