"""Med-JSCC: a digital part under a learned entropy model, its errors sent as analogue symbols."""

from __future__ import annotations

import hashlib
import math
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from channels import InputError, Link, Reception, Session, Transmission
from channels.errors import check_count, check_flag, check_number, shown
from semcom.codec import check_link, check_reception, in_single
from semcom.fec.bits import packed, unpacked
from semcom.learned import LearnedCodec, pad_to, to_symbols, transmission
from semcom.medjscc import coder, overview
from semcom.medjscc.adaptive import condition
from semcom.medjscc.allocation import (
    STEPS,
    allocate,
    amplitudes,
    flattened,
    importance,
    received,
    unflattened,
)
from semcom.medjscc.contexts import Expected
from semcom.medjscc.entropy_model import EntropyModel
from semcom.medjscc.frame import Frame, frame
from semcom.medjscc.header import (
    PLAIN,
    ROI_RATIOS,
    Header,
    gain_index,
    limit_index,
    step_index,
)
from semcom.medjscc.layout import Layout, digital_gain_db, layout
from semcom.medjscc.plain import Trial
from semcom.medjscc.quantiser import worthwhile
from semcom.medjscc.rate_map import RateMap, counted, per_cell, spread
from semcom.medjscc.split import Split, begun
from semcom.medjscc.steps import affordable_ratio, enlarged, in_steps, log_steps, mask_cells
from semcom.medjscc.synthesis import Synthesis
from semcom.medjscc.wavelet import STRIDE, Bands, analyse, synthesise
from semcom.separate.adaptation import Success, gaussian_success, link_success

HEADER_MARGIN_DB = 6.0

_OPTIONS = (
    "roi_ratio",
    "margin_db",
    "header_margin_db",
    "equal_rates",
    "digital_only",
    "learned_synthesis",
    "channel_adaptive",
)


