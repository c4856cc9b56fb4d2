"""One DICOM file as grey values, and nothing else of it.

Only the elements that the pixels need are parsed, so no patient's field is ever in memory, and
what pydicom warns, logs or raises stays inside.
"""

from __future__ import annotations

from pathlib import Path

from channels import InputError
from semcom.data.dicom.elements import elements, is_dicom
from semcom.data.dicom.grey import grey_of
from semcom.data.dicom.pixels import stored_pixels
from semcom.data.quiet import quiet
from semcom.data.white import Reading

__all__ = ["is_dicom", "read_dicom"]


def read_dicom(path: Path, frame: int | None = None) -> Reading:
    """Read a grey DICOM file as it is meant to be shown.

    Modality LUT (or rescale), then VOI LUT (or the first window), then MONOCHROME1 or a
    PresentationLUTShape INVERSE inverted; padding is black.

    Args:
        path: the file.
        frame: which frame, from 0 on, of a file that holds several.

    Returns:
        float32 ``[H, W]`` in [0, 1], and how white was found. 0 and 1 are the ends of VOI LUT or
        window; where the file has neither, of the stored bits, or, of values that have no such
        end (Hounsfield units, signed ones), those of 99 % of them.

    Raises:
        InputError: if the file is no grey DICOM file, cannot be decoded, or leaves open what is
            white. The text and the error's context hold the file's name and, of its elements,
            sizes and depths alone.
    """
    trouble = "is no readable DICOM file: it is damaged; copy it again from its source"
    with quiet("pydicom"):
        try:
            dataset = elements(path)
            if not len(dataset):
                trouble = "is no readable DICOM file: leave it out of the folder"
            else:
                trouble = "has pixels that cannot be decoded: they are damaged; copy it again"
                return grey_of(dataset, stored_pixels(dataset, frame))
        except InputError as refused:
            trouble = str(refused)
        except OSError as error:
            if error.strerror:
                trouble = f"cannot be opened ({error.strerror}): check its permissions"
        except Exception:  # a broken file fails anywhere in pydicom, and may be quoted there
            pass
    # Outside the handler: inside it, pydicom's error would travel along as the context.
    raise InputError(f"{path.name} {trouble}")
