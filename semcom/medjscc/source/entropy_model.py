"""The learned entropy model: one walk from coarse to fine, the same for all who need it.

Probabilities of wavelet coefficients come from what is already known, as in a hyperprior model
(Ballé, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale hyperprior",
ICLR 2018), but with no hyper-latents on the air: what they would tell, the coarser bands tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.medjscc.source.fixed_point import limited, power_of_two
from semcom.medjscc.source.levels import (
    BY_BAND,
    BY_PLACE,
    MIXED,
    ApproximationModel,
    DetailModel,
    Order,
    clamp_and_scale,
    in_place,
    side_by_side,
    texture,
    to_fixed_point,
)
from semcom.medjscc.source.prior import ErrorPrior, Prior
from semcom.medjscc.source.steps import pyramid
from semcom.medjscc.source.wavelet import LEVELS, Bands, merge

_ORDERS: tuple[Order, ...] = (BY_BAND, BY_BAND, BY_BAND, BY_BAND, MIXED, BY_PLACE)
_STARTS = (1.0, 0.0, -1.0, -2.0, -3.5, -5.0)


@dataclass(frozen=True)
class Group:
    """Coefficients that are coded at once.

    Args:
        band: 0 for the approximation, 1 for the coarsest details, ``LEVELS`` for the finest.
        channels: which of the level's channels, see :mod:`semcom.medjscc.source.levels`.
        prior: what is expected of them.
        log_step: log2 of each one's step, float ``[batch, n, h, w]``.
        inside: bool ``[1 or batch, n, h, w]``; false where nothing is coded: beyond the band's
            edges, or away from a region that is sent alone.
    """

    band: int
    channels: tuple[int, ...]
    prior: Prior
    log_step: Tensor
    inside: Tensor


Code = Callable[[Group], Tensor]
"""Gives a group's integers (floats without fraction) ``[batch, n, h, w]``: reads or writes them."""


@dataclass(frozen=True)
class Walked:
    """What a walk comes to.

    Args:
        integers: the bands in each coefficient's own steps.
        values: the same in steps of the blocks.
        errors: what is expected of each quantisation error, in steps of the blocks; empty if not
            asked for.
    """

    integers: Bands
    values: Bands
    errors: list[ErrorPrior]

    def row(self, row: int) -> Walked:
        """What it comes to for one image of the batch."""
        only = slice(row, row + 1)
        return Walked(
            [band[only] for band in self.integers],
            [band[only] for band in self.values],
            [ErrorPrior(e.mean[only], e.log_deviation[only]) for e in self.errors],
        )

    def missing(self, coefficients: Bands) -> Bands:
        """Quantisation errors off their expected means.

        Args:
            coefficients: the bands in steps of the blocks, before they were quantised.
        """
        parts = zip(coefficients, self.values, self.errors, strict=True)
        return [wanted - value - error.mean for wanted, value, error in parts]


