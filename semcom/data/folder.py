"""A folder of images, and of masks beside them, as tensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import check_path, check_whole
from semcom.codec import MIN_SIDE
from semcom.data.dicom import is_dicom, read_dicom
from semcom.data.image_file import read_image, read_mask
from semcom.data.shrinking import shrunk_image, shrunk_mask, shrunk_shape

Images: TypeAlias = Tensor | list[Tensor]
"""``[n, 1, H, W]``, or a list of ``[1, H, W]`` where the images' sizes differ."""

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
_MASK_SUFFIXES = {".png", ".tif", ".tiff"}
_WHERE = "images and masks lie in a file or folder"


def load_folder(
    path: str | os.PathLike[str],
    masks: str | os.PathLike[str] | None = None,
    size: int | None = None,
    limit: int | None = None,
) -> tuple[Images, Images | None]:
    """Load a folder of PNG, JPEG, TIFF and DICOM images, and their masks, sorted by name.

    Grey values keep their meaning; no image is stretched to its own range:

    * 8-bit files are divided by 255.
    * 16-bit files are divided by 2^b - 1, b the smallest of 8, 10, 12, 14 and 16 that holds the
      image's brightest pixel: detectors of 10 to 14 bits are stored in files of 16.
    * Float TIFF files must lie in [0, 1].
    * DICOM files go through modality LUT and VOI LUT or first window; MONOCHROME1 is inverted.

    A colour file whose channels are equal is grey; any other is refused. A mask's region of
    interest is every pixel that is not zero.

    Args:
        path: folder of images; hidden files, sub-folders and other files are passed over.
        masks: folder of PNG or TIFF masks with the images' stems (``a.dcm`` and ``a.png``) and
            their sizes; images without a mask are then left out.
        size: longest side in pixels that larger images are shrunk to, with antialiasing and
            their aspect ratio kept; smaller ones stay as they are.
        limit: number of images to keep, the first ones by name.

    Returns:
        ``(images, masks)``: images float32 in [0, 1], ``[n, 1, H, W]`` where all sizes agree and
        a list of ``[1, H, W]`` where they do not; masks alike, bool, or None without ``masks``.
        Row i belongs to ``list_images(path, masks, limit)[i]``.

    Raises:
        InputError: if a folder is missing or has no image, a file is damaged, in colour,
            not finite, smaller than 32 pixels on a side, or does not fit its mask.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (64, 48), 255).save(f"{folder}/a.png")
    ...     images, masks = load_folder(folder)
    >>> images.shape, float(images.max()), masks
    (torch.Size([1, 1, 48, 64]), 1.0, None)
    """
    if size is not None:
        check_whole("size", size, MIN_SIDE, ", or None")
    files = list_images(path, masks, limit)
    of_stem = {} if masks is None else _masks_by_stem(check_path(_WHERE, masks))
    images: list[Tensor] = []
    regions: list[Tensor] = []
    for file in files:
        grey = _grey(file)
        images.append(_as_image(grey, file, size))
        if masks is not None:
            mask_file = of_stem[_stem(file)]
            regions.append(_as_region(read_mask(mask_file), grey.shape, mask_file, images[-1]))
    return _stacked(images), None if masks is None else _stacked(regions)


