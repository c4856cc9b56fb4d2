"""Pictures to send: drawn phantoms, and folders of PNG, JPEG, TIFF or DICOM."""

from semcom.data.folder import Images, list_pictures, load_folder, load_picture
from semcom.data.phantoms import phantoms

__all__ = ["Images", "list_pictures", "load_folder", "load_picture", "phantoms"]
