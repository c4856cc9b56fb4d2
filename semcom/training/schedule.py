"""How a training goes: the learning rate from step to step, the optimiser, the average."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from channels.errors import check_name, keep_number

OPTIMIZERS = ("adam", "soap")
_WARM_UP, _SHORT_WARM_UP = 200, 50


def _cosine(step: int, steps: int) -> float:
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps))


_SHAPES: dict[str, Callable[[int, int], float]] = {
    "cosine": lambda step, steps: min(1, (step + 1) / _WARM_UP) * _cosine(step, steps),
    "constant": lambda step, steps: min(1, (step + 1) / _WARM_UP),
    "decay": lambda step, steps: min(1, (step + 1) / _SHORT_WARM_UP) * _cosine(step, steps),
}
SHAPES = tuple(_SHAPES)


@dataclass(frozen=True)
class Schedule:
    """What the loop does with gradients; part of what fixes the weights that come out.

    Args:
        shape: of the learning rate. ``"cosine"``: 200 steps of warm-up, then half a cosine to 1 %
            of the plan's rate; ``"constant"``: 200 steps of warm-up, then the plan's rate, for runs
            whose end is open; ``"decay"``: 50 steps of warm-up, then half a cosine to 1 %, for the
            run that follows such a one.
        optimizer: ``"adam"``, or ``"soap"``, see :class:`semcom.training.soap.SOAP`.
        averaging: decay per step of the moving average of the weights, which is what comes out;
            it averages about ``1 / (1 - averaging)`` steps, and a tenth of the steps that were
            done at most. 0.999 and more is for long runs.

    Raises:
        InputError: on an unknown shape or optimiser, or a decay out of range.

    >>> [round(Schedule("decay").rate(step, 1000), 3) for step in (0, 49, 500, 1000)]
    [0.02, 0.994, 0.505, 0.01]
    """

    shape: str = "cosine"
    optimizer: str = "adam"
    averaging: float = 0.998

    def __post_init__(self) -> None:
        check_name("shape of a schedule", self.shape, SHAPES)
        check_name("optimiser", self.optimizer, OPTIMIZERS)
        keep_number(self, "averaging", 0, 0.999999)

    def rate(self, step: int, steps: int) -> float:
        """The share of the plan's learning rate at a step of so many."""
        return _SHAPES[self.shape](step, steps)

    def decay(self, step: int) -> float:
        """The decay of the average at a step: it grows, so that first weights are forgotten.

        >>> Schedule().decay(0), Schedule().decay(10**6)
        (0.1, 0.998)
        """
        return min(self.averaging, (step + 1) / (step + 10))
