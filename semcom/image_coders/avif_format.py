"""AVIF's AV1 as an image format: its ladder of qualities."""

from __future__ import annotations

from dataclasses import dataclass

from semcom.image_coders import avif
from semcom.image_coders.image_format import Mask
from semcom.image_coders.scale import Picture


@dataclass(frozen=True)
class Avif:
    """AV1 with SVT-AV1; a step is one quantiser index, from 252 down to 4. Grey alone.

    >>> Avif().finest
    248
    """

    channels = (1,)
    finest = avif.QINDEX[1] - avif.QINDEX[0]
    layouts = 1
    step_of_one_bit = 200
    steps_per_octave = 28.0
    scaling_bits_per_pixel = 0.015
    smallest_scale = 8
    roi_weight = 1.0

    def encode(self, picture: Picture, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code a picture; see :func:`semcom.image_coders.avif.encode`.

        >>> import numpy as np
        >>> Avif().encode(np.zeros((32, 32), np.float32), 0, 0, None)[:1].hex()
        '0a'
        """
        return avif.encode(picture, avif.QINDEX[1] - step)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> Picture:
        """Decode a stream; see :func:`semcom.image_coders.avif.decode`."""
        return avif.decode(stream)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """The beginnings that there are: sequence header and the frame's OBU type.

        >>> [len(header) for header in Avif().headers(512, 512, 1)]
        [14, 14]
        """
        return avif.headers(height, width)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of a frame that holds a picture blurred out of recognition."""
        return 48 + height * width // 1024
