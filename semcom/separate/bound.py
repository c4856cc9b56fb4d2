"""What separate coding could reach with an ideal code: the capacity bound."""

from __future__ import annotations

import time
from copy import copy
from importlib.metadata import version
from typing import Self

import numpy as np
import torch
from torch import Tensor

from channels import Link, Session
from channels.errors import InputError, check_name
from channels.surroundings import undisturbed
from semcom.codec import check_link, open_session
from semcom.image_coders.payloads import payload
from semcom.image_coders.rate import BudgetTooSmall
from semcom.image_coders.source import source_coder
from semcom.images import as_images, as_roi
from semcom.modem.capacity import carried, outage_rate
from semcom.modem.information import Array
from semcom.modem.realisations import noise_variances, qpsk_probe
from semcom.scheme import Delivered, Scheme
from semcom.separate.codec import GREY

KINDS = ("outage", "ergodic")
INPUTS = {"gaussian": (None,), "qam": (2, 4, 6, 8)}
BLOCKLENGTHS = ("infinite", "finite")
_FLOAT32 = 1e-6


class CapacityBound(Scheme):
    """Separate coding with an ideal code in the place of LDPC and QAM.

    A bound is no codec: nothing is modulated or decoded. Each image is coded into
    ``floor(R * uses / 8)`` bytes, R bits per channel use, by the image coder of
    :class:`~semcom.separate.SeparateCodec`, its headers sent or known alike; no CRC, no padding.
    What arrives is decided by the mutual information of the link's own ``noise_var``, so that
    estimation errors, interference and Doppler count. Like the codec, the transmitter knows the
    average SNR and, after :meth:`adapted`, the link's statistics: 200 realisations, none of which
    an image meets.

    Args:
        source: image coder, as of :class:`~semcom.separate.SeparateCodec`.
        kind: ``"outage"``: R maximises the expected quality over the realisations, and an image
            is lost where its own realisation carries less (outage capacity: Ozarow, Shamai, Wyner,
            IEEE Trans. Veh. Technol. 43(2), 1994). It bounds codes at that rate: where the quality
            law of :func:`~semcom.modem.adaptation.choose_mcs` misjudges a small image, another
            rate may show a better one. ``"ergodic"``: R is the mean over the realisations and no
            image is lost: optimistic, as if one code saw infinitely many fades.
        inputs: ``"gaussian"``: ``log2(1 + SNR)``; ``"qam"``: bit-interleaved Gray QAM of the order
            (4 to 256) that serves R best.
        blocklength: ``"infinite"``, or ``"finite"``: less by what a code of the image's channel
            uses loses at 1 % errors, by the normal approximation
            (:func:`~semcom.modem.capacity.carried`). Those 1 % of images are not lost here:
            on the optimistic side, as a bound may be.
        header: ``"external"`` or ``"billed"``, as of :class:`~semcom.separate.SeparateCodec`.
        bit_depth: of ``"hevc"`` and ``"hevc-roi"``: 8, 10 or 12.
        roi_qp_offset: of ``"hevc-roi"``: -24 to -1.

    Attributes:
        name: e.g. ``"hevc-capacity"``.
        channels: the numbers of channels of the images it takes; 1 is grey, 3 RGB.

    Raises:
        InputError: on an unknown or wrong option.

    >>> import channels
    >>> bound = CapacityBound("jpeg2000")
    >>> images = torch.rand(1, 1, 64, 64)
    >>> bound.budget(images, cbr=1/4, snr_db=10.0)  # log2(11) * 1024 / 8
    442
    >>> delivered = bound.deliver(images, channels.link("awgn"), cbr=1/4, snr_db=10.0, seed=1)
    >>> delivered.images.shape, delivered.outage.tolist(), delivered.used.tolist()
    (torch.Size([1, 1, 64, 64]), [False], [1024])
    """

    family = "bound"

    def __init__(
        self,
        source: str = "hevc",
        kind: str = "outage",
        inputs: str = "gaussian",
        blocklength: str = "infinite",
        header: str = "external",
        bit_depth: int = 10,
        roi_qp_offset: int = -6,
    ) -> None:
        self._source = source_coder(source, header, bit_depth, roi_qp_offset)
        self._kind = check_name("kind", kind, KINDS)
        self._inputs = check_name("inputs", inputs, INPUTS)
        self._blocklength = check_name("blocklength", blocklength, BLOCKLENGTHS)
        self._link: Link | None = None
        self._chosen: dict[Session, tuple[float, int | None]] = {}
        self.name = f"{source}-capacity"
        self.channels = self._source.format.channels

    @property
    def fingerprint(self) -> str:
        """What decides its results beside the library's own version."""
        coders = ", ".join(f"{name} {version(name)}" for name in ("av", "imagecodecs", "pillow"))
        code = f"{self._kind} capacity, {self._inputs} inputs, {self._blocklength} blocklength"
        return f"{self.name}, {code}, {self._source.settings}, {coders}"

    def adapted(self, link: Link) -> Self:
        """A copy whose rate suits the link's fading; without, it suits Gaussian noise.

        >>> import channels
        >>> bound, flat = CapacityBound(), torch.zeros(1, 1, 64, 64)
        >>> faded = bound.adapted(channels.link("rayleigh"))
        >>> 100 < faded.budget(flat, cbr=1/4, snr_db=10.0) < 442
        True
        """
        check_link(link)
        adapted = copy(self)
        adapted._link, adapted._chosen = link, {}
        return adapted

    def budget(self, images: Tensor, *, cbr: float, snr_db: float) -> int:
        """Bytes that an image of this shape may take, ``floor(R * uses / 8)``.

        Arguments and errors are those of :meth:`deliver`.
        """
        with undisturbed():
            images = as_images(images, self.channels)
            return _bytes(*self._open(images, cbr, snr_db)[:2])

    def dry_run(
        self, images: Tensor, *, cbr: float, snr_db: float, roi: Tensor | None = None
    ) -> None:
        """Tell the budget, and code nothing."""
        self.budget(images, cbr=cbr, snr_db=snr_db)

    @undisturbed()
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
        """Deliver images as well as their realisations of the link allow.

        A probe of unit-power symbols, as many as the channel uses, asks the link for them. An image
        is grey where the realisation carries less than R, or R less than the coarsest image takes.
        Arguments are those of :meth:`semcom.scheme.Scheme.deliver`.

        Raises:
            InputError: if an argument does not fit; a bound knows what the channel gives, so it
                takes no ``believed_snr_db``.
        """
        start = time.perf_counter()
        check_link(link)
        if believed_snr_db is not None:
            raise InputError(f"{self.name!r} is a bound and believes nothing: leave it out")
        images = as_images(images, self.channels)
        session, rate, order = self._open(images, cbr, snr_db)
        if roi is not None:
            roi = as_roi(roi, images)
        lost = np.zeros(len(images), dtype=bool)
        if self._kind == "outage":
            lost = self._carried(_probed(link, images, session, seed), order, session) < rate * (
                1 - _FLOAT32
            )
        delivered = torch.full(images.shape, GREY)
        masks = [None] * len(images) if roi is None else list(roi[:, 0].float().cpu().numpy())
        channels, height, width = session.image_shape
        for row in np.flatnonzero(~lost):
            image = images[row].detach().cpu().numpy()
            planes = image[0] if channels == 1 else image
            try:
                coded = payload(self._source, planes, _bytes(session, rate), masks[row])
            except BudgetTooSmall:
                lost[row] = True
                continue
            decoded = self._source.decode(coded, height, width, channels)
            delivered[row] = torch.from_numpy(decoded.reshape(image.shape))
        parts = (
            delivered,
            torch.from_numpy(lost),
            torch.full((len(images),), session.channel_uses, dtype=torch.int64),
        )
        delivered, outage, used = (part.to(images.device) for part in parts)
        return Delivered(delivered, outage, used, session, encode_s=time.perf_counter() - start)

    def _open(self, images: Tensor, cbr: float, snr_db: float) -> tuple[Session, float, int | None]:
        """The session, R in bits per channel use, and the bits per symbol of the QAM."""
        session = open_session(self.name, images, cbr, snr_db)
        if session not in self._chosen:
            self._chosen[session] = self._choose(session)
        return session, *self._chosen[session]

    def _choose(self, session: Session) -> tuple[float, int | None]:
        uses, (channels, height, width) = session.channel_uses, session.image_shape
        if self._link is None:
            noise_var = np.full((1, uses), 10 ** (-session.snr_db / 10))
        else:
            noise_var = noise_variances(self._link, uses, session.snr_db)
        smallest = self._source.smallest(height, width, channels)
        header = self._source.header_bytes(height, width, channels)
        best: tuple[float, float, int | None] = (0.0, -1.0, None)
        for order in INPUTS[self._inputs]:
            rates = self._carried(noise_var, order, session)
            rate = worth = float(rates.mean())
            if self._kind == "outage":
                rate, worth = outage_rate(rates, uses, height * width, smallest, header)
            if worth > best[1]:
                best = (rate, worth, order)
        return best[0], best[2]

    def _carried(self, noise_var: Array, order: int | None, session: Session) -> Array:
        return carried(noise_var, order, self._blocklength == "finite", session.channel_uses)


def _bytes(session: Session, rate: float) -> int:
    return int(rate * session.channel_uses / 8)


def _probed(link: Link, images: Tensor, session: Session, seed: int) -> Array:
    """Noise variances that the codecs' symbols meet, float64 ``[batch, channel_uses]``."""
    uses = session.channel_uses
    symbols = qpsk_probe(uses)[:1].expand(len(images), uses).to(images.device)
    noise_var = link.propagate(symbols, session.snr_db, seed).noise_var
    return noise_var.double().cpu().numpy()
