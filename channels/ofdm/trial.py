"""A channel model of one's own, tried out: what it does not say of itself is seen in its draws."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from channels.cached import cached
from channels.fading.recipe import Build, model_for
from channels.fading.statistics import Statistics, doppler_of, stated_by
from channels.ofdm.response import Paths, draw_paths
from channels.power import squared_magnitude
from channels.randomness import seeded

IMAGES = 256
"""So many images are drawn, in calls of the size that the link is used with."""

STEPS = 14
"""Time steps of each draw."""

DELAY_STEP_S = 1e-9
"""Powers of delays that differ from image to image are summed over so many seconds."""

STANDARD_ERRORS = 5.0
"""The mean power lies within so many of what was measured."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What draws of a model tell.

    Args:
        repeats: whether equal seeds gave equal draws.
        moves: whether gains change over time.
        power: bounds on the mean power of the gains.
        statistics: what the model says of itself, else powers and delays as drawn.
    """

    repeats: bool
    moves: bool
    power: tuple[float, float]
    statistics: Statistics


@cached(maxsize=64)
def tried(build: Build, device: torch.device, batch: int, step_s: float) -> Trial:
    """Try out the model that ``build`` makes; every generator is left as it was.

    Args:
        build: makes the model for a device.
        device: where it draws.
        batch: images of a call.
        step_s: time from one step to the next in seconds.

    >>> from sionna.phy.channel import RayleighBlockFading
    >>> from channels.fading.recipe import sionna_block
    >>> block = sionna_block(RayleighBlockFading, 1, 1, 1, 1)
    >>> told = tried(block, torch.device("cpu"), 16, 1e-4)
    >>> told.repeats, told.moves, told.power[0] < 1 < told.power[1]
    (True, False, True)
    """
    model = model_for(build, device)

    def drawn(seed: int) -> Paths:
        with seeded(seed, device, everywhere=True):
            return draw_paths(model, batch, STEPS, step_s)

    draws = [drawn(call) for call in range(-(-IMAGES // batch))]
    again = drawn(0)
    repeats = again.gains.shape == draws[0].gains.shape and torch.allclose(
        again.gains, draws[0].gains, rtol=1e-3, atol=1e-6
    )
    powers = [squared_magnitude(draw.gains).double().mean(2) for draw in draws]
    images = torch.cat([power.sum(1) for power in powers])
    known = stated_by(model)
    if known is None:
        known = _seen(powers, [draw.delays_s for draw in draws], doppler_of(model))
    if known.mean_power is None:
        known = replace(known, mean_power=float(images.mean()) or None)
    return Trial(repeats, any(_moves(draw.gains) for draw in draws), _bounds(images), known)


def _moves(gains: Tensor) -> bool:
    change = squared_magnitude(gains - gains[..., :1]).mean()
    return bool(change > 1e-8 * squared_magnitude(gains).mean())


def _bounds(images: Tensor) -> tuple[float, float]:
    """Bounds on the mean of powers of which ``images`` is a sample.

    Laws of heavy tails hide most of their mean from a small sample. Whatever the law, its mean is
    at least its geometric mean; and if it is log-normal, the mean may be as high as that law's.
    """
    mean, spread = float(images.mean()), float(images.std(correction=0))
    error = STANDARD_ERRORS * spread / len(images) ** 0.5
    heard = images > 1e-12 * mean
    if not bool(heard.any()):
        return 0.0, 0.0
    level, variance = images[heard].log().mean(), images[heard].log().var(correction=0)
    lowest = level - STANDARD_ERRORS * (variance / len(images)).sqrt()
    highest = level + variance / 2 + (variance * (1 + variance / 2) / len(images)).sqrt()
    share = heard.double().mean()
    share = share - STANDARD_ERRORS * (share * (1 - share) / len(images)).sqrt()
    return max(mean - error, float(share * lowest.exp())), max(mean + error, float(highest.exp()))


def _seen(powers: list[Tensor], delays_s: list[Tensor], doppler_hz: float) -> Statistics:
    """Powers by delay: of single paths, or of bins where delays are drawn, too."""
    first = delays_s[0][0]
    if all(bool((one == first).all()) for one in delays_s):
        mean = torch.stack([power.mean(0) for power in powers]).mean(0).tolist()
        paths = zip(mean, first.tolist(), strict=True)
        return Statistics.of(*((p, d, doppler_hz, 0.0) for p, d in paths), mean_power=None)
    flat = torch.cat([one.flatten() for one in delays_s])
    steps = (flat / DELAY_STEP_S).round().long()
    places, bins = torch.unique(steps, return_inverse=True)
    sums = torch.zeros(len(places), dtype=torch.float64, device=flat.device)
    sums.index_add_(0, bins, torch.cat([one.flatten() for one in powers]))
    return Statistics.of(
        *(
            (power, place * DELAY_STEP_S, doppler_hz, 0.0)
            for place, power in zip(places.tolist(), sums.tolist(), strict=True)
        ),
        mean_power=None,
        continuous=True,
    )
