"""What comparisons compare: anything that delivers images over a link, a codec or a bound."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from channels import InputError, Link, Session
from channels.errors import shown
from semcom.images import ROUNDING, check_tensor, clamped

SEPARATE = "separate"
"""Family of schemes that code source and channel apart; in tables the label of the best of them."""


@dataclass(frozen=True, eq=False)
class MadeUp:
    """What of images was not received but made up, and from which words.

    Args:
        painted: bool ``[batch, 1, H, W]``, true where an image shows what nobody sent.
        texts: for each image the words that arrived; ``""`` where none were sent, ``None`` where
            they were lost.

    >>> MadeUp(torch.tensor([[[[True, False]]]]), ["a chest"]).shares
    [0.5]
    """

    painted: Tensor
    texts: list[str | None]

    @property
    def shares(self) -> list[float]:
        """Of each image, how much of it is made up."""
        return [float(share) for share in self.painted.flatten(1).float().mean(1)]


@dataclass(frozen=True, eq=False)
class Delivered:
    """Images as a scheme delivers them.

    Args:
        images: float32 ``[batch, C, H, W]`` in [0, 1].
        outage: bool ``[batch]``, true where the image was lost.
        used: int64 ``[batch]``, channel uses spent on each.
        session: shape, channel uses and the SNR that the transmitter goes by.
        rx_snr_db: float ``[batch]``, the receiver's estimate of E_s/N_0 in dB; ``None`` without a
            receiver.
        encode_s: wall time to encode, in seconds; all the time of a bound.
        decode_s: wall time to decode, in seconds.
        made_up: what of the images is; ``None``: nothing.
    """

    images: Tensor
    outage: Tensor
    used: Tensor
    session: Session
    rx_snr_db: Tensor | None = None
    encode_s: float = 0.0
    decode_s: float = 0.0
    made_up: MadeUp | None = None

    @property
    def pictures(self) -> Tensor:
        """Deprecated: ``images``."""
        warnings.warn("Delivered.pictures is now .images", DeprecationWarning, stacklevel=2)
        return self.images


class Scheme(ABC):
    """A way to deliver images over a link.

    A :class:`~semcom.Codec` is one: it encodes, sends and decodes. A bound computes what could
    arrive, and puts nothing on the air. Scenarios take both alike.

    Attributes:
        name: what tables call it.
        channels: the numbers of channels of the images it takes; 1 is grey, 3 RGB.
        family: ``"codec"``; ``"separate"``, source and channel coding apart; or ``"bound"``. Tables
            find the best separate scheme by it.
        needs_roi: whether it sends nothing without a region of interest.
    """

    name: str
    channels: tuple[int, ...] = (1,)
    family: str = "codec"
    needs_roi: bool = False

    @property
    def fingerprint(self) -> str:
        """What decides its results beside the library's own version; scenarios reuse results by it.

        Empty by default: scenarios then hash all that it holds.
        """
        return ""

    def adapted(self, link: Link) -> Self:
        """Fit the scheme to a link's long-term statistics, which the transmitter may know.

        Schemes without link adaptation return themselves.
        """
        return self

    @abstractmethod
    def deliver(
        self,
        images: Tensor,
        link: Link,
        *,
        cbr: float,
        snr_db: float,
        seed: int,
        believed_snr_db: float | None = None,
        roi: Tensor | None = None,
    ) -> Delivered:
        """Deliver images over a link.

        Args:
            images: float32 ``[batch, C, H, W]`` in [0, 1], H and W at least 32, C one of
                ``channels``.
            link: what they are sent over.
            cbr: complex channel uses per image sample, ``uses / (H * W * C)``.
            snr_db: average E_s/N_0 of the channel in dB.
            seed: seeds fading and noise: schemes that send as many symbols with it meet the same.
            believed_snr_db: the E_s/N_0 in dB that both ends go by; ``None``: the channel's.
            roi: bool or float ``[batch, 1, H, W]``, 1 in the region of interest.

        Raises:
            InputError: if an argument does not fit.
        """

    @abstractmethod
    def dry_run(
        self, images: Tensor, *, cbr: float, snr_db: float, roi: Tensor | None = None
    ) -> None:
        """Do all that can fail before anything is sent.

        Arguments are those of :meth:`deliver`.

        Raises:
            InputError: if an argument does not fit, or the scheme cannot serve this rate.
        """


def check_outputs(
    who: str, images: object, outage: object, shape: list[int]
) -> tuple[Tensor, Tensor]:
    """Refuse images of a receiver that metrics would make nonsense of.

    Args:
        who: gave them, for errors: ``"mine: _decode"``.
        images: what should be float32 of that shape, in [0, 1]; a lost one may be all NaN, which
            leaves it out of the means.
        outage: what should be bool ``[batch]``.
        shape: ``[batch, C, H, W]``.

    Returns:
        Both; values that miss [0, 1] by rounding are clamped.

    >>> check_outputs("mine: _decode", torch.zeros(1, 1, 32, 32), torch.zeros(1), [1, 1, 32, 32])
    Traceback (most recent call last):
    channels.errors.InputError: mine: _decode: outages must be bool [1], got torch.float32 [1]
    """
    if not isinstance(images, Tensor) or not isinstance(outage, Tensor):
        given = f"{described(images)} and {described(outage)}"
        raise InputError(f"{who} must return images and outages, got {given}")
    check_tensor(f"{who}: images", images)
    check_tensor(f"{who}: outages", outage)
    if list(images.shape) != shape or images.dtype != torch.float32:
        raise InputError(
            f"{who} must return float32 {shape}, got {images.dtype} {list(images.shape)}"
        )
    if list(outage.shape) != shape[:1] or outage.dtype != torch.bool:
        raise InputError(
            f"{who}: outages must be bool {shape[:1]}, got {outage.dtype} {list(outage.shape)}"
        )
    rows = images.detach().flatten(1)
    lost = rows.isnan().all(1) & outage.to(rows.device)
    fits = ((rows >= -ROUNDING) & (rows <= 1 + ROUNDING)).all(1) | lost
    if not bool(fits.all()):
        wrong = rows[~fits]
        raise InputError(
            f"{who}: images must lie in [0, 1], got [{float(wrong.min()):.9g}, "
            f"{float(wrong.max()):.9g}]: clamp or rescale them (a lost one may be NaN throughout)"
        )
    return clamped(images), outage


def check_made_up(who: str, made_up: object, shape: list[int]) -> MadeUp:
    """Refuse what cannot say which part of images is made up.

    Args:
        who: gave it, for errors.
        made_up: what should be of these images.
        shape: ``[batch, C, H, W]`` of the images.

    >>> check_made_up("mine: _decode", MadeUp(torch.zeros(1, 1, 32, 32), [""]), [1, 1, 32, 32])
    Traceback (most recent call last):
    channels.errors.InputError: mine: _decode: painted must be bool [1, 1, 32, 32], got ...
    """
    if not isinstance(made_up, MadeUp):
        raise InputError(f"{who} must tell what is made up as a MadeUp, got {shown(made_up)}")
    painted, wanted = made_up.painted, [shape[0], 1, *shape[2:]]
    check_tensor(f"{who}: painted", painted)
    if list(painted.shape) != wanted or painted.dtype != torch.bool:
        raise InputError(
            f"{who}: painted must be bool {wanted}, got {painted.dtype} {list(painted.shape)}"
        )
    if len(made_up.texts) != shape[0]:
        raise InputError(f"{who}: {len(made_up.texts)} texts do not fit {shape[0]} images")
    return made_up


def described(value: object) -> str:
    """What was given instead of tensors, in words.

    >>> described(torch.zeros(1, 8)), described([1, 2]), described(None)
    ('a tensor torch.float32 [1, 8]', 'a list of 2', 'None')
    """
    if isinstance(value, Tensor):
        return f"a tensor {value.dtype} {list(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return shown(value)


def check_delivered(name: str, delivered: object, images: Tensor, cbr: float) -> Delivered:
    """Refuse what a scheme cannot have delivered.

    Args:
        name: of the scheme.
        delivered: what its ``deliver`` gave.
        images: what it was given, ``[batch, C, H, W]``.
        cbr: complex channel uses per image sample that it was allowed.

    >>> check_delivered("mine", None, torch.zeros(1, 1, 32, 32), cbr=1/4)
    Traceback (most recent call last):
    channels.errors.InputError: mine: deliver must return a semcom.scheme.Delivered, got None
    """
    who = f"{name}: deliver"
    if not isinstance(delivered, Delivered):
        raise InputError(f"{who} must return a semcom.scheme.Delivered, got {shown(delivered)}")
    kept, _ = check_outputs(who, delivered.images, delivered.outage, list(images.shape))
    used, rx_snr_db = delivered.used, delivered.rx_snr_db
    most = round(cbr * images[0].numel())
    if (
        not isinstance(used, Tensor)
        or used.dtype != torch.int64
        or list(used.shape) != [len(images)]
        or not bool(((used >= 0) & (used <= most)).all())
    ):
        raise InputError(f"{who} must give used as int64 [{len(images)}] in 0..{most}, got {used}")
    session = delivered.session
    if not isinstance(session, Session) or session.image_shape != tuple(images.shape[1:]):
        raise InputError(f"{who} must give the session of these images, got {shown(session)}")
    if rx_snr_db is not None and (
        not isinstance(rx_snr_db, Tensor) or list(rx_snr_db.shape) != [len(images)]
    ):
        raise InputError(f"{who} must give rx_snr_db as float [{len(images)}] or None")
    if delivered.made_up is not None:
        check_made_up(who, delivered.made_up, list(images.shape))
    return replace(delivered, images=kept)
