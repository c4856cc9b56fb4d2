"""The image formats by name: the one line that each costs beside its own file."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from semcom.image_coders.avif import Avif
from semcom.image_coders.hevc import Hevc
from semcom.image_coders.image_format import ImageFormat
from semcom.image_coders.jpeg2000 import Jpeg2000
from semcom.image_coders.jpegxl import JpegXl


class Format(NamedTuple):
    """What it is, and how it is made of a bit depth and of the QPs added in a region."""

    line: str
    make: Callable[[int, int], ImageFormat]


FORMATS = {
    "hevc": Format("HEVC intra", lambda bit_depth, _: Hevc(bit_depth)),
    "hevc-roi": Format("HEVC intra with finer steps in the region of interest", Hevc),
    "avif": Format("AV1 still picture", lambda *_: Avif()),
    "jpegxl": Format("JPEG XL", lambda *_: JpegXl()),
    "jpeg2000": Format("JPEG 2000", lambda *_: Jpeg2000()),
}
"""In the order of lists and colours. Each makes a codec ``…-ldpc`` and a bound ``…-capacity``."""
