"""Quantised bands, mask blocks and border as bytes and back: range coding under the learned model.

Written with constriction (Bamler, arXiv:2201.01741). The model is evaluated in exact arithmetic,
see :mod:`semcom.medjscc.source.fixed_point`, so that any machine can decode what another has
written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import constriction
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcom.medjscc.source import outline
from semcom.medjscc.source.border import LARGEST_OFFSET, MOST_LINES, MOST_OFFSETS, Border
from semcom.medjscc.source.border import LEVELS as GREYS
from semcom.medjscc.source.entropy_model import Code, Group
from semcom.medjscc.source.outline import Blocks
from semcom.medjscc.source.prior import LOG_SCALE, SCALE_STEPS, scale_index
from semcom.medjscc.source.quantiser import LARGEST
from semcom.medjscc.undecodable import Undecodable
from semcom.range_bytes import reading, written

_queue = constriction.stream.queue
_model = constriction.stream.model
_WORD_BYTES = 4
_HAS_LINES = _HAS_OFFSETS = _model.Bernoulli(0.1, perfect=False)
_LINES, _LEVEL = _model.Uniform(MOST_LINES + 1), _model.Uniform(GREYS)
_OFFSETS = _model.Uniform(MOST_OFFSETS + 1)
_OFFSET = _model.QuantizedLaplace(-LARGEST_OFFSET, LARGEST_OFFSET, 0.0, 8.0)
_BERNOULLI = _model.Bernoulli(perfect=False)
_LAPLACE = _model.QuantizedLaplace(-LARGEST - 1, LARGEST + 1)
_SCALES = np.exp2(
    np.arange(LOG_SCALE[0] * SCALE_STEPS, LOG_SCALE[1] * SCALE_STEPS + 1) / SCALE_STEPS
)
_OTHER = np.exp(-0.5 / _SCALES)
"""Chance that an integer is not zero."""

_Numbers = NDArray[np.float64]


class Writer:
    """Turns an image's numbers into bytes, in the order in which :class:`Reader` asks for them."""

    def __init__(self) -> None:
        self._encoder = _queue.RangeEncoder()
        self._ends: list[int] = []

    def groups_within(self, num_bytes: int) -> int:
        """How many groups of integers can be read from the first bytes alone."""
        return sum(end <= num_bytes for end in self._ends)

    def bytes(self) -> bytes:
        """All that was written; zero bytes may follow, and those at the end are left out."""
        return written(self._encoder)

    def border(self, border: Border) -> None:
        """Write what runs along the sides."""
        self._encoder.encode(int(any(border.lines)), _HAS_LINES)
        if any(border.lines):
            for lines in border.lines:
                self._encoder.encode(lines, _LINES)
            self._encoder.encode(border.level, _LEVEL)
        self._encoder.encode(int(any(border.offsets)), _HAS_OFFSETS)
        if any(border.offsets):
            for offsets in border.offsets:
                self._encoder.encode(len(offsets), _OFFSETS)
                for offset in offsets:
                    self._encoder.encode(offset, _OFFSET)

    def blocks(self, blocks: Blocks) -> None:
        """Write mask blocks ``[rows, columns]``."""
        chances = outline.shipped().chances(outline.features(blocks))
        self._encoder.encode(blocks.ravel().astype(np.int32), _BERNOULLI, chances)

    def integers(self, integers: NDArray[np.int32], prior: _Parameters) -> None:
        """Write the integers of a group, ``[n]``."""
        self._encode(integers, prior)
        # A reader is at most two words ahead of what pins down what it has read.
        self._ends.append(_WORD_BYTES * (self._encoder.num_words() + 2))

    def _encode(self, integers: NDArray[np.int32], prior: _Parameters) -> None:
        if prior.log_zero is None:
            self._encoder.encode(integers, _LAPLACE, prior.mean, _SCALES[prior.log_scale])
            return
        other = integers != 0
        self._encoder.encode(other.astype(np.int32), _BERNOULLI, _OTHER[prior.log_zero])
        if other.any():
            within = integers[other]
            within = within - (within > 0)
            mean, scale = prior.mean[other] - 0.5, _SCALES[prior.log_scale[other]]
            self._encoder.encode(within.astype(np.int32), _LAPLACE, mean, scale)


