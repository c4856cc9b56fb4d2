"""What is known of a channel model in the long term: powers, delays, Doppler of its paths."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channels.errors import InputError, check_number, shown

if TYPE_CHECKING:
    from sionna.phy.channel import ChannelModel
    from sionna.phy.channel.tr38901 import CDL, TDL

SPEED_NODES = 8
"""Speeds that stand for a uniform range of them."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Long-term statistics of a channel model, path by path.

    Args:
        powers: mean power of each path, summing to 1.
        delays_s: its delay in seconds.
        dopplers_hz: largest Doppler of its scatter in Hz, of Jakes spectrum; 0: it stands still.
        shifts_hz: Doppler in Hz that all of it has besides.
        mean_power: mean power of the gains; ``None`` if it is not known.
        longest_s: longest delay in seconds where powers of single delays are not known, else
            ``None``.
        continuous: whether delays are bins of a continuum.
    """

    powers: tuple[float, ...] = (1.0,)
    delays_s: tuple[float, ...] = (0.0,)
    dopplers_hz: tuple[float, ...] = (0.0,)
    shifts_hz: tuple[float, ...] = (0.0,)
    mean_power: float | None = 1.0
    longest_s: float | None = None
    continuous: bool = False

    @classmethod
    def of(cls, *paths: tuple[float, float, float, float], **rest: Any) -> Statistics:
        """The same path by path: (power, delay in s, scatter's Doppler in Hz, shift in Hz).

        Powers are brought to a sum of 1; paths without power are left out.

        >>> Statistics.of((2.0, 0.0, 0.0, 0.0), (2.0, 1e-6, 5.0, 0.0)).powers
        (0.5, 0.5)
        """
        kept = [path for path in paths if path[0] > 0] or [(1.0, 0.0, 0.0, 0.0)]
        total = math.fsum(path[0] for path in kept)
        powers, delays_s, dopplers_hz, shifts_hz = zip(*kept, strict=True)
        shares = tuple(power / total for power in powers)
        return cls(shares, delays_s, dopplers_hz, shifts_hz, **rest)

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler of a path in Hz, shift and scatter together.

        >>> Statistics.of((1.0, 0.0, 5.0, -2.0)).doppler_hz
        7.0
        """
        both = zip(self.dopplers_hz, self.shifts_hz, strict=True)
        return max(scatter + abs(shift) for scatter, shift in both)


STILL = Statistics()
"""Of a constant gain of 1."""


def of_sionnas_tdl(model: TDL) -> Statistics:
    """Statistics of Sionna's TDL: its taps, its speeds, its line of sight with its own Doppler.

    >>> from sionna.phy.channel.tr38901 import TDL
    >>> street = TDL("D", 300e-9, 2e9, min_speed=30.0, device="cpu")
    >>> known = of_sionnas_tdl(street)
    >>> len(known.powers), round(known.dopplers_hz[1], 1), round(known.shifts_hz[0], 1)
    (14, 200.1, 140.1)
    """
    powers, delays_s = model.mean_powers.tolist(), model.delays.tolist()
    slow_hz, fast_hz = (
        float(radian) / (2 * math.pi) for radian in (model._min_doppler, model._max_doppler)
    )
    nodes = 1 if fast_hz == slow_hz else SPEED_NODES
    paths = []
    for node in range(nodes):
        hertz = slow_hz + (fast_hz - slow_hz) * (node + 0.5) / nodes
        scattered = list(powers)
        if model.los:
            direct = float(model.mean_power_los)
            scattered[0] -= direct
            seen_hz = hertz * math.cos(float(model._los_angle_of_arrival))
            paths.append((direct, delays_s[0], 0.0, seen_hz))
        both = zip(scattered, delays_s, strict=True)
        paths += [(power, delay_s, hertz, 0.0) for power, delay_s in both]
    return Statistics.of(*paths, mean_power=math.fsum(powers))


def doppler_of(model: ChannelModel | None) -> float:
    """Largest Doppler of a model in Hz, by its attribute ``doppler_hz`` or as Sionna's speeds say.

    One that does not say stands still in a symbol.

    >>> doppler_of(None)
    0.0
    """
    stated = getattr(model, "doppler_hz", None)
    if stated is not None:
        return check_number("doppler_hz of a channel model", stated, 0, 1e9)
    if _is_sionnas("TDL", model):
        return float(model._max_doppler) / (2 * math.pi)  # type: ignore[union-attr]
    if _is_sionnas("CDL", model):
        return _speed_mps(model) / float(model._lambda_0)  # type: ignore[union-attr]
    return 0.0


def _is_sionnas(name: str, model: ChannelModel | None) -> bool:
    """Whether it is such a model; if it is, Sionna has been imported already."""
    module = sys.modules.get("sionna.phy.channel.tr38901")
    return module is not None and isinstance(model, getattr(module, name))


def of_sionnas_cdl(model: CDL) -> Statistics:
    """Statistics of Sionna's CDL; every cluster is taken to scatter from all directions.

    >>> from sionna.phy.channel.tr38901 import CDL, Antenna
    >>> one = Antenna("single", "V", "omni", 2e9, device="cpu")
    >>> street = CDL("A", 300e-9, 2e9, one, one, max_speed=30.0, device="cpu")
    >>> len(of_sionnas_cdl(street).powers), round(of_sionnas_cdl(street).doppler_hz)
    (23, 200)
    """
    doppler_hz = doppler_of(model)
    scattered = zip(model._powers.tolist(), model._delays.tolist(), strict=True)
    paths = [(power, delay_s, doppler_hz, 0.0) for power, delay_s in scattered]
    if model._has_los:
        paths.append((float(model._k_factor), 0.0, doppler_hz, 0.0))
    return Statistics.of(*paths, mean_power=None)


def _speed_mps(model: CDL) -> float:
    if model._ut_velocity is None:
        return float(model._max_speed)
    return float(model._ut_velocity.norm(dim=-1).max())


def knows_itself(model: ChannelModel | None) -> bool:
    """Whether a model is one of the package, or gives its statistics as those do.

    >>> knows_itself(None)
    False
    """
    return isinstance(getattr(model, "statistics", None), Statistics)


def stated_by(model: ChannelModel) -> Statistics | None:
    """What a model says of itself, or Sionna's tables say of it; ``None`` if nothing does.

    A model of one's own may have ``delay_profile`` (powers and delays in s, two tuples) or
    ``max_delay_s``, and ``doppler_hz``.
    """
    if knows_itself(model):
        known: Statistics = model.statistics
        return known
    profile, doppler_hz = getattr(model, "delay_profile", None), doppler_of(model)
    if profile is not None:
        paths = [(power, delay_s, doppler_hz, 0.0) for power, delay_s in _checked(profile)]
        return Statistics.of(*paths, mean_power=None)
    if hasattr(model, "max_delay_s"):
        longest_s = check_number("max_delay_s of a channel model", model.max_delay_s, 0, 1)
        return Statistics(dopplers_hz=(doppler_hz,), mean_power=None, longest_s=longest_s)
    if _is_sionnas("TDL", model):
        return of_sionnas_tdl(model)
    return of_sionnas_cdl(model) if _is_sionnas("CDL", model) else None


def _checked(profile: Any) -> list[tuple[float, float]]:
    """Powers and delays of a profile, pair by pair.

    Raises:
        InputError: if it is not two rows of equal length, powers from 0 and delays from 0 to 1 s.
    """
    try:
        powers, delays_s = profile
        pairs = list(zip(powers, delays_s, strict=True))
    except (TypeError, ValueError) as error:
        raise InputError(
            "delay_profile of a channel model must be powers and delays in s, two tuples of equal "
            f"length, got {shown(profile)}"
        ) from error
    return [
        (
            check_number("a power of delay_profile", power, 0, 1e12),
            check_number("a delay of delay_profile", delay_s, 0, 1),
        )
        for power, delay_s in pairs
    ]
