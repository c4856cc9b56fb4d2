"""JPEG XL as an image format: its ladder of qualities."""

from __future__ import annotations

import math
from dataclasses import dataclass

from semcom.image_coders import jpegxl
from semcom.image_coders.image_format import Mask
from semcom.image_coders.scale import Picture

_STEPS_PER_OCTAVE = 256


@dataclass(frozen=True)
class JpegXl:
    """JPEG XL with libjxl; a step is 1/256 octave of distance, from 25 down to 0.05.

    Distance 25 still takes about 0.16 bits per pixel: lower rates come from shrunk pictures.

    >>> JpegXl().finest
    2295
    """

    channels = (1, 3)
    finest = math.floor(_STEPS_PER_OCTAVE * math.log2(jpegxl.DISTANCES[1] / jpegxl.DISTANCES[0]))
    layouts = 1
    step_of_one_bit = 4 * _STEPS_PER_OCTAVE
    steps_per_octave = 1.1 * _STEPS_PER_OCTAVE
    scaling_bits_per_pixel = 0.2
    smallest_scale = 1
    roi_weight = 1.0

    def encode(self, picture: Picture, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code a picture; see :func:`semcom.image_coders.jpegxl.encode`.

        >>> import numpy as np
        >>> JpegXl().encode(np.zeros((32, 32), np.float32), 0, 0, None)[:2].hex()
        'ff0a'
        """
        distance = jpegxl.DISTANCES[1] * 2 ** (-step / _STEPS_PER_OCTAVE)
        return jpegxl.encode(picture, distance)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> Picture:
        """Decode a stream; see :func:`semcom.image_coders.jpegxl.decode`."""
        return jpegxl.decode(stream)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """The one beginning that there is: signature, size and metadata.

        >>> len(JpegXl().headers(512, 512, 1)[0])
        8
        """
        return (jpegxl.header(height, width, channels),)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of a frame that holds a shrunk picture blurred out of recognition."""
        return 96 + channels * height * width // 768
