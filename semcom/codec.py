"""The contract that every system under test keeps: images → symbols → images."""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from channels import InputError, Link, Reception, Session, Transmission
from channels.errors import check_number, shown
from channels.power import LEAST_POWER, squared_magnitude
from channels.signal import SNR_DB
from channels.surroundings import undisturbed
from semcom.images import KINDS, MIN_SIDE, as_images, as_roi, check_tensor
from semcom.scheme import Delivered, MadeUp, Scheme, check_made_up, check_outputs, described


class Codec(Scheme):
    """Turns images into complex baseband symbols and back.

    ``decode`` sees a :class:`~channels.Reception` and what both ends agreed on before (the codec's
    own configuration and weights, and the :class:`~channels.Session`); nothing else.

    Attributes:
        name: the name under which ``semcom.codec`` builds it.
        channels: the numbers of channels of the images it takes; 1 is grey, 3 RGB.
    """

    def encode(
        self,
        images: Tensor,
        *,
        cbr: float,
        snr_db: float,
        roi: Tensor | None = None,
    ) -> Transmission:
        """Turn images into symbols of mean power 1 per image.

        The same bits come out whatever the caller has set in PyTorch: default dtype and device,
        autocast, inference mode, threads.

        Args:
            images: float ``[batch, C, H, W]`` in [0, 1], H and W at least 32, C one of
                ``channels``; computed with in float32, see :func:`semcom.images.as_images`.
            cbr: complex channel uses per image sample, ``uses / (H * W * C)``; C is 1 for grey.
            snr_db: average E_s/N_0 that the transmitter believes in, in dB.
            roi: bool or float ``[batch, 1, H, W]``, 1 in the region of interest; a codec that has
                no use for it ignores it.

        Returns:
            The transmission, with ``used`` at most ``round(cbr * H * W * C)``. Links make its mean
            power 1, image by image: a scale that the receiver needs has to be sent.

        Raises:
            InputError: if an argument does not fit, or the budget holds not even a header.
        """
        with undisturbed():
            return self._encoded(images, roi, cbr, snr_db)

    def _encoded(
        self, images: Tensor, roi: Tensor | None, cbr: float, snr_db: float
    ) -> Transmission:
        """What :meth:`encode` does, as the caller's threads and autocast have it."""
        images = as_images(images, self.channels)
        if roi is not None:
            roi = as_roi(roi, images)
        session = open_session(self.name, images, cbr, snr_db)
        tx = self._encode(images, roi, session)
        _check_sent(tx, session, len(images))
        return tx

    def decode(self, rx: Reception) -> Tensor:
        """Turn received symbols into images, float32 ``[batch, C, H, W]`` in [0, 1].

        Raises:
            InputError: if the reception belongs to another codec.
        """
        return self.decode_with_outage(rx)[0]

    def decode_with_outage(self, rx: Reception) -> tuple[Tensor, Tensor]:
        """Like :meth:`decode`, with bool ``[batch]``: true where the image was lost."""
        with undisturbed():
            check_reception(rx, self.name, self.channels)
            return _decoded(self._decode(in_single(rx)), rx)

    def decode_with_made_up(self, rx: Reception) -> tuple[Tensor, Tensor, MadeUp | None]:
        """Like :meth:`decode_with_outage`, with what of the images nobody sent.

        A codec that makes something up overrides ``_decode_with_made_up``, which gives what
        ``_decode`` does and a :class:`~semcom.scheme.MadeUp`.

        Returns:
            Images, outages, and what is made up; ``None``: nothing.

        Raises:
            InputError: if the reception belongs to another codec.
        """
        with undisturbed():
            check_reception(rx, self.name, self.channels)
            decoded, made_up = self._decode_with_made_up(in_single(rx))
            images, outage = _decoded(decoded, rx)
            if made_up is not None:
                check_made_up(f"{self.name}: _decode_with_made_up", made_up, list(images.shape))
            return images, outage, made_up

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
        """Encode, send and decode.

        Arguments and errors are those of :meth:`semcom.scheme.Scheme.deliver`.

        >>> import channels, semcom
        >>> codec, images = semcom.codec("jpeg2000-ldpc"), torch.rand(1, 1, 64, 64)
        >>> delivered = codec.deliver(images, channels.link("awgn"), cbr=1/4, snr_db=12.0, seed=1)
        >>> delivered.images.shape, delivered.outage.tolist(), delivered.used.tolist()
        (torch.Size([1, 1, 64, 64]), [False], [1024])
        """
        check_link(link)
        told_snr_db = snr_db
        if believed_snr_db is not None:
            told_snr_db = check_number("believed_snr_db", believed_snr_db, *SNR_DB)
        start = time.perf_counter()
        tx = self.encode(images, cbr=cbr, snr_db=told_snr_db, roi=roi)
        encoded = time.perf_counter()
        rx = link(tx, snr_db=snr_db, seed=seed)
        received = time.perf_counter()
        out, outage, made_up = self.decode_with_made_up(rx)
        decode_s = time.perf_counter() - received
        times = {"encode_s": encoded - start, "decode_s": decode_s}
        return Delivered(out, outage, tx.used, tx.session, rx.snr_db, **times, made_up=made_up)

    def dry_run(
        self, images: Tensor, *, cbr: float, snr_db: float, roi: Tensor | None = None
    ) -> None:
        """Encode, and send nothing."""
        self.encode(images, cbr=cbr, snr_db=snr_db, roi=roi)

    @abstractmethod
    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission: ...

    @abstractmethod
    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]: ...

    def _decode_with_made_up(self, rx: Reception) -> tuple[tuple[Tensor, Tensor], MadeUp | None]:
        return self._decode(rx), None


