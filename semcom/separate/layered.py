"""Separate coding that degrades gracefully: base and refinement, each under an MCS of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import torch
from torch import Tensor

from channels import Reception, Session, Transmission
from channels.errors import whole_number
from semcom.fec.bits import packed, unpacked
from semcom.image_coders.layered_source import layered_source
from semcom.modem.adaptation import awgn_success_probabilities, link_success_probabilities
from semcom.modem.mcs import MCSTable
from semcom.modem.mcs import mcs_table as schemes
from semcom.separate.codec import SeparateCodec
from semcom.separate.layer_choice import choose_layers
from semcom.separate.layers import Layers, layers_numbers, layers_of


class LayeredCodec(SeparateCodec):
    """JPEG 2000 in two quality layers, base and refinement, under two MCS.

    The base's transport block takes the first channel uses, the refinement's the others. Where the
    refinement is lost, the base is shown and the image is not lost. The transmitter picks both
    MCS and how the channel uses are shared by the believed SNR and, after :meth:`adapted`, its
    link's statistics, for the highest expected quality
    (:func:`semcom.separate.layer_choice.choose_layers`); where one layer is expected to bring as
    much, it sends what ``SeparateCodec("jpeg2000")`` does. The choice stands in the session as one
    number (:func:`semcom.separate.layers.layers_code`). Grey images and RGB.

    Args:
        mcs: ``"auto"``, or what to use at every SNR: one layer's index, or the number of two.
        mcs_table: ``"all"``, or a PDSCH table of TS 38.214, 1 to 3, of both MCS.
        on_loss: what an image becomes whose base is lost: ``"grey"``, ``"conceal"`` or ``"drop"``,
            as of :class:`SeparateCodec`.
        header: ``"external"`` or ``"billed"``, as of :class:`SeparateCodec`; headers stand in the
            base.

    Raises:
        InputError: on an unknown table, MCS or loss policy.

    >>> import channels
    >>> link = channels.link("rayleigh")
    >>> codec = LayeredCodec().adapted(link)
    >>> tx = codec.encode(torch.rand(1, 1, 96, 96), cbr=1/4, snr_db=9.0)
    >>> codec.layers(tx.session).refinement.channel_uses
    864
    >>> images, lost = codec.decode_with_outage(link(tx, 9.0, seed=1))
    >>> images.shape, lost.tolist()
    (torch.Size([1, 1, 96, 96]), [False])
    """

    def __init__(
        self,
        mcs: int | Literal["auto"] = "auto",
        mcs_table: MCSTable = "all",
        on_loss: str = "grey",
        header: str = "external",
    ) -> None:
        super().__init__("jpeg2000", mcs, mcs_table, on_loss=on_loss, header=header)
        self.name = "jpeg2000-layered-ldpc"

    def with_fallback(self, fallback: str | None) -> Self:
        """The codec itself: what it falls back on is its base.

        >>> codec = LayeredCodec()
        >>> codec.with_fallback("thumbnail") is codec
        True
        """
        self._checked(fallback)
        return self

    def _fixed(self, mcs: int | str) -> int | None:
        number = whole_number(mcs)
        if number is not None and number >= len(schemes(self._table)):
            layers_numbers(number, self._table)
            return number
        return super()._fixed(mcs)

    def layers(self, session: Session) -> Layers | None:
        """The blocks of a session; ``None`` where it sends one layer.

        Raises:
            InputError: if the session's ``mcs`` is none of this codec's.

        >>> from channels import Session
        >>> LayeredCodec().layers(Session("jpeg2000-layered-ldpc", (1, 64, 64), 1024, 9.0, mcs=4))
        """
        if session.mcs is None or session.mcs < len(schemes(self._table)):
            self._block(session)  # refuses a session that has none
            return None
        return layers_of(session.mcs, session.channel_uses, self._table)

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        session = replace(session, mcs=self._choose(session))
        layers = self.layers(session)
        if layers is None:
            return super()._encode(images, roi, session)
        source = layered_source(self._source.header, layers.base_bytes)
        coded = self._payloads(source, images, roi, layers.bytes)
        symbols = []
        for block, parts in (
            (layers.base, [row[: layers.base_bytes] for row in coded]),
            (layers.refinement, [row[layers.base_bytes :] for row in coded]),
        ):
            bits = torch.stack([unpacked(part, block.payload_bits) for part in parts])
            symbols.append(block.encode(bits))
        return self._sent(torch.cat(symbols, 1), images, session)

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        layers = self.layers(rx.session)
        if layers is None:
            return super()._decode(rx)
        source = layered_source(self._source.header, layers.base_bytes)
        start, shape = layers.base.channel_uses, rx.session.image_shape
        bases, whole = layers.base.decode(rx.symbols[:, :start], rx.noise_var[:, :start])
        others, refined = layers.refinement.decode(rx.symbols[:, start:], rx.noise_var[:, start:])
        shown = []
        for row, base in enumerate(map(packed, bases)):
            if whole[row] and not refined[row]:
                shown.append(self._image(source.decode_base, base, shape))
            elif whole[row] or self._on_loss == "conceal":
                shown.append(self._image(source.decode, base + packed(others[row]), shape))
            else:
                shown.append(None)
        return self._batched(shown, whole, rx)

    def _choose(self, session: Session) -> int:
        if self._mcs is not None:
            return self._mcs
        if session not in self._chosen:
            channels, height, width = session.image_shape
            chances = (
                awgn_success_probabilities(session.snr_db)
                if self._link is None
                else link_success_probabilities(self._link, session.channel_uses, session.snr_db)
            )
            self._chosen[session] = choose_layers(
                session.channel_uses,
                height * width,
                self._source.smallest(height, width, channels),
                self._table,
                chances,
                self._source.header_bytes(height, width, channels),
            )
        return self._chosen[session]
