"""The values that a frame of a DICOM file stores: decoded, their bits in place, with their sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, uid
from pydicom.pixels import get_decoder

from channels import InputError
from semcom.data.dicom import encapsulated
from semcom.data.dicom.elements import count, has_overlay_bits, word
from semcom.data.frames import which
from semcom.data.white import MAX_PIXELS

_NATIVE = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
}


@dataclass(frozen=True, eq=False)
class Pixels:
    """A frame's stored values.

    Args:
        values: integers ``[H, W, C]``.
        bits: how many each has.
        is_container: whether those are all that memory has, so that fewer may be used.
        signed: whether the uppermost is a sign.
        padding: bool ``[H, W]``, true where the frame says that there is no picture; values are 0
            there.
        photometric: what they mean, MONOCHROME1, RGB, ….
        assumed: whether the file does not say so.
        frame: which frame of the file it is.
    """

    values: NDArray[np.int64]
    bits: int
    is_container: bool
    signed: bool
    padding: NDArray[np.bool_]
    photometric: str
    assumed: bool
    frame: int


def stored_pixels(dataset: Dataset, frame: int | None) -> Pixels:
    """Decode one frame.

    Args:
        dataset: elements of the file.
        frame: which frame, from 0 on, of a file that holds several.

    Raises:
        InputError: if elements are missing or contradict each other or the pixels.
    """
    _check_pixels(dataset)
    height, width = (_side(dataset, name) for name in ("Rows", "Columns"))
    channels = count(dataset, "SamplesPerPixel", 1)
    frames = max(1, count(dataset, "NumberOfFrames") or 1)
    if channels not in (1, 3):
        raise InputError(f"has {channels} samples per pixel: export it as MONOCHROME2")
    if height * width > MAX_PIXELS:
        raise InputError(f"has more than {MAX_PIXELS:,} pixels: crop it")
    chosen = which(frame, frames)
    photometric = word(dataset, "PhotometricInterpretation").replace(" ", "_")
    assumed = not photometric
    if assumed and channels != 1:
        raise InputError("does not say what its three channels mean: export it as MONOCHROME2")
    photometric = photometric or "MONOCHROME2"
    shape = height, width, channels
    allocated = _allocated(dataset, shape, frames)
    top = count(dataset, "HighBit")
    bits = count(dataset, "BitsStored") or (allocated if top is None else top + 1)
    high = bits - 1 if top is None else top
    if not 1 <= bits <= allocated or not bits - 1 <= high < allocated:
        raise InputError(
            f"has {bits} bits stored of {allocated}, up to bit {high}, which cannot be: correct "
            "BitsStored and HighBit, or export it again"
        )
    declared = count(dataset, "PixelRepresentation")
    if declared not in (None, 0, 1):
        raise InputError("has a PixelRepresentation other than 0 and 1: correct it")
    raw, depth = _decoded(dataset, shape, chosen, frames, allocated, photometric)
    if depth <= bits and depth < allocated:
        bits, high = depth, depth - 1
    signed = declared == 1
    values = _placed(raw, bits, high, signed)
    if declared is None and _rough(values) > _rough(_placed(raw, bits, high, True)):
        raise InputError(
            "does not say whether its pixels have a sign (PixelRepresentation), and they can be "
            "read both ways: add it, 0 without"
        )
    padding = _padding(dataset, raw, values, allocated, signed=signed)
    if padding.any():
        raw, values = (np.where(padding[..., None], 0, array) for array in (raw, values))
    if not has_overlay_bits(dataset):
        lossy = _syntax(dataset) in encapsulated.LOSSY
        values = _checked(raw, values, bits, high, allocated, signed=signed, lossy=lossy)
    container = bits == allocated or "BitsStored" not in dataset
    return Pixels(
        values, bits, container and bits > 8, signed, padding, photometric, assumed, chosen
    )


def _check_pixels(dataset: Dataset) -> None:
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        raise InputError("holds numbers with a point, no picture to be shown: export it as one")
    if "PixelData" not in dataset:
        raise InputError("holds no pixels: leave it out of the folder")


def _side(dataset: Dataset, name: str) -> int:
    side = count(dataset, name)
    if side is None or side < 1:
        raise InputError(f"does not say how many {name} it has: add that, or export it again")
    return side


def _allocated(dataset: Dataset, shape: tuple[int, int, int], frames: int) -> int:
    """Bits that a sample takes in memory; where it is not said, as many as there are for it."""
    allocated = count(dataset, "BitsAllocated")
    if allocated is None and _syntax(dataset) in _NATIVE - {uid.RLELossless}:
        samples = shape[0] * shape[1] * shape[2] * frames
        held = len(dataset.PixelData) // samples
        if held in (1, 2) and len(dataset.PixelData) - held * samples <= 1:
            allocated = 8 * held
    if allocated is None and encapsulated.is_decoded(_syntax(dataset)):
        allocated = 16 if (count(dataset, "BitsStored") or 16) > 8 else 8
    if allocated not in (1, 8, 16, 32):
        raise InputError(
            "has pixels that take neither 8 nor 16 bits (BitsAllocated): export it again"
        )
    return allocated


def _syntax(dataset: Dataset) -> str:
    """How its pixels are packed; where no head says so, as the elements around them were."""
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax:
        return str(syntax)
    if dataset["PixelData"].is_undefined_length:
        raise InputError(
            "does not say how its pixels are compressed (TransferSyntaxUID): export it again "
            "with its file meta information"
        )
    implicit, little = dataset.original_encoding
    if implicit:
        return str(uid.ImplicitVRLittleEndian)
    return str(uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian)


def _decoded(
    dataset: Dataset,
    shape: tuple[int, int, int],
    frame: int,
    frames: int,
    allocated: int,
    photometric: str,
) -> tuple[NDArray[np.int64], int]:
    """Integers ``[H, W, C]`` as they lie in memory, and how many bits of them may be used."""
    syntax = _syntax(dataset)
    if encapsulated.is_decoded(syntax):
        offsets: Any = {}
        if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
            tables = dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths
            offsets = {"extended_offsets": tables}
        values, depth = encapsulated.decoded(
            dataset.PixelData, syntax, shape, frame, frames, **offsets
        )
        return values.astype(np.int64), depth
    if syntax not in _NATIVE:
        known = uid.UID(syntax)
        named = f" ({known.name})" if known in uid.UID_dictionary else ""
        raise InputError(
            f"is compressed in a way that is not decoded here{named}: export it with JPEG-LS, "
            "JPEG 2000, RLE or without compression"
        )
    pixels = dataset["PixelData"]
    if pixels.is_undefined_length and syntax != uid.RLELossless:
        raise InputError("is compressed and does not say how (TransferSyntaxUID): export it again")
    if syntax != uid.RLELossless:
        _check_length(len(pixels.value), shape, frames, allocated, photometric)
    values, _ = get_decoder(uid.UID(syntax)).as_array(
        pixels.value,
        index=frame,
        raw=True,
        rows=shape[0],
        columns=shape[1],
        samples_per_pixel=shape[2],
        number_of_frames=frames,
        bits_allocated=allocated,
        bits_stored=allocated,
        pixel_representation=0,
        photometric_interpretation=_layout(shape[2], photometric),
        planar_configuration=count(dataset, "PlanarConfiguration", 0),
        pixel_keyword="PixelData",
        pixel_vr=pixels.VR,
    )
    return values.reshape(shape).astype(np.int64), allocated


def _layout(channels: int, photometric: str) -> str:
    """How samples lie in memory, in words that pydicom knows; what they mean is of no account."""
    if channels == 1:
        return "MONOCHROME2"
    return photometric if photometric == "YBR_FULL_422" else "RGB"


def _check_length(
    held: int, shape: tuple[int, int, int], frames: int, allocated: int, photometric: str
) -> None:
    per_pixel = 2 if photometric == "YBR_FULL_422" else shape[2]
    wanted = -(-shape[0] * shape[1] * per_pixel * frames * allocated // 8)
    if held < wanted:
        raise InputError(
            f"holds {held} bytes of pixels where it announces {wanted}: it is cut off; copy it "
            "again from its source"
        )


def _rough(values: NDArray[np.int64]) -> int:
    """How much neighbours differ: a sign where there is none tears an image apart."""
    return sum(int(np.abs(np.diff(values, axis=axis)).sum()) for axis in (0, 1))


def _placed(raw: NDArray[np.int64], bits: int, high: int, signed: bool) -> NDArray[np.int64]:
    """Stored bits alone, the lowest at its place, with their sign."""
    values: NDArray[np.int64] = (raw >> (high + 1 - bits)) & (2**bits - 1)
    return np.where(values >= 2 ** (bits - 1), values - 2**bits, values) if signed else values


def _padding(
    dataset: Dataset,
    raw: NDArray[np.int64],
    values: NDArray[np.int64],
    allocated: int,
    *,
    signed: bool,
) -> NDArray[np.bool_]:
    """Where the file says that there is no picture, ``[H, W]``; it may lie beyond stored bits."""
    first = count(dataset, "PixelPaddingValue")
    if first is None or values.shape[2] > 1:
        return np.zeros(values.shape[:2], bool)
    last = count(dataset, "PixelPaddingRangeLimit", first)
    assert last is not None
    memory = 2**allocated - 1
    ends = (end - 2**16 if signed and end >= 2**15 else end for end in (first, last))
    low, high = sorted(ends)
    padding = ((values >= low) & (values <= high)) | ((raw & memory) == (first & memory))
    flat: NDArray[np.bool_] = padding[..., 0]
    return flat


def _checked(
    raw: NDArray[np.int64],
    values: NDArray[np.int64],
    bits: int,
    high: int,
    allocated: int,
    *,
    signed: bool,
    lossy: bool,
) -> NDArray[np.int64]:
    """Values, where the bits beside the stored ones do not say that those stand elsewhere.

    They hold nothing, or repeat the sign; a lossy decoder overshoots a little. Pixels that fill
    the bits below the stored ones and none above as many are aligned low: HighBit is wrong.
    """
    beside = raw >> (high + 1)
    spare = high + 1 - bits
    if not spare and not beside.any():
        return values
    signs = np.where(values < 0, 2 ** (allocated - high - 1) - 1, 0)
    stray = (beside != 0) & (beside != signs) & ~((beside == -1) & (values < 0))
    if stray.any():
        if lossy and int(raw.max()) < 2**bits * 9 // 8 and high == bits - 1:
            return np.where(stray, 2**bits - 1, values)
        raise InputError(
            f"has pixels beyond the {bits} bits that it declares: correct BitsStored and HighBit, "
            "or export it again"
        )
    below = bool((raw & (2**spare - 1)).any())
    if below and np.array_equal(raw, _placed(raw, bits, bits - 1, signed) & (2**allocated - 1)):
        return _placed(raw, bits, bits - 1, signed)
    return values
