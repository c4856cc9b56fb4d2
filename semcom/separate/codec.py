"""Separate source and channel coding: image coder, 5G LDPC, QAM."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from importlib.metadata import version
from typing import Literal, Self

import torch
from torch import Tensor

from channels import InputError, Link, Reception, Session, Transmission
from channels.errors import check_count, check_name, check_number
from channels.power import normalize_power
from semcom.analogue.base_layer import GAIN_DB, uses_of
from semcom.codec import Codec, check_link
from semcom.fec.bits import packed, unpacked
from semcom.image_coders.payloads import payload
from semcom.image_coders.scale import ImageArray
from semcom.image_coders.source import SourceCoder, source_coder
from semcom.modem.adaptation import (
    SuccessProbability,
    awgn_success,
    choose_mcs,
    link_success,
)
from semcom.modem.mcs import MCSTable, check_table, mcs_table, place_of
from semcom.modem.measured import measured_success
from semcom.modem.transport import DECODER, ModulatedBlock
from semcom.separate import thumbnail

GREY = 0.5
ON_LOSS = ("grey", "conceal", "drop")
FALLBACKS = ("thumbnail",)


class SeparateCodec(Codec):
    """The classical chain: the best image that fits the channel uses at a well-chosen MCS.

    The transmitter picks the MCS from the believed SNR (and, after :meth:`adapted`, from its
    link's long-term statistics), never from the image; its index stands in the session as a
    control channel would carry it. Each image is coded to fill at least 99 % of its transport
    block; zero bytes pad the rest. Grey images and RGB.

    Args:
        source: image coder: ``"hevc"`` (x265 intra), ``"hevc-roi"`` (the same with finer steps in
            the region of interest that :meth:`encode` is given), ``"jpeg2000"`` (OpenJPEG),
            ``"jpegxl"`` (libjxl) or ``"avif"`` (AV1 by SVT-AV1); or a coder of one's own, which
            brings its ``header`` with it.
        mcs: ``"auto"``, or an index to use at every SNR.
        mcs_table: ``"all"``: the schemes of PDSCH tables 1 to 3 of TS 38.214, each once, by rising
            rate; or 1 (64-QAM), 2 (256-QAM) or 3 (low spectral efficiency) alone.
        adaptation: how ``"auto"`` knows what arrives over a link: ``"predicted"``, from measured
            error rates of the codes over Gaussian noise and the mutual information of 200
            realisations of the link; or ``"measured"``, by sending 200 blocks of each MCS through
            the whole chain, which takes half a minute at first and is kept on disk. Either way
            images go through the whole chain.
        target_bler: ``None`` lets ``"auto"`` take the MCS of the highest expected quality; a
            number takes that of the highest goodput among those that lose no more blocks.
        on_loss: what a lost image (a failed CRC) becomes: ``"grey"``, all pixels 0.5, or
            ``"conceal"``, whatever the image decoder makes of the erroneous bytes, else grey; or
            ``"drop"``, all pixels NaN: scenarios leave such an image out of the means of its
            metrics and count it as an outage alone.
        header: ``"external"``: the headers that the image's size and the settings decide (HEVC's
            parameter sets, say) are known from the session, as those of learned codecs are, and
            not sent; ``"billed"``: they are sent and count. Comments and containers are never sent.
        bit_depth: bits a sample that ``"hevc"`` and ``"hevc-roi"`` code with: 8, 10 or 12.
        roi_qp_offset: QPs that ``"hevc-roi"`` adds in the region of interest, -24 to -1. On chest
            X-rays -6 is the lowest whose gain in ROI-PSNR (0.7 dB) outweighs its loss in PSNR.
        fallback: ``"thumbnail"``: one 64th of the channel uses carries the image's lowest
            frequencies as symbols without bits, which a lost image is shown by
            (:mod:`semcom.analogue.base_layer`, the very layer that Med-JSCC has); ``None``: nothing
            of the kind. Either way a lost image counts as an outage.

    Raises:
        InputError: on an unknown source, table, MCS or loss policy, or a wrong option.

    >>> import channels
    >>> codec = SeparateCodec("jpeg2000")
    >>> tx = codec.encode(torch.rand(1, 1, 64, 64), cbr=1/4, snr_db=10.0)
    >>> images, lost = codec.decode_with_outage(channels.link("awgn")(tx, 10.0, seed=1))
    >>> images.shape, lost.tolist()
    (torch.Size([1, 1, 64, 64]), [False])
    """

    family = "separate"

    def __init__(
        self,
        source: str | SourceCoder = "hevc",
        mcs: int | Literal["auto"] = "auto",
        mcs_table: MCSTable = "all",
        adaptation: str = "predicted",
        target_bler: float | None = None,
        on_loss: str = "grey",
        header: str = "external",
        bit_depth: int = 10,
        roi_qp_offset: int = -6,
        fallback: str | None = None,
    ) -> None:
        self._source = (
            source
            if isinstance(source, SourceCoder)
            else source_coder(source, header, bit_depth, roi_qp_offset)
        )
        self._table = check_table(mcs_table)
        self._mcs = self._fixed(mcs)
        self._adaptation = check_name("adaptation", adaptation, ("predicted", "measured"))
        if target_bler is not None:
            target_bler = check_number("target_bler", target_bler, 1e-4, 0.9)
        self._target_bler = target_bler
        self._on_loss = check_name("on_loss", on_loss, ON_LOSS)
        self._fallback = self._checked(fallback)
        self._link: Link | None = None
        self._chosen: dict[Session, int] = {}
        self.name = f"{self._source.name}-ldpc"
        self.channels = self._source.format.channels

    @property
    def fingerprint(self) -> str:
        """What decides its results beside the library's own version."""
        coders = ", ".join(f"{name} {version(name)}" for name in ("av", "imagecodecs", "pillow"))
        target = (
            "" if self._target_bler is None else f" at a block error rate {self._target_bler!r}"
        )
        mcs = f"auto ({self._adaptation}{target})" if self._mcs is None else self._mcs
        lost = self._fallback or self._on_loss
        channel = f"mcs {mcs} of table {self._table}, {DECODER}, {lost}"
        return f"{self.name}, {channel}, {self._source.settings}, {coders}"

    def adapted(self, link: Link) -> Self:
        """A copy whose MCS suits the link's fading.

        >>> import channels
        >>> SeparateCodec().adapted(channels.link("rayleigh")).name
        'hevc-ldpc'
        """
        check_link(link)
        adapted = copy(self)
        adapted._link, adapted._chosen = link, {}
        return adapted

    def with_mcs(self, mcs: int, table: MCSTable | None = None) -> Self:
        """A copy that uses one MCS at every SNR.

        Args:
            mcs: index of the MCS.
            table: the table that the index counts in; ``None``: the codec's own.

        Raises:
            InputError: if the codec's table has no such MCS.

        >>> "mcs 10 of table all" in SeparateCodec().with_mcs(4, table=1).fingerprint
        True
        """
        fixed = copy(self)
        own = mcs if table is None else place_of(mcs, table, self._table)
        fixed._mcs, fixed._chosen = self._fixed(own), {}
        return fixed

    def with_fallback(self, fallback: str | None) -> Self:
        """A copy with another ``fallback``.

        >>> SeparateCodec().with_fallback("thumbnail").fingerprint.count("thumbnail")
        1
        """
        changed = copy(self)
        changed._fallback, changed._chosen = self._checked(fallback), {}
        return changed

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        session = replace(session, mcs=self._choose(session))
        block = self._block(session)
        coded = self._payloads(self._source, images, roi, block.payload_bits // 8)
        bits = torch.stack([unpacked(row, block.payload_bits) for row in coded])
        symbols = block.encode(bits).to(images.device)
        if self._fallback is not None:
            uses = session.channel_uses - block.channel_uses
            symbols = torch.cat([thumbnail.send(images, uses, session.snr_db), symbols], 1)
        return self._sent(symbols, images, session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        block, symbols, noise_var = self._block(rx.session), rx.symbols, rx.noise_var
        start = symbols.shape[1] - block.channel_uses
        bits, whole = block.decode(
            symbols[:, start:].to(torch.complex64), noise_var[:, start:].float()
        )
        shown = [
            self._image(self._source.decode, packed(row), rx.session.image_shape)
            if ok or self._on_loss == "conceal"
            else None
            for row, ok in zip(bits, whole, strict=True)
        ]
        images, lost = self._batched(shown, whole, rx)
        if self._fallback is not None and bool(lost.any()):
            coarse = thumbnail.receive(
                symbols[lost, :start].to(torch.complex64),
                noise_var[lost, :start].float(),
                rx.session.image_shape,
                rx.session.snr_db,
            )
            images = images.index_put((lost,), coarse)
        return images, lost

    def _checked(self, fallback: str | None) -> str | None:
        if fallback is None:
            return None
        if self._on_loss != "grey":
            raise InputError(f"a lost image is its {fallback}: leave on_loss out")
        return check_name("fallback", fallback, FALLBACKS)

    def _fixed(self, mcs: int | str) -> int | None:
        """The index to use at every SNR, or ``None`` for ``"auto"``."""
        last = len(mcs_table(self._table)) - 1
        if isinstance(mcs, str) and mcs == "auto":
            return None
        if isinstance(mcs, str):
            raise InputError(f"mcs must be 'auto' or an int in 0..{last}, got {mcs!r}")
        return check_count(f"mcs of table {self._table}", mcs, 0, last)

    def _payloads(
        self, source: SourceCoder, images: Tensor, roi: Tensor | None, budget: int
    ) -> list[bytes]:
        """Each image coded into at most ``budget`` bytes."""
        masks = [None] * len(images) if roi is None else list(roi[:, 0].float().cpu().numpy())
        pairs = zip(images.detach().cpu().numpy(), masks, strict=True)
        return [payload(source, _planes(image), budget, mask) for image, mask in pairs]

    def _sent(self, symbols: Tensor, images: Tensor, session: Session) -> Transmission:
        """Symbols that fill the session's channel uses, at unit power."""
        symbols = normalize_power(symbols).to(images.device)
        used = torch.full((len(images),), session.channel_uses, dtype=torch.int64)
        return Transmission(symbols, used.to(images.device), session)

    def _batched(
        self, shown: list[ImageArray | None], whole: Tensor, rx: Reception
    ) -> tuple[Tensor, Tensor]:
        """Images as a batch, blank where there is none, and which are lost."""
        blank = torch.nan if self._on_loss == "drop" else GREY
        images = torch.full((len(shown), *rx.session.image_shape), blank)
        lost = ~whole
        for row, image in enumerate(shown):
            if image is None:
                lost[row] = True
            else:
                images[row] = torch.from_numpy(image)
        return images.to(rx.symbols.device), lost.to(rx.symbols.device)

    def _image(
        self,
        decode: Callable[[bytes, int, int, int], ImageArray],
        payload: bytes,
        shape: tuple[int, int, int],
    ) -> ImageArray | None:
        channels, height, width = shape
        try:
            return decode(payload, height, width, channels).reshape(shape)
        except InputError:
            return None

    def _choose(self, session: Session) -> int:
        """The MCS of a session: a function of its shape, channel uses and believed SNR alone."""
        if self._mcs is not None:
            return self._mcs
        if session not in self._chosen:
            channels, height, width = session.image_shape
            self._chosen[session] = choose_mcs(
                self._block_uses(session),
                height * width,
                self._source.smallest(height, width, channels),
                self._table,
                self._success(session),
                self._target_bler,
                self._source.header_bytes(height, width, channels),
                0.0 if self._fallback is None else GAIN_DB,
            )
        return self._chosen[session]

    def _success(self, session: Session) -> SuccessProbability:
        if self._link is None:
            return awgn_success(session.snr_db)
        if self._adaptation == "predicted":
            return link_success(self._link, self._block_uses(session), session.snr_db)
        return measured_success(self._link, session.snr_db)

    def _block(self, session: Session) -> ModulatedBlock:
        table = mcs_table(self._table)
        if session.mcs is None or not 0 <= session.mcs < len(table):
            raise InputError(
                f"the session's mcs is {session.mcs}, not one of table {self._table}: "
                "decode with the codec that encoded"
            )
        return ModulatedBlock(self._block_uses(session), table[session.mcs])

    def _block_uses(self, session: Session) -> int:
        """Channel uses of the transport block."""
        uses, channels = session.channel_uses, session.image_shape[0]
        return uses if self._fallback is None else uses - uses_of(uses, channels)


def _planes(image: ImageArray) -> ImageArray:
    """Grey ``[H, W]`` of ``[1, H, W]``; RGB as it is."""
    return image[0] if len(image) == 1 else image
