"""Images to send: drawn phantoms, folders of PNG, JPEG, TIFF or DICOM, packed files."""

from channels.renamed import renamed
from semcom.data.folder import (
    Folder,
    Images,
    list_images,
    load_folder,
    load_image,
    read_file,
    read_folder,
)
from semcom.data.packed import load_packed, pack
from semcom.data.phantoms import phantoms

__all__ = [
    "Folder",
    "Images",
    "list_images",
    "load_folder",
    "load_image",
    "load_packed",
    "pack",
    "phantoms",
    "read_file",
    "read_folder",
]

__getattr__ = renamed(__name__, list_pictures="list_images", load_picture="load_image")
