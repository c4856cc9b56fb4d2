"""Which images, masks and segmenters the options of a command mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from torch import Tensor

from channels import InputError
from channels.registry import is_place
from scenarios.engine.inputs import Images, Masks
from scenarios.options.telling import tell
from semcom.catalogue import segmenter, segmenters
from semcom.data import phantoms, read_file, read_folder
from semcom.segmentation import Segmenter

DEFAULT_SEGMENTER = "chest"
_PHANTOMS = 6
_PHANTOM_SIZE = 256


@dataclass(frozen=True)
class Selection:
    """The options of a command that say what is sent.

    Args:
        images: folder of images; ``None`` for phantoms.
        masks: a folder, a segmenter's name, a file of weights, ``"none"``; ``None``: the chest
            segmenter, or the phantoms' own.
        limit: take the first images only.
        size: shrink to this longest side; of phantoms, their side.
        seed: of phantoms.
        frame: which image of files that hold several.
        rgb: whether images are read in colour.
        skip_unreadable: go on without images that cannot be read.
    """

    images: Path | None
    masks: str | None
    limit: int | None
    size: int | None
    seed: int
    frame: int | None = None
    rgb: bool = False
    skip_unreadable: bool = False

    def load(self) -> tuple[Images, Masks]:
        """Pictures, and masks or the segmenter that finds them.

        Raises:
            InputError: if an option does not fit, or a file cannot be read.
        """
        if self.images is None:
            for option, given in (("--masks belong", self.masks), ("--rgb belongs", self.rgb)):
                if given:
                    raise InputError(f"{option} to pictures: name their folder with --images")
            return self._phantoms()
        masks = _default_masks(self.rgb) if self.masks is None else self.masks
        if not masks.strip():
            raise InputError("--masks is empty: name a folder or a segmenter, or leave it out")
        finder = _finder(masks, self.masks is not None)
        if self.rgb and finder is not None:
            raise InputError(
                f"--masks {masks} is a segmenter, which takes grey pictures: with --rgb name a "
                "folder, or leave it out"
            )
        folder = masks if finder is None and masks != "none" else None
        found = read_folder(
            self.images,
            folder,
            self.size,
            self.limit,
            rgb=self.rgb,
            frame=self.frame,
            skip_unreadable=self.skip_unreadable,
        )
        tell(found)
        if finder is None:
            return found.images, found.masks
        task = getattr(finder, "task", masks)
        what = segmenters().get(task, task)
        Console(stderr=True).print(
            f"regions of interest: {what}, found in the sent pictures (--masks names a folder, "
            "another segmenter, a file of weights, or none)",
            highlight=False,
        )
        return found.images, finder

    def _phantoms(self) -> tuple[list[Tensor], list[Tensor]]:
        images: list[Tensor] = []
        masks: list[Tensor] = []
        count = self.limit or _PHANTOMS
        dental = count // 3
        for kind, wanted in (("chest", count - dental), ("dental", dental)):
            if wanted > 0:
                size = self.size or _PHANTOM_SIZE
                drawn, regions = phantoms(kind, n=wanted, size=size, seed=self.seed)
                images += list(drawn)
                masks += list(regions)
        return images, masks


def one_picture(
    picture: Path | None,
    mask: str | None,
    size: int | None,
    seed: int,
    frame: int | None = None,
    rgb: bool = False,
) -> tuple[Tensor, Masks]:
    """An image, or a chest phantom, and its mask or the segmenter that finds it.

    Raises:
        InputError: if an option does not fit, or a file cannot be read.

    >>> one_picture(None, None, 64, 0)[0].shape
    torch.Size([1, 1, 64, 64])
    """
    if picture is None:
        for option, asked in (("--mask", mask), ("--rgb", rgb)):
            if asked:
                raise InputError(f"{option} belongs to a picture: name its file")
        return phantoms("chest", n=1, size=size or _PHANTOM_SIZE, seed=seed)
    mask = _default_masks(rgb) if mask is None else mask
    finder = _segmenter(mask)
    found = finder is not None or mask == "none"
    read = read_file(picture, None if found else mask, size, rgb=rgb, frame=frame)
    tell(read)
    given = None if read.masks is None else read.masks[0][None]
    return read.images[0][None], finder if found else given


def segmenter_of(option: str, name: str | None) -> Segmenter | None:
    """The segmenter that an option names: a shipped one, or a file of weights.

    Raises:
        InputError: if it is neither.

    >>> segmenter_of("--diagnosis", "lungs")
    Traceback (most recent call last):
    channels.errors.InputError: --diagnosis lungs is no segmenter: name one (chest, ...) or a file
    """
    if name is None:
        return None
    named = _segmenter(name)
    if named is None:
        known = ", ".join(segmenters())
        raise InputError(
            f"{option} {name} is no segmenter: name one ({known}) or a file of weights"
        )
    return named


def _default_masks(rgb: bool) -> str:
    """Segmenters take grey images."""
    return "none" if rgb else DEFAULT_SEGMENTER


def _segmenter(name: str) -> Segmenter | None:
    """A segmenter by name, by its place or by its file of weights, if one is meant."""
    if name.endswith(".safetensors"):
        return segmenter(weights=name)
    return segmenter(name) if name in segmenters() or is_place(name) else None


def _finder(masks: str, named: bool) -> Segmenter | None:
    """The segmenter that ``--masks`` means, if it means one."""
    if masks in segmenters() and named and Path(masks).is_dir():
        raise InputError(f"--masks {masks} is a segmenter and a folder here: write ./{masks}")
    finder = _segmenter(masks)
    if finder is None and masks != "none" and not Path(masks).exists():
        known = ", ".join(segmenters())
        raise InputError(
            f"--masks {masks} is no folder: pass one, a segmenter ({known}), a file of weights, or "
            "none"
        )
    return finder
