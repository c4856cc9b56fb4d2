"""What is expected of each coefficient, given those that are coded before it.

Bands are coded from coarse to fine, each in passes; a pass sees all that came before.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.medjscc.fixed_point import Layer, around, bounded, mean_around, on_grid

_LIMIT = 24.0
LOG_SCALE = (-4.5, 8.0)
"""Range of log2 of a scale, in steps."""

_INTERLACED = (0, 2, 1, 3)

LOG_REST = (-10.0, 0.0)
"""The same of an error's deviation: far below a step where steps are coarse."""


@dataclass(frozen=True)
class Expected:
    """A Laplace distribution for each coefficient, in units of its quantisation step.

    Args:
        mean: float ``[batch, bands, h, w]``.
        log_scale: log2 of the scale, of the same shape.
    """

    mean: Tensor
    log_scale: Tensor


def squashed(values: Tensor) -> Tensor:
    """Values limited to a range that a network likes.

    >>> squashed(torch.tensor([-100.0, 2.0])).tolist()
    [-6.0, 0.5]
    """
    return values.clamp(-_LIMIT, _LIMIT) / 4


def doubled(maps: Tensor) -> Tensor:
    """Each value four times: ``[batch, n, h, w]`` to ``[batch, n, 2 h, 2 w]``."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")


def texture(picture: Tensor, scale: Tensor) -> Tensor:
    """How a coarse picture differs from its surroundings, in steps, with its magnitude.

    Args:
        picture: float ``[batch, 1, h, w]`` in units of the finest step.
        scale: the local step in that unit.

    Returns:
        ``[batch, 2, h, w]``.
    """
    local = squashed(on_grid((picture - mean_around(picture)) / scale))
    return torch.cat([local, local.abs()], dim=1)


class Head(nn.Module):
    """Mean and log2 of the scale of some bands, from a neighbourhood of 5 x 5.

    Args:
        inputs: maps that it sees.
        width: inner features.
        bands: bands that it tells of.
        start: log2 of the scale to begin with.
        limits: range of log2 of the scale.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        bands: int,
        start: float,
        limits: tuple[float, float] = LOG_SCALE,
    ) -> None:
        super().__init__()
        self.limits = limits
        last = Layer(width, 2 * bands, 1, rectify=False)
        with torch.no_grad():
            last.weight.mul_(0.3)
            last.bias[:bands] = 0  # type: ignore[index]
            last.bias[bands:] = start  # type: ignore[index]
        self.layers = nn.Sequential(Layer(inputs, width, 5), Layer(width, width, 1), last)

    def forward(self, maps: Tensor, log_unit: Tensor | float) -> Expected:
        """What is expected of the bands.

        Args:
            maps: ``[batch, inputs, h, w]``.
            log_unit: log2 of the unit of the results, in that of the network's scale.
        """
        mean, log_scale = self.layers(maps).chunk(2, dim=1)
        return Expected(mean, bounded(log_scale - log_unit, *self.limits))


