"""What decides the weights of a bit allocation policy, beside the images."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels import InputError
from channels.errors import check_name, keep_count, keep_flag, keep_number
from semcom.dmic.episode import check_base_qps
from semcom.dmic.units import BASE_QPS
from semcom.training.schedule import Schedule

TUNED = ("all", "head", "last")
PRESET = "ultrafast"
"""Of x265 while learning: a fifth of the time of slower ones, and offsets that serve them too."""


@dataclass(frozen=True)
class PolicyPlan:
    """Advantage actor-critic (A2C; Mnih et al., ICML 2016) with a credit for every unit.

    Args:
        steps: updates.
        batch: images an update, each coded twice, with offsets tried to either side.
        learning_rate: peak rate of Adam.
        gamma: how much a unit is credited with what comes after it in raster order: 0, its own
            credit alone; above, it foresees what its reconstruction does to units predicted from
            it.
        base_qps: what the images are coded at, rising, three at least.
        reach: units to each side whose credits a unit is credited with as well: a block's errors
            spread into what is predicted from it, and into what a segmenter sees around it.
        entropy: weight of the entropy of what is chosen, which keeps it trying.
        critic: weight of the critic's loss.
        tuned: ``"all"`` of the policy; its ``"head"``, the 2.7 % that a transfer tunes; or head and
            ``"last"`` layer of the trunk.
        turned: whether the policy sees images turned and mirrored, so that one image is eight;
            they are coded and looked at as they are.
        imitated: of the updates, so many at the beginning imitate the rule "two levels", for which
            nothing is coded; what follows goes on from there.
        seed: of initial weights and every draw.
        schedule: of the learning rate, see :class:`semcom.training.schedule.Schedule`.

    Raises:
        InputError: if a number is out of range.

    >>> PolicyPlan().gamma
    0.0
    """

    steps: int = 4000
    batch: int = 2
    learning_rate: float = 1e-3
    base_qps: tuple[int, ...] = BASE_QPS
    gamma: float = 0.0
    reach: int = 0
    entropy: float = 0.01
    critic: float = 0.5
    tuned: str = "all"
    turned: bool = False
    imitated: int = 0
    seed: int = 0
    schedule: Schedule = field(default_factory=lambda: Schedule("decay", averaging=0.99))

    def __post_init__(self) -> None:
        keep_count(self, "steps", 1, 10**8)
        keep_count(self, "batch", 1, 256)
        keep_number(self, "learning_rate", 1e-9, 1)
        keep_number(self, "gamma", 0, 0.999)
        keep_count(self, "reach", 0, 8)
        keep_number(self, "entropy", 0, 10)
        keep_number(self, "critic", 0, 10)
        check_name("tuned", self.tuned, TUNED)
        keep_flag(self, "turned")
        keep_count(self, "imitated", 0, 10**6)
        if self.imitated > self.steps:
            raise InputError(
                f"{self.imitated} updates cannot imitate, there are {self.steps}: take more steps"
            )
        object.__setattr__(self, "base_qps", check_base_qps(self.base_qps))
        keep_count(self, "seed", 0, 2**40 - 1)