class EntropyModel(nn.Module):
    """Probabilities of quantised wavelet bands, their steps, and what to expect of the errors.

    ::

        bands, coarse to fine:  approximation ─▶ details 1 ─▶ details 2 ─▶ ... ─▶ details 6
        within a band:          group 1 ─▶ group 2 ─▶ ...   (channels of 2 x 2 places, see levels)

        bits = -sum over groups g of log2 P(k_g | coarser bands, groups before g of the same band)

    Each ``P`` is a :class:`~semcom.medjscc.source.prior.Prior`: whether an integer is zero, then
    which one, by a quantised Laplace distribution. After a band's last group its quantisation
    errors' means and deviations follow from all of it.

    In evaluation mode everything that two ends must agree on is computed exactly.

    Args:
        widths: features of each level, the coarsest first.
        depths: convolutions with an identity beside them, of each level.

    >>> model = EntropyModel((8,) * 6).eval().requires_grad_(False)
    >>> walked = model.walk(torch.zeros(1, 1, 4, 6), lambda group: 0 * group.prior.mean)
    >>> [tuple(band.shape[1:]) for band in walked.integers]
    [(1, 1, 2), (3, 1, 2), (3, 2, 3), (3, 4, 6), (3, 8, 12), (3, 16, 24), (3, 32, 48)]
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 64, 96, 128, 96, 40),
        depths: tuple[int, ...] = (2, 2, 2, 2, 2, 1),
    ) -> None:
        super().__init__()
        handed = [max(8, width // 2) for width in widths[1:]] + [0]
        coarse = [max(8, widths[0] // 2), *handed]
        self.approximation = ApproximationModel(24, coarse[0])
        self.details = nn.ModuleList(
            [
                DetailModel(coarse[i], widths[i], depths[i], _ORDERS[i], _STARTS[i], handed[i])
                for i in range(LEVELS)
            ]
        )

    def walk(
        self,
        log_step: Tensor,
        code: Code,
        errors: bool = True,
        jitter: Tensor | None = None,
        coded: list[Tensor] | None = None,
    ) -> Walked:
        """Code all integers in order; no group sees what comes after it.

        Args:
            log_step: log2 of the step of each block, ``[batch, 1, H/16, W/16]``.
            code: called for each group.
            errors: whether quantisation errors are asked for.
            jitter: added to the bands' log2 steps, ``[batch, LEVELS, 3]``.
            coded: where coefficients are not just zero, see
                :func:`semcom.medjscc.source.region.covered`; ``None``: everywhere.
        """
        exact = not self.training
        precision = torch.float64 if exact else torch.float32
        log_steps = [level.to(precision) for level in pyramid(log_step)]
        finest = log_step.to(precision).amin((1, 2, 3), keepdim=True)
        ratios = [power_of_two(level - finest, exact) for level in log_steps]

        places = coded or [torch.ones_like(level[:1]) > 0 for level in log_steps]
        approximation = self._coded_approximation(ratios[0], log_steps[0], code, places[0])
        image = to_fixed_point(approximation * ratios[0], exact)
        surface = texture(image, ratios[0], exact)
        handed = self.approximation.handed_down(approximation, surface, log_steps[0])
        integers, values = [approximation.float()], [approximation.float()]
        expected = [_even_errors(approximation).only_at(places[0])] if errors else []
        parent = None
        for index in range(LEVELS):
            model, local, ratio = self.detail(index), log_steps[index], ratios[index]
            size = (local.shape[-2], local.shape[-1])
            known, offset, error = self._coded_details(
                index,
                handed,
                parent,
                side_by_side(texture(image, ratio, exact)),
                local,
                code,
                places[index],
                errors,
                None if jitter is None else jitter[:, index, :, None, None],
            )
            details, shift = in_place(known.values, size), _spread(offset, size)
            scale = power_of_two(shift, exact)
            integers.append(details)
            values.append(details * scale)
            if error is not None:
                if coded is not None:
                    error = error.only_at(side_by_side(places[index]).repeat(1, 3, 1, 1))
                mean, log_deviation = (in_place(p, size) for p in (error.mean, error.log_deviation))
                expected.append(ErrorPrior(mean * scale, log_deviation + shift))
            if index + 1 < LEVELS:
                following = log_steps[index + 1].shape[-2:]
                below = (-(-following[0] // 2), -(-following[1] // 2))
                handed = model.handed_down(known.features, known.scaled)
                handed = _fitted(handed, below)
                parent = _fitted(details, below)
                image = to_fixed_point(merge(image, values[-1].to(precision) * ratio), exact)
                image = image[..., : following[0], : following[1]]
        return Walked(integers, values, expected)

    def detail(self, index: int) -> DetailModel:
        """The model of a level's bands, 0 the coarsest."""
        model = self.details[index]
        assert isinstance(model, DetailModel)
        return model

    def _coded_approximation(
        self, ratio: Tensor, log_step: Tensor, code: Code, place: Tensor
    ) -> Tensor:
        values = torch.zeros_like(ratio)
        size = values.shape[-2], values.shape[-1]
        inside = side_by_side(place.to(values)) > 0
        coded = torch.zeros_like(side_by_side(values))
        for group, channels in enumerate(self.approximation.order):
            prior = self.approximation.prior(group, values, ratio, log_step)
            here = Prior(*(_chosen(p, channels) for p in (prior.mean, prior.log_scale)))
            unit = _chosen(log_step, channels)
            integers = code(Group(0, channels, here, unit, inside[:, list(channels)]))
            coded = coded.index_copy(1, _index(channels, coded), integers.to(coded.dtype))
            values = in_place(coded, size)
        return values

    def _coded_details(
        self,
        index: int,
        handed: Tensor,
        parent: Tensor | None,
        surface: Tensor,
        log_step: Tensor,
        code: Code,
        place: Tensor,
        errors: bool,
        jitter: Tensor | None,
    ) -> tuple[_Known, Tensor, ErrorPrior | None]:
        """A level's coefficients, its steps' offsets, and what is expected of its errors."""
        model, exact = self.detail(index), not self.training
        units = side_by_side(log_step).float()
        inside = side_by_side(place.to(units)).repeat(1, 3, 1, 1) > 0
        if parent is None:
            parent = handed.new_zeros(len(handed), 3, *units.shape[-2:])
        handed, parent = _fitted(handed, units.shape[-2:]), _fitted(parent, units.shape[-2:])
        local = units.mean(1, keepdim=True)
        features = model.features(handed, parent, surface, limited(local) if exact else local)
        offset = model.step_offset(features)
        if jitter is not None:
            offset = offset + jitter
        known = features.new_zeros(len(features), 0, *features.shape[-2:])
        coded, zeros = [], []
        for channels, head in zip(model.order, model.heads, strict=True):
            bands = _index([channel // 4 for channel in channels], units)
            unit = units[:, [channel % 4 for channel in channels]] + offset.index_select(1, bands)
            prior = head(features, known, offset, unit)
            here = inside[:, list(channels)]
            integers = code(Group(index + 1, channels, prior, unit, here)) * here
            coded.append(integers)
            zeros.append(prior.log_zero)
            known = torch.cat([known, clamp_and_scale(integers)], dim=1)
        back = _index([model.channels.index(channel) for channel in range(12)], units)
        error = None
        if errors:
            log_zero = torch.cat(zeros, dim=1)
            error = model.errors(
                features.detach(),
                known.detach(),
                offset.detach(),
                _limited(log_zero.detach() / 4, exact),
            )
        values = torch.cat(coded, dim=1).index_select(1, back)
        return _Known(features, known, values), offset, error


@dataclass(frozen=True)
class _Known:
    """A level once it is coded: features, scaled coefficients in coding order, coefficients."""

    features: Tensor
    scaled: Tensor
    values: Tensor


def _even_errors(values: Tensor) -> ErrorPrior:
    """Errors of rounding: a deviation of 1/sqrt(12) steps, in eighths of an octave."""
    return ErrorPrior(torch.zeros_like(values).float(), torch.full_like(values, -1.75).float())


def _chosen(maps: Tensor, channels: tuple[int, ...]) -> Tensor:
    return side_by_side(maps)[:, list(channels)]


def _index(channels: tuple[int, ...] | list[int], like: Tensor) -> Tensor:
    return torch.tensor(channels, device=like.device)


def _spread(offset: Tensor, size: tuple[int, int]) -> Tensor:
    """Offsets of 2 x 2 places at the level's size."""
    return F.interpolate(offset, scale_factor=2, mode="nearest")[..., : size[0], : size[1]]


def _fitted(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Cut, or continued by zeros."""
    rows, columns = size[0] - maps.shape[-2], size[1] - maps.shape[-1]
    return maps if not (rows or columns) else F.pad(maps, (0, columns, 0, rows))


def _limited(values: Tensor, exact: bool) -> Tensor:
    return limited(values) if exact else values
