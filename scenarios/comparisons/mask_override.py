"""A codec whose encoder is told another region of interest than the one quality is measured in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from channels import Link, Reception, Session, Transmission
from scenarios.engine.provenance import identity
from semcom.codec import Codec
from semcom.scheme import MadeUp
from semcom.segmentation import Segmenter, corrupt
from semcom.segmentation.segmenter import probabilities


class MaskSource(Protocol):
    """Says which mask an encoder gets; ``str`` of it says so in words."""

    def __call__(self, images: Tensor, roi: Tensor | None) -> Tensor | None:
        """Bool ``[batch, 1, H, W]`` or none, from images and the masks that metrics use."""


class MaskOverride(Codec):
    """A codec as it is, but for the mask that its encoder gets.

    Args:
        codec: the codec.
        masks: gives the mask.

    >>> import semcom
    >>> codec, images = semcom.codec("hevc-roi-ldpc"), torch.rand(1, 1, 64, 64)
    >>> ways, masks = {"cbr": 1/4, "snr_db": 12.0}, torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    >>> masks[..., :32] = True
    >>> blind = MaskOverride(codec, NoMask()).encode(images, roi=masks, **ways).symbols
    >>> bool((blind == codec.encode(images, **ways).symbols).all())
    True
    >>> bool((blind == codec.encode(images, roi=masks, **ways).symbols).all())
    False
    """

    def __init__(self, codec: Codec, masks: MaskSource) -> None:
        self._codec, self._masks = codec, masks
        self.name, self.channels, self.needs_roi = codec.name, codec.channels, codec.needs_roi

    @property
    def fingerprint(self) -> str:
        """The codec's own, and which mask it gets."""
        return f"{identity(self._codec)}, {self._masks}"

    def adapted(self, link: Link) -> Self:
        """A copy whose codec is fitted to a link."""
        return type(self)(self._codec.adapted(link), self._masks)

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        cbr = session.channel_uses / images[0].numel()
        mask = self._masks(images, roi)
        return self._codec.encode(images, cbr=cbr, snr_db=session.snr_db, roi=mask)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        return self._codec.decode_with_outage(rx)

    def _decode_with_made_up(self, rx: Reception) -> tuple[tuple[Tensor, Tensor], MadeUp | None]:
        images, outage, made_up = self._codec.decode_with_made_up(rx)
        return (images, outage), made_up


@dataclass(frozen=True)
class NoMask:
    """No region of interest."""

    def __call__(self, images: Tensor, roi: Tensor | None) -> None:
        """Nothing."""

    def __str__(self) -> str:
        return "no mask"


@dataclass(frozen=True, eq=False)
class FoundMask:
    """What a segmenter finds in the image.

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
    """The mask that metrics use, corrupted as :func:`semcom.segmentation.corrupt` does.

    Lengths are shares of the image's longer side; regions are dropped by the image's content.

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
        """The corrupted masks; none where there are none."""
        if roi is None:
            return None
        side = max(images.shape[-2:])
        down, right = (round(share * side) for share in self.shift)
        masks = [
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
        return torch.stack(masks)


def _seed(image: Tensor) -> int:
    contents = image.detach().cpu().contiguous().numpy().tobytes()
    return int.from_bytes(hashlib.sha256(contents).digest()[:4], "big")
