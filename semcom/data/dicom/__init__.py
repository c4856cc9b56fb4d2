"""DICOM files: from bits that are stored to the grey values that are meant to be shown."""

from semcom.data.dicom.file import is_dicom, read_dicom

__all__ = ["is_dicom", "read_dicom"]
