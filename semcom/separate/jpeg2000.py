"""JPEG 2000 coding of one grey picture with OpenJPEG."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from channels import InputError

_START_OF_TILE = b"\xff\x90"
_START_OF_DATA = b"\xff\x93"
_END = b"\xff\xd9"
_TILE_HEADER = 14


def encode(picture: NDArray[np.float32], level_db: float) -> bytes:
    """Code one picture as a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A), without JP2 boxes.

    One tile, one quality layer, five levels of the irreversible 9/7 wavelet, 64 x 64 code
    blocks, 8-bit samples, truncated by OpenJPEG's rate-distortion optimisation.

    Args:
        picture: float32 ``[H, W]`` in [0, 1].
        level_db: the PSNR to aim at, in dB; what is reached differs by 1 dB or so.

    Raises:
        InputError: if ``level_db`` is not positive.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> len(encode(ramp, 20)) < len(encode(ramp, 50))
    True
    """
    if not level_db > 0:
        raise InputError(f"level_db must be positive, got {level_db}")
    samples = np.round(picture * 255).astype(np.uint8)
    # The stub of imagecodecs wants a whole level; the function takes fractions.
    level: Any = level_db
    return bytes(
        imagecodecs.jpeg2k_encode(
            samples, level=level, codecformat="j2k", reversible=False, numthreads=1
        )
    )


def decode(stream: bytes) -> NDArray[np.float32]:
    """Decode a codestream; zero bytes after its end change nothing.

    Returns:
        float32 ``[H, W]`` in [0, 1].

    Raises:
        InputError: if OpenJPEG refuses the stream.

    >>> flat = np.full((40, 33), 0.25, dtype=np.float32)
    >>> float(np.abs(decode(encode(flat, 60) + bytes(9)) - flat).max()) < 0.01
    True
    """
    try:
        samples = imagecodecs.jpeg2k_decode(stream, numthreads=1)
    except (imagecodecs.Jpeg2kError, RuntimeError, ValueError) as error:
        raise InputError(f"not a decodable JPEG 2000 stream ({error}): send it again") from error
    picture: NDArray[np.float32] = samples.astype(np.float32) / np.float32(255)
    return picture


@lru_cache(maxsize=64)
def header(height: int, width: int) -> bytes:
    """The main header of every stream of a picture size: SIZ, COD, QCD and a comment.

    It depends on the encoder's settings and the size alone, so both ends know it beforehand.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> encode(ramp, 33.3).startswith(header(64, 64))
    True
    """
    stream = encode(np.full((height, width), 0.5, dtype=np.float32), 20.0)
    return stream[: stream.index(_START_OF_TILE)]


def strip(stream: bytes) -> bytes:
    """Keep what depends on the picture: the tile's data and the end marker.

    >>> strip(encode(np.zeros((64, 64), np.float32), 20.0))[-2:].hex()
    'ffd9'
    """
    start = stream.index(_START_OF_TILE) + _TILE_HEADER
    if stream[start - 2 : start] != _START_OF_DATA:
        raise InputError("the stream is not one of encode(): it has a longer tile header")
    return stream[start:]


def restore(payload: bytes, height: int, width: int) -> bytes:
    """Undo :func:`strip` for a picture size; ``payload`` may be padded with zero bytes.

    Raises:
        InputError: if no end marker closes the payload.

    >>> flat = np.full((64, 64), 0.25, dtype=np.float32)
    >>> stream = encode(flat, 30.0)
    >>> restore(strip(stream) + bytes(5), 64, 64) == stream
    True
    """
    data = payload.rstrip(b"\x00")
    if not data.endswith(_END):
        raise InputError("not a decodable JPEG 2000 payload (no end marker): send it again")
    length = _TILE_HEADER + len(data) - len(_END)
    tile = _START_OF_TILE + b"\x00\x0a\x00\x00" + length.to_bytes(4, "big") + b"\x00\x01"
    return header(height, width) + tile + _START_OF_DATA + data
