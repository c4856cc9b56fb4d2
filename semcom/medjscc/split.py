"""How a picture's budget is split: which quantisation step, and so how long the digital part is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semcom.medjscc import coder
from semcom.medjscc.entropy_model import EntropyModel
from semcom.medjscc.estimates import Estimate, estimate
from semcom.medjscc.frame import Frame
from semcom.medjscc.header import Header, step_index
from semcom.medjscc.layout import Layout
from semcom.medjscc.quantiser import likely_log_step
from semcom.medjscc.steps import in_steps, log_steps
from semcom.medjscc.wavelet import STRIDE, Bands

_APART = 4
"""Every so many steps are estimated by the entropy model, half an octave apart."""

_LAST = step_index(math.inf)
_LEAST_ERROR = 1e-9


class Split:
    """What steps would come to for one picture, by the word of the entropy model.

    Args:
        model: the entropy model, in evaluation mode.
        bands: the picture's.
        cells: which cells belong to the region of interest, bool ``[1, 1, H/16, W/16]``.
        ratio: index of the step outside over that inside.
        snr_db: E_s/N_0 in dB that the transmitter believes.
        parts: how the channel uses are divided.
        frame: what runs along the picture's sides.
    """

    def __init__(
        self,
        model: EntropyModel,
        bands: Bands,
        cells: Tensor,
        ratio: int,
        snr_db: float,
        parts: Layout,
        frame: Frame,
    ) -> None:
        self._model, self._bands = model, bands
        self._cells, self._ratio = cells, ratio
        self._snr_db, self._parts = snr_db, parts
        self._first_bytes = len(begun(frame, cells, ratio).bytes())
        self._found: dict[int, Estimate] = {}
        self._errors: dict[int, float] = {}

    @torch.no_grad()
    def best(self) -> int:
        """Index of the step that leaves the least expected error."""
        parts = self._parts
        bits = parts.mcs.bits_per_use * parts.rest / 2 / self._bands[0].numel() / STRIDE**2
        index = step_index(likely_log_step(bits)) // _APART * _APART
        cost = self.expected_error
        while index < _LAST and math.isinf(cost(index)):
            index += _APART
        for stride in (_APART, 1):
            while True:
                around = [min(max(index + move, 0), _LAST) for move in (0, stride, -stride)]
                best = min(around, key=cost)
                if best == index:
                    break
                index = best
        return index

    @torch.no_grad()
    def finest(self) -> int:
        """Index of the finest step that fits."""
        finest, last = -1, _LAST
        while last - finest > 1:
            middle = (finest + last) // 2
            if self._length(middle) is None:
                finest = middle
            else:
                last = middle
        return last

    @torch.no_grad()
    def expected_error(self, index: int) -> float:
        """Weighted squared error that a step leaves if the channel is as believed.

        Interpolated between estimated steps; infinite if it does not fit.
        """
        if index not in self._errors:
            self._errors[index] = self._interpolated_error(index)
        return self._errors[index]

    def _interpolated_error(self, index: int) -> float:
        length = self._length(index)
        if length is None:
            return math.inf
        numbers = 2 * (self._parts.rest - self._parts.digital_uses(length))
        log_error = 0.0
        for at, share in _beside(index):
            left = self._estimate(at).left(numbers, self._snr_db)
            log_square = 2 * Header(at, 0, 0, 0, 0).log_step
            log_error += share * (math.log2(left + _LEAST_ERROR) + log_square)
        return float(2**log_error)

    def _length(self, index: int) -> int | None:
        """Length of the digital part at a step, by those of the estimated steps beside it."""
        log_bytes = sum(
            share * math.log2(1 + self._estimate(at).num_bytes + self._first_bytes)
            for at, share in _beside(index)
        )
        return self._parts.fitting_length(math.ceil(2**log_bytes))

    def _estimate(self, index: int) -> Estimate:
        if index not in self._found:
            log_step = log_steps(index, self._cells, self._ratio)
            values = in_steps(self._bands, log_step)
            self._found[index] = estimate(self._model, values, log_step)
        return self._found[index]


def begun(frame: Frame, cells: Tensor, ratio: int) -> coder.Writer:
    """The digital part's beginning: frame and, where there are two steps, mask cells."""
    writer = coder.Writer()
    writer.frame(frame)
    if ratio:
        writer.cells(cells[0, 0].cpu().numpy())
    return writer


def _beside(index: int) -> list[tuple[int, float]]:
    """Steps that the entropy model is asked about, with their shares in one between them."""
    below, beyond = divmod(index, _APART)
    ends = [(below * _APART, 1 - beyond / _APART), ((below + 1) * _APART, beyond / _APART)]
    return ends if beyond else ends[:1]
