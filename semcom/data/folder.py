"""A folder of images, and of masks beside them, as tensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import check_flag, check_path, check_whole
from channels.errors import warn as told
from semcom.data.shrinking import shrunk_image, shrunk_mask, shrunk_shape
from semcom.data.white import Reading, summed_up
from semcom.images import MIN_SIDE

Images: TypeAlias = Tensor | list[Tensor]
"""``[n, C, H, W]``, or a list of ``[C, H, W]`` where the images' sizes differ."""

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
_MASK_SUFFIXES = {".png", ".tif", ".tiff"}
_WHERE = "images and masks lie in a file or folder"


@dataclass(frozen=True, eq=False)
class Folder:
    """What was read from a folder, and how.

    Args:
        files: of the images that were read.
        images: float32 ``[1, H, W]`` in [0, 1] each, ``[3, H, W]`` where RGB was asked for.
        masks: bool ``[1, H, W]`` each; ``None`` where no masks were asked for.
        white: how white was found in each, in words without anything of a file's contents.
        chosen: files that leave white open, so that it was chosen from their values.
        skipped: why others were not read, a line each.
    """

    files: list[Path]
    images: list[Tensor]
    masks: list[Tensor] | None
    white: list[str]
    chosen: list[Path]
    skipped: list[str]

    def white_line(self) -> str:
        """How white was found, on one line."""
        return summed_up(self.white)

    def choices(self) -> list[str]:
        """Which files leave white open and how it was chosen, on one line, if there are any."""
        if not self.chosen:
            return []
        few = len(self.chosen)
        return [
            f"{few} image{'s' * (few > 1)} without a window: shown between the 0.5 and 99.5 % "
            "points of the values, each by itself; export with a window to choose it"
        ]


def read_folder(
    path: str | os.PathLike[str],
    masks: str | os.PathLike[str] | None = None,
    size: int | None = None,
    limit: int | None = None,
    *,
    rgb: bool = False,
    frame: int | None = None,
    skip_unreadable: bool = False,
) -> Folder:
    """Read a folder as :func:`load_folder` does, with what there is to say about it.

    Args:
        path: folder of images.
        masks: folder of masks.
        size: longest side in pixels that larger images are shrunk to.
        limit: number of images to keep.
        rgb: whether images are read in colour.
        frame: which image of files that hold several.
        skip_unreadable: whether to go on without images that cannot be read.

    Raises:
        InputError: as :func:`load_folder`.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (64, 48), 255).save(f"{folder}/a.png")
    ...     _ = Path(folder, "b.png").write_bytes(b"")
    ...     found = read_folder(folder, skip_unreadable=True)
    >>> found.white_line(), [file.name for file in found.files], len(found.skipped)
    ("white of 1 image: 255, the file's 8 bits (1)", ['a.png'], 1)
    """
    skip_unreadable = check_flag("skip_unreadable", skip_unreadable)
    rgb = check_flag("rgb", rgb)
    size, frame = _check_numbers(size, frame)
    files = list_images(path, masks, None if skip_unreadable else limit)
    if limit is not None:
        limit = check_whole("limit", limit, 1, ", or None")
    of_stem = {} if masks is None else _masks_by_stem(check_path(_WHERE, masks))
    folder = Folder([], [], None if masks is None else [], [], [], [])
    for file in files:
        if len(folder.files) == limit:
            break
        try:
            image, mask, reading = _read(file, of_stem.get(_stem(file)), size, frame, rgb)
        except InputError as error:
            if not skip_unreadable:
                raise
            folder.skipped.append(str(error))
            continue
        folder.files.append(file)
        folder.images.append(image)
        folder.white.append(reading.white)
        if reading.chosen:
            folder.chosen.append(file)
        if folder.masks is not None and mask is not None:
            folder.masks.append(mask)
    if not folder.files:
        raise InputError(f"no image could be read: {'; '.join(folder.skipped)}")
    return folder


def warn(folder: Folder) -> None:
    """Warn of what a user should know of a folder, where the function that read it was called."""
    for line in folder.choices():
        told(line)
    if folder.skipped:
        told(f"skipped {len(folder.skipped)}: {'; '.join(folder.skipped)}")


