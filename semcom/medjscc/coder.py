"""Quantised bands and mask cells as bytes, and back: range coding under the learned model.

Written with constriction (Bamler, arXiv:2201.01741). The model is evaluated in exact arithmetic,
see :mod:`semcom.medjscc.fixed_point`, so that any machine can decode what another has written.
"""

from __future__ import annotations

import constriction
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from semcom.medjscc.contexts import LOG_SCALE, Expected
from semcom.medjscc.entropy_model import HYPER_STRIDE, EntropyModel, flat_rest, relative
from semcom.medjscc.frame import LARGEST_OFFSET, MOST_LINES, MOST_OFFSETS, Frame
from semcom.medjscc.frame import LEVELS as GREYS
from semcom.medjscc.wavelet import LEVELS, Bands
from semcom.range_bytes import reading, written

_queue = constriction.stream.queue
_model = constriction.stream.model
_HYPER_LIMIT = 63
_APPROXIMATION_LIMIT = 4095
_SCALE_STEPS = 8
_HAS_LINES = _HAS_OFFSETS = _model.Bernoulli(0.1, perfect=False)
_LINES, _LEVEL = _model.Uniform(MOST_LINES + 1), _model.Uniform(GREYS)
_OFFSETS = _model.Uniform(MOST_OFFSETS + 1)
_OFFSET = _model.QuantizedLaplace(-LARGEST_OFFSET, LARGEST_OFFSET, 0.0, 8.0)
_CELL_SET = (
    0.0125, 0.32, 0.07, 0.50, 0.16, 0.70, 0.52, 0.86,
    0.14, 0.52, 0.37, 0.80, 0.50, 0.86, 0.84, 0.985,
)  # fmt: skip
"""Chance that a mask cell is set, by its west, north-west, north and north-east neighbours."""


class Writer:
    """Turns a picture's numbers into bytes, in the order in which :class:`Reader` asks for them."""

    def __init__(self) -> None:
        self._encoder = _queue.RangeEncoder()

    def bytes(self) -> bytes:
        """All that was written; zero bytes may follow, and those at the end are left out."""
        return written(self._encoder)

    def frame(self, frame: Frame) -> None:
        """Write what runs along the sides."""
        self._encoder.encode(int(any(frame.lines)), _HAS_LINES)
        if any(frame.lines):
            for lines in frame.lines:
                self._encoder.encode(lines, _LINES)
            self._encoder.encode(frame.level, _LEVEL)
        self._encoder.encode(int(any(frame.offsets)), _HAS_OFFSETS)
        if any(frame.offsets):
            for offsets in frame.offsets:
                self._encoder.encode(len(offsets), _OFFSETS)
                for offset in offsets:
                    self._encoder.encode(offset, _OFFSET)

    def cells(self, cells: NDArray[np.bool_]) -> None:
        """Write mask cells ``[rows, columns]``."""
        for row, column in np.ndindex(cells.shape):
            self._encoder.encode(int(cells[row, column]), _cell_model(cells, row, column))

    def values(self, values: Tensor, expected: Expected, place: Tensor, limit: int) -> None:
        """Write those integers of ``[bands, h, w]`` that a place holds."""
        wanted = values[place].cpu().numpy().astype(np.int32)
        self._encoder.encode(wanted, _laplace(limit), *_parameters(expected, place))


