"""JPEG 2000 as an image format: its ladder of qualities."""

from __future__ import annotations

from dataclasses import dataclass

from semcom.image_coders import jpeg2000
from semcom.image_coders.image_format import Mask
from semcom.image_coders.scale import Picture

_STEPS_PER_OCTAVE = 64
_OCTAVES_BELOW_ONE_BIT, _OCTAVES_ABOVE = 12, 4


@dataclass(frozen=True)
class Jpeg2000:
    """JPEG 2000 with OpenJPEG; a step is 1/64 octave of bits per pixel, up to 16.

    OpenJPEG reaches sizes some per cent apart, as it cuts between whole coding passes. Other
    code-block sizes and numbers of resolutions, hardly worse, have other passes to cut between.

    >>> Jpeg2000().finest
    1024
    """

    channels = (1, 3)
    finest = (_OCTAVES_BELOW_ONE_BIT + _OCTAVES_ABOVE) * _STEPS_PER_OCTAVE
    layouts = len(jpeg2000.LAYOUTS)
    step_of_one_bit = _OCTAVES_BELOW_ONE_BIT * _STEPS_PER_OCTAVE
    steps_per_octave = float(_STEPS_PER_OCTAVE)
    scaling_bits_per_pixel = 0.03
    smallest_scale = 8
    roi_weight = 1.0

    def encode(self, picture: Picture, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code a picture; see :func:`semcom.image_coders.jpeg2000.encode`.

        >>> import numpy as np
        >>> Jpeg2000().encode(np.zeros((32, 32), np.float32), 0, 0, None)[-2:].hex()
        'ffd9'
        """
        return jpeg2000.encode(picture, bits_per_pixel(step), layout)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> Picture:
        """Decode a stream; see :func:`semcom.image_coders.jpeg2000.decode`."""
        return jpeg2000.decode(stream, largest)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """One beginning for each layout: main header and tile-part header.

        >>> len(Jpeg2000().headers(512, 512, 1)[0])
        110
        """
        layouts = range(self.layouts)
        return tuple(jpeg2000.header(height, width, channels, layout) for layout in layouts)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of the packets that hold a picture blurred out of recognition."""
        return 48 + channels * height * width // 16384


def bits_per_pixel(step: int) -> float:
    """The rate that a step of :class:`Jpeg2000` aims at.

    >>> bits_per_pixel(Jpeg2000.step_of_one_bit)
    1.0
    """
    return float(2 ** (step / _STEPS_PER_OCTAVE - _OCTAVES_BELOW_ONE_BIT))