class MedJSCC(LearnedCodec):
    """Joint source-channel codec that knows the region of interest, the SNR and the rate.

    A picture is sent in two parts. Its quantised wavelet bands, coded under a learned entropy
    model, are protected by LDPC for a channel somewhat worse than believed.
    What quantisation took away follows as analogue symbols, those errors first that matter most:
    they bring what the channel really gives, better or worse than believed, without a cliff.
    The quantisation step decides how the budget is shared, and is chosen for each picture; it is
    finer in the region of interest.

    Args:
        synthesis_widths: features of the decoder's network at 1/4, 1/8 and 1/16.
        model_widths: features of the entropy model at 1/2, 1/4, 1/8 and 1/16.

    >>> codec = MedJSCC((8, 8, 8), (8, 8, 8, 8))
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/8, snr_db=6.0).symbols.shape
    torch.Size([1, 512])
    """

    name = "medjscc"
    stride = STRIDE

    def __init__(
        self,
        synthesis_widths: tuple[int, int, int] = (64, 96, 144),
        model_widths: tuple[int, int, int, int] = (16, 32, 40, 48),
    ) -> None:
        super().__init__()
        _check_widths("synthesis_widths", synthesis_widths, 3)
        _check_widths("model_widths", model_widths, 4)
        self._config = {
            "synthesis_widths": list(synthesis_widths),
            "model_widths": list(model_widths),
        }
        self.synthesis = Synthesis(synthesis_widths)
        self.entropy_model = EntropyModel(model_widths)
        self._roi_ratio: float | Literal["auto"] = "auto"
        self._margin_db = 0.0
        self._header_margin_db = HEADER_MARGIN_DB
        self._equal_rates = False
        self._digital_only = False
        self._learned_synthesis = True
        self._channel_adaptive = True
        self._link: Link | None = None
        self._layouts: dict[Session, Layout] = {}

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return dict(self._config)

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with any weight or option."""
        options = [(name, self.__dict__[f"_{name}"]) for name in _OPTIONS]
        return hashlib.sha256(repr((super().fingerprint, options)).encode()).hexdigest()[:12]

    def adapted(self, link: Link) -> Self:
        """A copy whose digital part is protected against the link's fading."""
        check_link(link)
        return self._altered(_link=link)

    def with_options(
        self,
        roi_ratio: float | Literal["auto"] | None = None,
        margin_db: float | None = None,
        header_margin_db: float | None = None,
        equal_rates: bool | None = None,
        digital_only: bool | None = None,
        learned_synthesis: bool | None = None,
        channel_adaptive: bool | None = None,
    ) -> Self:
        """A copy that works otherwise; weights are shared, and both ends need the same options.

        Args:
            roi_ratio: quantisation step outside over that inside the region of interest, 1 to 6;
                by default ``"auto"``: the smaller the region, the greater, such that finer steps
                there cost the whole picture about 0.3 dB, see
                :func:`semcom.medjscc.steps.affordable_ratio`.
            margin_db: by how much worse than believed a channel the digital part bears, in dB.
            header_margin_db: the same of the header.
            equal_rates: whether every cell gets as many analogue symbols as any other.
            digital_only: whether the digital part takes as much of the budget as it can fill.
            learned_synthesis: whether the network corrects what the inverse wavelet shows.
            channel_adaptive: whether its features are recalibrated by SNR and rate.
        """
        changes: dict[str, Any] = {}
        if roi_ratio is not None:
            auto = isinstance(roi_ratio, str) and roi_ratio == "auto"
            changes["_roi_ratio"] = (
                "auto" if auto else check_number("roi_ratio", roi_ratio, 1, ROI_RATIOS[-1])
            )
        if margin_db is not None:
            changes["_margin_db"] = check_number("margin_db", margin_db, -10, 20)
        if header_margin_db is not None:
            margin = check_number("header_margin_db", header_margin_db, -10, 20)
            changes["_header_margin_db"] = margin
        switches = {
            "equal_rates": equal_rates,
            "digital_only": digital_only,
            "learned_synthesis": learned_synthesis,
            "channel_adaptive": channel_adaptive,
        }
        changes |= {f"_{n}": check_flag(n, on) for n, on in switches.items() if on is not None}
        return self._altered(**changes)

    def _altered(self, **changes: Any) -> Self:
        altered = copy(self)
        altered.__dict__ = {**self.__dict__, **changes, "_layouts": {}}
        return altered

    def restore(
        self, bands: Bands, deviations: Bands, roi: Tensor, log_step: Tensor, given: Tensor
    ) -> Tensor:
        """Pictures centred on zero from bands in local steps and the deviations of their errors."""
        steps = [torch.exp2(enlarged(log_step, band)) for band in bands]
        rough = synthesise([b * step for b, step in zip(bands, steps, strict=True)])
        if not self._learned_synthesis:
            return rough
        adapting = given if self._channel_adaptive else None
        changes = self.synthesis(bands, deviations, rough, roi, log_step, adapting)
        return synthesise(
            [(b + c) * step for b, c, step in zip(bands, changes, steps, strict=True)]
        )

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        parts = self._layout(session)
        session = replace(session, mcs=parts.mcs.index)
        mask = torch.zeros_like(images) if roi is None else roi.to(images.dtype)
        mask = pad_to(mask, STRIDE)
        rows = [
            self._symbols(images[i : i + 1], mask[i : i + 1], session, parts)
            for i in range(len(images))
        ]
        return transmission(torch.cat(rows), session)

    def _symbols(self, image: Tensor, roi: Tensor, session: Session, parts: Layout) -> Tensor:
        around = frame(image)
        image = image - 0.5
        cells = mask_cells(roi)
        ratio = self._ratio_index(cells)
        bands = analyse(pad_to(around.removed(image), STRIDE))
        split = Split(self.entropy_model, bands, cells, ratio, session.snr_db, parts, around)
        found = split.finest() if self._digital_only else split.best()
        trial = Trial(image, log_steps(step_index(0.0), cells, ratio), session.snr_db, self._link)
        if trial.serves_better(split.expected_error(found), parts):
            return self._plain(image, parts, session.snr_db)
        while True:
            log_step = log_steps(found, cells, ratio)
            values = in_steps(bands, log_step)
            chosen = worthwhile(self.entropy_model, values, log_step)
            writer = begun(around, cells, ratio)
            limit = limit_index(int(max(float(band.abs().max()) for band in chosen[1:])))
            header = Header(found, ratio, limit, 0, 0)
            rest = coder.write(writer, self.entropy_model, chosen, log_step, header.largest)
            data = writer.bytes()
            length = parts.fitting_length(len(data))
            if length is not None:
                break
            if found < step_index(math.inf):
                found += 1
            elif ratio:
                ratio = 0
            else:
                return self._plain(image, parts, session.snr_db)
        errors = [v - c - r.mean.to(v.dtype) for v, c, r in zip(values, chosen, rest, strict=True)]
        analogue = parts.rest - parts.digital_uses(length)
        sent = allocate(importance(rest, self._equal_rates), 2 * analogue, session.snr_db)
        numbers = flattened(errors)[0, sent.chosen.to(image.device)]
        numbers = numbers * amplitudes(sent).to(image.device)
        header = replace(header, length=length, gain=_unit_gain(numbers))
        numbers = numbers * (0.0 if header.silent else header.amplitude)
        pieces = self._opening(header, image, parts, session.snr_db)
        block = parts.digital_block(length)
        bits = unpacked(data, block.payload_bits)
        pieces.append(block.encode(bits[None]).to(image.device))
        numbers = F.pad(numbers, (0, 2 * analogue - len(numbers)))
        pieces.append(to_symbols(numbers[None], analogue))
        return torch.cat(pieces, dim=1)

    def _plain(self, image: Tensor, parts: Layout, snr_db: float) -> Tensor:
        """A finer overview in the place of digital and analogue part."""
        numbers = overview.send(image, parts.rest, snr_db)
        header = Header(PLAIN, 0, 0, 0, _unit_gain(numbers))
        numbers = numbers * (0.0 if header.silent else header.amplitude)
        pieces = self._opening(header, image, parts, snr_db)
        return torch.cat([*pieces, to_symbols(numbers, parts.rest)], dim=1)

    @staticmethod
    def _opening(header: Header, image: Tensor, parts: Layout, snr_db: float) -> list[Tensor]:
        """Symbols of the header's block and of the overview."""
        bits = unpacked(header.pack(), parts.header.payload_bits)
        return [
            parts.header.encode(bits[None]).to(image.device),
            to_symbols(overview.send(image, parts.overview, snr_db), parts.overview),
        ]

    def _ratio_index(self, cells: Tensor) -> int:
        if not bool(cells.any()) or bool(cells.all()):
            return 0
        wanted = self._roi_ratio
        if wanted == "auto":
            wanted = affordable_ratio(float(cells.float().mean()))
        return int(np.argmin(np.abs(np.array(ROI_RATIOS) - wanted)))

    def _decode(self, rx: Reception) -> tuple[Tensor, Tensor]:
        rows = [self._row(rx, row) for row in range(len(rx.symbols))]
        images = torch.cat([image for image, _ in rows]).clamp(0, 1)
        lost = torch.tensor([lost for _, lost in rows], device=images.device)
        return images, lost

    def reconstruct(self, rx: Reception) -> Tensor:
        """Picture before clamping, float32 ``[batch, 1, H, W]``."""
        return torch.cat([self._row(rx, row)[0] for row in range(len(rx.symbols))])

    @torch.no_grad()
    def rate_map(self, rx: Reception) -> list[RateMap | None]:
        """Where each picture's budget went, found from ``rx`` alone; ``None`` for a lost one.

        Raises:
            InputError: if the reception belongs to another codec.

        >>> import channels
        >>> codec = MedJSCC((8, 8, 8), (8, 8, 8, 8)).eval()
        >>> tx = codec.encode(torch.rand(1, 1, 64, 64), cbr=1/8, snr_db=9.0)
        >>> found = codec.rate_map(channels.link("awgn")(tx, 9.0, seed=1))[0]
        >>> found.bits.shape, found.header + found.overview + found.digital + found.analogue
        (torch.Size([4, 4]), 512)
        """
        check_reception(rx, self.name, self.channels)
        rx = in_single(rx)
        parts = self._layout(rx.session)
        maps: list[RateMap | None] = []
        for row in range(len(rx.symbols)):
            (head, _, rest), (head_var, _, rest_var) = _divided(rx, row, parts)
            header = _opened(head, head_var, parts)
            if header is not None and header.plain:
                maps.append(spread(self._grid(rx.session), parts))
                continue
            got = self._digital(header, rest, rest_var, rx.session, parts)
            if got is None:
                maps.append(None)
                continue
            digital = parts.digital_uses(got.header.length)
            analogue = 0 if got.header.silent else parts.rest - digital
            importances = importance(got.rest, self._equal_rates)
            sent = allocate(importances, 2 * analogue, rx.session.snr_db)
            modelled = self.entropy_model(got.bands, got.log_step.double())
            maps.append(
                RateMap(
                    per_cell(modelled.band_bits(got.bands)),
                    counted(sent.chosen, got.bands) / 2,
                    got.cells[0, 0],
                    parts.header.channel_uses,
                    parts.overview,
                    digital,
                    parts.rest - digital,
                )
            )
        return maps

    def _row(self, rx: Reception, row: int) -> tuple[Tensor, bool]:
        """One picture, and whether it was lost: then only its overview is shown."""
        parts = self._layout(rx.session)
        _, height, width = rx.session.image_shape
        (head, coarse, rest), (head_var, coarse_var, rest_var) = _divided(rx, row, parts)
        header = _opened(head, head_var, parts)
        if header is not None and header.plain:
            size, noise_var = (height, width), _twice(rest_var / 2)
            image = overview.receive(_real(rest), noise_var, size, rx.session.snr_db)
            return image / header.amplitude + 0.5, False
        got = self._digital(header, rest, rest_var, rx.session, parts)
        if got is None:
            image = overview.receive(
                _real(coarse), _twice(coarse_var / 2), (height, width), rx.session.snr_db
            )
            return image + 0.5, True
        start = parts.digital_uses(got.header.length)
        scale = parts.scale(got.header, math.prod(self._grid(rx.session)) * STRIDE**2)
        values, deviations = self._refined(
            got, rest[:, start:] / scale, rest_var[:, start:] / scale**2, rx.session
        )
        roi = F.interpolate(got.cells.to(values[0]), scale_factor=STRIDE, mode="nearest")
        given = condition(rx.snr_db[row : row + 1], _rate(rx.session))
        image = self.restore(values, deviations, roi, got.log_step.to(values[0]), given)
        return got.frame.restored(image[..., :height, :width] + 0.5), False

    def _digital(
        self,
        header: Header | None,
        rest: Tensor,
        rest_var: Tensor,
        session: Session,
        parts: Layout,
    ) -> _Digital | None:
        """The digital part, ``None`` if it or the header is lost."""
        if header is None:
            return None
        try:
            block = parts.digital_block(header.length)
            uses = block.channel_uses
            scale = parts.scale(header, math.prod(self._grid(session)) * STRIDE**2)
            got = block.decode(rest[:, :uses] / scale, rest_var[:, :uses] / scale**2)
            data = _payload(*got)
            if data is None:
                return None
            reader = coder.Reader(data)
            around = reader.frame(*session.image_shape[1:])
            shape = self._grid(session)
            cells = reader.cells(shape) if header.roi else np.zeros(shape, dtype=np.bool_)
            held = torch.from_numpy(cells)[None, None]
            log_step = log_steps(header.step, held, header.roi)
            bands, expected = coder.read(reader, self.entropy_model, log_step, header.largest)
        except InputError:
            return None
        return _Digital(header, around, held, log_step, bands, expected)

    def _refined(
        self, got: _Digital, symbols: Tensor, noise_var: Tensor, session: Session
    ) -> tuple[Bands, Bands]:
        """Bands with what the analogue part says of their errors, and what is still uncertain."""
        importances = importance(got.rest, self._equal_rates)
        sent = allocate(importances, 2 * symbols.shape[1], session.snr_db)
        device = symbols.device
        rough = flattened([b + r.mean for b, r in zip(got.bands, got.rest, strict=True)])
        rough = rough.to(device, torch.float32)
        deviation = torch.from_numpy(np.exp2(importances / STEPS).astype(np.float32)).to(device)
        amplitude = 0.0 if got.header.silent else got.header.amplitude
        heard, noise = _real(symbols)[0], _twice(noise_var / 2)[0]
        errors, uncertain = received(sent, heard, noise, amplitude)
        places = sent.chosen.to(device)
        rough = rough.index_add(1, places, errors[None])
        deviation = deviation.index_copy(0, places, uncertain)
        return unflattened(rough, got.bands), unflattened(deviation[None], got.bands)

    @staticmethod
    def _grid(session: Session) -> tuple[int, int]:
        """Rows and columns of cells."""
        _, height, width = session.image_shape
        return -(-height // STRIDE), -(-width // STRIDE)

    def _layout(self, session: Session) -> Layout:
        if session not in self._layouts:
            pixels = math.prod(session.image_shape)
            at = session.snr_db - self._margin_db
            success: Success = gaussian_success(at)
            if self._link is not None and session.mcs is None:
                success = link_success(self._link, session.channel_uses, at)
            self._layouts[session] = layout(
                session.channel_uses,
                gaussian_success(session.snr_db - self._header_margin_db),
                gaussian_success(session.snr_db - self._header_margin_db / 2),
                success,
                lambda bits: digital_gain_db(bits, session.channel_uses, session.snr_db, pixels),
                session.mcs,
            )
        return self._layouts[session]


def _divided(
    rx: Reception, row: int, parts: Layout
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Symbols and noise variances of one picture's header, overview and rest."""
    symbols, noise_var = rx.symbols[row : row + 1], rx.noise_var[row : row + 1]
    missing = rx.session.channel_uses - symbols.shape[1]
    symbols, noise_var = F.pad(symbols, (0, missing)), F.pad(noise_var, (0, missing), value=1e6)
    sizes = [parts.header.channel_uses, parts.overview, parts.rest]
    return torch.split(symbols, sizes, dim=1), torch.split(noise_var, sizes, dim=1)


def _check_widths(name: str, widths: object, count: int) -> None:
    if not isinstance(widths, list | tuple) or len(widths) != count:
        raise InputError(f"{name} must be {count} numbers of features, got {shown(widths)}")
    for width in widths:
        check_count(name, width, 2, 1024)


def _opened(symbols: Tensor, noise_var: Tensor, parts: Layout) -> Header | None:
    """The header, ``None`` if it is lost."""
    data = _payload(*parts.header.decode(symbols, noise_var))
    if data is None:
        return None
    try:
        return Header.parse(data)
    except InputError:
        return None


def _unit_gain(numbers: Tensor) -> int:
    """Index of the gain that gives pairs of numbers unit power."""
    numbers = numbers.detach()
    strength = math.sqrt(2 * float(numbers.square().sum()) / max(numbers.numel(), 1))
    return gain_index(1 / max(strength, 1e-9))


@dataclass(frozen=True)
class _Digital:
    """What arrived of a picture's digital part."""

    header: Header
    frame: Frame
    cells: Tensor
    log_step: Tensor
    bands: Bands
    rest: list[Expected]


def _rate(session: Session) -> float:
    return session.channel_uses / math.prod(session.image_shape)


def _payload(bits: Tensor, ok: Tensor) -> bytes | None:
    return packed(bits[0]) if bool(ok[0]) else None


def _real(symbols: Tensor) -> Tensor:
    return torch.view_as_real(symbols).flatten(1)


def _twice(values: Tensor) -> Tensor:
    return values.repeat_interleave(2, dim=1)
