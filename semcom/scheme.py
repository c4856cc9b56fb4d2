"""What comparisons compare: anything that delivers images over a link, a codec or a bound."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from channels import Link, Session


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
    """

    images: Tensor
    outage: Tensor
    used: Tensor
    session: Session
    rx_snr_db: Tensor | None = None
    encode_s: float = 0.0
    decode_s: float = 0.0

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
    """

    name: str
    channels: tuple[int, ...] = (1,)

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
            cbr: complex channel uses per pixel, ``uses / (H * W * C)``.
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
