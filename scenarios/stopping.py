"""When a point has been sent often enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from channels.errors import check_number
from scenarios.inputs import check_whole
from scenarios.statistics import LEVEL

LEAST_SENT = 30


@dataclass(frozen=True)
class Stop:
    """A point is repeated until every codec's PSNR is known so well, or a cap is hit.

    All codecs get as many trials of a point, so that differences stay paired. Trials double from
    round to round; the draws of a trial are the same however many there are. A point has 30
    transmissions at least: from two that went well nobody learns that one in ten is lost. Losses
    rarer than what was sent can show are in no interval of PSNR; that of the outage tells them.

    Args:
        ci_db: half the 95 % interval in dB that is narrow enough, see :func:`half_width_db`.
        max_trials: trials of each picture that are enough in any case.

    Raises:
        InputError: if one does not fit.

    >>> Stop(0.1, 64).after(4), Stop(0.1, 64).after(48)
    (8, 64)
    """

    ci_db: float
    max_trials: int

    def __post_init__(self) -> None:
        check_number("ci_db", self.ci_db, 1e-4, 20)
        check_whole("max_trials", self.max_trials, 2)

    def first(self, trials: int, pictures: int) -> int:
        """Trials of the first round, where a user asked for some at least.

        >>> Stop(0.1, 64).first(1, pictures=8)
        4
        """
        return min(max(trials, 2, -(-LEAST_SENT // pictures)), self.max_trials)

    def after(self, trials: int) -> int:
        """Trials of the next round."""
        return min(2 * trials, self.max_trials)


def half_width_db(psnr_db: Sequence[Sequence[float]]) -> float:
    """Half the 95 % interval of a mean PSNR over given pictures: what fading and noise leave open.

    Pictures count as fixed, trials of each as independent with a variance of their own; Student's t
    with as many degrees of freedom as there are trials less pictures. That pictures differ is not
    in it: the intervals of :meth:`scenarios.Table.summary` tell that.

    Args:
        psnr_db: for each picture the PSNR of each trial, two trials or more.

    Returns:
        NaN for one trial, or where a PSNR is infinite.

    >>> round(half_width_db([[30.0, 31.0], [40.0, 41.0]]), 2)
    1.52
    """
    rows = np.asarray(psnr_db, dtype=np.float64)
    pictures, trials = len(rows), len(rows[0])
    if trials < 2 or not np.isfinite(rows).all():
        return math.nan
    error: float = math.sqrt(float(rows.var(axis=1, ddof=1).sum()) / trials) / pictures
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, pictures * (trials - 1)))
    return quantile * error
