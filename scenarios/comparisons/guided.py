"""A codec whose encoder is told another region of interest than the one quality is measured in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from channels import Link, Reception, Session, Transmission
from scenarios.engine.sweep import identity
from semcom.codec import Codec
from semcom.segmentation import Segmenter, corrupt
from semcom.segmentation.segmenter import probabilities


class Guide(Protocol):
    """Says which mask an encoder gets; ``str`` of it says so in words."""

    def __call__(self, images: Tensor, roi: Tensor | None) -> Tensor | None:
        """Bool ``[batch, 1, H, W]`` or none, from pictures and the masks that metrics use."""


class Guided(Codec):
    """A codec as it is, but for the mask that its encoder gets.

    Args:
        codec: the codec.
        guide: gives the mask.

    >>> import semcom
    >>> codec, pictures = semcom.codec("hevc-roi-ldpc"), torch.rand(1, 1, 64, 64)
    >>> ways, masks = {"cbr": 1/4, "snr_db": 12.0}, torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    >>> masks[..., :32] = True
    >>> blind = Guided(codec, NoMask()).encode(pictures, roi=masks, **ways).symbols
    >>> bool((blind == codec.encode(pictures, **ways).symbols).all())
    True
    >>> bool((blind == codec.encode(pictures, roi=masks, **ways).symbols).all())
    False
    """

    def __init__(self, codec: Codec, guide: Guide) -> None:
        self._codec, self._guide = codec, guide
        self.name, self.channels = codec.name, codec.channels

    @property
    def fingerprint(self) -> str:
        """The codec's own, and which mask it gets."""
        return f"{identity(self._codec)}, {self._guide}"

    def adapted(self, link: Link) -> Self:
        """A copy whose codec is fitted to a link."""
        return type(self)(self._codec.adapted(link), self._guide)

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        cbr = session.channel_uses / images[0].numel()
        mask = self._guide(images, roi)
        return self._codec.encode(images, cbr=cbr, snr_db=session.snr_db, roi=mask)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        return self._codec.decode_with_outage(rx)


@dataclass(frozen=True)
class NoMask:
    """No region of interest."""

    def __call__(self, images: Tensor, roi: Tensor | None) -> None:
        """Nothing."""

    def __str__(self) -> str:
        return "no mask"


@dataclass(frozen=True, eq=False)
class FoundMask:
    """What a segmenter finds in the picture.

    Args:
        segmenter: any mask source.
    """

    segmenter: Segmenter

    def __call__(self, images: Tensor, roi: Tensor | None) -> Tensor:
        """Where a region of interest is more likely than not."""
        return probabilities(self.segmenter, images) > 0.5

    def __str__(self) -> str:
        return f"mask found by {type(self.segmenter).__name__} {identity(self.segmenter)}"


@dataclass(frozen=True)
class SpoiltMask:
    """The mask that metrics use, spoilt as :func:`semcom.segmentation.corrupt` does.

    Lengths are shares of the picture's longer side; regions are dropped by the picture's content.

    Args:
        dilate: by how much regions grow.
        erode: by how much they shrink.
        drop: chance of each region to be left out.
        shift: down and to the right.

    >>> masks = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    >>> masks[..., 16:32, 16:32] = True
    >>> SpoiltMask(shift=(0.25, 0.0))(torch.rand(1, 1, 64, 64), masks)[0, 0, :, 20].nonzero().min()
    tensor(32)
    """

    dilate: float = 0.0
    erode: float = 0.0
    drop: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def __call__(self, images: Tensor, roi: Tensor | None) -> Tensor | None:
        """The spoilt masks; none where there are none."""
        if roi is None:
            return None
        side = max(images.shape[-2:])
        down, right = (round(share * side) for share in self.shift)
        found = [
            corrupt(
                mask > 0.5,
                dilate=round(self.dilate * side),
                erode=round(self.erode * side),
                drop=self.drop,
                shift=(down, right),
                seed=_seed(image),
            )
            for image, mask in zip(images, roi, strict=True)
        ]
        return torch.stack(found)


def _seed(image: Tensor) -> int:
    contents = image.detach().cpu().contiguous().numpy().tobytes()
    return int.from_bytes(hashlib.sha256(contents).digest()[:4], "big")
