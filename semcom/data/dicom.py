"""The pixels of a DICOM file, and nothing else of it.

Only the elements that the pixels need are parsed, so no patient's field is ever in memory, and
what pydicom warns, logs or raises stays inside.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from channels import InputError

_PIXEL_ELEMENTS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "ModalityLUTSequence",
    "PixelData",
]


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark, ``DICM`` after a preamble of 128 bytes."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom(path: Path) -> NDArray[np.float32]:
    """Read a grey single-frame DICOM file as it is meant to be shown.

    Modality LUT (or rescale), then VOI LUT (or the first window), then MONOCHROME1 inverted.

    Args:
        path: the file.

    Returns:
        float32 ``[H, W]`` in [0, 1]: 0 and 1 are the ends of the window or VOI LUT, and of the
        stored bits where the file has neither.

    Raises:
        InputError: if the file is no grey single-frame DICOM file, or cannot be decoded. The text
            and the error's context hold the file's name, and no element of the file.
    """
    trouble = ""
    with _muted():
        try:
            dataset = dcmread(path, specific_tags=_PIXEL_ELEMENTS)
            trouble = _unsupported(dataset)
            if not trouble:
                return _shown(dataset)
        except Exception:  # a broken file fails anywhere in pydicom, and may be quoted there
            trouble = "is no readable DICOM file: re-export it, uncompressed"
    # Outside the handler: inside it, pydicom's error would travel along as the context.
    raise InputError(f"{path.name} {trouble}")


def _unsupported(dataset: Dataset) -> str:
    if "PixelData" not in dataset:
        return "holds no pixels: leave it out of the folder"
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        return "holds several frames: export the frame to send as a file of its own"
    if dataset.SamplesPerPixel != 1 or not dataset.PhotometricInterpretation.startswith("MONO"):
        return "is a colour image, but codecs take grey ones: export it as MONOCHROME2"
    return ""


def _shown(dataset: Dataset) -> NDArray[np.float32]:
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset, index=0)
    black, white = _output_range(dataset)
    grey: NDArray[np.float64] = np.clip((values.astype(np.float64) - black) / (white - black), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    return grey.astype(np.float32)


def _output_range(dataset: Dataset) -> tuple[float, float]:
    """Black and white after the VOI stage; pydicom windows into the modality stage's range."""
    voi, modality = dataset.get("VOILUTSequence"), dataset.get("ModalityLUTSequence")
    lut = voi or modality
    if lut:
        return 0.0, 2.0 ** lut[0].LUTDescriptor[2] - 1
    bits = int(dataset.BitsStored)
    low = -(2.0 ** (bits - 1)) if dataset.PixelRepresentation else 0.0
    slope, intercept = 1.0, 0.0
    if "RescaleSlope" in dataset and "RescaleIntercept" in dataset:
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    ends = low * slope + intercept, (low + 2.0**bits - 1) * slope + intercept
    windowed = dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None
    return ends if windowed else (min(ends), max(ends))


@contextmanager
def _muted() -> Iterator[None]:
    """Keep pydicom's warnings and log records, which quote elements, from everyone."""
    log = logging.getLogger("pydicom")
    before = log.propagate
    log.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.propagate = before
