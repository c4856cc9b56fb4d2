"""What decides the weights of a generator, beside the pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels import InputError
from channels.errors import keep_count, keep_number, shown
from semcom.generative.generator import STRIDE
from semcom.training.schedule import Schedule


@dataclass(frozen=True)
class GeneratorPlan:
    """Conditional flow matching on random parts of pictures.

    Args:
        steps: updates.
        batch: parts an update.
        crop: side of a part in pixels, a multiple of 32.
        learning_rate: peak rate.
        wordless: share of the parts that are painted without words, so that the generator can do
            without them.
        seed: of initial weights and every draw.
        schedule: of the learning rate, see :class:`semcom.training.schedule.Schedule`.

    Raises:
        InputError: if a number is out of range.

    >>> GeneratorPlan().wordless
    0.1
    """

    steps: int = 20000
    batch: int = 8
    crop: int = 256
    learning_rate: float = 5e-4
    wordless: float = 0.1
    seed: int = 0
    schedule: Schedule = field(default_factory=lambda: Schedule("decay", averaging=0.999))

    def __post_init__(self) -> None:
        keep_count(self, "steps", 1, 10**8)
        keep_count(self, "batch", 1, 256)
        keep_count(self, "crop", STRIDE, 4096)
        if self.crop % STRIDE:
            raise InputError(f"crop must be a multiple of {STRIDE}, got {shown(self.crop)}")
        keep_number(self, "learning_rate", 1e-9, 1)
        keep_number(self, "wordless", 0, 1)
        keep_count(self, "seed", 0, 2**40 - 1)
