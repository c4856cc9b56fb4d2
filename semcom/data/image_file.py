"""One PNG, JPEG or TIFF file as grey values, as RGB, or as a mask."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from channels import InputError
from semcom.data.orientation import ORIENTATION, upright
from semcom.data.stored import Colours, Stored
from semcom.data.tiff_file import stored_tiff
from semcom.data.white import Reading

_FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "WEBP")
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_MODES: dict[str, Colours] = {"L": "grey", "P": "palette", "RGB": "rgb", "CMYK": "cmyk"}
_WITH_ALPHA = {"LA": "L", "PA": "P", "RGBA": "RGB"}


def read_image(path: Path, frame: int | None = None, *, rgb: bool = False) -> Reading:
    """Read an image; how values are scaled is told at :func:`semcom.data.load_folder`.

    Args:
        path: a PNG, JPEG or TIFF file of 1 to 16 bits, or a float TIFF file in [0, 1].
        frame: which page of a TIFF file that holds several.
        rgb: whether colours are read; a grey image then has three channels alike.

    Returns:
        float32 ``[H, W]``, or ``[3, H, W]`` for RGB, in [0, 1], and how white was found.

    Raises:
        InputError: if the file is damaged, transparent, or not in [0, 1], if its white cannot be
            known, or if it is in colour and grey is wanted.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("L", (4, 2), 255).save(file.name)
    ...     reading = read_image(Path(file.name))
    >>> reading.image.tolist(), reading.white
    ([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]], "255, the file's 8 bits")
    """
    return _stored(path, frame).reading(rgb)


def read_mask(path: Path, frame: int | None = None) -> NDArray[np.bool_]:
    """Read a mask: true where it is not black, or its palette's index not 0; alpha is ignored.

    Args:
        path: a PNG or TIFF file.
        frame: which page of a TIFF file that holds several.

    Returns:
        bool ``[H, W]``.

    Raises:
        InputError: if the file is damaged.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("L", (4, 2), 9).save(file.name)
    ...     bool(read_mask(Path(file.name)).all())
    True
    """
    return _stored(path, frame).region()


def _stored(path: Path, frame: int | None) -> Stored:
    """Decode the whole file, upright."""
    try:
        with path.open("rb") as file:
            mark = file.read(4)
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be opened ({error.strerror}): check its permissions"
        ) from error
    if mark in _TIFF_MARKS:
        return stored_tiff(path, frame)
    trouble = "holds several images: save the one to send on its own"
    try:
        stored = _decoded(path)
    except Exception:  # a damaged file fails anywhere in its decoders, and may be quoted there
        stored = None
        trouble = (
            "cannot be read as an image: it is damaged or of another format; export it again as PNG"
        )
    if stored is None:
        raise InputError(f"{path.name} {trouble}")
    return stored


def _decoded(path: Path) -> Stored | None:
    """The one image of a file; ``None`` where it holds several."""
    content = path.read_bytes()
    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:  # its size is checked here
        if getattr(opened, "n_frames", 1) > 1:
            return None
        if content.startswith(_PNG_MARK) and content[24] == 16:
            return _deep_png(path.name, content, opened.getexif().get(ORIENTATION))
        ImageOps.exif_transpose(opened, in_place=True)
        opened.load()
        image: Image.Image = opened
        shallow = content.startswith(_PNG_MARK) and content[24] < 8
        clear = image.info.get("transparency")
        if image.mode == "1" or (shallow and image.mode == "L" and isinstance(clear, int)):
            depth = 1 if image.mode == "1" else content[24]
            return _shallow(path.name, np.array(image, np.uint8), depth, clear)
        if clear is not None:
            image = image.convert("PA" if image.mode == "P" else "RGBA")
        mode = _WITH_ALPHA.get(image.mode, image.mode)
        samples = np.array(image)
        palette = None
        if mode == "P":
            palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return Stored(
            path.name,
            samples.reshape(*samples.shape[:2], -1),
            _MODES[mode],
            8,
            palette=palette,
            alpha=image.mode in _WITH_ALPHA,
        )


def _shallow(name: str, samples: NDArray[np.uint8], depth: int, clear: int | None) -> Stored:
    """Grey of 1, 2 or 4 bits, which Pillow spreads to 8, but not the value that is transparent."""
    bits = 1 if depth == 1 else 8
    opaque = np.full_like(samples, 2**bits - 1)
    if clear is not None:
        opaque[samples == (min(clear, 1) if depth == 1 else clear * 255 // (2**depth - 1))] = 0
    return Stored(name, np.stack([samples, opaque], -1), "grey", bits, alpha=True)


def _deep_png(name: str, content: bytes, orientation: object) -> Stored:
    """A PNG file of 16 bits; Pillow gives the upper 8 where there are several channels."""
    samples = imagecodecs.png_decode(content)
    samples = upright(samples.reshape(*samples.shape[:2], -1), orientation)
    channels = samples.shape[-1]
    significant = dict(_png_head(content)).get(b"sBIT", b"")
    return Stored(
        name,
        samples,
        "grey" if channels < 3 else "rgb",
        16,
        alpha=channels in (2, 4),
        filled=significant[0] if significant and 0 < significant[0] <= 16 else None,
    )


def _png_head(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks before the pixels: kind and contents."""
    at = len(_PNG_MARK)
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"IDAT":
            return
        yield kind, content[at + 8 : at + 8 + length]
        at += 12 + length
