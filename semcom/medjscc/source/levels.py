"""The networks of one wavelet level: what to expect of each coefficient, given what is known.

A level's coefficients stand as ``[batch, 4 bands, h/2, w/2]``, the four of each 2 x 2 neighbours
side by side as channels (``4 * band + 2 * row + column``), and are coded in groups of channels one
after another. A group sees all coarser levels and the groups before it, at half the level's size:
each network costs as much for all groups together as a convolution over the level would for one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.medjscc.source.fixed_point import Layer, bounded, limited
from semcom.medjscc.source.prior import LOG_SCALE, SCALE_STEPS, ErrorPrior, Prior, scale_index

Order = tuple[tuple[int, ...], ...]

BY_BAND: Order = ((0, 4), (3, 7), (1, 5), (2, 6), (8,), (11,), (9,), (10,))
"""First the two bands of horizontal and vertical edges, then the diagonal one."""
MIXED: Order = ((0, 4), (3, 7, 8), (1, 5, 11), (2, 6, 9), (10,))
BY_PLACE: Order = ((0, 4, 8), (3, 7, 11), (1, 5, 9), (2, 6, 10))
"""All three bands of a place at once: fewest groups, for the finest level."""

LOG_DEVIATION = (-10.0, 0.5)
"""Range of log2 of a quantisation error's deviation, in steps."""

_LIMIT = 24.0


def clamp_and_scale(values: Tensor) -> Tensor:
    """Values limited to a range that a network likes.

    >>> clamp_and_scale(torch.tensor([-100.0, 2.0])).tolist()
    [-6.0, 0.5]
    """
    return values.clamp(-_LIMIT, _LIMIT) / 4


def with_magnitudes(maps: Tensor) -> Tensor:
    """Maps and their magnitudes, one after another.

    >>> with_magnitudes(torch.full((1, 1, 1, 1), -2.0)).flatten().tolist()
    [-2.0, 2.0]
    """
    return torch.cat([maps, maps.abs()], dim=1)


def to_fixed_point(values: Tensor, exact: bool) -> Tensor:
    """Values of double precision as multiples of 1/256 if exact, so that sums of them are exact.

    >>> to_fixed_point(torch.tensor([0.3]).double(), exact=True).item() * 256
    77.0
    """
    return torch.round(values * 256) / 256 if exact else values


def side_by_side(maps: Tensor) -> Tensor:
    """``[batch, n, h, w]`` to ``[batch, 4 n, ceil(h/2), ceil(w/2)]``, zeros beyond the edges.

    >>> side_by_side(torch.ones(1, 3, 5, 4)).shape
    torch.Size([1, 12, 3, 2])
    """
    height, width = maps.shape[-2:]
    if height % 2 or width % 2:
        maps = F.pad(maps, (0, width % 2, 0, height % 2))
    return F.pixel_unshuffle(maps, 2)


