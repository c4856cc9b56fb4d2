"""HEVC as an image format: its ladder of qualities."""

from __future__ import annotations

from dataclasses import dataclass

from semcom.image_coders import hevc
from semcom.image_coders.image_format import Mask
from semcom.image_coders.scale import Picture

_STEPS_PER_QP = 64


@dataclass(frozen=True)
class Hevc:
    """HEVC intra with x265; a step is 1/64 QP, from 51 down to 0.

    Args:
        bit_depth: bits a sample is coded with: 8, 10 or 12.
        roi_qp_offset: QPs that the region of interest gets on top, 0 or less.

    >>> Hevc(bit_depth=10, roi_qp_offset=-6).roi_weight
    4.0
    """

    bit_depth: int
    roi_qp_offset: int = 0

    channels = (1, 3)
    finest = hevc.QP_MAX * _STEPS_PER_QP
    layouts = 1
    step_of_one_bit = 40 * _STEPS_PER_QP
    steps_per_octave = 5.5 * _STEPS_PER_QP
    scaling_bits_per_pixel = 0.06
    smallest_scale = 8

    @property
    def roi_weight(self) -> float:
        """The squared step size of the background over that of the region."""
        return float(2 ** (-self.roi_qp_offset / 3))

    def encode(self, picture: Picture, step: int, layout: int, roi: Mask | None) -> bytes:
        r"""Code a picture; see :func:`semcom.image_coders.hevc.encode`.

        >>> import numpy as np
        >>> Hevc(10).encode(np.zeros((32, 32), np.float32), 0, 0, None)[:4]
        b'\x00\x00\x00\x01'
        """
        qp = hevc.QP_MAX - step / _STEPS_PER_QP
        return hevc.encode(picture, qp, self.bit_depth, roi, self.roi_qp_offset)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> Picture:
        """Decode a stream; see :func:`semcom.image_coders.hevc.decode`."""
        return hevc.decode(stream)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """The one beginning that there is: VPS, SPS, PPS and the slice's NAL header.

        >>> [len(header) for header in Hevc(10).headers(512, 512, 1)]
        [80]
        """
        return (hevc.header(height, width, channels, self.bit_depth),)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of a slice that holds a picture blurred out of recognition."""
        return 24 + channels * height * width // 1536