def check_link(link: object) -> None:
    """Refuse what is no link.

    >>> check_link("awgn")
    Traceback (most recent call last):
    channels.errors.InputError: link must be a channels.Link, got 'awgn': channels.link('awgn')
    """
    if not isinstance(link, Link):
        known = f": channels.link({link!r})" if isinstance(link, str) else ""
        raise InputError(f"link must be a channels.Link, got {shown(link)}{known}")


def check_reception(rx: object, codec: str, known: tuple[int, ...] = (1,)) -> None:
    """Refuse what a codec cannot have sent.

    Args:
        rx: what should be a :class:`~channels.Reception`.
        codec: the codec's name.
        known: the numbers of channels of its images.

    >>> check_reception("symbols", "medjscc")
    Traceback (most recent call last):
    channels.errors.InputError: rx must be a Reception, what a link gives, got 'symbols'
    """
    if not isinstance(rx, Reception):
        raise InputError(f"rx must be a Reception, what a link gives, got {shown(rx)}")
    session = rx.session
    if session.codec != codec:
        raise InputError(
            f"this reception was sent by {session.codec!r}, not {codec!r}: "
            f"decode it with semcom.codec({session.codec!r})"
        )
    channels, *sides = session.image_shape
    if channels not in known or min(sides) < MIN_SIDE:
        kinds = " or ".join(KINDS[kind] for kind in known)
        raise InputError(f"the session's image_shape {session.image_shape} is not a {kinds} image")
    if rx.symbols.shape[1] > session.channel_uses:
        raise InputError(
            f"the reception holds {rx.symbols.shape[1]} symbols, its session allows "
            f"{session.channel_uses}"
        )


def in_single(rx: Reception) -> Reception:
    """A reception in single precision, which decoders compute in.

    >>> symbols = torch.ones(1, 8, dtype=torch.complex128)
    >>> session = Session("deepjscc", (1, 32, 32), 8, 6.0)
    >>> rx = Reception(symbols, torch.ones(1, 8).double(), torch.zeros(1).double(), session)
    >>> in_single(rx).symbols.dtype
    torch.complex64
    """
    parts = rx.symbols.to(torch.complex64), rx.noise_var.float(), rx.snr_db.float()
    return Reception(*parts, rx.session)


def _check_sent(tx: object, session: Session, batch: int) -> None:
    """Refuse what a codec may not send: more than its budget, or under another agreement."""
    name = session.codec
    if not isinstance(tx, Transmission):
        raise InputError(f"{name}: _encode must return a Transmission, got {shown(tx)}")
    if replace(tx.session, mcs=session.mcs) != session:
        raise InputError(
            f"{name}: _encode must hand its session on with no change but the mcs, "
            f"got {shown(tx.session)}"
        )
    most = max(int(tx.used.max()), tx.symbols.shape[1])
    if len(tx.symbols) != batch or most > session.channel_uses:
        raise InputError(
            f"{name}: _encode returned {len(tx.symbols)} rows of up to {most} channel uses for "
            f"{batch} images of {session.channel_uses}"
        )
    _check_power(tx, name)


def _check_power(tx: Transmission, name: str) -> None:
    """Refuse symbols that no link can scale to mean power 1."""
    check_tensor(f"{name}: symbols", tx.symbols)
    power = squared_magnitude(torch.where(tx.sent, tx.symbols.detach(), 0)).sum(1)
    if not bool(torch.isfinite(power).all()):
        raise InputError(
            f"{name}: _encode returned symbols that are NaN, infinite or huge: look for a division "
            "by zero, or for weights that are not finite"
        )
    silent = torch.nonzero(power / tx.used.to(power.device) <= LEAST_POWER).flatten().tolist()
    if silent:
        raise InputError(
            f"{name}: _encode returned nothing but zeros for images {shown(silent)}: a link cannot "
            "scale them to mean power 1, so send at least one symbol that is not zero"
        )


def _decoded(decoded: object, rx: Reception) -> tuple[Tensor, Tensor]:
    """Refuse what metrics would make nonsense of."""
    name, shape = rx.session.codec, [len(rx.symbols), *rx.session.image_shape]
    if not isinstance(decoded, tuple) or len(decoded) != 2:
        raise InputError(
            f"{name}: _decode must return images and outages as a tuple, got {described(decoded)}"
        )
    return check_outputs(f"{name}: _decode", *decoded, shape)


def open_session(
    codec: str, images: Tensor, cbr: float, snr_db: float, mcs: int | None = None
) -> Session:
    """What both ends agree on before an image of this shape is sent.

    >>> open_session("deepjscc", torch.zeros(1, 1, 256, 256), cbr=1/16, snr_db=6.0).channel_uses
    4096
    """
    cbr = check_number("cbr, complex channel uses per image sample,", cbr, 1e-12, 8)
    snr_db = check_number("snr_db", snr_db, *SNR_DB)
    channels, height, width = images.shape[1:]
    uses = round(cbr * height * width * channels)
    if uses < 1:
        raise InputError(
            f"cbr {cbr:g} leaves no channel use for {height} x {width} pixels: raise cbr"
        )
    return Session(codec, (channels, height, width), uses, snr_db, mcs)