def load_folder(
    path: str | os.PathLike[str],
    masks: str | os.PathLike[str] | None = None,
    size: int | None = None,
    limit: int | None = None,
    *,
    rgb: bool = False,
    frame: int | None = None,
    skip_unreadable: bool = False,
) -> tuple[Images, Images | None]:
    """Load a folder of PNG, JPEG, TIFF and DICOM images, and their masks, sorted by name.

    Grey values keep their meaning. White is what the file says it is:

    * Files of 1 to 14 bits are divided by 2^b - 1.
    * Those of 16 bits, whatever their channels, by 2^b - 1, b the smallest of 8, 10, 12, 14 and 16
      that holds the image's brightest pixel: detectors of 10 to 14 bits are stored in files of 16.
      A PNG file's sBIT chunk says b, where there is one.
    * Float TIFF files must lie in [0, 1].
    * DICOM files go through modality LUT or rescale and VOI LUT or first window; MONOCHROME1 is
      inverted, padding black. Without a window the stored bits are the ends, found as above.
      Hounsfield units and signed values have none: black and white are then the 0.5 and 99.5 %
      points of the values, of a CT inside the body, and a warning says so.

    A file whose channels are equal and which is opaque is grey. One in colour is refused unless
    ``rgb`` is set (then sRGB values as stored, CMYK without a profile), and so is one that leaves
    open what is white, or is transparent. A mask's region of interest is every pixel that is not
    black.

    Args:
        path: folder of images; hidden files, sub-folders and other files are passed over.
        masks: folder of PNG or TIFF masks with the images' stems (``a.dcm`` and ``a.png``) and
            their sizes; images without a mask are then left out.
        size: longest side in pixels that larger images are shrunk to, with antialiasing and
            their aspect ratio kept; smaller ones stay as they are.
        limit: number of images to keep, the first ones by name.
        rgb: whether images are read in colour, as three channels (alike for grey files), which the
            separate codecs take; DICOM files must be grey all the same.
        frame: which image, from 0 on, of DICOM and TIFF files that hold several.
        skip_unreadable: whether to go on without images that cannot be read, or whose masks
            cannot, and warn of them at the end.

    Returns:
        ``(images, masks)``: images float32 in [0, 1], ``[n, 1, H, W]`` where all sizes agree and
        a list of ``[1, H, W]`` where they do not; masks alike, bool, or None without ``masks``.
        Row i belongs to ``list_images(path, masks, limit)[i]``, or with ``skip_unreadable`` to
        ``read_folder(...).files[i]``, which also says how white was found in each.

    Raises:
        InputError: if a folder is missing or has no image, a file is damaged, in colour,
            not finite, smaller than 32 pixels on a side, or does not fit its mask, or if what is
            white in it cannot be known.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (64, 48), 255).save(f"{folder}/a.png")
    ...     images, masks = load_folder(folder)
    >>> images.shape, float(images.max()), masks
    (torch.Size([1, 1, 48, 64]), 1.0, None)
    """
    found = read_folder(
        path, masks, size, limit, rgb=rgb, frame=frame, skip_unreadable=skip_unreadable
    )
    warn(found)
    return _stacked(found.images), None if found.masks is None else _stacked(found.masks)


def load_image(
    path: str | os.PathLike[str],
    mask: str | os.PathLike[str] | None = None,
    size: int | None = None,
    *,
    rgb: bool = False,
    frame: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Load one image, and its mask, as :func:`load_folder` loads each of many.

    Args:
        path: PNG, JPEG, TIFF or DICOM file.
        mask: PNG or TIFF file of its size; every pixel that is not black is region of interest.
        size: longest side in pixels that a larger image is shrunk to.
        rgb: whether it is read in colour, see :func:`load_folder`.
        frame: which image, from 0 on, of a file that holds several.

    Returns:
        float32 ``[1, C, H, W]`` in [0, 1], C 3 with ``rgb``, else 1, and bool ``[1, 1, H, W]``,
        or None without ``mask``.

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
    found = read_file(path, mask, size, rgb=rgb, frame=frame)
    warn(found)
    return found.images[0][None], None if found.masks is None else found.masks[0][None]


def read_file(
    path: str | os.PathLike[str],
    mask: str | os.PathLike[str] | None = None,
    size: int | None = None,
    *,
    rgb: bool = False,
    frame: int | None = None,
) -> Folder:
    """Read one image as :func:`load_image` does, with what there is to say about it.

    Args:
        path: of the image.
        mask: of its mask.
        size: longest side in pixels that a larger image is shrunk to.
        rgb: whether it is read in colour.
        frame: which image of a file that holds several.

    Raises:
        InputError: as :func:`load_image`.
    """
    size, frame = _check_numbers(size, frame)
    rgb = check_flag("rgb", rgb)
    file = _file(path)
    image, region, reading = _read(file, None if mask is None else _file(mask), size, frame, rgb)
    chosen = [file] if reading.chosen else []
    return Folder(
        [file], [image], None if region is None else [region], [reading.white], chosen, []
    )


def _check_numbers(size: int | None, frame: int | None) -> tuple[int | None, int | None]:
    if size is not None:
        size = check_whole("size", size, MIN_SIDE, ", or None")
    if frame is not None:
        frame = check_whole("frame", frame, 0, ", or None")
    return size, frame


def _read(
    file: Path, mask_file: Path | None, size: int | None, frame: int | None, rgb: bool
) -> tuple[Tensor, Tensor | None, Reading]:
    """An image, its mask where it has one, and the image as it was before it was shrunk."""
    from semcom.data.dicom import read_dicom
    from semcom.data.image_file import read_image, read_mask

    is_dicom = _is_dicom(file)
    reading = read_dicom(file, frame) if is_dicom else read_image(file, frame, rgb=rgb)
    image = _as_image(reading.image, file, size)
    if rgb and is_dicom:
        image = image.repeat(3, 1, 1)
    if mask_file is None:
        return image, None, reading
    region = read_mask(mask_file, frame)
    return image, _as_region(region, reading.image.shape[-2:], mask_file, image), reading


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
        limit = check_whole("limit", limit, 1, ", or None")
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
    from semcom.data.dicom import is_dicom

    suffix = file.suffix.lower()
    return suffix == ".dcm" or (suffix not in _IMAGE_SUFFIXES and is_dicom(file))


def _stem(file: Path) -> str:
    """The name a mask goes by; of 1.2.840.7, a DICOM file without a suffix, all of it."""
    return file.stem if file.suffix.lower() in {*_IMAGE_SUFFIXES, ".dcm"} else file.name


def _as_image(values: NDArray[np.float32], file: Path, size: int | None) -> Tensor:
    _check_sides(values.shape[-2:], file, "enlarge it or leave it out")
    image = torch.from_numpy(np.ascontiguousarray(values)).reshape(-1, *values.shape[-2:])
    shape = shrunk_shape(values.shape[-2:], size)
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
