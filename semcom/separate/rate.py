"""The best quality of an image coder that fits a byte budget."""

from __future__ import annotations

import math
from collections.abc import Callable

from channels import InputError


def fit(
    encode: Callable[[int], bytes],
    top: int,
    budget: int,
    error: Callable[[bytes], float],
    finest: int,
) -> bytes:
    """Find the stream of least error among those of at most ``budget`` bytes.

    Walks a ladder of qualities: the size of a stream is searched by interpolating its logarithm
    and by bisection, in turns. Sizes need not rise at every step: of the largest streams that were
    tried and fit, the one with the least error wins.

    Args:
        encode: codes the picture at a step of the ladder, 0 (coarsest) to ``top`` (finest).
        top: the finest step.
        budget: bytes that the stream may take.
        error: the distortion of a stream, any monotone measure.
        finest: a guess of the bytes at step ``top``, from which the search sets out.

    Raises:
        InputError: if even step 0 takes more than ``budget`` bytes.

    >>> stream = fit(lambda step: bytes(100 + 7 * step), 99, 250, lambda stream: -len(stream), 800)
    >>> len(stream)
    247
    """
    coarsest = encode(0)
    if len(coarsest) > budget:
        raise InputError(
            f"the coarsest picture takes {len(coarsest)} bytes but the channel budget holds "
            f"{max(budget, 0)}: raise cbr or snr_db"
        )
    fitting = [coarsest]
    low, high = 0, top + 1
    log_low, log_high = math.log(len(coarsest)), math.log(finest)
    interpolate = True
    while high - low > 1:
        middle = (low + high) // 2
        if interpolate and log_low <= math.log(budget) < log_high:
            share = (math.log(budget) - log_low) / (log_high - log_low)
            middle = min(max(round(low + share * (high - low)), low + 1), high - 1)
        interpolate = not interpolate
        stream = encode(middle)
        if len(stream) <= budget:
            fitting.append(stream)
            low, log_low = middle, math.log(len(stream))
        else:
            high, log_high = middle, math.log(len(stream))
    return min(sorted(fitting, key=len)[-3:], key=error)
