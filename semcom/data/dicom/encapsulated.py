"""Pixels of a DICOM file that are compressed as JPEG, JPEG-LS or JPEG 2000, decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import get_frame

from channels import InputError
from semcom.data.white import MAX_PIXELS

LOSSY = {
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
    uid.JPEG2000MC,
    uid.HTJ2K,
}
_TRANSFORMED = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit}
"""Syntaxes whose colours are luma and chroma nearly always, whatever the file calls them."""
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_SIZES = struct.Struct(">4xHH8I")
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8), 0xD8}


class Announced(NamedTuple):
    """What a compressed frame says of itself."""

    height: int
    width: int
    channels: int
    bits: int


def _jpeg(frame: bytes, channels: int) -> NDArray[Any]:
    # As stored: which colours they are, the file says elsewhere, and often wrongly.
    space = None if channels == 1 else "ycbcr"
    decoded: NDArray[Any] = imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace=space)
    return decoded


def _jpeg_ls(frame: bytes, channels: int) -> NDArray[Any]:
    decoded: NDArray[Any] = imagecodecs.jpegls_decode(frame)
    return decoded


def _jpeg_2000(frame: bytes, channels: int) -> NDArray[Any]:
    decoded: NDArray[Any] = imagecodecs.jpeg2k_decode(frame)
    return decoded


_DECODERS: dict[str, Callable[[bytes, int], NDArray[Any]]] = {
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg,
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.JPEG2000MCLossless: _jpeg_2000,
    uid.JPEG2000MC: _jpeg_2000,
    uid.HTJ2KLossless: _jpeg_2000,
    uid.HTJ2KLosslessRPCL: _jpeg_2000,
    uid.HTJ2K: _jpeg_2000,
}


def is_decoded(syntax: str) -> bool:
    """Whether a transfer syntax is one of those compressions.

    >>> is_decoded(uid.JPEGLSLossless), is_decoded(uid.RLELossless)
    (True, False)
    """
    return syntax in _DECODERS


def decoded(
    content: bytes,
    syntax: str,
    shape: tuple[int, int, int],
    frame: int,
    frames: int,
    **offsets: Any,
) -> tuple[NDArray[Any], int]:
    """Decode one frame.

    Args:
        content: of the element that holds all of them.
        syntax: transfer syntax.
        shape: height, width and channels that the file announces.
        frame: which of them, from 0 on.
        frames: how many there are.
        **offsets: where they begin, where an element of its own says so.

    Returns:
        Integers ``[H, W, C]``, and their depth in bits as the frame itself says.

    Raises:
        InputError: if a frame is of another size than the file says. Whatever else a decoder
            raises means damage.
    """
    packed = get_frame(content, frame, number_of_frames=frames, **offsets)
    announced = _announced(packed)
    if announced[:3] != shape or announced.height * announced.width > MAX_PIXELS:
        raise InputError(
            "holds compressed pixels of another size than it says: export it again from its source"
        )
    values = _DECODERS[syntax](packed, announced.channels)
    if values.ndim == 3 and values.shape != shape:
        values = np.moveaxis(values, 0, -1)
    if syntax in _TRANSFORMED and _is_luma_alone(values, announced.bits):
        values = np.repeat(values[..., :1], 3, axis=-1)
    return values.reshape(shape), announced.bits


def _is_luma_alone(values: NDArray[Any], bits: int) -> bool:
    return values.ndim == 3 and bool((values[..., 1:] == 2 ** (bits - 1)).all())


def _announced(frame: bytes) -> Announced:
    """Read its head; a few bytes could announce gigabytes."""
    if frame[:2] != b"\xff\xd8":
        at = frame.index(_START_OF_CODESTREAM)
        _, _, right, low, left, top, *_ = _SIZES.unpack_from(frame, at)
        (channels,) = struct.unpack_from(">H", frame, at + _SIZES.size)
        return Announced(low - top, right - left, channels, (frame[at + _SIZES.size + 2] & 127) + 1)
    at = 2
    while True:
        at = frame.index(b"\xff", at)
        marker = frame[at + 1]
        if marker in _FRAME_MARKERS:
            bits, height, width, channels = struct.unpack_from(">BHHB", frame, at + 4)
            return Announced(height, width, channels, bits)
        at += 1 if marker == 0xFF else 2
        if marker not in _WITHOUT_LENGTH and marker != 0xFF:
            at += struct.unpack_from(">H", frame, at)[0]
