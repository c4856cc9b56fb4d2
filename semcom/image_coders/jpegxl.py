"""JPEG XL coding of one image with libjxl."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from channels import InputError
from semcom.image_coders.image_format import Mask
from semcom.image_coders.planes import from_bytes, undecodable
from semcom.image_coders.scale import ImageArray

DISTANCES = (0.05, 25.0)
_EFFORT = 5
_STEPS_PER_OCTAVE = 256


def encode(image: ImageArray, distance: float) -> bytes:
    """Code one image as a JPEG XL codestream (ISO/IEC 18181-1), without a container.

    VarDCT at effort 5, 8-bit sRGB samples. On chest X-rays that is as good in PSNR as effort 7
    (effort 8 gains 0.2 dB at low rates for eight times the time) and better than 10 or 16 bits.

    Args:
        image: float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1].
        distance: Butteraugli distance in [0.05, 25], the coarsest that libjxl accepts.

    Raises:
        InputError: if ``distance`` is out of range.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> len(encode(ramp, 20)) < len(encode(ramp, 0.5))
    True
    """
    import imagecodecs

    if not DISTANCES[0] <= distance <= DISTANCES[1]:
        raise InputError(f"distance must lie in {list(DISTANCES)}, got {distance}")
    samples = np.round(image * 255).astype(np.uint8)
    if samples.ndim == 3:
        samples = np.ascontiguousarray(np.moveaxis(samples, 0, 2))
    return bytes(
        imagecodecs.jpegxl_encode(
            samples, distance=distance, effort=_EFFORT, usecontainer=False, numthreads=1
        )
    )


def decode(stream: bytes) -> ImageArray:
    """Decode a codestream; zero bytes after its end change nothing.

    Returns:
        float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1].

    Raises:
        InputError: if libjxl refuses the stream, or it holds other samples than of 8 bits.

    >>> flat = np.full((40, 33), 0.25, dtype=np.float32)
    >>> float(np.abs(decode(encode(flat, 1) + bytes(9)) - flat).max()) < 0.01
    True
    """
    import imagecodecs

    try:
        samples = imagecodecs.jpegxl_decode(stream, numthreads=1)
    except (imagecodecs.JpegxlError, RuntimeError, ValueError) as error:
        raise undecodable("JPEG XL", str(error)) from error
    image = from_bytes(samples, "JPEG XL")
    if image.ndim == 3 and image.shape[2] == 1:
        return image[..., 0]
    return image if image.ndim == 2 else np.moveaxis(image, 2, 0)


@lru_cache(maxsize=64)
def header(height: int, width: int, channels: int = 1) -> bytes:
    """What begins every stream of an image size: signature, size and metadata.

    The frame begins at the next whole byte, and its first byte tells a distance of 25, which
    libjxl codes at half the resolution, from one of 4.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> encode(ramp, 2.5).startswith(header(64, 64))
    True
    """
    shape = (height, width) if channels == 1 else (channels, height, width)
    flat = np.full(shape, 0.5, dtype=np.float32)
    coarse, fine = encode(flat, 25.0), encode(flat, 4.0)
    return coarse[: next(n for n in range(len(coarse)) if coarse[n] != fine[n])]


@dataclass(frozen=True)
class JpegXl:
    """JPEG XL with libjxl; a step is 1/256 octave of distance, from 25 down to 0.05.

    Distance 25 still takes about 0.16 bits per pixel: lower rates come from shrunk images.

    >>> JpegXl().finest
    2295
    """

    channels = (1, 3)
    finest = math.floor(_STEPS_PER_OCTAVE * math.log2(DISTANCES[1] / DISTANCES[0]))
    layouts = 1
    step_of_one_bit = 4 * _STEPS_PER_OCTAVE
    steps_per_octave = 1.1 * _STEPS_PER_OCTAVE
    scaling_bits_per_pixel = 0.2
    smallest_scale = 1

    def weights(self, image: ImageArray, roi: Mask | None) -> float:
        """All pixels count alike."""
        return 1.0

    def encode(self, image: ImageArray, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code an image; see :func:`semcom.image_coders.jpegxl.encode`.

        >>> JpegXl().encode(np.zeros((32, 32), np.float32), 0, 0, None)[:2].hex()
        'ff0a'
        """
        distance = DISTANCES[1] * 2 ** (-step / _STEPS_PER_OCTAVE)
        return encode(image, distance)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> ImageArray:
        """Decode a stream; see :func:`semcom.image_coders.jpegxl.decode`."""
        return decode(stream)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """The one beginning that there is: signature, size and metadata.

        >>> len(JpegXl().headers(512, 512, 1)[0])
        8
        """
        return (header(height, width, channels),)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of a frame that holds a shrunk image blurred out of recognition."""
        return 96 + channels * height * width // 768
