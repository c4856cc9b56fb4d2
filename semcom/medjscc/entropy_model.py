"""The learned entropy model: a hyperprior and what is already decoded tell what comes next.

A scale hyperprior (Ballé, Minnen, Singh, Hwang, Johnston, "Variational image compression with a
scale hyperprior", ICLR 2018: factorised prior for the hyper-latents, Gaussian for the rest) over
wavelet bands that are coded from coarse to fine, with the context of what is already known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semcom.medjscc.contexts import (
    LOG_SCALE,
    ApproximationModel,
    DetailModel,
    Expected,
    doubled,
    squashed,
    texture,
)
from semcom.medjscc.fixed_point import Doubled, Layer, on_grid
from semcom.medjscc.wavelet import Bands, merge

HYPER_STRIDE = 4


@dataclass(frozen=True)
class Modelled:
    """What the model says of quantised bands.

    Args:
        hyper_bits: float ``[batch]``, bits of the hyper-latents.
        expected: for each band, what was expected before it was known.
        rest: for each band, what is expected of the quantisation error: its mean, and as scale
            its standard deviation.
    """

    hyper_bits: Tensor
    expected: list[Expected]
    rest: list[Expected]

    def band_bits(self, bands: Bands) -> list[Tensor]:
        """Bits of every coefficient of every band."""
        return [bits(b, e) for b, e in zip(bands, self.expected, strict=True)]


class EntropyModel(nn.Module):
    """Probabilities of quantised wavelet bands, and what to expect of the quantisation errors.

    Args:
        widths: features at 1/2, 1/4, 1/8 and 1/16.
        hyper_latents: maps of hyper-latents at 1/64.

    >>> from semcom.medjscc.wavelet import analyse
    >>> bands = [band.round() for band in analyse(torch.rand(1, 1, 64, 64) * 9)]
    >>> model = EntropyModel((8, 8, 8, 8))
    >>> modelled = model(bands, torch.zeros(1, 1, 4, 4))
    >>> [tuple(part.shape) for part in modelled.band_bits(bands)][:2]
    [(1, 1, 4, 4), (1, 3, 4, 4)]
    """

    def __init__(
        self, widths: tuple[int, int, int, int] = (16, 32, 40, 48), hyper_latents: int = 6
    ) -> None:
        super().__init__()
        at2, at4, at8, at16 = widths
        self.hyper_analysis = nn.Sequential(
            Layer(8, at16, 3),
            Layer(at16, at16, 5, stride=2),
            Layer(at16, hyper_latents, 5, stride=2, rectify=False),
        )
        self.hyper_synthesis = nn.Sequential(
            Doubled(hyper_latents + 1, at16, 3), Doubled(at16, at16, 3)
        )
        self.hyper_mean = nn.Parameter(torch.zeros(hyper_latents))
        self.hyper_log_scale = nn.Parameter(torch.full((hyper_latents,), -1.0))
        self.approximation = ApproximationModel(at16, at16)
        self.first = Layer(at16 + 3, at16, 3)
        self.details = nn.ModuleList(
            [
                DetailModel(at16, at16, -2.0),
                DetailModel(at16, at8, -3.0),
                DetailModel(at8, at4, -4.5),
                DetailModel(at4, at2, -6.0, along_lines=True),
            ]
        )

    def forward(self, bands: Bands, log_step: Tensor, foresee: bool = True) -> Modelled:
        """What is expected of quantised bands, as a decoder that gets them one by one would.

        Args:
            bands: integers as floats, see :func:`semcom.medjscc.wavelet.analyse`.
            log_step: log2 of the quantisation step in each cell, ``[batch, 1, H/16, W/16]``.
            foresee: whether quantisation errors are foreseen; else ``rest`` is empty.

        Returns:
            Everything that coding, rate allocation and reconstruction ask for. In training mode
            the hyper-latents carry uniform noise in the place of rounding.
        """
        hyper = self.hyper_latents(bands, log_step)
        hyper = hyper + torch.rand_like(hyper) - 0.5 if self.training else hyper.round()
        scale = relative(log_step)
        features = self.hyper_features(hyper, log_step)
        expected = [self.approximation.expect_all(features, bands[0], scale, log_step)]
        rest = [flat_rest(bands[0])] if foresee else []
        state = self.begin(features, bands[0], log_step)
        for index, values in enumerate(bands[1:]):
            model = self.detail(index)
            maps = self.level_features(index, state)
            expected.append(model.expect_all(maps, values, state.log_step))
            if foresee:
                rest.append(model.expect_rest(maps, values, expected[-1], state.log_step))
            if index < len(self.details) - 1:
                state = self.descend(state, maps, values)
        return Modelled(bits(hyper, self.hyper_expected(hyper)).sum((1, 2, 3)), expected, rest)

    def detail(self, index: int) -> DetailModel:
        """The model of a level's bands, 0 the coarsest."""
        found = self.details[index]
        assert isinstance(found, DetailModel)
        return found

    def hyper_latents(self, bands: Bands, log_step: Tensor) -> Tensor:
        """``[batch, hyper_latents, ceil(H/64), ceil(W/64)]``, not yet rounded."""
        details = squashed(bands[1])
        maps = torch.cat([bands[0] / 32, details, details.abs(), log_step], dim=1)
        found: Tensor = self.hyper_analysis(_whole_groups(maps))
        return found

    def hyper_expected(self, hyper: Tensor) -> Expected:
        """The factorised prior of hyper-latents."""
        return Expected(
            on_grid(self.hyper_mean.to(hyper.dtype))[:, None, None].expand_as(hyper),
            on_grid(self.hyper_log_scale.to(hyper.dtype))[:, None, None].expand_as(hyper),
        )

    def hyper_features(self, hyper: Tensor, log_step: Tensor) -> Tensor:
        """Features ``[batch, width, H/16, W/16]`` from hyper-latents."""
        height, width = log_step.shape[-2:]
        steps = on_grid(F.avg_pool2d(_whole_groups(log_step), HYPER_STRIDE))
        found: Tensor = self.hyper_synthesis(torch.cat([hyper, steps], dim=1))
        return found[..., :height, :width]

    def begin(self, features: Tensor, approximation: Tensor, log_step: Tensor) -> State:
        """Where the coding of details begins, once the approximation is known."""
        scale = relative(log_step)
        picture = on_grid(approximation * scale)
        maps = self.first(torch.cat([features, texture(picture, scale), log_step], dim=1))
        return State(maps, None, picture, log_step, scale)

    def level_features(self, index: int, state: State) -> Tensor:
        """Features of all that is coarser than a level."""
        parent = state.parent
        if parent is None:
            parent = torch.zeros_like(state.picture).expand(-1, 3, -1, -1)
        return self.detail(index).features(
            state.coarse, parent, texture(state.picture, state.scale), state.log_step
        )

    def descend(self, state: State, features: Tensor, values: Tensor) -> State:
        """Where the next level begins, once a level is known."""
        return State(
            doubled(features),
            doubled(values),
            on_grid(merge(state.picture, values * state.scale)),
            doubled(state.log_step),
            doubled(state.scale),
        )


