"""What the receiver must know first: steps, lengths and gain of one picture in 32 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from channels import InputError

BYTES = 4
STEPS_PER_OCTAVE = 8
LOG_STEP = (-6.0, 2.0)
ROI_RATIOS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Step outside over step inside the region of interest."""

LENGTHS = 256
_LIMITS: tuple[int, ...] = tuple(2 ** (n + 1) - 1 for n in range(16))
_GAIN_STEPS_PER_OCTAVE = 32
_GAINS = 256
SILENT = _GAINS - 1
PLAIN = 65
"""In the place of a step: no digital part, only a finer overview."""


@dataclass(frozen=True)
class Header:
    """One picture's settings.

    Args:
        step: index of the quantisation step outside the region, eighths of an octave from 2^-6 on.
        roi: index into ``ROI_RATIOS``; 0 means that there are no mask cells.
        limit: index of the largest magnitude of a detail, ``2^(limit + 1) - 1``.
        length: channel uses of the digital part, in 256ths of those that are left to both.
        gain: index of the amplitude of the analogue part, 32nds of an octave around 1.

    >>> Header.parse(Header(40, 2, 4, 100, 128).pack()).length
    100
    """

    step: int
    roi: int
    limit: int
    length: int
    gain: int

    def pack(self) -> bytes:
        """Four bytes."""
        number = self.step
        for value, size in ((self.roi, 8), (self.limit, 16), (self.length, 256), (self.gain, 256)):
            number = number * size + value
        return number.to_bytes(BYTES, "big")

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Undo :meth:`pack`.

        Raises:
            InputError: if the bytes are no header.
        """
        number, values = int.from_bytes(data[:BYTES], "big"), []
        for size in (256, 256, 16, 8):
            number, value = divmod(number, size)
            values.append(value)
        gain, length, limit, roi = values
        if number > PLAIN:
            raise InputError("the header is not one of this codec")
        return cls(number, roi, limit, length, gain)

    @property
    def log_step(self) -> float:
        """log2 of the step outside the region of interest."""
        return LOG_STEP[0] + self.step / STEPS_PER_OCTAVE

    @property
    def largest(self) -> int:
        """Largest magnitude of a detail that can be coded."""
        return _LIMITS[self.limit]

    @property
    def plain(self) -> bool:
        """Whether there is no digital part, not even the coarsest."""
        return self.step == PLAIN

    @property
    def silent(self) -> bool:
        """Whether nothing is left to send in the analogue part."""
        return self.gain == SILENT

    @property
    def amplitude(self) -> float:
        """Gain of the analogue part."""
        return float(2 ** ((self.gain - _GAINS // 2) / _GAIN_STEPS_PER_OCTAVE))


def step_index(log_step: float) -> int:
    """Index of the step that is nearest.

    >>> step_index(-6.0), step_index(2.0)
    (0, 64)
    """
    within = min(max(log_step, LOG_STEP[0]), LOG_STEP[1])
    return round((within - LOG_STEP[0]) * STEPS_PER_OCTAVE)


def limit_index(magnitude: int) -> int:
    """Index of the least limit that holds a magnitude.

    >>> limit_index(1), limit_index(2), limit_index(3)
    (0, 1, 1)
    """
    return min(i for i, limit in enumerate(_LIMITS) if limit >= magnitude)


def gain_index(amplitude: float) -> int:
    """Index of the gain that is nearest; ``SILENT`` for one that is beyond all.

    >>> gain_index(1.0)
    128
    """
    nearest = round(_GAINS // 2 + _GAIN_STEPS_PER_OCTAVE * math.log2(amplitude))
    return min(max(nearest, 0), _GAINS - 1)
