"""95 % confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval of independent values, after Student.

    Args:
        values: any number of values; the interval is NaN below two, or where one is infinite.

    Returns:
        ``(mean, low, high)``.

    >>> [round(x, 3) for x in mean_interval([30.0, 31.0, 32.0])]
    [31.0, 28.516, 33.484]
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        return math.nan, math.nan, math.nan
    mean = float(data.mean())
    if data.size == 1 or not np.isfinite(data).all():
        return mean, math.nan, math.nan
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, data.size - 1))
    half = quantile * float(data.std(ddof=1)) / math.sqrt(data.size)
    return mean, mean - half, mean + half


def wilson_interval(events: int, trials: int) -> tuple[float, float, float]:
    """Share of events and its 95 % interval, after Wilson.

    Args:
        events: number of events.
        trials: number of independent trials, at least 1.

    Returns:
        ``(share, low, high)``.

    >>> [round(x, 3) for x in wilson_interval(0, 10)]
    [0.0, 0.0, 0.278]
    """
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    share = events / trials
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = 0.0 if events == 0 else max(0.0, centre - half)
    high = 1.0 if events == trials else min(1.0, centre + half)
    return share, low, high


def half_width_db(psnr_db: Sequence[Sequence[float]]) -> float:
    """Half the 95 % interval of a mean PSNR over given images: what fading and noise leave open.

    Images count as fixed, trials of each as independent with a variance of their own; Student's t
    with as many degrees of freedom as there are trials less images. That images differ is not
    in it: the intervals of :meth:`scenarios.Table.summary` tell that.

    Args:
        psnr_db: for each image the PSNR of each trial, two trials or more.

    Returns:
        NaN for one trial, or where a PSNR is infinite.

    >>> round(half_width_db([[30.0, 31.0], [40.0, 41.0]]), 2)
    1.52
    """
    rows = np.asarray(psnr_db, dtype=np.float64)
    images, trials = len(rows), len(rows[0])
    if trials < 2 or not np.isfinite(rows).all():
        return math.nan
    error: float = math.sqrt(float(rows.var(axis=1, ddof=1).sum()) / trials) / images
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, images * (trials - 1)))
    return quantile * error
