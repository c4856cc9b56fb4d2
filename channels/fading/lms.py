"""Land mobile satellite fading: Loo's model and the two-state model of ITU-R P.681."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.errors import check_flag, check_number
from channels.fading.draws import check_draw, uniform
from channels.fading.envelope import EnvelopeLaw
from channels.fading.flat import ShadowedModel, flat_statistics
from channels.fading.jakes import jakes_process
from channels.fading.p681 import Environment, draw_walk, parameters_for
from channels.orbit.geometry import SPEED_OF_LIGHT_MPS
from channels.randomness import generator
from channels.surroundings import check_device

LOO = {
    "light": (0.158, 0.115, 0.115),
    "average": (0.126, -0.115, 0.161),
    "heavy": (0.063, -3.91, 0.806),
}
"""(b0, mu, sqrt d0) of infrequent light, average and frequent heavy shadowing; Loo 1985 as listed
in Abdi et al. 2003, Table III (from memory and one public code for mu and sqrt d0 of "heavy",
not verified against the papers)."""

BAD, GOOD, TRANSITION = 0, 1, 2
"""Values of :attr:`Series.state`."""

RANDN_BLOCK = 16
"""Normal draws that torch makes together on a CPU: of whole blocks, fewer begin like more."""

_NEPER_DB = 20 / math.log(10)


class Loo(ShadowedModel):
    """Loo's model: a log-normal direct wave, drawn once per image, plus Rayleigh multipath.

    Loo, "A statistical model for a land mobile satellite link", IEEE Trans. Veh. Technol. 34(3),
    1985.

    Args:
        b0: variance of the multipath per real dimension; its power is 2·b0.
        mu: mean of the direct amplitude's natural logarithm.
        sqrt_d0: its standard deviation.
        device: where draws are made.
        doppler_hz: largest Doppler shift of the multipath in Hz.
        normalize: scale to unit mean power; otherwise relative to the unobstructed line of sight.

    Raises:
        InputError: if a parameter is out of range.

    >>> gain, _ = Loo(0.126, -0.115, 0.161)(2, 14, 15e3)
    >>> gain.shape
    torch.Size([2, 1, 1, 1, 1, 1, 14])
    >>> round(Loo.preset("heavy", normalize=False).law.mean_power, 4)
    0.1275
    """

    presets = LOO

    def __init__(
        self,
        b0: float,
        mu: float,
        sqrt_d0: float,
        device: torch.device | str = "cpu",
        *,
        doppler_hz: float = 0.0,
        normalize: bool = True,
    ) -> None:
        law = EnvelopeLaw.loo(b0, mu, sqrt_d0)
        super().__init__(law, b0, doppler_hz=doppler_hz, normalize=normalize, device=device)
        self._mu, self._sqrt_d0 = mu, sqrt_d0

    @classmethod
    def from_db(
        cls,
        direct_db: float,
        deviation_db: float,
        multipath_db: float,
        device: torch.device | str = "cpu",
        *,
        doppler_hz: float = 0.0,
        normalize: bool = True,
    ) -> Loo:
        """Build with P.681's triple.

        Args:
            direct_db: mean M_A of the direct level in dB.
            deviation_db: its standard deviation Σ_A in dB.
            multipath_db: multipath power MP in dB.
            device: where draws are made.
            doppler_hz: largest Doppler shift of the multipath in Hz.
            normalize: scale to unit mean power.

        >>> round(Loo.from_db(0.0, 0.0, -10.0, normalize=False).law.mean_power, 6)
        1.1
        """
        direct_db = check_number("direct_db", direct_db, -150, 20)
        deviation_db = check_number("deviation_db", deviation_db, 0, 26)
        multipath_db = check_number("multipath_db", multipath_db, -50, 30)
        parameters = (
            10 ** (multipath_db / 10) / 2,
            direct_db / _NEPER_DB,
            deviation_db / _NEPER_DB,
        )
        return cls(*parameters, device, doppler_hz=doppler_hz, normalize=normalize)

    def _direct(self, batch_size: int) -> Tensor:
        device = torch.device(self.device)
        z = torch.randn(batch_size, dtype=torch.float32, device=device, generator=generator(device))
        return torch.exp(self._mu + self._sqrt_d0 * z)


@dataclass(frozen=True, eq=False)
class Series:
    """A stretch of two-state fading over time.

    Args:
        gain: complex64 ``[batch, T]``.
        state: int64 ``[batch, T]``: 1 good, 0 bad, 2 in transition.
        direct_db: float32 ``[batch, T]``, level of the direct wave with its slow variation.
        multipath_db: float32 ``[batch, T]``, mean power of the multipath.
    """

    gain: Tensor
    state: Tensor
    direct_db: Tensor
    multipath_db: Tensor


class TwoState(ChannelModel):
    """Two-state semi-Markov model of ITU-R P.681-11, section 6.2: frequency-flat, 1.5…5 GHz.

    A terminal moves through visits to a good and a bad state of log-normal length. Each visit draws
    its Loo parameters; the direct level varies slowly around its mean with correlation
    exp(−distance/L_corr), the multipath evolves with the Doppler of the terminal's speed, and
    between visits all parameters move linearly in dB. An image starts at a random place of an
    endless way: short images see one state each, in its share of the way.

    The direct wave keeps its phase over an image: Doppler common to all waves is the link's. Where
    the numbers come from is said at :func:`channels.fading.p681.parameters_for`. That transitions
    lie between visits rather than within them, and that good visits draw M_A between the 5 and
    95 % points, follows public implementations and is not verified against the text.

    Args:
        environment: ``"urban"``, ``"suburban"``, ``"village"``, ``"rural-wooded"`` or
            ``"residential"``.
        elevation_deg: elevation in degrees, 15…75; the nearest column of the table is taken.
        carrier_hz: carrier frequency in Hz, 1.5…5 GHz.
        speed_mps: terminal speed in m/s.
        device: where draws are made.
        normalize: scale to unit mean power over all states, so that an SNR is the mean one;
            otherwise gains are relative to the unobstructed line of sight.

    Attributes:
        parameters: the parameter set.
        law: law of the envelope at a random time. Its crossing rates leave out the slow variation
            of the direct level, which is rough at any scale: they count the multipath's alone.
        doppler_hz: largest Doppler shift of the multipath in Hz.
        max_delay_s: 0, the gain is the same at all frequencies.

    Raises:
        InputError: on an unknown environment, or a parameter out of range.

    >>> model = TwoState("suburban", 30.0, carrier_hz=2e9, speed_mps=10.0)
    >>> gain, delay = model(batch_size=2, num_time_steps=14, sampling_frequency=15e3)
    >>> gain.shape, round(model.doppler_hz, 1)
    (torch.Size([2, 1, 1, 1, 1, 1, 14]), 66.7)
    """

    max_delay_s = 0.0

    def __init__(
        self,
        environment: str,
        elevation_deg: float,
        carrier_hz: float,
        speed_mps: float,
        device: torch.device | str = "cpu",
        *,
        normalize: bool = True,
    ) -> None:
        super().__init__(precision="single", device=str(check_device(device)))
        self.parameters: Environment = parameters_for(environment, elevation_deg, carrier_hz)
        self._speed_mps = check_number("speed_mps", speed_mps, 0, 1e4)
        self.doppler_hz = (
            self._speed_mps / SPEED_OF_LIGHT_MPS * check_number("carrier_hz", carrier_hz, 0, 1e15)
        )
        law = self.parameters.law
        self._gain = 1 / math.sqrt(law.mean_power) if check_flag("normalize", normalize) else 1.0
        self.law = law.scaled(self._gain)
        self.statistics = flat_statistics(self.law, self.doppler_hz)

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        """Draw gains ``[batch, 1, 1, 1, 1, 1, num_time_steps]`` and delays ``[batch, 1, 1, 1]``."""
        batch_size, num_time_steps, sampling_frequency = check_draw(
            batch_size, num_time_steps, sampling_frequency
        )
        series = self._draw(batch_size, num_time_steps, sampling_frequency)
        delays = torch.zeros(batch_size, 1, 1, 1, dtype=torch.float32, device=series.gain.device)
        return series.gain[:, None, None, None, None, None], delays

    def series(self, duration_s: float, rate_hz: float) -> Series:
        """Draw one long series, for plots and checks.

        Args:
            duration_s: duration in seconds.
            rate_hz: samples per second.

        Returns:
            The series; all its tensors are ``[1, T]`` with T = duration·rate, at least 1.

        Raises:
            InputError: if the duration or the rate is not positive, or T exceeds 1e8.

        >>> model = TwoState("urban", 45.0, carrier_hz=2e9, speed_mps=10.0)
        >>> model.series(duration_s=60.0, rate_hz=500.0).state.shape
        torch.Size([1, 30000])
        """
        rate_hz = check_number("rate_hz", rate_hz, 1e-6, 1e9)
        duration_s = check_number("duration_s", duration_s, 1e-9, 1e8 / rate_hz)
        return self._draw(1, max(1, round(duration_s * rate_hz)), rate_hz)

    def _draw(self, batch: int, num_steps: int, rate_hz: float) -> Series:
        device, way = torch.device(self.device), self.parameters
        step_m = self._speed_mps / rate_hz
        walk = draw_walk(way, batch, step_m * (num_steps - 1), device)
        place = step_m * torch.arange(num_steps, dtype=torch.float64, device=device)
        loo_db, good, moving = walk.at(place)
        mean_db, deviation_db, multipath_db = loo_db.float().unbind(-1)
        phase = 2 * math.pi * uniform((batch, 1), device)
        scatter = jakes_process(batch, num_steps, rate_hz, self.doppler_hz, device)
        slow = exponential_process(batch, num_steps, step_m / way.correlation_length_m, device)
        direct_db = mean_db + deviation_db * slow
        direct = torch.exp(direct_db / _NEPER_DB) * torch.polar(torch.ones_like(phase), phase)
        gain = self._gain * (direct + torch.exp(multipath_db / _NEPER_DB) * scatter)
        return Series(gain, good.long().masked_fill(moving, TRANSITION), direct_db, multipath_db)


def exponential_process(
    batch_size: int, num_steps: int, step: float, device: torch.device
) -> Tensor:
    """Gaussian process of unit variance with autocorrelation exp(−step·lag), lag in samples.

    It is a first-order autoregression, written as a cumulative sum so that no loop over samples is
    needed: z_n·e^(step·n) is a sum of independent terms. Stretches keep the exponent below 600. For
    one seed a shorter series is the beginning of a longer one (on a CPU).

    Args:
        batch_size: number of independent realisations.
        num_steps: number of samples.
        step: exponent per sample, not negative.
        device: where draws are made.

    Returns:
        float32 ``[batch_size, num_steps]``.

    >>> exponential_process(2, 14, 0.01, torch.device("cpu")).shape
    torch.Size([2, 14])
    """
    count = num_steps * batch_size
    whole = RANDN_BLOCK * math.ceil(count / RANDN_BLOCK)
    drawn = torch.randn(whole, dtype=torch.float64, device=device, generator=generator(device))
    noise = drawn[:count].reshape(num_steps, batch_size).T
    if step > 100:
        return noise.float()
    noise[:, 1:] *= math.sqrt(-math.expm1(-2 * step))
    stretch = num_steps if step == 0 else max(1, int(600 / step))
    last = torch.zeros(batch_size, 1, dtype=torch.float64, device=device)
    parts = []
    for start in range(0, num_steps, stretch):
        part = noise[:, start : start + stretch]
        growth = torch.exp(step * torch.arange(part.shape[1], dtype=torch.float64, device=device))
        done = ((part * growth).cumsum(1) + last * math.exp(-step)) / growth
        last = done[:, -1:]
        parts.append(done)
    return torch.cat(parts, 1).float()
