"""The elements of a DICOM file that its pixels need, and none besides."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from channels import InputError
from semcom.data.white import MAX_PIXELS

COLOURS = ("Red", "Green", "Blue")
_NAMES = [
    "Modality",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
    "PresentationLUTShape",
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in COLOURS),
    *(f"{colour}PaletteColorLookupTableData" for colour in COLOURS),
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
]
_OVERLAY_BIT_POSITIONS = [(group << 16) | 0x0102 for group in range(0x6000, 0x6020, 2)]
_LARGEST_BYTES = 4 * MAX_PIXELS
_MARK_AT, _HEAD = 128, 2048
_LONG = {b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UN", b"UT", b"UC", b"UR"}


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark, or begins with elements as one without preamble."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[_MARK_AT : _MARK_AT + 4] == b"DICM":
        return True
    tags = [tag for tag, _ in islice(_walk(head), 2)]
    return len(tags) == 2 and tags == sorted(tags) and all(tag >> 16 in (2, 8) for tag in tags)


def elements(path: Path) -> Dataset:
    """Read them; a file without preamble or file meta information is taken as it comes.

    Raises:
        InputError: if it inflates to more than is read. What pydicom raises may quote the file.
    """
    _check_inflated(path)
    return dcmread(path, specific_tags=[*_NAMES, *_OVERLAY_BIT_POSITIONS], force=True)


def word(dataset: Dataset, name: str) -> str:
    """An element of one word, in upper case; empty where it is missing.

    >>> word(Dataset(), "VOILUTFunction")
    ''
    """
    value: Any = dataset.get(name)
    if not isinstance(value, str):
        value = value[0] if value else ""
    return str(value).strip(" \0").upper()


def count(dataset: Dataset, name: str, otherwise: int | None = None) -> int | None:
    """An element that is a whole number; ``otherwise`` where it is missing or empty.

    Raises:
        InputError: if it is something else.

    >>> count(Dataset(), "HighBit", 11)
    11
    """
    found = number(dataset, name)
    if found is None:
        return otherwise
    if found != int(found):
        raise InputError(f"has a {name} that is no whole number: correct it, or export it again")
    return int(found)


def number(dataset: Dataset, name: str) -> float | None:
    """The first value of an element, ``None`` where it is missing or empty.

    Raises:
        InputError: if it is no finite number.

    >>> dataset = Dataset()
    >>> dataset.WindowWidth = [400, 80]
    >>> number(dataset, "WindowWidth"), number(dataset, "WindowCenter")
    (400.0, None)
    """
    trouble = f"has a {name} that is no number: correct it, or export the image again"
    try:
        value: Any = dataset.get(name)
        if value is not None and not isinstance(value, str | int | float):
            value = value[0] if len(value) else None
        if value is None or value == "":
            return None
        found = float(value)
        if math.isfinite(found):
            return found
    except (ValueError, TypeError, OverflowError):
        pass
    raise InputError(trouble) from None


def has_overlay_bits(dataset: Dataset) -> bool:
    """Whether bits of the pixels that are not stored ones hold overlays, as was once usual.

    >>> has_overlay_bits(Dataset())
    False
    """
    return any(dataset[tag].value for tag in _OVERLAY_BIT_POSITIONS if tag in dataset)


def _check_inflated(path: Path) -> None:
    """Refuse a deflated file that is far larger than it looks; pydicom inflates it whole."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        skipped = _MARK_AT + 4 if head[_MARK_AT : _MARK_AT + 4] == b"DICM" else 0
        head = head[skipped:]
        if DeflatedExplicitVRLittleEndian.encode() not in head:
            return
        meta = takewhile(lambda element: element[0] >> 16 == 2, _walk(head))
        file.seek(skipped + max((end for _, end in meta), default=0))
        inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while packed := inflater.unconsumed_tail or file.read(2**20):
            total += len(inflater.decompress(packed, 2**24))
            if total > _LARGEST_BYTES:
                raise InputError(
                    f"inflates to more than {_LARGEST_BYTES // 10**6} MB: export one image of it"
                )


def _walk(head: bytes) -> Iterator[tuple[int, int]]:
    """Tags of the first elements, and where each ends; with or without a VR, low bytes first."""
    at = 0
    while at + 12 <= len(head):
        group, element, vr, short = struct.unpack_from("<HH2sH", head, at)
        if vr in _LONG:
            end = at + 12 + int.from_bytes(head[at + 8 : at + 12], "little")
        elif vr.isalpha() and vr.isupper():
            end = at + 8 + short
        else:
            end = at + 8 + int.from_bytes(head[at + 4 : at + 8], "little")
        yield group << 16 | element, end
        at = end
