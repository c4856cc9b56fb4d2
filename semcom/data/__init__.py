"""Pictures to send: drawn phantoms, folders of PNG, JPEG, TIFF or DICOM, packed files."""

from semcom.data.folder import Images, list_pictures, load_folder, load_picture
from semcom.data.packed import load_packed, pack
from semcom.data.phantoms import phantoms

__all__ = [
    "Images",
    "list_pictures",
    "load_folder",
    "load_packed",
    "load_picture",
    "pack",
    "phantoms",
]
