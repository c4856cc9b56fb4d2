"""What a caller may hand to a scenario, checked before anything is computed or written."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from torch import Tensor

import channels
from channels import InputError, Link
from semcom.catalogue import codec as codec_named
from semcom.codec import Codec, check_images, check_roi

Pictures: TypeAlias = Tensor | Sequence[Tensor]
T = TypeVar("T")
MAX_CBR = 8
Codecs: TypeAlias = Sequence[str | Codec] | Mapping[str, Codec]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and its region of interest.

    Args:
        image: float32 ``[1, H, W]`` in [0, 1].
        mask: bool ``[1, H, W]``, true in the region of interest, or ``None``.
    """

    image: Tensor
    mask: Tensor | None

    @property
    def digest(self) -> str:
        """Hash of the contents; no file name or patient field is kept anywhere."""
        digest = hashlib.sha256()
        for part in (self.image, self.mask):
            if part is None:
                digest.update(b"none")
            else:
                digest.update(str((part.dtype, tuple(part.shape))).encode())
                digest.update(part.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def pictures(images: Pictures, masks: Pictures | None) -> list[Picture]:
    """Check pictures and masks one by one.

    Args:
        images: float32 ``[n, 1, H, W]``, or n tensors ``[1, H, W]`` of any sizes.
        masks: bool, shaped like the images; ``None`` without regions of interest.

    Raises:
        InputError: naming the index of the picture that does not fit.

    >>> import torch
    >>> len(pictures(torch.zeros(2, 1, 64, 64), None))
    2
    """
    if len(images) == 0:
        raise InputError("images hold no picture: pass at least one")
    if masks is not None and len(masks) != len(images):
        raise InputError(f"{len(masks)} masks do not fit {len(images)} images: pass one mask each")
    found = []
    for index, image in enumerate(images):
        mask = None if masks is None else masks[index]
        try:
            check_images(image[None])
            if mask is not None:
                check_roi(mask[None], image[None])
        except InputError as error:
            raise InputError(f"picture {index}: {error}") from None
        found.append(Picture(image, mask))
    return found


def contenders(codecs: Codecs) -> dict[str, Codec]:
    """Codecs by the label they carry in tables.

    Args:
        codecs: names or codecs; a mapping gives labels of its own, e.g. to two weights.

    Raises:
        InputError: on an unknown name, a label twice, or no codec at all.

    >>> list(contenders(["jpeg2000-ldpc", "hevc-ldpc"]))
    ['jpeg2000-ldpc', 'hevc-ldpc']
    """
    if isinstance(codecs, Mapping):
        labelled = list(codecs.items())
    else:
        built = [codec_named(codec) if isinstance(codec, str) else codec for codec in codecs]
        labelled = [(codec.name, codec) for codec in built]
    return _unique("codec", labelled, "pass a mapping {label: codec}")


def routes(links: Sequence[str | Link]) -> dict[str, Link]:
    """Links by name.

    Raises:
        InputError: on an unknown name, a name twice, or no link at all.

    >>> list(routes(["awgn", channels.link("ntn-tdl-c", speed_mps=0.0)]))
    ['awgn', 'ntn-tdl-c']
    """
    built = [channels.link(link) if isinstance(link, str) else link for link in links]
    labelled = [(link.name, link) for link in built]
    return _unique("link", labelled, "rename one, dataclasses.replace(link, name=...)")


def points(snr_db: Sequence[float]) -> tuple[float, ...]:
    """SNR points in dB, sorted, each once.

    >>> points([4, 0, 4])
    (0.0, 4.0)
    """
    values = sorted({float(value) + 0.0 for value in snr_db})
    if not values:
        raise InputError("snr_db holds no point: pass at least one, in dB")
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"snr_db must be finite, got {values}")
    return tuple(values)


def check_rate(cbr: float) -> None:
    """Refuse a rate that no picture can be sent at.

    >>> check_rate(-1 / 16)
    Traceback (most recent call last):
    channels.errors.InputError: cbr must lie in (0, 8] complex channel uses per pixel, got -0.0625
    """
    if not (math.isfinite(cbr) and 0 < cbr <= MAX_CBR):
        raise InputError(
            f"cbr must lie in (0, {MAX_CBR}] complex channel uses per pixel, got {cbr}"
        )


def check_whole(name: str, value: int, least: int) -> None:
    """Refuse what is not a whole number from ``least`` on.

    >>> check_whole("trials", 3, least=1)
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number from {least} on, got {value!r}")


def _unique(kind: str, labelled: list[tuple[str, T]], remedy: str) -> dict[str, T]:
    if not labelled:
        raise InputError(f"no {kind} to compare: name at least one")
    names = [name for name, _ in labelled]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{kind} {name!r} appears twice: {remedy}")
    return dict(labelled)
