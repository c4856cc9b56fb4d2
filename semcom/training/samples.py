"""What a training run is fed with: images of a folder, their masks where they exist, phantoms."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from channels import InputError
from semcom.data import load_packed, phantoms, read_folder
from semcom.data.folder import Folder, warn
from semcom.data.packed import is_packed
from semcom.training.crops import Sample

T = TypeVar("T")

PHANTOM_SEED = 2**20


def load_samples(
    images: str | os.PathLike[str] | None,
    masks: str | os.PathLike[str] | None = None,
    num_phantoms: int = 0,
    size: int | None = None,
    *,
    frame: int | None = None,
    skip_unreadable: bool = False,
    tell: Callable[[Folder], None] = warn,
) -> list[Sample]:
    """Collect training samples.

    Args:
        images: folder of images, or a file that ``semcom pack`` wrote, or ``None``.
        masks: folder of masks; an image without one is kept, without its mask. A packed file has
            its own.
        num_phantoms: phantoms of each kind, chest and dental, drawn from seeds of their own.
        size: longest side that larger images are shrunk to.
        frame: which image of files that hold several.
        skip_unreadable: whether to go on without images that cannot be read; one whose mask
            cannot is kept without it.
        tell: hears of each folder how it was read; by default what is of concern is a warning.

    Returns:
        Pairs of an image float32 ``[1, H, W]`` and its bool mask or ``None``.

    Raises:
        InputError: if there is nothing to train on, or a folder cannot be used.

    >>> len(load_samples(None, num_phantoms=1, size=64))
    2
    """
    if masks is not None and images is None:
        raise InputError("masks are given without images: give both folders")
    samples: list[Sample] = []
    if images is not None and is_packed(images):
        if masks is not None:
            raise InputError(f"{Path(images).name} holds masks of its own: leave those out")
        samples += load_packed(images, size)
    elif images is not None:
        found = read_folder(images, size=size, frame=frame, skip_unreadable=skip_unreadable)
        regions: dict[Path, Tensor] = {}
        if masks is not None:
            masked = read_folder(images, masks, size, frame=frame, skip_unreadable=skip_unreadable)
            regions = dict(zip(masked.files, masked.masks or [], strict=True))
            new = [reason for reason in masked.skipped if reason not in found.skipped]
            found.skipped.extend(new)
        tell(found)
        samples += [
            (image, regions.get(file))
            for file, image in zip(found.files, found.images, strict=True)
        ]
    for kind in ("chest", "dental"):
        if num_phantoms:
            drawn, roi = phantoms(
                kind, num_phantoms, 256 if size is None else size, seed=PHANTOM_SEED
            )
            samples += list(zip(drawn, roi, strict=True))
    if not samples:
        raise InputError("nothing to train on: give a folder of images or phantoms")
    return samples


def phantom_samples(wanted: str, size: int) -> list[Sample]:
    """Phantoms with their masks.

    Args:
        wanted: kind and count, ``"dental:200"``.
        size: longest side in pixels.

    Raises:
        InputError: on anything else.

    >>> len(phantom_samples("chest:2", 64))
    2
    """
    kind, _, count = wanted.partition(":")
    if not count.isdecimal() or not int(count):
        raise InputError(f"phantoms must be KIND:COUNT, e.g. dental:200, got {wanted!r}")
    drawn, masks = phantoms(kind, int(count), size, seed=PHANTOM_SEED)
    return list(zip(drawn, masks, strict=True))


def split(samples: list[T], every: int = 20) -> tuple[list[T], list[T]]:
    """Set every ``every``-th sample apart for validation: ``(training, validation)``.

    >>> train, validation = split(load_samples(None, num_phantoms=3, size=64), every=3)
    >>> len(train), len(validation)
    (4, 2)
    """
    kept = [sample for i, sample in enumerate(samples) if i % every != every // 2]
    return kept, samples[every // 2 :: every]
