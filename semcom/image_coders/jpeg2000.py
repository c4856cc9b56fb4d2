"""JPEG 2000 coding of one image with OpenJPEG."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import numpy as np

from channels import InputError
from semcom.image_coders.image_format import Mask
from semcom.image_coders.planes import from_bytes, undecodable
from semcom.image_coders.scale import ImageArray

_COMMENT = b"\xff\x64"
_CODING_STYLE = b"\xff\x52"
_START_OF_TILE = b"\xff\x90"
_START_OF_DATA = b"\xff\x93"
_SIZE_AT = (8, 12)
_SIZ_LENGTH_AT, _LAYERS_AFTER = 4, 6

_CODE_BLOCKS = (
    (64, 64),
    (64, 32),
    (32, 64),
    (128, 32),
    (32, 32),
    (16, 64),
    (64, 16),
    (256, 16),
    (16, 16),
)
LAYOUTS = [(code_block, resolutions) for resolutions in (6, 5, 7) for code_block in _CODE_BLOCKS]
"""Code-block sizes and numbers of resolutions, best first on chest X-rays."""

_STEPS_PER_OCTAVE = 64
_OCTAVES_BELOW_ONE_BIT, _OCTAVES_ABOVE = 12, 4


def encode(
    image: ImageArray,
    bits_per_pixel: float,
    layout: int = 0,
    base_bits_per_pixel: float | None = None,
) -> bytes:
    """Code one image as a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A), without JP2 boxes.

    One tile, one quality layer (or two), the irreversible 9/7 wavelet and, for RGB, the
    irreversible colour transform; 8-bit samples; truncated by OpenJPEG's rate-distortion
    optimisation. The comment is left out, and the tile-part's length Psot is 0: it lasts until the
    end marker (clause A.4.2). The main header and the tile-part header then depend on size, layout
    and the number of layers alone.

    Args:
        image: float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1].
        bits_per_pixel: the rate to aim at; what is reached differs by some per cent.
        layout: index in ``LAYOUTS``.
        base_bits_per_pixel: the rate of the first of two layers, which stands first (progression
            by layer, clause B.12.1.1) and has the very packets of a stream of that layer alone;
            ``None``: there is one layer.

    Raises:
        InputError: if a rate is not positive.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> len(encode(ramp, 0.3)) < len(encode(ramp, 1))
    True
    """
    from PIL import Image

    rates = [bits_per_pixel]
    if base_bits_per_pixel is not None:
        rates.insert(0, base_bits_per_pixel)
    for rate in rates:
        if not rate > 0:
            raise InputError(f"bits_per_pixel must be positive, got {rate}")
    samples = np.round(image * 255).astype(np.uint8)
    pil = Image.fromarray(samples if samples.ndim == 2 else np.moveaxis(samples, 0, 2).copy())
    code_block, resolutions = LAYOUTS[layout]
    colours = 1 if samples.ndim == 2 else len(samples)
    file = BytesIO()
    pil.save(
        file,
        "JPEG2000",
        no_jp2=True,
        irreversible=True,
        mct=int(samples.ndim == 3),
        quality_mode="rates",
        quality_layers=[max(8 * colours / rate, 1.0) for rate in rates],
        codeblock_size=code_block,
        num_resolutions=min(resolutions, min(image.shape[-2:]).bit_length()),
    )
    return _plain(file.getvalue())


def _plain(stream: bytes) -> bytes:
    """Leave out the comment and the length of the tile-part."""
    comment = stream.index(_COMMENT)
    length = 2 + int.from_bytes(stream[comment + 2 : comment + 4], "big")
    tile = stream.index(_START_OF_TILE, comment + length)
    psot = tile + 6
    tile_header = stream[tile:psot] + bytes(4) + stream[psot + 4 :]
    return stream[:comment] + stream[comment + length : tile] + tile_header


def with_layers(stream: bytes, layers: int) -> bytes:
    """A codestream whose coding style (COD) promises another number of quality layers.

    Of a progression by layer the first ones are what a decoder then shows; the packets of later
    ones follow them unread, cut or whole.

    Args:
        stream: a codestream of :func:`encode`, or the beginning of one.
        layers: how many, 1 or 2.

    Raises:
        InputError: if the main header does not begin with SIZ and COD.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> two = encode(ramp, 2.0, base_bits_per_pixel=0.5)
    >>> one = encode(ramp, 0.5)
    >>> with_layers(one, 2)[:-2] == two[: len(one) - 2]
    True
    """
    length = int.from_bytes(stream[_SIZ_LENGTH_AT : _SIZ_LENGTH_AT + 2], "big")
    style = _SIZ_LENGTH_AT + length
    if stream[style : style + 2] != _CODING_STYLE:
        raise undecodable("JPEG 2000", "no coding style after the size")
    at = style + _LAYERS_AFTER
    return stream[:at] + layers.to_bytes(2, "big") + stream[at + 2 :]


def decode(stream: bytes, largest: tuple[int, int] | None = None) -> ImageArray:
    """Decode a codestream; zero bytes after its end change nothing.

    Args:
        stream: the codestream.
        largest: rows and columns that its SIZ marker segment may promise; ``None``: any.

    Returns:
        float32 ``[H, W]`` or RGB ``[3, H, W]`` in [0, 1].

    Raises:
        InputError: if OpenJPEG refuses the stream, or it holds other samples than of 8 bits.

    >>> flat = np.full((40, 33), 0.25, dtype=np.float32)
    >>> float(np.abs(decode(encode(flat, 1) + bytes(9)) - flat).max()) < 0.01
    True
    """
    import imagecodecs

    if largest is not None:
        columns, rows = (int.from_bytes(stream[at : at + 4], "big") for at in _SIZE_AT)
        if rows > largest[0] or columns > largest[1]:
            raise undecodable("JPEG 2000", f"{rows} x {columns} pixels")
    try:
        samples = imagecodecs.jpeg2k_decode(stream, numthreads=1)
    except (imagecodecs.Jpeg2kError, RuntimeError, ValueError) as error:
        raise undecodable("JPEG 2000", str(error)) from error
    image = from_bytes(samples, "JPEG 2000")
    return image if image.ndim == 2 else np.moveaxis(image, 2, 0)


@lru_cache(maxsize=512)
def header(height: int, width: int, channels: int = 1, layout: int = 0) -> bytes:
    """What begins every one-layer stream of an image size and layout: SIZ, COD, QCD, SOT, SOD.

    >>> ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    >>> encode(ramp, 0.7).startswith(header(64, 64))
    True
    """
    shape = (height, width) if channels == 1 else (channels, height, width)
    stream = encode(np.full(shape, 0.5, dtype=np.float32), 1.0, layout)
    return stream[: stream.index(_START_OF_DATA) + len(_START_OF_DATA)]


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
    layouts = len(LAYOUTS)
    step_of_one_bit = _OCTAVES_BELOW_ONE_BIT * _STEPS_PER_OCTAVE
    steps_per_octave = float(_STEPS_PER_OCTAVE)
    scaling_bits_per_pixel = 0.03
    smallest_scale = 8

    def weights(self, image: ImageArray, roi: Mask | None) -> float:
        """All pixels count alike."""
        return 1.0

    def encode(self, image: ImageArray, step: int, layout: int, roi: Mask | None) -> bytes:
        """Code an image; see :func:`semcom.image_coders.jpeg2000.encode`.

        >>> Jpeg2000().encode(np.zeros((32, 32), np.float32), 0, 0, None)[-2:].hex()
        'ffd9'
        """
        return encode(image, rate_of(step), layout)

    def decode(self, stream: bytes, largest: tuple[int, int]) -> ImageArray:
        """Decode a stream; see :func:`semcom.image_coders.jpeg2000.decode`."""
        return decode(stream, largest)

    def headers(self, height: int, width: int, channels: int) -> tuple[bytes, ...]:
        """One beginning for each layout: main header and tile-part header.

        >>> len(Jpeg2000().headers(512, 512, 1)[0])
        110
        """
        layouts = range(self.layouts)
        return tuple(header(height, width, channels, layout) for layout in layouts)

    def smallest(self, height: int, width: int, channels: int) -> int:
        """Bytes of the packets that hold an image blurred out of recognition."""
        return 48 + channels * height * width // 16384


def rate_of(step: int) -> float:
    """Bits per pixel that a step of :class:`Jpeg2000` aims at.

    >>> rate_of(Jpeg2000.step_of_one_bit)
    1.0
    """
    return float(2 ** (step / _STEPS_PER_OCTAVE - _OCTAVES_BELOW_ONE_BIT))
