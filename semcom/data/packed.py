"""Images and their masks in one file, to be carried to where the training is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from channels import InputError
from channels.errors import check_number, check_path, check_whole
from channels.tensorfile import store
from semcom.data.shrinking import shrunk_image, shrunk_mask, shrunk_shape
from semcom.images import MIN_SIDE, as_sample
from semcom.weightfile import stored

Sample: TypeAlias = tuple[Tensor, Tensor | None]
SUFFIX = ".safetensors"
_WHAT = "pictures, 8 bits a pixel, and masks, 1 bit a pixel"
_NAMES = {"pixels", "masks", "shapes", "masked"}
_FINENESS = 1000
_HEADER_BYTES = 4096


def pack(samples: Sequence[Sample], path: str | os.PathLike[str], max_mb: float = 60.0) -> float:
    """Write images as 8-bit and their masks as 1-bit pixels to a safetensors file.

    No name and no other field of an image is written. What was read from files of 8 bits comes
    back equal if nothing has to be shrunk; finer grey values are rounded.

    Args:
        samples: images float32 ``[1, H, W]`` in [0, 1], and bool masks of their shape or None.
        path: of the file, ``.safetensors``.
        max_mb: size in MB (10^6 bytes) that it must not exceed; all images are shrunk alike
            until it does not, but none below 32 pixels on a side.

    Returns:
        The share of their sides that images were shrunk to, 1 if they were not.

    Raises:
        InputError: if there is no image, they do not fit however small, or the file cannot be
            written.

    >>> import tempfile
    >>> image, mask = torch.rand(1, 64, 64), torch.rand(1, 64, 64) < 0.5
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shrunk = pack([(image, mask), (image, None)], f"{folder}/data.safetensors", 0.01)
    ...     shrunk, [tuple(image.shape) for image, _ in load_packed(f"{folder}/data.safetensors")]
    (0.82, [(1, 52, 52), (1, 52, 52)])
    """
    path = check_path("a file must have a name", path)
    if path.suffix != SUFFIX:
        raise InputError(f"{path.name} must end in {SUFFIX}")
    if not samples:
        raise InputError("there is no image to pack: name a folder of images")
    samples = [as_sample(*sample) for sample in samples]
    room = check_number("max_mb", max_mb, 1e-3, 1e6) * 1e6 - _HEADER_BYTES
    shares = [share / _FINENESS for share in range(_FINENESS, 0, -1)]
    share = next((s for s in shares if _bytes(samples, s) <= room), None)
    if share is None:
        raise InputError(
            f"{len(samples)} images do not fit into {max_mb:g} MB however small: allow more "
            "(--max-mb), or take fewer"
        )
    pixels, bits, shapes, masked = [], [], [], []
    for image, mask in samples:
        shape = _shape(image, share)
        levels = shrunk_image(image, shape).mul(255).round().to(torch.uint8).numpy()
        pixels.append(levels.ravel())
        shapes.append(shape)
        masked.append(mask is not None)
        if mask is not None:
            bits.append(np.packbits(shrunk_mask(mask, shape).numpy().ravel()))
    tensors = {
        "pixels": torch.from_numpy(np.concatenate(pixels)),
        "masks": torch.from_numpy(np.concatenate([*bits, np.empty(0, np.uint8)])),
        "shapes": torch.tensor(shapes, dtype=torch.int32),
        "masked": torch.tensor(masked),
    }
    store(tensors, path, {"semcom": _WHAT})
    return share


def is_packed(path: str | os.PathLike[str]) -> bool:
    """Whether a path means packed images rather than a folder.

    >>> is_packed("images"), is_packed("data.safetensors")
    (False, True)
    """
    path = check_path("images lie in a folder or a packed file", path)
    return path.suffix == SUFFIX and not path.is_dir()


def load_packed(path: str | os.PathLike[str], size: int | None = None) -> list[Sample]:
    """Images and masks of a file that :func:`pack` wrote, in their order.

    Args:
        path: of the file.
        size: longest side in pixels that larger images are shrunk to, as those of a folder.

    Returns:
        Pairs of an image float32 ``[1, H, W]`` in [0, 1] and its bool mask or ``None``.

    Raises:
        InputError: if the file is missing, damaged, or holds something else, or a side would be
            smaller than 32 pixels.

    >>> load_packed("nowhere.safetensors")
    Traceback (most recent call last):
    channels.errors.InputError: nowhere.safetensors is not there
    """
    path = check_path("packed images lie in a file", path)
    if size is not None:
        size = check_whole("size", size, MIN_SIDE, ", or None")
    tensors, metadata = stored(path)
    if metadata.get("semcom") != _WHAT or tensors.keys() != _NAMES or not _sound(tensors):
        raise InputError(f"{path.name} holds no packed images: write it with semcom pack")
    return [_fitted(sample, size) for sample in _unpacked(tensors)]


def _unpacked(tensors: dict[str, Tensor]) -> Iterator[Sample]:
    pixels, bits = tensors["pixels"].numpy(), tensors["masks"].numpy()
    at = 0
    shapes, masked = tensors["shapes"].tolist(), tensors["masked"].tolist()
    spans = pairwise(accumulate((height * width for height, width in shapes), initial=0))
    for (height, width), (first, last), has_mask in zip(shapes, spans, masked, strict=True):
        grey = pixels[first:last].astype(np.float32) / np.float32(255)
        mask = None
        if has_mask:
            count = _mask_bytes(height * width)
            flat = np.unpackbits(bits[at : at + count], count=height * width).astype(bool)
            mask, at = torch.from_numpy(flat.reshape(1, height, width)), at + count
        yield torch.from_numpy(grey.reshape(1, height, width)), mask


def _sound(tensors: dict[str, Tensor]) -> bool:
    """Whether sizes agree with one another."""
    kinds = {"pixels": torch.uint8, "masks": torch.uint8, "shapes": torch.int32}
    kinds["masked"] = torch.bool
    if any(tensors[name].dtype != kind for name, kind in kinds.items()):
        return False
    shapes, masked = tensors["shapes"], tensors["masked"]
    if shapes.dim() != 2 or shapes.shape[1] != 2 or masked.shape != shapes.shape[:1]:
        return False
    if not len(shapes) or int(shapes.min()) < MIN_SIDE:
        return False
    areas = [height * width for height, width in shapes.tolist()]
    wanted = sum(_mask_bytes(a) for a, has in zip(areas, masked.tolist(), strict=True) if has)
    return tensors["pixels"].shape == (sum(areas),) and tensors["masks"].shape == (wanted,)


def _fitted(sample: Sample, size: int | None) -> Sample:
    image, mask = sample
    shape = shrunk_shape(tuple(image.shape[1:]), size)
    if min(shape) < MIN_SIDE:
        raise InputError(
            f"a packed image is {shape[0]} x {shape[1]} at size {size}, but both sides must be "
            f"at least {MIN_SIDE}: raise it"
        )
    return shrunk_image(image, shape), None if mask is None else shrunk_mask(mask, shape)


def _shape(image: Tensor, share: float) -> tuple[int, ...]:
    """Height and width at a share of the sides, none below the least side."""
    sides = tuple(image.shape[1:])
    kept = min(1.0, max(share, MIN_SIDE / min(sides)))
    return tuple(max(MIN_SIDE, round(side * kept)) for side in sides)


def _bytes(samples: Sequence[Sample], share: float) -> int:
    """What all of them take at a share of their sides."""
    total = 0
    for image, mask in samples:
        height, width = _shape(image, share)
        total += height * width + 9 + (0 if mask is None else _mask_bytes(height * width))
    return total


def _mask_bytes(area: int) -> int:
    return -(-area // 8)
