"""Closed-form laws of a frequency-flat gain's envelope: what simulated fading is held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import hyp1f1, i0e
from scipy.stats import ncx2

from channels.errors import InputError, check_number, shown
from channels.real import real_tensor

Array = NDArray[np.float64]
CHUNK = 2**20
MOST_NODES = 2e6
HIGHEST = 1e100
"""Levels beyond count as this one: laws have reached their limits, and nothing overflows."""

STEP = 0.7
"""Step of the trapezoidal rule in units of the narrowest feature, at which it is right to 1e-9."""


@dataclass(frozen=True, eq=False)
class EnvelopeLaw:
    """Law of r = |h| where h is a direct wave of random phase plus complex Gaussian scatter.

    Given the direct wave's amplitude this is Rice's law; a direct wave that is itself random (log-
    normal, Nakagami, different from state to state) makes it a mixture of Rice laws, so weights and
    nodes of a quadrature over that randomness are all that a model has to give.

    Levels are real numbers, arrays or tensors; answers are float64 arrays of the same shape.

    Args:
        weights: probabilities of the nodes, ``[N]``; they sum to 1.
        direct: amplitude of the direct wave at each node, ``[N]``.
        scatter_variance: variance of the scatter per real dimension at each node, ``[N]``; Abdi's
            and Loo's b: the scattered power is 2b.

    Raises:
        InputError: if columns differ in length, weights do not sum to 1, or an entry is not finite
            or of the wrong sign; from methods, on what is no finite real number.

    >>> rayleigh = EnvelopeLaw.rice(0.0, 0.5)
    >>> round(float(rayleigh.cdf(1.0)), 6)  # 1 - exp(-1)
    0.632121
    """

    weights: Array
    direct: Array
    scatter_variance: Array

    def __post_init__(self) -> None:
        for name in ("weights", "direct", "scatter_variance"):
            object.__setattr__(self, name, _real(name, getattr(self, name)))
        shapes = self.weights.shape, self.direct.shape, self.scatter_variance.shape
        if len(set(shapes)) > 1 or self.weights.ndim != 1:
            raise InputError(f"weights, direct and scatter_variance must all be [N], got {shapes}")
        if not math.isclose(self.weights.sum(), 1, rel_tol=1e-6):
            raise InputError(f"weights must sum to 1, got {self.weights.sum():g}: divide by it")
        if min(self.weights.min(), self.direct.min()) < 0 or self.scatter_variance.min() <= 0:
            raise InputError("weights and direct must not be negative, scatter_variance positive")

    @classmethod
    def rice(cls, direct: float, scatter_variance: float) -> EnvelopeLaw:
        """Rice's law of a steady direct wave; Rayleigh's if ``direct`` is 0.

        Args:
            direct: amplitude of the direct wave, 0 to 1e20.
            scatter_variance: variance of the scatter per real dimension, 1e-40 to 1e40.

        Raises:
            InputError: if a parameter is out of range.

        >>> EnvelopeLaw.rice(1.0, 0.5).mean_power
        2.0
        """
        amplitude = check_number("direct", direct, 0, 1e20)
        variance = check_number("scatter_variance", scatter_variance, 1e-40, 1e40)
        return cls(np.ones(1), np.full(1, amplitude), np.full(1, variance))

    @classmethod
    def shadowed_rician(cls, b: float, m: float, omega: float) -> EnvelopeLaw:
        """Direct wave with Nakagami amplitude (Abdi et al., IEEE Trans. Wireless 2(3), 2003).

        Args:
            b: variance of the scatter per real dimension.
            m: Nakagami shape, from 1e-2 (severe shadowing) to 1e4 (none).
            omega: mean power of the direct wave.

        Raises:
            InputError: if a parameter is out of range, or the scatter is so weak beside the direct
                wave that the law would need more than two million nodes.

        >>> round(EnvelopeLaw.shadowed_rician(0.126, 10.1, 0.835).mean_power, 9)
        1.087
        """
        b = check_number("b", b, 1e-6, 1e3)
        m = check_number("m", m, 1e-2, 1e4)
        omega = check_number("omega", omega, 0, 1e3)
        if omega == 0:
            return cls.rice(0.0, b)
        # x = ln(power / omega) has a density proportional to exp(-m(e^x - 1 - x)).
        excess: Callable[[float], float] = lambda x: m * (math.expm1(x) - x) - 40  # noqa: E731
        low, high = brentq(excess, -42 / m - 2, 0), brentq(excess, 0, 10 + 10 / math.sqrt(m))
        widest = math.sqrt(omega * math.exp(high))
        step = STEP * min(0.5, 1 / math.sqrt(m), 2 * math.sqrt(b) / widest)
        x = _grid(low, high, step, "raise b or m, or lower omega")
        weights = np.exp(-m * (np.expm1(x) - x))
        return cls(weights / weights.sum(), np.sqrt(omega) * np.exp(x / 2), np.full(len(x), b))

    @classmethod
    def loo(cls, b0: float, mu: float, sqrt_d0: float) -> EnvelopeLaw:
        """Direct wave with log-normal amplitude (Loo, IEEE Trans. Veh. Technol. 34(3), 1985).

        Args:
            b0: variance of the scatter per real dimension.
            mu: mean of the direct amplitude's natural logarithm.
            sqrt_d0: its standard deviation.

        Raises:
            InputError: if a parameter is out of range, or the scatter is so weak beside the direct
                wave that the law would need more than two million nodes.

        >>> law = EnvelopeLaw.loo(0.126, -0.115, 0.161)
        >>> abs(law.mean_power - (2 * 0.126 + math.exp(-2 * 0.115 + 2 * 0.161**2))) < 1e-9
        True
        """
        b0 = check_number("b0", b0, 1e-6, 1e3)
        mu = check_number("mu", mu, -20, 3)
        sqrt_d0 = check_number("sqrt_d0", sqrt_d0, 0, 3)
        if sqrt_d0 == 0:
            return cls.rice(math.exp(mu), b0)
        widest = math.exp(mu + 6 * sqrt_d0)
        step = STEP * min(1, math.sqrt(b0) / (widest * sqrt_d0))
        end = 9 + 2 * sqrt_d0
        z = _grid(-end, end, step, "raise b0, or lower mu or sqrt_d0")
        weights = np.exp(-(z**2) / 2)
        return cls(weights / weights.sum(), np.exp(mu + sqrt_d0 * z), np.full(len(z), b0))

    def scaled(self, gain: float) -> EnvelopeLaw:
        """The law of ``gain``, 1e-20 to 1e20, times the envelope.

        >>> EnvelopeLaw.rice(0.0, 0.5).scaled(2.0).mean_power
        4.0
        """
        gain = check_number("gain", gain, 1e-20, 1e20)
        return EnvelopeLaw(self.weights, gain * self.direct, gain**2 * self.scatter_variance)

    @property
    def mean_power(self) -> float:
        """E[r²]."""
        return float(self.weights @ (self.direct**2 + 2 * self.scatter_variance))

    def moment(self, order: float) -> float:
        """E[r^order] for an order above −2.

        >>> round(EnvelopeLaw.rice(0.0, 0.5).moment(4), 9)
        2.0
        """
        order = check_number("order", order, -1.99, 100)
        half, power = order / 2, 2 * self.scatter_variance
        given = math.gamma(1 + half) * power**half * hyp1f1(-half, 1, -(self.direct**2) / power)
        return float(self.weights @ given)

    def pdf(self, level: ArrayLike) -> Array:
        """Density of r at a level; 0 below 0.

        >>> round(float(EnvelopeLaw.rice(0.0, 0.5).pdf(1.0)), 6)  # 2 exp(-1)
        0.735759
        """
        return self._mix(level, self._rice_pdf, self.weights)

    def cdf(self, level: ArrayLike) -> Array:
        """Probability of r ≤ level."""
        return self._mix(level, self._rice_cdf, self.weights)

    def power_pdf(self, power: ArrayLike) -> Array:
        """Density of r² at a power; 0 below 0, and at 0 the limit from above."""
        powers = _real("power", power)
        density = self._mix(np.sqrt(np.maximum(powers, 0)), self._rice_power_pdf, self.weights)
        return np.where(powers < 0, 0, density)

    def power_cdf(self, power: ArrayLike) -> Array:
        """Probability of r² ≤ power."""
        return self.cdf(np.sqrt(np.maximum(_real("power", power), 0)))

    def level_crossing_rate_hz(self, level: ArrayLike, doppler_hz: float) -> Array:
        """How often r falls through a level, per second.

        Holds for scatter with the Jakes spectrum and a direct wave that stands still meanwhile:
        then dr/dt is Gaussian of variance 2(π·doppler)²b whatever r is, and by Rice's formula the
        rate is doppler·√(πb)·pdf(level).

        >>> round(float(EnvelopeLaw.rice(0.0, 0.5).level_crossing_rate_hz(1.0, 1.0)), 6)
        0.922137
        """
        doppler_hz = check_number("doppler_hz", doppler_hz, 0, 1e9)
        slope = doppler_hz * np.sqrt(math.pi * self.scatter_variance)
        return self._mix(level, self._rice_pdf, self.weights * slope)

    def average_fade_duration_s(self, level: ArrayLike, doppler_hz: float) -> Array:
        """Mean time that r stays below a level once it has fallen through it, in seconds.

        0 at a level that r is never below, infinite at one that it never falls through.

        >>> law = EnvelopeLaw.rice(0.0, 0.5)  # (e - 1) / sqrt(2 pi)
        >>> round(float(law.average_fade_duration_s(1.0, 1.0)), 6)
        0.685495
        """
        doppler_hz = check_number("doppler_hz", doppler_hz, 1e-12, 1e9)
        below, rate = self.cdf(level), self.level_crossing_rate_hz(level, doppler_hz)
        limit = np.where(below > 0, np.inf, 0.0)
        duration: Array = np.divide(below, rate, out=limit, where=rate > 0)
        return duration

    def _rice_power_pdf(self, level: Array) -> Array:
        """Density of r² at the square of a level."""
        b, a = self.scatter_variance, self.direct
        value: Array = np.exp(-((level - a) ** 2) / (2 * b)) * i0e(level * a / b) / (2 * b)
        return value

    def _rice_pdf(self, level: Array) -> Array:
        return 2 * level * self._rice_power_pdf(level)

    def _rice_cdf(self, level: Array) -> Array:
        distance = (level - self.direct) / np.sqrt(self.scatter_variance)
        value = (distance > 0).astype(np.float64)
        row, node = np.nonzero(np.abs(distance) < 9)  # what lies beyond is below 1e-17
        b = self.scatter_variance[node]
        value[row, node] = ncx2.cdf(level[row, 0] ** 2 / b, 2, self.direct[node] ** 2 / b)
        return value

    def _mix(self, level: ArrayLike, given: Callable[[Array], Array], weights: Array) -> Array:
        levels = _real("level", level).clip(0, HIGHEST)
        parts = [given(part[:, None]) @ weights for part in self._chunks(levels.reshape(-1))]
        return np.concatenate(parts).reshape(levels.shape)

    def _chunks(self, levels: Array) -> Iterator[Array]:
        size = max(1, CHUNK // len(self.weights))
        return (levels[i : i + size] for i in range(0, max(1, len(levels)), size))


def _real(name: str, value: object) -> Array:
    """Finite real numbers of any shape as float64."""
    array: Array = real_tensor(name, value).detach().cpu().numpy()
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, got {shown(value)}")
    return array


def _grid(low: float, high: float, step: float, remedy: str) -> Array:
    if (high - low) / step > MOST_NODES:
        raise InputError(f"the scatter is too weak beside the direct wave for this law: {remedy}")
    return np.arange(low, high, step)