class Reader:
    """Undoes :class:`Writer`; what was cut off counts as zero bytes.

    Whatever the bytes are, numbers come out: what they are worth, a checksum has to tell.
    """

    def __init__(self, data: bytes) -> None:
        self._decoder = reading(data)

    def frame(self, height: int, width: int) -> Frame:
        """Read what runs along the sides of a picture."""
        read, found = self._decoder.decode, Frame()
        if read(_HAS_LINES):
            left, right, top, bottom = (int(read(_LINES)) for _ in range(4))
            found = Frame((left, right, top, bottom), int(read(_LEVEL)))
        if read(_HAS_OFFSETS):
            offsets = [tuple(int(read(_OFFSET)) for _ in range(read(_OFFSETS))) for _ in range(4)]
            found = found._replace(offsets=tuple(offsets))
        if not found.fits(height, width):
            raise InputError("the payload is not one of this codec")
        return found

    def cells(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Read mask cells ``[rows, columns]``."""
        cells = np.zeros(shape, dtype=np.bool_)
        for row, column in np.ndindex(shape):
            cells[row, column] = bool(self._decoder.decode(_cell_model(cells, row, column)))
        return cells

    def values(self, into: Tensor, expected: Expected, place: Tensor, limit: int) -> None:
        """Read those integers of ``[bands, h, w]`` that a place holds."""
        try:
            found = self._decoder.decode(_laplace(limit), *_parameters(expected, place))
        except AssertionError as error:
            raise InputError("the payload is not one of this codec") from error
        into[place] = torch.from_numpy(found.astype(np.float64))


@torch.no_grad()
def write(
    writer: Writer, model: EntropyModel, bands: Bands, log_step: Tensor, limit: int
) -> list[Expected]:
    """Write one picture's quantised bands.

    Args:
        writer: where to.
        model: the entropy model.
        bands: integers ``[1, bands, h, w]``.
        log_step: log2 of the step of each cell, ``[1, 1, H/16, W/16]``.
        limit: the largest magnitude among the details.

    Returns:
        What a reader will expect of the quantisation errors.
    """
    bands, log_step = [band.cpu().double() for band in bands], log_step.cpu().double()
    hyper = model.hyper_latents(bands, log_step).round().clamp(-_HYPER_LIMIT, _HYPER_LIMIT)
    return _walk(writer, model, hyper, bands, log_step, limit)


@torch.no_grad()
def read(
    reader: Reader, model: EntropyModel, log_step: Tensor, limit: int
) -> tuple[Bands, list[Expected]]:
    """Read what :func:`write` wrote.

    Returns:
        The bands, float64 ``[1, bands, h, w]``, and what is expected of their quantisation errors.

    Raises:
        InputError: if the bytes cannot be of this model.
    """
    log_step = log_step.cpu().double()
    rows, columns = log_step.shape[-2:]
    counts = len(model.hyper_mean), -(-rows // HYPER_STRIDE), -(-columns // HYPER_STRIDE)
    hyper = torch.zeros(1, *counts, dtype=torch.float64)
    shapes = [(1, 1, rows, columns)]
    shapes += [(1, 3, rows << level, columns << level) for level in range(LEVELS)]
    bands = [torch.zeros(shape, dtype=torch.float64) for shape in shapes]
    return bands, _walk(reader, model, hyper, bands, log_step, limit)


def _walk(
    coder: Writer | Reader,
    model: EntropyModel,
    hyper: Tensor,
    bands: Bands,
    log_step: Tensor,
    limit: int,
) -> list[Expected]:
    """Code all integers in order; a reader fills them in, and no pass sees what comes after it."""
    everywhere = torch.ones_like(hyper[0], dtype=torch.bool)
    coder.values(hyper[0], model.hyper_expected(hyper), everywhere, _HYPER_LIMIT)
    features = model.hyper_features(hyper, log_step)
    scale = relative(log_step)
    for index in range(len(model.approximation.passes)):
        expected = model.approximation.expect(features, bands[0], scale, log_step, index)
        place = model.approximation.place(index, bands[0])
        coder.values(bands[0][0], expected, place, _APPROXIMATION_LIMIT)
    state = model.begin(features, bands[0], log_step)
    rest = [flat_rest(bands[0])]
    for level, values in enumerate(bands[1:]):
        detail = model.detail(level)
        maps = model.level_features(level, state)
        mean, log_scale = torch.zeros_like(values), torch.zeros_like(values)
        known = torch.zeros_like(values[0], dtype=torch.bool)
        for index, (chosen, _) in enumerate(detail.passes):
            place = detail.place(index, values)
            found = detail.expect(maps, values * known, state.log_step, index)
            found = _all_bands(found, chosen)
            mean = torch.where(place, found.mean, mean)
            log_scale = torch.where(place, found.log_scale, log_scale)
            coder.values(values[0], found, place, limit)
            known |= place
        rest.append(detail.expect_rest(maps, values, Expected(mean, log_scale), state.log_step))
        if level < LEVELS - 1:
            state = model.descend(state, maps, values)
    return rest


def _all_bands(expected: Expected, bands: tuple[int, ...]) -> Expected:
    """What is expected of some bands, in its place among all three."""
    shape = (1, 3, *expected.mean.shape[-2:])
    mean, log_scale = expected.mean.new_zeros(shape), expected.mean.new_zeros(shape)
    mean[:, list(bands)], log_scale[:, list(bands)] = expected.mean, expected.log_scale
    return Expected(mean, log_scale)


def _cell_model(cells: NDArray[np.bool_], row: int, column: int) -> object:
    west = column > 0 and cells[row, column - 1]
    north = row > 0 and cells[row - 1, column]
    north_west = row > 0 and column > 0 and cells[row - 1, column - 1]
    north_east = row > 0 and column + 1 < cells.shape[1] and cells[row - 1, column + 1]
    return _CELL_MODELS[west + 2 * north_west + 4 * north + 8 * north_east]


_CELL_MODELS = [_model.Bernoulli(chance, perfect=False) for chance in _CELL_SET]


def _laplace(limit: int) -> object:
    return _model.QuantizedLaplace(-limit, limit)


def _parameters(
    expected: Expected, place: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and scales of the integers that a place holds."""
    mean, log_scale = expected.mean[0][place].numpy(), expected.log_scale[0][place].numpy()
    table = np.exp2(
        np.arange(LOG_SCALE[0] * _SCALE_STEPS, LOG_SCALE[1] * _SCALE_STEPS + 1) / _SCALE_STEPS
    )
    index = np.rint((log_scale - LOG_SCALE[0]) * _SCALE_STEPS).astype(np.int64)
    return mean.astype(np.float64), table[index.clip(0, len(table) - 1)]