class Reader:
    """Undoes :class:`Writer`; what was cut off counts as zero bytes.

    Whatever the bytes are, numbers come out: what they are worth, a checksum has to tell.

    >>> writer = Writer()
    >>> writer.border(Border((1, 0, 0, 0)))
    >>> writer.blocks(np.eye(4, dtype=bool))
    >>> reader = Reader(writer.bytes())
    >>> reader.border(64, 64).lines, bool((reader.blocks((4, 4)) == np.eye(4)).all())
    ((1, 0, 0, 0), True)
    """

    def __init__(self, data: bytes) -> None:
        self._decoder = reading(data)

    def border(self, height: int, width: int) -> Border:
        """Read what runs along the sides of an image."""
        read, border = self._decoded, Border()
        if read(_HAS_LINES):
            left, right, top, bottom = (int(read(_LINES)) for _ in range(4))
            border = Border((left, right, top, bottom), int(read(_LEVEL)))
        if read(_HAS_OFFSETS):
            offsets = [tuple(int(read(_OFFSET)) for _ in range(read(_OFFSETS))) for _ in range(4)]
            border = border._replace(offsets=tuple(offsets))
        if not border.fits(height, width):
            raise Undecodable("the border does not fit into the image")
        return border

    def blocks(self, shape: tuple[int, int]) -> Blocks:
        """Read mask blocks ``[rows, columns]``."""
        model, table = outline.shipped(), outline.FeatureTable(shape)
        for number in np.arange(table.blocks.size)[:, None]:
            chance = model.chances(table.of(number))
            table.blocks.flat[number] = self._decoded(_BERNOULLI, chance) > 0
        return table.blocks.copy()

    def integers(self, prior: _Parameters) -> NDArray[np.int32]:
        """Read integers ``[n]``."""
        if prior.log_zero is None:
            return self._integers(prior.mean, _SCALES[prior.log_scale])
        other = self._decoded(_BERNOULLI, _OTHER[prior.log_zero]) != 0
        integers = np.zeros(len(other), dtype=np.int32)
        if other.any():
            within = self._integers(prior.mean[other] - 0.5, _SCALES[prior.log_scale[other]])
            integers[other] = within + (within >= 0)
        return integers

    def _integers(self, mean: _Numbers, scale: _Numbers) -> NDArray[np.int32]:
        integers: NDArray[np.int32] = self._decoded(_LAPLACE, mean, scale)
        return integers

    def _decoded(self, model: object, *parameters: _Numbers) -> Any:
        """What constriction reads.

        Raises:
            Undecodable: if the bytes cannot be of this model.
        """
        try:
            return self._decoder.decode(model, *parameters)
        except AssertionError as error:
            raise Undecodable("the bytes are not of this model") from error


class _Parameters:
    """What a range coder needs of a group's prior: means, and indices of scales."""

    def __init__(
        self,
        mean: _Numbers,
        log_scale: NDArray[np.int64],
        log_zero: NDArray[np.int64] | None,
    ) -> None:
        self.mean, self.log_scale, self.log_zero = mean, log_scale, log_zero

    def at(self, places: NDArray[np.bool_]) -> _Parameters:
        """Those of some places of one row."""
        log_zero = None if self.log_zero is None else self.log_zero[places]
        return _Parameters(self.mean[places], self.log_scale[places], log_zero)


def _parameters(group: Group) -> tuple[_Parameters, NDArray[np.bool_]]:
    """Of each place ``[batch, n, h, w]``, and where a place is coded at all.

    Beyond the edges nothing is, nor where a zero is as good as sure.
    """
    prior = group.prior
    coded = np.broadcast_to(group.inside.cpu().numpy(), prior.mean.shape)
    log_zero = None
    if prior.log_zero is not None:
        log_zero = _scale_index(prior.log_zero)
        coded = coded & (log_zero > 0)
    mean = prior.mean.detach().cpu().numpy().astype(np.float64)
    return _Parameters(mean, _scale_index(prior.log_scale), log_zero), coded


def _scale_index(log_scale: Tensor) -> NDArray[np.int64]:
    index: NDArray[np.int64] = scale_index(log_scale.detach().cpu()).to(torch.int64).numpy()
    return index.clip(0, len(_SCALES) - 1)


def writing(writers: Sequence[Writer], quantise: Code) -> Code:
    """For a walk: the integers that ``quantise`` gives, written by each image's writer."""

    @torch.no_grad()
    def code(group: Group) -> Tensor:
        quantised = quantise(group)
        prior, coded = _parameters(group)
        integers = np.where(coded, quantised.cpu().numpy(), 0).astype(np.int32)
        for row, writer in enumerate(writers):
            places = coded[row]
            writer.integers(integers[row][places], _row(prior, row).at(places))
        return torch.from_numpy(integers).to(quantised)

    return code


def reading_from(readers: Sequence[Reader], groups: int | None = None) -> Code:
    """For a walk: the integers that each image's reader gives.

    Args:
        readers: one for each image.
        groups: how many groups are there; the others are zeros.
    """
    read = 0

    @torch.no_grad()
    def code(group: Group) -> Tensor:
        nonlocal read
        read += 1
        if groups is not None and read > groups:
            return torch.zeros_like(group.prior.mean)
        prior, coded = _parameters(group)
        integers = np.zeros(coded.shape, dtype=np.float32)
        for row, reader in enumerate(readers):
            places = coded[row]
            integers[row][places] = reader.integers(_row(prior, row).at(places))
        return torch.from_numpy(integers)

    return code


def _row(prior: _Parameters, row: int) -> _Parameters:
    log_zero = None if prior.log_zero is None else prior.log_zero[row]
    return _Parameters(prior.mean[row], prior.log_scale[row], log_zero)