def load_image(
    path: str | os.PathLike[str],
    mask: str | os.PathLike[str] | None = None,
    size: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Load one image, and its mask, as :func:`load_folder` loads each of many.

    Args:
        path: PNG, JPEG, TIFF or DICOM file.
        mask: PNG or TIFF file of its size; every pixel that is not zero is region of interest.
        size: longest side in pixels that a larger image is shrunk to.

    Returns:
        float32 ``[1, 1, H, W]`` in [0, 1], and bool of the same shape, or None without ``mask``.

    Raises:
        InputError: if a file is missing, damaged, or not such an image, or the two do not fit.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (64, 48), 255).save(f"{folder}/a.png")
    ...     image, mask = load_image(f"{folder}/a.png")
    >>> image.shape, mask
    (torch.Size([1, 1, 48, 64]), None)
    """
    if size is not None:
        check_whole("size", size, MIN_SIDE, ", or None")
    file = _file(path)
    grey = _grey(file)
    image = _as_image(grey, file, size)
    if mask is None:
        return image[None], None
    mask_file = _file(mask)
    return image[None], _as_region(read_mask(mask_file), grey.shape, mask_file, image)[None]


def _grey(file: Path) -> NDArray[np.float32]:
    return read_dicom(file) if _is_dicom(file) else read_image(file)


def _file(path: str | os.PathLike[str]) -> Path:
    file = check_path(_WHERE, path)
    if not file.is_file():
        is_what = "is a folder" if file.is_dir() else "does not exist"
        raise InputError(f"{file.name!r} {is_what}: pass a file")
    return file


def list_images(
    path: str | os.PathLike[str],
    masks: str | os.PathLike[str] | None = None,
    limit: int | None = None,
) -> list[Path]:
    """List the files that :func:`load_folder` loads for the same arguments, in its order.

    Args:
        path: folder of images.
        masks: folder of masks; images without one are left out.
        limit: number of files to keep.

    Returns:
        The files, sorted by name.

    Raises:
        InputError: if a folder is missing, or no image is left.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.png", "a.JPG", "notes.txt"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     [file.name for file in list_images(folder)]
    ['a.JPG', 'b.png']
    """
    if limit is not None:
        check_whole("limit", limit, 1, ", or None")
    folder = check_path(_WHERE, path)
    files = _visible(folder, "images", _is_image)
    if not files:
        raise InputError(
            f"folder {folder.name!r} holds no image: put PNG, JPEG, TIFF or DICOM files into it"
        )
    if masks is not None:
        stems = _masks_by_stem(check_path(_WHERE, masks)).keys()
        files = [file for file in files if _stem(file) in stems]
        if not files:
            raise InputError(
                f"no mask in {Path(masks).name!r} has an image's name: "
                "call the mask of a.png or a.dcm a.png"
            )
    return files[:limit]


def _visible(folder: Path, what: str, wanted: Callable[[Path], bool]) -> list[Path]:
    if not folder.is_dir():
        is_what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{folder.name!r} {is_what}: pass the folder that holds the {what}")
    try:
        files = [f for f in folder.iterdir() if not f.name.startswith(".") and f.is_file()]
        return sorted((f for f in files if wanted(f)), key=lambda f: f.name)
    except OSError as error:
        raise InputError(
            f"folder {folder.name!r} cannot be read ({error.strerror}): check its permissions"
        ) from error


def _masks_by_stem(folder: Path) -> dict[str, Path]:
    of_stem: dict[str, Path] = {}
    for file in _visible(folder, "masks", lambda f: f.suffix.lower() in _MASK_SUFFIXES):
        other = of_stem.setdefault(file.stem, file)
        if other is not file:
            raise InputError(f"masks {other.name} and {file.name} share a stem: remove one")
    return of_stem


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in _IMAGE_SUFFIXES or _is_dicom(file)


def _is_dicom(file: Path) -> bool:
    suffix = file.suffix.lower()
    return suffix == ".dcm" or (suffix not in _IMAGE_SUFFIXES and is_dicom(file))


def _stem(file: Path) -> str:
    """The name a mask goes by; of 1.2.840.7, a DICOM file without a suffix, all of it."""
    return file.stem if file.suffix.lower() in {*_IMAGE_SUFFIXES, ".dcm"} else file.name


def _as_image(grey: NDArray[np.float32], file: Path, size: int | None) -> Tensor:
    _check_sides(grey.shape, file, "enlarge it or leave it out")
    image = torch.from_numpy(grey)[None]
    shape = shrunk_shape(grey.shape, size)
    _check_sides(shape, file, f"raise size {size}", "shrunk ")
    return shrunk_image(image, shape)


def _as_region(
    mask: NDArray[np.bool_], shape: tuple[int, ...], file: Path, image: Tensor
) -> Tensor:
    if mask.shape != shape:
        raise InputError(
            f"mask {file.name} is {mask.shape[0]} x {mask.shape[1]}, but its image is "
            f"{shape[0]} x {shape[1]}: bring the mask to the image's size"
        )
    return shrunk_mask(torch.from_numpy(mask)[None], image.shape[-2:])


def _check_sides(shape: tuple[int, ...], file: Path, remedy: str, how: str = "") -> None:
    if min(shape) < MIN_SIDE:
        raise InputError(
            f"{how}{file.name} is {shape[0]} x {shape[1]}, but both sides must be at least "
            f"{MIN_SIDE}: {remedy}"
        )


def _stacked(rows: list[Tensor]) -> Images:
    return torch.stack(rows) if len({row.shape for row in rows}) == 1 else rows
