"""How an image's budget is split: which quantisation step, and so how long the digital part is.

The entropy model is not asked, which would take as long as coding. What a step costs and leaves
is estimated from the coefficients themselves: bits from how many are not zero and how large these
are, expected errors from those around.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semcom.analogue.allocation import STEPS, water_filling
from semcom.medjscc.header import LAST_STEP, Header, step_index
from semcom.medjscc.layout import Layout
from semcom.medjscc.source.steps import in_steps
from semcom.medjscc.source.wavelet import Bands

_APART = 4
"""Every so many steps are estimated, half an octave apart."""

_LEAST_ERROR = 1e-9
_UNFORESEEN = 0.02
"""By how much more error is left than is computed, in octaves at each coarser step, when steps are
compared: estimates know the deviations of errors better than the entropy model will, from integers
that say ever less. Of 0, 0.01, 0.02 and 0.04 the best over Gaussian noise: 0, 6, 12 dB, cbr 1/64
and 1/16, nine images."""

_THRESHOLD = 0.62
"""Magnitude in steps from which on a coefficient is taken as not zero."""

_LEAST_LOG = -12
_BITS_PER_OTHER = (0.5, 4.3, 3.4, 3.6, 3.1, 3.2, 2.5)
_BITS_PER_OCTAVE = 1.26


@dataclass(frozen=True)
class Estimate:
    """What quantising an image comes to, its errors by classes of equal expected deviation.

    Args:
        num_bytes: about how long the bands are.
        counts: errors in each class, the largest deviation first.
        squares: the sum of their squares, in squared steps.
        deviations: what is expected of them, in steps.
    """

    num_bytes: float
    counts: NDArray[np.int64]
    squares: NDArray[np.float64]
    deviations: NDArray[np.float64]

    def left(self, numbers: int, snr_db: float) -> float:
        """Squared error in steps that is left when the channel is as believed.

        Errors that are larger than expected take power from all others.

        Args:
            numbers: real numbers in the analogue part.
            snr_db: E_s/N_0 in dB.

        >>> one = Estimate(8, np.array([1, 1]), np.array([1.0, 0.25]), np.array([1.0, 2**-10]))
        >>> one.left(0, 10.0), round(one.left(1, 10.0), 3)
        (1.25, 0.341)
        """
        before = np.cumsum(self.counts) - self.counts
        sent = np.clip(numbers - before, 0, self.counts)
        some = sent > 0
        total = float(self.squares.sum())
        if not some.any():
            return total
        count, deviation = sent[some], self.deviations[some]
        square = self.squares[some] / self.counts[some]
        power = water_filling(deviation, 10 ** (snr_db / 10), count)
        variance = np.square(deviation)
        strength = float((count * power * square / variance).sum() / count.sum())
        gains = power * 10 ** (snr_db / 10) / max(strength, 1e-9)
        after = (square + gains * variance) / np.square(1 + gains)
        return total + float((count * (after - square)).sum())


@torch.no_grad()
def estimate(bands: Bands, log_step: Tensor) -> Estimate:
    """What quantising one image comes to.

    Args:
        bands: its coefficients.
        log_step: log2 of the step of each block.
    """
    num_bits, classes, squares = 0.0, [], []
    for index, values in enumerate(in_steps(bands, log_step)):
        magnitudes = values.abs()
        other = magnitudes > _THRESHOLD
        large = magnitudes[other]
        num_bits += _BITS_PER_OTHER[index] * len(large)
        num_bits += _BITS_PER_OCTAVE * float(torch.log2(large).clamp_min(0).sum())
        errors = torch.where(other, magnitudes - torch.round(magnitudes), magnitudes).square()
        expected = F.avg_pool2d(F.pad(errors, (1, 1, 1, 1), mode="replicate"), 3, 1)
        octaves = torch.log2(expected.clamp_min(2.0 ** (2 * _LEAST_LOG))) / 2
        classes.append(torch.round(octaves * STEPS).flatten())
        squares.append(errors.flatten())
    return classed(num_bits / 8, torch.cat(classes), torch.cat(squares))


def classed(num_bytes: float, importances: Tensor, squares: Tensor) -> Estimate:
    """Errors by classes of equal expected deviation.

    Args:
        num_bytes: how long the bands are.
        importances: of each error, see :func:`semcom.medjscc.analogue.importance`.
        squares: of each error, in squared steps.

    >>> classed(8, torch.tensor([0, -8, 0]), torch.tensor([1.0, 0.25, 2.0])).squares[[0, -1]]
    array([3.  , 0.25])
    """
    place = importances.to(torch.int64)
    highest = int(place.max())
    place = highest - place
    counts = torch.bincount(place)
    return Estimate(
        num_bytes,
        counts.numpy(),
        torch.bincount(place, squares.double()).numpy(),
        np.exp2((highest - np.arange(len(counts))) / STEPS),
    )


class StepSearch:
    """What steps would come to for one image.

    Args:
        bands: the image's.
        log_steps: log2 of the step of each block, ``[1, 1, H/16, W/16]``, by index of the step.
        snr_db: E_s/N_0 in dB that the transmitter believes.
        layout: how the channel uses are divided.
        first_bytes: bytes of the digital part before the bands.
    """

    def __init__(
        self,
        bands: Bands,
        log_steps: Callable[[int], Tensor],
        snr_db: float,
        layout: Layout,
        first_bytes: int,
    ) -> None:
        self._bands, self._log_steps = bands, log_steps
        self._snr_db, self._layout, self._first_bytes = snr_db, layout, first_bytes
        self._found: dict[int, Estimate] = {}
        self._errors: dict[int, float] = {}

    def best(self) -> int:
        """Index of the step of the least cost."""
        layout = self._layout
        pixels = 4 * self._bands[-1][0, 0].numel()
        bits = layout.mcs.bits_per_use * layout.shared_uses / 2 / pixels
        index = step_index(likely_log_step(bits)) // _APART * _APART
        while index < LAST_STEP and math.isinf(self.cost(index)):
            index += _APART
        for stride in (_APART, 1):
            while True:
                around = [min(max(index + move, 0), LAST_STEP) for move in (0, stride, -stride)]
                best = min(around, key=self.cost)
                if best == index:
                    break
                index = best
        return index

    def finest(self) -> int:
        """Index of the finest step that fits."""
        finest, last = -1, LAST_STEP
        while last - finest > 1:
            middle = (finest + last) // 2
            if self._length(middle) is None:
                finest = middle
            else:
                last = middle
        return last

    def cost(self, index: int) -> float:
        """The expected error, with what is not foreseen of it, by which steps are compared."""
        return self.expected_error(index) * 2 ** (_UNFORESEEN * index)

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
        numbers = 2 * self._layout.analogue_uses(length)
        log_error = 0.0
        for at, share in _beside(index):
            left = self._estimate(at).left(numbers, self._snr_db)
            log_square = 2 * Header(at, 0, 0, 0).log_step
            log_error += share * (math.log2(left + _LEAST_ERROR) + log_square)
        return float(2**log_error)

    def _length(self, index: int) -> int | None:
        """Length of the digital part at a step, by those of the estimated steps beside it."""
        log_bytes = sum(
            share * math.log2(1 + self._estimate(at).num_bytes + self._first_bytes)
            for at, share in _beside(index)
        )
        return self._layout.fitting_length(math.ceil(2**log_bytes))

    def _estimate(self, index: int) -> Estimate:
        if index not in self._found:
            self._found[index] = estimate(self._bands, self._log_steps(index))
        return self._found[index]


def likely_log_step(bits_per_pixel: float) -> float:
    """log2 of the step at which an image takes about so many bits; images differ by an octave.

    >>> round(likely_log_step(1 / 16), 6)
    -1.75
    """
    return -(math.log2(bits_per_pixel) + 6.1) / 1.2


def _beside(index: int) -> list[tuple[int, float]]:
    """Steps that are estimated, with their shares in one between them."""
    below, beyond = divmod(index, _APART)
    ends = [(below * _APART, 1 - beyond / _APART), ((below + 1) * _APART, beyond / _APART)]
    return ends if beyond else ends[:1]
