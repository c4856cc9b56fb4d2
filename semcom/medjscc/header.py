"""What the receiver must know first: steps, lengths and gain of one image in 32 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from semcom.medjscc.undecodable import Undecodable

BYTES = 4
STEPS_PER_OCTAVE = 8
LOG_STEP = (-6.0, 2.0)
ROI_RATIOS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Step outside over step inside the region of interest."""

LAST_STEP = round((LOG_STEP[1] - LOG_STEP[0]) * STEPS_PER_OCTAVE)
"""Index of the coarsest step."""

LENGTHS = 256
_GAIN_STEPS_PER_OCTAVE = 32
_GAINS = 256
SILENT = _GAINS - 1
GROUPS = 64
_SIZES = (len(ROI_RATIOS), LENGTHS, _GAINS, GROUPS)
ANALOG_ONLY = LAST_STEP + 1
"""In the place of a step: no digital part, only a finer analog base layer."""


@dataclass(frozen=True)
class Header:
    """One image's settings.

    Args:
        step: index of the quantisation step outside the region, eighths of an octave from 2^-6 on.
        roi: index into ``ROI_RATIOS``; 0 means that there are no mask blocks. Of a region that is
            sent alone, index of the grey level around it.
        length: channel uses of the digital part, in 256ths of those that are left to both.
        gain: index of the amplitude of the analogue part, 32nds of an octave around 1.
        base_groups: how many groups of the entropy model the first layer alone decodes.

    >>> Header.parse(Header(40, 2, 100, 128).pack()).length
    100
    """

    step: int
    roi: int
    length: int
    gain: int
    base_groups: int = 0

    def pack(self) -> bytes:
        """Four bytes."""
        number = self.step
        for value, size in zip(
            (self.roi, self.length, self.gain, self.base_groups), _SIZES, strict=True
        ):
            number = number * size + value
        return number.to_bytes(BYTES, "big")

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Undo :meth:`pack`.

        Raises:
            Undecodable: if the bytes are no header.
        """
        number, values = int.from_bytes(data[:BYTES], "big"), []
        for size in reversed(_SIZES):
            number, value = divmod(number, size)
            values.append(value)
        base_groups, gain, length, roi = values
        if number > ANALOG_ONLY:
            raise Undecodable("the header is not one of this codec")
        return cls(number, roi, length, gain, base_groups)

    @property
    def log_step(self) -> float:
        """log2 of the step outside the region of interest."""
        return LOG_STEP[0] + self.step / STEPS_PER_OCTAVE

    @property
    def analog_only(self) -> bool:
        """Whether there is no digital part, not even the coarsest."""
        return self.step == ANALOG_ONLY

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


def gain_index(amplitude: float) -> int:
    """Index of the gain that is nearest; ``SILENT`` for one that is beyond all.

    >>> gain_index(1.0)
    128
    """
    nearest = round(_GAINS // 2 + _GAIN_STEPS_PER_OCTAVE * math.log2(amplitude))
    return min(max(nearest, 0), _GAINS - 1)
