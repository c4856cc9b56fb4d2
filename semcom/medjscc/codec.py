"""Med-JSCC: a digital part under a learned entropy model, its errors sent as analogue symbols."""

from __future__ import annotations

import hashlib
import math
from copy import copy
from dataclasses import replace
from typing import Any, Self, Unpack

import torch
from torch import Tensor, nn

from channels import InputError, Link, Reception, Session, Transmission
from channels.errors import check_count, check_name, shown
from channels.surroundings import undisturbed
from semcom.codec import check_link, check_reception, in_single
from semcom.learned import LearnedCodec, transmission
from semcom.medjscc import training_pass
from semcom.medjscc.header import ANALOG_ONLY, LAST_STEP
from semcom.medjscc.layout import (
    HeaderSuccess,
    Layout,
    digital_gain_db,
    first_layer_gain_db,
    lay_out,
)
from semcom.medjscc.options import MedJSCCOptions, OptionChanges
from semcom.medjscc.rate_map import RateMap
from semcom.medjscc.receiver import Receiver
from semcom.medjscc.sender import PreparedImage, Sender
from semcom.medjscc.source.entropy_model import EntropyModel
from semcom.medjscc.source.region import IN_REGION, LIKELY_SHARE
from semcom.medjscc.source.steps import block_pixels
from semcom.medjscc.source.wavelet import BLOCK, LEVELS, Wavelet
from semcom.medjscc.synthesis import Synthesis
from semcom.modem.adaptation import (
    awgn_success,
    awgn_success_probabilities,
    link_success_probabilities,
)

_MOST_LAYOUTS = 256