class DetailModel(nn.Module):
    """The three bands of a level: given the coarser picture, then one another.

    Args:
        coarse: features of the coarser level.
        width: features of this one.
        start: log2 of the magnitude of the bands in a picture, to begin with.
        along_lines: whether the three bands are coded together, every fourth row or column first,
            across the lines that a band shows: thin lines of the finest level have no trace in
            coarser ones. Else the third comes after the first two, each like a chess-board.
    """

    def __init__(self, coarse: int, width: int, start: float, along_lines: bool = False) -> None:
        super().__init__()
        self.along_lines = along_lines
        self.passes: tuple[tuple[tuple[int, ...], int], ...] = (
            tuple(((0, 1, 2), first) for first in _INTERLACED)
            if along_lines
            else (((0, 1), 0), ((0, 1), 1), ((2,), 0), ((2,), 1))
        )
        self.trunk = nn.Sequential(Layer(coarse + 9, width, 3), Layer(width, width, 3))
        self.heads = nn.ModuleList([Head(width + 7, width, len(b), start) for b, _ in self.passes])
        self.rest = Head(width + 10, width, 3, -1.75, LOG_REST)

    def features(self, coarse: Tensor, parent: Tensor, texture: Tensor, log_step: Tensor) -> Tensor:
        """Features ``[batch, width, h, w]`` of all that is coarser, at this level's size."""
        parent = squashed(parent)
        maps = torch.cat([coarse, parent, parent.abs(), texture, log_step], dim=1)
        found: Tensor = self.trunk(maps)
        return found

    def place(self, index: int, like: Tensor) -> Tensor:
        """Bool ``[3, h, w]``: true where a pass codes."""
        bands, first = self.passes[index]
        found = torch.zeros(3, *like.shape[-2:], dtype=torch.bool, device=like.device)
        if self.along_lines:
            found[0, :, first :: len(_INTERLACED)] = True
            found[1:, first :: len(_INTERLACED)] = True
        else:
            found[list(bands)] = _checkers(like) == first
        return found

    def expect(self, features: Tensor, known: Tensor, log_step: Tensor, index: int) -> Expected:
        """What a pass expects of its bands, ``known`` being zero where nothing is known yet."""
        even = (_checkers(known) == 0).to(features.dtype).expand(len(known), 1, -1, -1)
        known = squashed(known)
        found: Expected = self.heads[index](
            torch.cat([features, even, known, known.abs()], dim=1), log_step
        )
        return found

    def expect_all(self, features: Tensor, values: Tensor, log_step: Tensor) -> Expected:
        """What each coefficient's pass expects of it, all of them at once."""
        mean = torch.zeros_like(values)
        log_scale = torch.zeros_like(values)
        known = torch.zeros(3, *values.shape[-2:], dtype=torch.bool, device=values.device)
        for index, (bands, _) in enumerate(self.passes):
            here = self.place(index, values)
            found = self.expect(features, values * known, log_step, index)
            chosen = here[list(bands)]
            mean[:, list(bands)] = torch.where(
                chosen, found.mean.to(mean.dtype), mean[:, list(bands)]
            )
            log_scale[:, list(bands)] = torch.where(
                chosen, found.log_scale.to(mean.dtype), log_scale[:, list(bands)]
            )
            known = known | here
        return Expected(mean, log_scale)

    def expect_rest(
        self, features: Tensor, values: Tensor, expected: Expected, log_step: Tensor
    ) -> Expected:
        """Mean and deviation of what quantisation took away, given all of the level.

        Both ends need the same deviations to the last bit, of means about the same: exact
        arithmetic would round these by more than there is to foresee where steps are coarse.
        """
        known = squashed(values)
        maps = torch.cat(
            [features.detach(), known, known.abs(), expected.log_scale.detach() / 4, log_step],
            dim=1,
        )
        found: Expected = self.rest(maps, 0.0)
        if maps.dtype != torch.float64:
            return found
        return Expected(self.rest(maps.float(), 0.0).mean.double(), found.log_scale)


class ApproximationModel(nn.Module):
    """The coarsest band, in four passes: one of each 2 x 2 after another.

    Args:
        coarse: features from the hyper-latents.
        width: features of the network.
    """

    passes = ((0, 0), (1, 1), (0, 1), (1, 0))

    def __init__(self, coarse: int, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList([Head(coarse + 4, width, 1, 0.0) for _ in self.passes])

    def place(self, index: int, like: Tensor) -> Tensor:
        """Bool ``[1, h, w]``: true where a pass codes."""
        found = torch.zeros(1, *like.shape[-2:], dtype=torch.bool, device=like.device)
        row, column = self.passes[index]
        found[:, row::2, column::2] = True
        return found

    def known(self, index: int, like: Tensor) -> Tensor:
        """Bool ``[1, h, w]``: true where an earlier pass has coded."""
        found = torch.zeros(1, *like.shape[-2:], dtype=torch.bool, device=like.device)
        for earlier in range(index):
            found |= self.place(earlier, like)
        return found

    def expect(
        self, features: Tensor, values: Tensor, scale: Tensor, log_step: Tensor, index: int
    ) -> Expected:
        """What a pass expects; what is not known yet of ``values`` is not looked at."""
        known = self.known(index, values).to(features.dtype).expand(len(values), 1, -1, -1)
        picture = values * scale * known
        counted = around(F.pad(known, (1, 1, 1, 1)))
        guess = on_grid(around(F.pad(picture, (1, 1, 1, 1))) / counted.clamp_min(1) / scale)
        differing = squashed((on_grid(picture / scale) - guess) * known)
        found: Expected = self.heads[index](
            torch.cat([features, differing, known, guess / 32, log_step], dim=1), log_step
        )
        return Expected(on_grid(guess + 4 * found.mean), found.log_scale)

    def expect_all(
        self, features: Tensor, values: Tensor, scale: Tensor, log_step: Tensor
    ) -> Expected:
        """What each coefficient's pass expects of it, all of them at once."""
        mean, log_scale = torch.zeros_like(values), torch.zeros_like(values)
        for index in range(len(self.passes)):
            here = self.place(index, values)
            found = self.expect(features, values, scale, log_step, index)
            mean = torch.where(here, found.mean.to(mean.dtype), mean)
            log_scale = torch.where(here, found.log_scale.to(mean.dtype), log_scale)
        return Expected(mean, log_scale)


def _checkers(like: Tensor) -> Tensor:
    """0 and 1 like a chess-board: int64 ``[1, h, w]``."""
    rows, columns = (torch.arange(side, device=like.device) for side in like.shape[-2:])
    return ((rows[:, None] + columns) % 2)[None]
