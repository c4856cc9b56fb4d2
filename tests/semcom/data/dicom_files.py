"""DICOM files made in memory, each with a patient's name in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from torch import Tensor

from semcom.data import load_image

PATIENT = "DOE^JANE"


def ramp(height: int = 40, width: int = 50, top: int = 255) -> NDArray[np.int64]:
    """Grey values that use the whole range up to ``top``."""
    return np.linspace(0, top, height * width).round().astype(np.int64).reshape(height, width)


STORED = ramp(top=4095)
GREY = STORED / 4095


def dicom(
    values: NDArray[np.int64], kind: str = "uint16", bits: int = 12, **elements: Any
) -> FileDataset:
    """A file whose pixels are ``values``; an element that is ``None`` is left out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    pixels = values.astype(kind)
    file.PatientName = PATIENT
    file.PatientID = PATIENT
    file.InstitutionName = PATIENT
    file.SamplesPerPixel = 1
    file.PhotometricInterpretation = "MONOCHROME2"
    file.Rows, file.Columns = values.shape[-2:]
    file.BitsAllocated = pixels.itemsize * 8
    file.BitsStored, file.HighBit = bits, bits - 1
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    file.PixelData = pixels.tobytes()
    for name, value in elements.items():
        if value is None:
            delattr(file, name)
        else:
            setattr(file, name, value)
    return file


def written(folder: Path, file: FileDataset, name: str = "x.dcm") -> Path:
    file.save_as(folder / name, enforce_file_format=True)
    return folder / name


def shown(folder: Path, file: FileDataset, name: str = "x.dcm", **how: Any) -> Tensor:
    """The file as it is read, ``[H, W]``."""
    return load_image(written(folder, file, name), **how)[0][0, 0]


def lut(entries: list[int], first: int, bits: int) -> Dataset:
    """A look-up table of words."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 2**16, first % 2**16, bits])
    item.add_new("LUTData", "US", entries)
    return item