class MedJSCC(LearnedCodec):
    """Joint source-channel codec that knows the region of interest, the SNR and the rate.

    An image is sent in two parts. Its quantised wavelet bands, coded under a learned entropy
    model, are protected by LDPC for a channel somewhat worse than believed.
    What quantisation took away follows as analogue symbols, those errors first that matter most:
    they bring what the channel really gives, better or worse than believed, without a cliff.
    The quantisation step decides how the budget is shared, and is chosen for each image; it is
    finer in the region of interest.

    ::

        sender
          image ─┬─ border ─ wavelet ─ quantiser, entropy model ─ LDPC, QAM ─▶ digital part
                 │                      └─ errors ─ water-filling ───────────▶ analogue part
                 └─ cosine transform ────────────────────────────────────────▶ analog base layer
          mask, SNR, rate ─ step search ─ steps, lengths, gain ─ LDPC, QAM ──▶ header

        link
          │ header │ analog base layer │ digital part │ analogue part │

        receiver
          digital part ── LDPC, entropy model ─ values, priors of errors ─┐
          analogue part ─ Wiener estimates of the errors ─────────────────┴─ bands
          bands ─ synthesis (mask guide, channel adaptive unit) ─ wavelet ─ border ─▶ image
          analog base layer ─ Wiener estimates ─ cosines ─▶ image, where the digital part is lost

    A coefficient x, in steps, is coded as the integer k of least ``(x - k)^2 + lambda bits(k)``,
    lambda = 0.1. An error of expected deviation d is sent with power ``max(d / mu - 1, 0) / snr``,
    the water level mu such that the mean power is 1.

    Args:
        synthesis_widths: features of the decoder's network at 1/4, 1/8 and 1/16.
        model_widths: features of the entropy model at each level, the coarsest first.
        model_depths: its layers at each level.

    >>> codec = MedJSCC((8, 8, 8), (8,) * 6).eval()
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/8, snr_db=6.0).symbols.shape
    torch.Size([1, 512])
    """

    name = "medjscc"
    stride = BLOCK

    def __init__(
        self,
        synthesis_widths: tuple[int, ...] = (40, 72, 96),
        model_widths: tuple[int, ...] = (64, 64, 96, 128, 96, 40),
        model_depths: tuple[int, ...] = (2, 2, 2, 2, 2, 1),
    ) -> None:
        super().__init__()
        synthesis_widths = _numbers("synthesis_widths", synthesis_widths, 3)
        model_widths = _numbers("model_widths", model_widths, LEVELS)
        model_depths = _numbers("model_depths", model_depths, LEVELS, least=1)
        self._config = {
            "synthesis_widths": list(synthesis_widths),
            "model_widths": list(model_widths),
            "model_depths": list(model_depths),
        }
        at4, at8, at16 = synthesis_widths
        self.wavelet = Wavelet()
        self.entropy_model = EntropyModel(model_widths, model_depths)
        self.synthesis = Synthesis((at4, at8, at16))
        self.options = MedJSCCOptions()
        self._link: Link | None = None
        self._layouts: dict[Session, Layout] = {}
        self._sent: tuple[Session, training_pass.Sent] | None = None

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return dict(self._config)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any weight or option."""
        return hashlib.sha256(repr((super().fingerprint, self.options)).encode()).hexdigest()[:12]

    def adapted(self, link: Link) -> Self:
        """A copy whose digital part is protected against the link's fading."""
        check_link(link)
        return self._altered(_link=link)

    def with_options(self, **changes: Unpack[OptionChanges]) -> Self:
        """A copy that works otherwise; weights are shared, and both ends need the same options.

        Args:
            **changes: fields of :class:`semcom.medjscc.options.MedJSCCOptions`.

        >>> codec = MedJSCC((8, 8, 8), (8,) * 6)
        >>> codec.with_options(roi_ratio=2.0).options.roi_ratio
        2.0
        """
        for name in changes:
            check_name("option of Med-JSCC", name, OptionChanges.__annotations__)
        options = replace(self.options, **changes)
        return self._altered(options=options, needs_roi=options.region_only)

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode, or out of it; the last transmission is forgotten."""
        self._sent = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sent": None}

    def _altered(self, **changes: Any) -> Self:
        altered = copy(self)
        altered.__dict__ = {**self.__dict__, **changes, "_layouts": {}, "_sent": None}
        return altered

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        layout = self._layout(session)
        session = replace(session, mcs=layout.code)
        if self.options.region_only:
            self._check_region(roi)
        mask = torch.zeros_like(images) if roi is None else roi.to(images.dtype)
        sender = Sender(
            self.wavelet, self.entropy_model, self.options, self._link, layout, session.snr_db
        )
        if not self.training:
            with torch.no_grad():
                return transmission(sender.symbols(images, mask), session)
        with torch.no_grad():
            batch = [sender.prepare(images[i : i + 1], mask[i : i + 1]) for i in range(len(images))]
        batch = [_digital(prepared) for prepared in batch]
        symbols, sent = training_pass.send(
            self.wavelet,
            self.entropy_model,
            self.options,
            images,
            batch,
            layout,
            session.snr_db,
            _cbr(session),
        )
        self._sent = session, sent
        return transmission(symbols, session)

    def _check_region(self, roi: Tensor | None) -> None:
        """Refuse what a codec of the region alone cannot send."""
        if self.training:
            raise InputError("region_only is not trained with: call codec.eval() first")
        empty = [True] if roi is None else (roi.flatten(1).amax(1) <= IN_REGION).tolist()
        if any(empty):
            raise InputError(
                f"region_only sends nothing but the region of interest, and that of image "
                f"{empty.index(True)} is empty: pass a mask as roi, or leave region_only out"
            )

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        if self.training:
            shown_images = self.reconstruct(rx).float().clamp(0, 1)
            return shown_images, torch.zeros(len(shown_images), dtype=torch.bool)
        images, lost, _ = self._shown(rx)
        return images, lost

    def decode_region(self, rx: Reception) -> tuple[Tensor, Tensor, Tensor]:
        """Like :meth:`decode_with_outage`, with the region of interest as it arrived.

        Returns:
            Images, bool ``[batch]`` of those that were lost, and bool ``[batch, 1, H, W]``, true in
            the blocks of the region; nowhere where an image was lost or sent without digital part.

        Raises:
            InputError: if the reception belongs to another codec, or in training mode.

        >>> import channels
        >>> codec = MedJSCC((8, 8, 8), (8,) * 6).eval().with_options(region_only=True)
        >>> mask = torch.zeros(1, 1, 64, 64)
        >>> mask[..., 16:32, 16:48] = 1
        >>> tx = codec.encode(torch.rand(1, 1, 64, 64), cbr=1/4, snr_db=12.0, roi=mask)
        >>> images, lost, region = codec.decode_region(channels.link("awgn")(tx, 12.0, seed=1))
        >>> bool((region == (mask > 0)).all())
        True
        """
        with undisturbed():
            check_reception(rx, self.name, self.channels)
            if self.training:
                raise InputError("a region arrives in evaluation mode: call codec.eval() first")
            return self._shown(in_single(rx))

    @torch.no_grad()
    def _shown(self, rx: Reception) -> tuple[Tensor, Tensor, Tensor]:
        receiver = self._receiver(rx.session)
        rows = [receiver.image(rx, row) for row in range(len(rx.symbols))]
        images = torch.cat([row.image for row in rows]).clamp(0, 1)
        lost = torch.tensor([row.lost for row in rows], device=images.device)
        region = torch.zeros_like(images, dtype=torch.bool)
        for place, row in enumerate(rows):
            if row.blocks is not None:
                height, width = images.shape[-2:]
                region[place] = block_pixels(row.blocks)[0, :, :height, :width] > 0
        return images, lost, region

    def reconstruct(self, rx: Reception) -> Tensor:
        """Image before clamping, float32 ``[batch, 1, H, W]``.

        In training mode with gradients to every part of the codec; the digital part then counts
        as arrived, and is handed on inside the codec.

        Raises:
            InputError: if the reception belongs to another codec, or in training mode not to the
                last transmission.
        """
        check_reception(rx, self.name, self.channels)
        if self.training:
            uses = self._layout(rx.session).channel_uses
            sent = self._sent
            if (
                sent is None
                or rx.session is not sent[0]
                or rx.symbols.shape != (len(sent[1].prepared), uses)
            ):
                raise InputError(
                    "in training mode a codec reconstructs its last transmission: call encode, "
                    "the link and reconstruct in turn, or codec.eval() first"
                )
            return training_pass.receive(
                self.wavelet, self.synthesis, self.options, rx, sent[1], self._layout(rx.session)
            )
        rx = in_single(rx)
        receiver = self._receiver(rx.session)
        return torch.cat([receiver.image(rx, row).image for row in range(len(rx.symbols))])

    def end_to_end_parameters(self) -> list[nn.Parameter]:
        """What to train by the images that a link gives: wavelet, steps, errors, synthesis.

        The rest of the entropy model sets bits alone. At given integers fewer of them are all
        that it can bring, which the source stage of training has seen to.

        >>> codec = MedJSCC((8, 8, 8), (8,) * 6)
        >>> len(codec.end_to_end_parameters()) < len(list(codec.parameters()))
        True
        """
        details = [self.entropy_model.detail(level) for level in range(LEVELS)]
        parts: list[nn.Module] = [self.wavelet, self.synthesis]
        parts += [part for detail in details for part in (detail.step, detail.errors)]
        return [parameter for part in parts for parameter in part.parameters()]

    @torch.no_grad()
    @undisturbed()
    def rate_map(self, rx: Reception) -> list[RateMap | None]:
        """Where each image's budget went, found from ``rx`` alone; ``None`` for a lost one.

        Raises:
            InputError: if the reception belongs to another codec.

        >>> import channels
        >>> codec = MedJSCC((8, 8, 8), (8,) * 6).eval()
        >>> tx = codec.encode(torch.rand(1, 1, 64, 64), cbr=1/8, snr_db=9.0)
        >>> budget = codec.rate_map(channels.link("awgn")(tx, 9.0, seed=1))[0]
        >>> budget.bits.shape, budget.header + budget.analog_base + budget.digital + budget.analogue
        (torch.Size([4, 4]), 512)
        """
        check_reception(rx, self.name, self.channels)
        if self.training:
            raise InputError("a rate map is of what was coded: call codec.eval() first")
        rx = in_single(rx)
        receiver = self._receiver(rx.session)
        return [receiver.rate_map(rx, row) for row in range(len(rx.symbols))]

    def _receiver(self, session: Session) -> Receiver:
        return Receiver(
            self.wavelet, self.entropy_model, self.synthesis, self.options, self._layout(session)
        )

    def _layout(self, session: Session) -> Layout:
        if session not in self._layouts:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            pixels = math.prod(session.image_shape)
            if self.options.region_only:
                pixels = round(LIKELY_SHARE * pixels)
            at = session.snr_db - self.options.margin_db
            chances = awgn_success_probabilities(at)
            if self._link is not None and session.mcs is None:
                chances = link_success_probabilities(self._link, session.channel_uses, at)
            margin_db = self.options.header_margin_db
            self._layouts[session] = lay_out(
                session.channel_uses,
                HeaderSuccess(
                    *(awgn_success(session.snr_db - part * margin_db) for part in (1, 0.5, 0))
                ),
                chances,
                lambda bits: digital_gain_db(bits, session.channel_uses, session.snr_db, pixels),
                lambda bits: first_layer_gain_db(bits, pixels),
                session.mcs,
            )
        return self._layouts[session]


def _cbr(session: Session) -> float:
    return session.channel_uses / math.prod(session.image_shape)


def _digital(prepared: PreparedImage) -> PreparedImage:
    """The coarsest digital part for an image that would be sent without one."""
    return replace(prepared, step=LAST_STEP) if prepared.step == ANALOG_ONLY else prepared


def _numbers(name: str, numbers: object, count: int, least: int = 2) -> tuple[int, ...]:
    if not isinstance(numbers, list | tuple) or len(numbers) != count:
        what = "features" if least > 1 else "layers"
        raise InputError(f"{name} must be {count} numbers of {what}, got {shown(numbers)}")
    return tuple(check_count(name, number, least, 1024) for number in numbers)
