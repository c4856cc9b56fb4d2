"""Frequency-flat fading: a direct wave, steady or shadowed, and scatter that moves with Doppler."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import torch
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.errors import check_flag, check_name, check_number
from channels.fading.draws import check_draw, uniform
from channels.fading.envelope import EnvelopeLaw
from channels.fading.jakes import jakes_process
from channels.fading.statistics import Statistics
from channels.randomness import generator
from channels.surroundings import check_device

SHADOWING = {
    "light": (0.158, 19.4, 1.29),
    "average": (0.126, 10.1, 0.835),
    "heavy": (0.063, 0.739, 8.97e-4),
}
"""(b, m, omega) of infrequent light, average and frequent heavy shadowing; Abdi et al. 2003,
Table III, as quoted in public code and papers (not verified against the paper)."""


class FlatModel(ChannelModel):
    """A direct wave of random phase plus Jakes scatter; subclasses say how strong the direct is.

    The direct wave stands still for one image: its shadowing takes metres of travel, and Doppler
    common to all waves is the link's. Scatter evolves with ``doppler_hz``.

    Args:
        law: law of the envelope before normalisation.
        scatter_variance: variance of the scatter per real dimension before normalisation.
        doppler_hz: largest Doppler shift of the scatter in Hz.
        normalize: scale to unit mean power.
        device: where draws are made.

    Attributes:
        law: law of the envelope |h| as drawn.
        doppler_hz: largest Doppler shift of the scatter in Hz.
        max_delay_s: 0, the gain is the same at all frequencies.
    """

    max_delay_s = 0.0

    def __init__(
        self,
        law: EnvelopeLaw,
        scatter_variance: float,
        *,
        doppler_hz: float,
        normalize: bool,
        device: torch.device | str,
    ) -> None:
        super().__init__(precision="single", device=str(check_device(device)))
        self.doppler_hz = check_number("doppler_hz", doppler_hz, 0, 1e9)
        self._gain = 1 / math.sqrt(law.mean_power) if check_flag("normalize", normalize) else 1.0
        self._scatter = self._gain * math.sqrt(2 * scatter_variance)
        self.law = law.scaled(self._gain)
        self.statistics = flat_statistics(self.law, self.doppler_hz)

    def _direct(self, batch_size: int) -> Tensor | float:
        """Amplitude of the direct wave before normalisation, ``[batch_size]`` or one for all."""
        raise NotImplementedError

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        """Draw gains ``[batch, 1, 1, 1, 1, 1, num_time_steps]`` and delays ``[batch, 1, 1, 1]``."""
        batch_size, num_time_steps, sampling_frequency = check_draw(
            batch_size, num_time_steps, sampling_frequency
        )
        device = torch.device(self.device)
        amplitude = self._gain * self._direct(batch_size)
        phase = 2 * math.pi * uniform((batch_size,), device)
        direct = amplitude * torch.polar(torch.ones_like(phase), phase)
        scatter = self._scatter * jakes_process(
            batch_size, num_time_steps, sampling_frequency, self.doppler_hz, device
        )
        gains = (direct[:, None] + scatter)[:, None, None, None, None, None]
        return gains, torch.zeros(batch_size, 1, 1, 1, dtype=torch.float32, device=device)


def flat_statistics(law: EnvelopeLaw, doppler_hz: float) -> Statistics:
    """Statistics of a direct wave that stands still and scatter of Jakes spectrum.

    >>> flat_statistics(EnvelopeLaw.rice(1.0, 0.5), 9.0).powers
    (0.5, 0.5)
    """
    direct = float(law.weights @ law.direct**2)
    paths = (direct, 0.0, 0.0, 0.0), (law.mean_power - direct, 0.0, doppler_hz, 0.0)
    return Statistics.of(*paths, mean_power=law.mean_power)


class FlatFading(FlatModel):
    """Rayleigh fading, or Rician with a steady line of sight of random phase.

    Gains have unit mean power.

    Args:
        k_factor_db: Rician K factor in dB; ``None`` means Rayleigh (no line of sight).
        device: where draws are made.
        doppler_hz: largest Doppler shift of the scatter in Hz; 0 gives one gain per image.

    Raises:
        InputError: if ``k_factor_db`` is beyond ±300 dB or the Doppler is negative.

    >>> gain, delay = FlatFading(None)(batch_size=2, num_time_steps=14, sampling_frequency=15e3)
    >>> gain.shape, delay.shape
    (torch.Size([2, 1, 1, 1, 1, 1, 14]), torch.Size([2, 1, 1, 1]))
    """

    def __init__(
        self,
        k_factor_db: float | None,
        device: torch.device | str = "cpu",
        *,
        doppler_hz: float = 0.0,
    ) -> None:
        k = 0.0
        if k_factor_db is not None:
            k = 10 ** (check_number("k_factor_db", k_factor_db, -300, 300) / 10)
        direct, variance = math.sqrt(k / (k + 1)), 1 / (2 * (k + 1))
        law = EnvelopeLaw.rice(direct, variance)
        super().__init__(law, variance, doppler_hz=doppler_hz, normalize=False, device=device)
        self._amplitude = direct

    def _direct(self, batch_size: int) -> float:
        return self._amplitude


class ShadowedModel(FlatModel):
    """A direct wave under shadowing, of three parameters; some sets of them have names."""

    presets: ClassVar[dict[str, tuple[float, float, float]]]

    @classmethod
    def preset(
        cls,
        shadowing: str,
        device: torch.device | str = "cpu",
        *,
        doppler_hz: float = 0.0,
        normalize: bool = True,
    ) -> Self:
        """Build with parameters of ``presets``: ``"light"``, ``"average"`` or ``"heavy"``.

        Raises:
            InputError: if there is no set of that name.

        >>> round(ShadowedRician.preset("heavy", normalize=False).law.mean_power, 6)
        0.126897
        """
        parameters = cls.presets[check_name("shadowing", shadowing, cls.presets)]
        return cls(*parameters, device, doppler_hz=doppler_hz, normalize=normalize)  # type: ignore[misc, call-arg, arg-type]


class ShadowedRician(ShadowedModel):
    """Shadowed Rician fading: the direct wave has a Nakagami amplitude, drawn once per image.

    Abdi, Lau, Alouini, Kaveh, "A new simple model for land mobile satellite channels", IEEE Trans.
    Wireless Commun. 2(3), 2003.

    Args:
        b: variance of the scatter per real dimension; the scattered power is 2b.
        m: Nakagami shape of the direct amplitude.
        omega: mean power of the direct wave.
        device: where draws are made.
        doppler_hz: largest Doppler shift of the scatter in Hz.
        normalize: scale to unit mean power, so that an SNR is the mean one; otherwise the mean
            power is 2b + omega, relative to the paper's unobstructed line of sight.

    Raises:
        InputError: if a parameter is out of range.

    >>> model = ShadowedRician(0.126, 10.1, 0.835, doppler_hz=50.0)
    >>> gain, _ = model(batch_size=2, num_time_steps=14, sampling_frequency=15e3)
    >>> gain.shape, round(model.law.mean_power, 9)
    (torch.Size([2, 1, 1, 1, 1, 1, 14]), 1.0)
    """

    presets = SHADOWING

    def __init__(
        self,
        b: float,
        m: float,
        omega: float,
        device: torch.device | str = "cpu",
        *,
        doppler_hz: float = 0.0,
        normalize: bool = True,
    ) -> None:
        law = EnvelopeLaw.shadowed_rician(b, m, omega)
        super().__init__(law, b, doppler_hz=doppler_hz, normalize=normalize, device=device)
        self._m, self._omega = m, omega

    @classmethod
    def at_elevation(
        cls,
        elevation_deg: float,
        device: torch.device | str = "cpu",
        *,
        doppler_hz: float = 0.0,
        normalize: bool = True,
    ) -> ShadowedRician:
        """Build with the parameters of :func:`shadowing_at_elevation`.

        >>> ShadowedRician.at_elevation(45.0).doppler_hz
        0.0
        """
        parameters = shadowing_at_elevation(elevation_deg)
        return cls(*parameters, device, doppler_hz=doppler_hz, normalize=normalize)

    def _direct(self, batch_size: int) -> Tensor:
        power = standard_gamma(self._m, batch_size, torch.device(self.device))
        return (self._omega / self._m * power).sqrt()


def shadowing_at_elevation(elevation_deg: float) -> tuple[float, float, float]:
    """(b, m, omega) of shadowed Rician fading at an elevation of 20…80°.

    Abdi et al. 2003, eq. (19), a cubic fit to measurements in a rural tree-shadowed environment; as
    quoted by three public repositories (not verified against the paper).

    Raises:
        InputError: outside 20…80°, where the fit says nothing.

    >>> [round(value, 3) for value in shadowing_at_elevation(60.0)]
    [0.03, 9.807, 0.684]
    """
    t = check_number("elevation_deg", elevation_deg, 20, 80)
    b = -4.7943e-8 * t**3 + 5.5784e-6 * t**2 - 2.1344e-4 * t + 3.2710e-2
    m = 6.3739e-5 * t**3 + 5.8533e-4 * t**2 - 1.5973e-1 * t + 3.5156
    omega = 1.4428e-5 * t**3 - 2.3798e-3 * t**2 + 1.2702e-1 * t - 1.4864
    return b, m, omega


def standard_gamma(shape: float, size: int, device: torch.device) -> Tensor:
    """Gamma draws of unit scale from the link's own generator, float32 ``[size]``.

    Marsaglia and Tsang, ACM Trans. Math. Software 26(3), 2000: accept or draw again.

    Args:
        shape: the gamma distribution's shape, which is also its mean.
        size: number of draws.
        device: where draws are made.

    >>> standard_gamma(0.7, 3, torch.device("cpu")).shape
    torch.Size([3])
    """
    rng = generator(device)
    # A shape below 1 is raised by 1 and the draw multiplied by U^(1/shape).
    d = (shape + 1 if shape < 1 else shape) - 1 / 3
    draws = torch.zeros(size, dtype=torch.float32, device=device)
    missing = torch.ones(size, dtype=torch.bool, device=device)
    while bool(missing.any()):
        x = torch.randn(size, dtype=torch.float32, device=device, generator=rng)
        v = (1 + x / math.sqrt(9 * d)) ** 3
        log_u = torch.log1p(-uniform((size,), device))
        accepted = (v > 0) & (log_u < 0.5 * x**2 + d - d * v + d * torch.log(v.clamp_min(1e-30)))
        draws = torch.where(missing & accepted, d * v, draws)
        missing &= ~accepted
    if shape < 1:
        draws = draws * (1 - uniform((size,), device)) ** (1 / shape)
    return draws
