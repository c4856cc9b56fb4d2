"""One PNG, JPEG or TIFF file as grey values, or as a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from channels import InputError

_DEPTHS = (8, 10, 12, 14, 16)
_PHOTOMETRIC_INTERPRETATION = 262
_WHITE_IS_ZERO = 0


def read_image(path: Path) -> NDArray[np.float32]:
    """Read a grey image; how values are scaled is told at :func:`semcom.data.load_folder`.

    Args:
        path: a PNG, JPEG or TIFF file of 8 or 16 bits, or a float TIFF file in [0, 1].

    Returns:
        float32 ``[H, W]`` in [0, 1].

    Raises:
        InputError: if the file is damaged, in colour, transparent, or not in [0, 1].

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("L", (4, 2), 255).save(file.name)
    ...     read_image(Path(file.name)).tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    with _opened(path) as image:
        mode = image.mode
        if mode in {"F", "1"}:
            return _unit_range(np.array(image, dtype=np.float32), path)
        if mode.startswith("I;16"):
            return _sixteen_bits(image)
        if image.has_transparency_data and _lowest_alpha(image) < 255:
            raise InputError(f"{path.name} is transparent in places: flatten it onto black")
        if mode in {"L", "LA", "La"}:
            return np.array(image.convert("L"), dtype=np.float32) / np.float32(255)
        if mode in {"P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "YCbCr"}:
            return _grey(np.array(image.convert("RGB")), path)
        raise InputError(f"{path.name} has pixels of type {mode}: save it as grey of 8 or 16 bits")


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask: true where any channel (or palette index) is not zero; alpha is ignored.

    Args:
        path: a PNG or TIFF file.

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
    with _opened(path) as image:
        opaque = {"LA": "L", "RGBA": "RGB", "PA": "P"}.get(image.mode, image.mode)
        values = np.array(image if opaque == image.mode else image.convert(opaque))
    mask: NDArray[np.bool_] = values != 0
    return mask if mask.ndim == 2 else np.logical_or.reduce(mask, axis=2)


def _opened(path: Path) -> Image.Image:
    """Decode the whole file, upright."""
    try:
        image = Image.open(path)
        if getattr(image, "n_frames", 1) > 1:
            image.close()
            frames = True
        else:
            frames = False
            ImageOps.exif_transpose(image, in_place=True)
            image.load()
    except Exception as error:  # a damaged file fails anywhere in Pillow's decoders
        raise InputError(
            f"{path.name} cannot be read as an image: it is damaged or of another format; "
            "export it again as PNG"
        ) from error
    if frames:
        raise InputError(f"{path.name} holds several images: save the one to send on its own")
    return image


def _lowest_alpha(image: Image.Image) -> int:
    return int(np.array(image.convert("RGBA").getchannel("A")).min())


def _sixteen_bits(image: Image.Image) -> NDArray[np.float32]:
    values = np.array(image).astype(np.float32)
    brightest = float(values.max())
    full = next(2**bits - 1 for bits in _DEPTHS if brightest < 2**bits)
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO:
        values = full - values
    return values / np.float32(full)


def _unit_range(values: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise InputError(f"{path.name} holds NaN or infinite values: replace them")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise InputError(
            f"{path.name} holds floats in [{low:g}, {high:g}], but they must lie in [0, 1]: "
            "rescale them and save it again"
        )
    return values


def _grey(channels: NDArray[np.uint8], path: Path) -> NDArray[np.float32]:
    if (channels != channels[..., :1]).any():
        raise InputError(
            f"{path.name} is a colour image, but codecs take grey ones: convert it, "
            "PIL.Image.open(file).convert('L').save(file)"
        )
    return channels[..., 0].astype(np.float32) / np.float32(255)