def in_place(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo :func:`side_by_side` for a level of this size.

    >>> maps = torch.rand(1, 3, 5, 4)
    >>> bool((in_place(side_by_side(maps), (5, 4)) == maps).all())
    True
    """
    return F.pixel_shuffle(maps, 2)[..., : size[0], : size[1]]


def _scale(log_scale: Tensor, exact: bool) -> Tensor:
    """log2 of a scale in its range, as a range coder takes it if exact."""
    clamped = bounded(log_scale, *LOG_SCALE)
    return LOG_SCALE[0] + scale_index(clamped) / SCALE_STEPS if exact else clamped


class Head(nn.Module):
    """One group's distributions, from features and what of the level is already known.

    Args:
        features: maps of features.
        known: coefficients that are known in each place.
        width: inner maps.
        count: coefficients of the group in each place.
        start: log2 of the magnitude of coefficients in an image, to begin with.

    >>> head = Head(8, 2, 8, 2, 0.0)
    >>> at = [torch.zeros(1, maps, 4, 4) for maps in (8, 2, 3, 2)]
    >>> head(*at).log_scale.shape
    torch.Size([1, 2, 4, 4])
    """

    def __init__(self, features: int, known: int, width: int, count: int, start: float) -> None:
        super().__init__()
        context = max(8, width // 2) if known else 0
        self.context = Layer(2 * known, context, 3) if known else None
        self.mix = Layer(features + context + 3, width, 1)
        self.last = Layer(width, 3 * count, 1, rectify=False)
        with torch.no_grad():
            self.last.weight.mul_(0.3)
            self.last.bias[:count] = 0  # type: ignore[index]
            self.last.bias[count:] = start  # type: ignore[index]

    def forward(self, features: Tensor, known: Tensor, offset: Tensor, unit: Tensor) -> Prior:
        """What is expected of the group.

        Args:
            features: ``[batch, features, h, w]``.
            known: clamped and scaled coefficients ``[batch, known, h, w]``.
            offset: log2 of each band's step relative to the block's, ``[batch, 3, h, w]``.
            unit: log2 of each coefficient's step, ``[batch, count, h, w]``.
        """
        parts = [features, offset]
        if self.context is not None:
            parts.append(self.context(with_magnitudes(known)))
        mean, log_scale, log_zero = self.last(self.mix(torch.cat(parts, dim=1))).chunk(3, dim=1)
        exact = not self.training
        return Prior(mean, _scale(log_scale - unit, exact), _scale(log_zero - unit, exact))


class ErrorHead(nn.Module):
    """Means and deviations of a level's quantisation errors, once all of the level is known.

    Both ends need the same deviations to the last bit, of means about the same: exact arithmetic
    would round these by more than there is to expect where steps are coarse.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.context = Layer(24, width, 3)
        self.mix = Layer(features + width + 3 + 12, width, 1)
        self.mean = nn.Conv2d(width, 12, 1)
        self.deviation = Layer(width, 12, 1, rectify=False)
        with torch.no_grad():
            self.mean.weight.mul_(0.1)
            self.deviation.weight.mul_(0.1)
            self.mean.bias.zero_()  # type: ignore[union-attr]
            self.deviation.bias.fill_(-1.75)  # type: ignore[union-attr]

    def forward(
        self, features: Tensor, known: Tensor, offset: Tensor, log_zero: Tensor
    ) -> ErrorPrior:
        """Errors of all twelve channels.

        Args:
            features: ``[batch, features, h, w]``.
            known: clamped and scaled coefficients ``[batch, 12, h, w]``.
            offset: as for :class:`Head`.
            log_zero: a quarter of what was expected, ``[batch, 12, h, w]``.
        """
        maps = [features, offset, log_zero, self.context(with_magnitudes(known))]
        mixed = self.mix(torch.cat(maps, dim=1))
        return ErrorPrior(self.mean(mixed), bounded(self.deviation(mixed), *LOG_DEVIATION))


class DetailModel(nn.Module):
    """The three bands of a level: features of what is coarser, and a head for each group.

    ::

        coarser features ──┐                               ┌─ step ───▶ log2 step of each band
        parent bands, |.| ─┤                               ├─ head 1 ─▶ prior of group 1
        texture, |.| ──────┼─ 3 x 3 ─ depth x (1 + 3 x 3) ─┼─ head 2 ─▶ prior of group 2, given 1
        log2 block step ───┘           features            ├─ ...
                                                           ├─ errors ─▶ mean, deviation of errors
                                                           └─ down ───▶ features one level finer

    A head says of each coefficient a mean ``mu`` in steps and log2 of two scales in the image; with
    log2 of its step taken off these are ``s`` and ``z``, and for the integer ``k``::

        P(0) = 1 - exp(-1 / (2 z))
        P(k) = exp(-1 / (2 z)) (F(k' + 1/2) - F(k' - 1/2)),    k' = k - 1 if k > 0 else k

    with ``F`` the Laplace distribution of scale ``s`` around ``mu - 1/2``.

    Args:
        coarse: features that the coarser level hands down.
        width: features of this one.
        depth: convolutions with an identity beside them.
        order: groups of channels in the order of coding.
        start: log2 of the magnitude of coefficients in an image, to begin with.
        handed: features that go down to the finer level; 0 for the finest.

    >>> model = DetailModel(8, 16, 1, BY_BAND, 0.0, 0)
    >>> coarser = [torch.zeros(1, maps, 4, 4) for maps in (8, 3, 4, 1)]
    >>> model.features(*coarser).shape, model.channels
    (torch.Size([1, 16, 4, 4]), (0, 4, 3, 7, 1, 5, 2, 6, 8, 11, 9, 10))
    """

    def __init__(
        self, coarse: int, width: int, depth: int, order: Order, start: float, handed: int
    ) -> None:
        super().__init__()
        self.order = order
        self.channels = tuple(channel for group in order for channel in group)
        self.first = Layer(coarse + 6 + 8 + 1, width, 3)
        self.deeper = nn.ModuleList([Layer(width, width, 3) for _ in range(depth)])
        self.step = Layer(width, 3, 1, rectify=False)
        nn.init.zeros_(self.step.weight)
        nn.init.zeros_(self.step.bias)  # type: ignore[arg-type]
        seen = 0
        heads = []
        for group in order:
            heads.append(Head(width, seen, width, len(group), start))
            seen += len(group)
        self.heads = nn.ModuleList(heads)
        self.errors = ErrorHead(width, max(16, width // 2))
        self.down = Layer(width + 24, 4 * handed, 1) if handed else None

    def features(self, coarse: Tensor, parent: Tensor, texture: Tensor, log_step: Tensor) -> Tensor:
        """Features of all that is coarser.

        Args:
            coarse: features handed down, ``[batch, coarse, h, w]``.
            parent: details of the coarser level, ``[batch, 3, h, w]``.
            texture: the coarser image, see :func:`texture`, ``[batch, 4, h, w]``.
            log_step: log2 of the blocks' steps, ``[batch, 1, h, w]``.

        Returns:
            ``[batch, width, h, w]``.
        """
        maps = [
            coarse,
            with_magnitudes(clamp_and_scale(parent)),
            with_magnitudes(texture),
            log_step,
        ]
        features: Tensor = self.first(torch.cat(maps, dim=1))
        for layer in self.deeper:
            features = features + layer(features)
            if not self.training:
                features = limited(features)
        return features

    def step_offset(self, features: Tensor) -> Tensor:
        """log2 of each band's step relative to the block's: ``[batch, 3, h, w]`` in [-1, 1]."""
        return bounded(self.step(features), -1.0, 1.0)

    def handed_down(self, features: Tensor, known: Tensor) -> Tensor:
        """Features for the finer level, ``[batch, handed, 2 h, 2 w]``."""
        assert self.down is not None
        maps = torch.cat([features, with_magnitudes(known)], dim=1)
        return F.pixel_shuffle(self.down(maps), 2)


class ApproximationModel(nn.Module):
    """The coarsest band, in four groups: one of each 2 x 2 after another.

    Args:
        width: features of the networks.
        handed: features that go down to the coarsest details.
    """

    order: Order = ((0,), (3,), (1,), (2,))

    def __init__(self, width: int, handed: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList()
        for _ in self.order:
            last = Layer(width, 2, 1, rectify=False)
            with torch.no_grad():
                last.weight.mul_(0.3)
                last.bias.copy_(torch.tensor([0.0, 2.0]))  # type: ignore[union-attr]
            self.heads.append(nn.Sequential(Layer(4, width, 5), Layer(width, width, 1), last))
        self.down = Layer(4, handed, 3)

    def prior(self, group: int, values: Tensor, ratio: Tensor, log_step: Tensor) -> Prior:
        """What is expected of all places, from the groups before.

        Args:
            group: place in ``order``.
            values: integers ``[batch, 1, h, w]``; those of later groups are not looked at.
            ratio: the local step in units of the finest.
            log_step: log2 of the local step.
        """
        known = self.known(group, values)
        ones = values.new_ones(1, 1, 3, 3)
        counted = F.conv2d(known, ones, padding=1).clamp_min(1)
        exact = not self.training
        image = to_fixed_point(values * ratio * known, exact)
        guess = to_fixed_point(F.conv2d(image, ones, padding=1) / counted / ratio, exact)
        differing = clamp_and_scale((values - guess) * known)
        level = guess * torch.exp2(log_step) / 8
        maps = self.ready(torch.cat([differing, known, level, log_step], dim=1))
        parameters = self.heads[group](maps).to(values.dtype)
        mean, log_scale = parameters.chunk(2, dim=1)
        mean = to_fixed_point(guess + mean * torch.exp2(-log_step), exact)
        return Prior(mean, _scale(log_scale - log_step, exact))

    def known(self, group: int, like: Tensor) -> Tensor:
        """One where a group before has coded: ``[batch, 1, h, w]``."""
        known = torch.zeros_like(like)
        for (channel,) in self.order[:group]:
            known[..., channel // 2 :: 2, channel % 2 :: 2] = 1
        return known

    def handed_down(self, values: Tensor, texture: Tensor, log_step: Tensor) -> Tensor:
        """Features for the coarsest details, ``[batch, handed, h, w]``."""
        level = values * torch.exp2(log_step) / 8
        maps = torch.cat([texture, texture.abs(), level, log_step], dim=1)
        features: Tensor = self.down(self.ready(maps))
        return features

    def ready(self, maps: Tensor) -> Tensor:
        """Maps as layers want them."""
        return maps if self.training else limited(maps).float()


def texture(image: Tensor, ratio: Tensor, exact: bool) -> Tensor:
    """How a coarse image differs from its surroundings, in local steps.

    Args:
        image: float ``[batch, 1, h, w]`` in units of the finest step.
        ratio: the local step in that unit.
        exact: whether the result is rounded as exact layers want it.

    >>> flat = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    >>> texture(flat, flat, exact=True).abs().max().item()
    0.0
    """
    around = to_fixed_point(F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1), exact)
    differing = clamp_and_scale((image - around) / ratio)
    return limited(differing).float() if exact else differing
