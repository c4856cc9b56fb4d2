"""The samples of a TIFF file, of any depth, as they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, PLANARCONFIG, TiffFile, TiffPage

from channels import InputError
from semcom.data.frames import which
from semcom.data.orientation import ORIENTATION, upright
from semcom.data.quiet import quiet
from semcom.data.stored import CHANNELS, Colours, Stored
from semcom.data.white import MAX_PIXELS

_COLOURS: dict[int, Colours] = {
    PHOTOMETRIC.MINISWHITE: "grey",
    PHOTOMETRIC.MINISBLACK: "grey",
    PHOTOMETRIC.RGB: "rgb",
    PHOTOMETRIC.PALETTE: "palette",
    PHOTOMETRIC.SEPARATED: "cmyk",
    PHOTOMETRIC.YCBCR: "ycbcr",
}
_PHOTOMETRIC, _INK_SET, _CMYK = 262, 332, 1
_COEFFICIENTS, _REFERENCE = 529, 532
_JPEG = {COMPRESSION.JPEG, COMPRESSION.OJPEG}


def stored_tiff(path: Path, frame: int | None = None) -> Stored:
    """Decode a page of a TIFF file.

    Args:
        path: the file.
        frame: which page, from 0 on, of a file that holds several.

    Raises:
        InputError: if the file is damaged, of a kind that is not read, or holds several pages
            and none is named.

    >>> import tempfile
    >>> from tifffile import imwrite
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     imwrite(f"{folder}/a.tif", np.zeros((2, 3), np.uint16))
    ...     stored_tiff(Path(folder, "a.tif")).samples.shape
    (2, 3, 1)
    """
    trouble = ""
    with quiet("tifffile"):
        try:
            with TiffFile(path) as file:
                return _stored(file, path.name, frame)
        except InputError as refused:
            trouble = str(refused)
        except Exception:  # a damaged file fails anywhere in its decoders
            trouble = "cannot be read as an image: it is damaged or rare; export it again as PNG"
    raise InputError(f"{path.name} {trouble}")


def _stored(file: TiffFile, name: str, frame: int | None) -> Stored:
    pages = [page.aspage() for page in file.pages]
    pages = [page for page in pages if not (page.is_reduced or page.is_mask)] or pages[:1]
    if file.is_imagej and int((file.imagej_metadata or {}).get("images", 1)) > len(pages):
        raise InputError("holds several images: save the one to send on its own")
    page = pages[which(frame, len(pages))]
    colours = _colours(page)
    _check_whole(page, file)
    samples: NDArray[Any] = page.asarray(maxworkers=1)
    if page.planarconfig == PLANARCONFIG.SEPARATE and samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(page.imagelength, page.imagewidth, -1)
    if samples.shape[-1] < CHANNELS[colours]:
        raise InputError("lacks channels: export it again as PNG")
    if samples.dtype.kind == "b":
        samples = samples.astype(np.uint8)
    extra = page.extrasamples[:1]
    orientation = page.tags.get(ORIENTATION)
    return Stored(
        name,
        upright(samples, None if orientation is None else int(orientation.value)),
        colours,
        page.bitspersample,
        white_is_zero=page.photometric == PHOTOMETRIC.MINISWHITE,
        palette=_palette(page) if colours == "palette" else None,
        alpha=extra in ((EXTRASAMPLE.ASSOCALPHA,), (EXTRASAMPLE.UNASSALPHA,)),
    )


def _colours(page: TiffPage) -> Colours:
    if page.dtype is None or page.dtype.kind not in "buif" or page.imagedepth != 1:
        raise InputError("has pixels of a rare kind: save it as grey of 8 or 16 bits")
    if _PHOTOMETRIC not in page.tags:
        raise InputError(
            "does not say whether 0 is black or white (PhotometricInterpretation): export it again"
        )
    ink_set = page.tags.get(_INK_SET)
    if page.photometric not in _COLOURS or (ink_set is not None and ink_set.value != _CMYK):
        raise InputError("is neither grey nor RGB: save it as grey of 8 or 16 bits")
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression in _JPEG:
        return "rgb"  # as its decoder gives it
    if page.photometric == PHOTOMETRIC.YCBCR:
        _check_chroma(page)
    return _COLOURS[page.photometric]


def _check_chroma(page: TiffPage) -> None:
    """Refuse YCbCr other than TIFF's default: BT.601 at full range (TIFF 6.0 section 21).

    Writers of 16 bits leave the ends at those of 8.
    """
    ends = [
        (0, 2**bits - 1, *(2 ** (bits - 1), 2**bits - 1) * 2) for bits in (8, page.bitspersample)
    ]
    for code, usual in ((_COEFFICIENTS, [(0.299, 0.587, 0.114)]), (_REFERENCE, ends)):
        tag = page.tags.get(code)
        if tag is None:
            continue
        told = np.asarray(tag.value, np.float64).reshape(-1, 2)
        if not any(np.allclose(told[:, 0] / told[:, 1], one, rtol=1e-3) for one in usual):
            raise InputError("has YCbCr of another kind than TIFF's usual: export it as RGB")


def _check_whole(page: TiffPage, file: TiffFile) -> None:
    """Refuse a page that announces more than is there, or than is decoded at all."""
    if page.imagewidth * page.imagelength > MAX_PIXELS:
        raise InputError(f"has more than {MAX_PIXELS:,} pixels: crop it")
    size = file.filehandle.size
    parts = zip(page.dataoffsets, page.databytecounts, strict=True)
    if not page.dataoffsets or any(not n or at + n > size for at, n in parts):
        raise InputError("cannot be read as an image: it is cut off; copy it again from its source")
    announced = page.imagewidth * page.imagelength * page.samplesperpixel * page.bitspersample / 8
    plain = page.compression == COMPRESSION.NONE and not page.is_tiled
    if plain and sum(page.databytecounts) >= 2 * announced:
        raise InputError(
            "cannot be read as an image: it holds more than it announces; export it again"
        )


def _palette(page: TiffPage) -> NDArray[Any]:
    """Entries as they were meant: 8 bits in the lower or upper half of 16, or 16."""
    entries = np.asarray(page.colormap, dtype=np.uint16).T
    if not (entries >> 8).any():
        return entries.astype(np.uint8)
    if not (entries & 255).any():
        return (entries >> 8).astype(np.uint8)
    return entries
