"""AV1 coding of one still picture with SVT-AV1: what an AVIF file holds, without the file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from channels import InputError
from semcom.image_coders.image_format import Mask
from semcom.image_coders.planes import first_frame, from_halved_frame, to_halved_frame, undecodable
from semcom.image_coders.scale import ImageArray

LARGEST = (8704, 16384)
QINDEX = (4, 252)
PRESET = "3"
"""Of SVT-AV1; the lower, the slower."""

_TEMPORAL_DELIMITER = b"\x12\x00"
_FRAME = 0x32
_OFFSET = 8
_BT709 = 1
"""AV1 clause 6.4.2: MC_BT_709."""
_PARAMS = "lp=1:tune=1:use-fixed-qindex-offsets=1"


def encode(image: ImageArray, qindex: int) -> bytes:
    """Code one image as an AV1 key frame, in the low-overhead format (AV1 clause 5.2).

    SVT-AV1 at preset 3, tuned for PSNR, 10 bits, 4:2:0. It knows no monochrome: of a grey image
    the two quarter-size chroma planes are flat and take a few bytes. RGB becomes full-range
    BT.709 YCbCr, which the sequence header says; SVT-AV1 knows no 4:4:4. The boxes of an AVIF file
    (about 270 bytes) and the temporal delimiter, which AVIF leaves out as well, are not there.

    Args:
        image: float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1].
        qindex: AV1's quantiser index (clause 7.12.2), here 4 to 252; 35 more about double the
            step size.

    Returns:
        A sequence header and a frame. Zero bytes after them change nothing.

    Raises:
        InputError: if ``qindex`` is out of range, the image larger than ``LARGEST``, or PyAV
            comes without SVT-AV1.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> len(encode(ramp, 240)) < len(encode(ramp, 80))
    True
    """
    import av
    from av.video.reformatter import ColorRange, Colorspace

    if not QINDEX[0] <= qindex <= QINDEX[1]:
        raise InputError(f"qindex must lie in {list(QINDEX)}, got {qindex}")
    height, width = image.shape[-2:]
    if height > LARGEST[0] or width > LARGEST[1]:
        raise InputError(
            f"SVT-AV1 takes images of at most {LARGEST[0]} x {LARGEST[1]}, got "
            f"{height} x {width}: shrink it or take another codec"
        )
    if "libsvtav1" not in av.codecs_available:
        raise InputError("this build of PyAV has no SVT-AV1: install the wheel, pip install av")
    _silence()
    frame = to_halved_frame(image)
    frame.pts = 0
    crf = min(math.ceil((qindex + _OFFSET) / 4), 63)
    encoder = av.CodecContext.create("libsvtav1", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, frame.format.name
    if image.ndim == 3:
        encoder.colorspace, encoder.color_range = Colorspace.ITU709, ColorRange.JPEG
        frame.colorspace, frame.color_range = encoder.colorspace, encoder.color_range
    encoder.time_base = Fraction(1, 25)
    encoder.options = {
        "preset": PRESET,
        "crf": str(crf),
        "svtav1-params": f"{_PARAMS}:key-frame-qindex-offset={qindex - 4 * crf}",
    }
    with _scheduled_as_before():
        packets = [*encoder.encode(frame), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets).removeprefix(_TEMPORAL_DELIMITER)


@lru_cache(maxsize=1)
def _silence() -> None:
    """SVT-AV1 prints its settings unless this variable, read once, asks for errors alone."""
    os.environ.setdefault("SVT_LOG", "1")


@contextmanager
def _scheduled_as_before() -> Iterator[None]:
    """Where it may, SVT-AV1 leaves the thread that calls it in a real-time class, above all else.

    The whole machine would wait for that thread from then on.
    """
    if not hasattr(os, "sched_setscheduler"):  # Linux alone has it
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, priority)


def decode(stream: bytes) -> ImageArray:
    """Decode a stream of :func:`encode` with dav1d.

    Returns:
        float32 ``[H, W]``, or RGB ``[3, H, W]`` where the sequence header says BT.709, in [0, 1].

    Raises:
        InputError: if the decoder finds no image. Bit errors mostly go unnoticed.

    >>> flat = np.full((40, 33), 0.25, dtype=np.float32)
    >>> float(np.abs(decode(encode(flat, 100) + bytes(9)) - flat).max()) < 0.01
    True
    """
    frame = first_frame(stream, "libdav1d", "AV1")
    image = from_halved_frame(frame, 3 if frame.colorspace == _BT709 else 1)
    if image is None:
        raise undecodable("AV1")
    return image


@lru_cache(maxsize=64)
def headers(height: int, width: int, channels: int) -> tuple[bytes, ...]:
    """What can begin a stream of an image size: the sequence header and the frame's OBU type.

    SVT-AV1 turns one tool off at the coarsest quantisers; so there are two.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> any(map(encode(ramp, 130).startswith, headers(64, 64, 1)))
    True
    """
    shape = (height, width) if channels == 1 else (channels, height, width)
    flat = np.full(shape, 0.5, dtype=np.float32)
    streams = (encode(flat, qindex) for qindex in QINDEX)
    return tuple(stream[: stream[1] + 3] for stream in streams)


@dataclass(frozen=True)
class Avif:
    """AV1 with SVT-AV1; a step is one quantiser index, from 252 down to 4.

    >>> Avif().finest
    248
    """

    channels = (1, 3)
    finest = QINDEX[1] - QINDEX[0]
    layouts = 1
    step_of_one_bit = 200
    steps_per_octave = 28.0
    scaling_bits_per_pixel = 0.015
    smallest_scale = 8

    def weights(self, image: ImageArray, roi: Mask | None) -> float:
        """All pixels count alike."""
        return 1.0

    def encode(self, image: ImageArray, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code an image; see :func:`semcom.image_coders.avif.encode`.

        >>> Avif().encode(np.zeros((32, 32), np.float32), 0, 0, None)[:1].hex()
        '0a'
        """
        return encode(image, QINDEX[1] - step)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> ImageArray:
        """Decode a stream; see :func:`semcom.image_coders.avif.decode`."""
        return decode(stream)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """The beginnings that there are: sequence header and the frame's OBU type.

        >>> [len(header) for header in Avif().headers(512, 512, 1)]
        [14, 14]
        """
        return headers(height, width, channels)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of a frame that holds an image blurred out of recognition."""
        return 48 + height * width // 1024
