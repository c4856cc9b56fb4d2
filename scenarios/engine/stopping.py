"""When a point has been sent often enough."""

from __future__ import annotations

from dataclasses import dataclass

from channels.errors import check_whole, keep_number

LEAST_SENT = 30


@dataclass(frozen=True)
class Stop:
    """A point is repeated until every codec's PSNR is known so well, or a cap is hit.

    All codecs get as many trials of a point, so that differences stay paired. Trials double from
    round to round; the draws of a trial are the same however many there are. A point has 30
    transmissions at least: from two that went well nobody learns that one in ten is lost. Losses
    rarer than what was sent can show are in no interval of PSNR; that of the outage tells them.

    Args:
        ci_db: half the 95 % interval in dB that is narrow enough, see
            :func:`~scenarios.results.statistics.half_width_db`.
        max_trials: trials of each image that are enough in any case.

    Raises:
        InputError: if one does not fit.

    >>> Stop(0.1, 64).after(4), Stop(0.1, 64).after(48)
    (8, 64)
    """

    ci_db: float
    max_trials: int

    def __post_init__(self) -> None:
        keep_number(self, "ci_db", 1e-4, 20)
        object.__setattr__(self, "max_trials", check_whole("max_trials", self.max_trials, 2))

    def first(self, trials: int, images: int) -> int:
        """Trials of the first round, where a user asked for some at least.

        >>> Stop(0.1, 64).first(1, images=8)
        4
        """
        return min(max(trials, 2, -(-LEAST_SENT // images)), self.max_trials)

    def after(self, trials: int) -> int:
        """Trials of the next round."""
        return min(2 * trials, self.max_trials)