@dataclass(frozen=True)
class State:
    """What is known when a level begins, at that level's size.

    Args:
        coarse: features of the coarser level.
        parent: details of the coarser level, ``None`` before the first.
        picture: the picture so far, in units of the finest step.
        log_step: log2 of the local step.
        scale: the local step in units of the finest.
    """

    coarse: Tensor
    parent: Tensor | None
    picture: Tensor
    log_step: Tensor
    scale: Tensor


def relative(log_step: Tensor) -> Tensor:
    """The step of each cell in units of the picture's finest.

    >>> relative(torch.tensor([[[[0.0, 1.0]]]])).tolist()
    [[[[1.0, 2.0]]]]
    """
    return on_grid(torch.exp2(log_step - log_step.amin((1, 2, 3), keepdim=True)))


def flat_rest(values: Tensor) -> Expected:
    """The error of plain rounding: uniform, its deviation a 1/sqrt(12) of a step, on the grid.

    >>> flat_rest(torch.zeros(1)).log_scale.item()
    -1.75
    """
    log_scale = torch.full_like(values, -1.75)
    return Expected(torch.zeros_like(values), log_scale)


def bits(values: Tensor, expected: Expected) -> Tensor:
    """Information in integers: ``-log2 P``, P being the mass within half a step of them.

    >>> nothing = Expected(torch.zeros(1), torch.full((1,), -4.0))
    >>> round(bits(torch.zeros(1), nothing).item(), 3)
    0.0
    """
    per_scale = torch.exp2(-expected.log_scale.float().clamp(*LOG_SCALE))
    away = (values - expected.mean).abs().float()
    outside = (away - 0.5).clamp_min(0)
    # Half a step or more away the logarithm is a straight line; nearer, both tails are cut off.
    tail = outside * per_scale / math.log(2) + 1 - torch.log2(-torch.expm1(-per_scale))
    inside = away.clamp_max(0.5)
    cut = torch.exp((inside - 0.5) * per_scale) + torch.exp(-(inside + 0.5) * per_scale)
    return torch.where(away > 0.5, tail, -torch.log2(1 - cut / 2))


def _whole_groups(maps: Tensor) -> Tensor:
    """Repeat the last row and column until both sides are multiples of 4."""
    height, width = maps.shape[-2:]
    return F.pad(maps, (0, -width % HYPER_STRIDE, 0, -height % HYPER_STRIDE), mode="replicate")
