"""TR 38.811 clause 6.7.2: a terminal dropped anew into an environment for every image, by openntn.

openntn draws line of sight, large-scale parameters and rays. The coefficients are formed here, for
isotropic antennas of one polarisation, since openntn's carry the polarisation mismatch of a random
drop and cross-polarisation ratios of heavy tails: their mean power is between −5 and +7 dB.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from sionna.phy.channel import ChannelModel
from torch import Tensor

from channels.errors import InputError, check_count, check_flag, check_name, check_number
from channels.fading.draws import MOST, check_draw, uniform
from channels.fading.statistics import Statistics
from channels.orbit.geometry import SPEED_OF_LIGHT_MPS
from channels.randomness import seeded
from channels.surroundings import check_device, single_precision

SCENARIOS = {"dense-urban": "DenseUrban", "urban": "Urban", "suburban": "SubUrban"}
BANDS_HZ = {"S": (1.9e9, 4e9), "Ka": (19e9, 40e9)}
ALTITUDE_M = (160e3, 35_786e3)

SUB_CLUSTERS = (
    (0, 1, 2, 3, 4, 5, 6, 7, 18, 19),
    (8, 9, 10, 11, 16, 17),
    (12, 13, 14, 15),
)
"""Rays of the three sub-clusters of a strong cluster, TR 38.901 table 7.5-5, counted from 0."""

SUB_CLUSTER_DELAYS = (0.0, 1.28, 2.56)
"""When the sub-clusters come, over the cluster's delay spread (same table)."""

DELAY_SAMPLE = 2000
"""Drops from which the delays of a model are measured when it is built."""

DELAY_STEP_S = 1e-9
"""Powers are summed over delays of so many seconds."""

RAYS = 20
"""Rays of a cluster."""


@dataclass(frozen=True, eq=False)
class Drop:
    """What is drawn for a batch of terminals, steps 1 to 8 of TR 38.901 clause 7.5.

    Args:
        line_of_sight: bool ``[batch]``.
        delay_spread_s: float ``[batch]``, the RMS delay spread that was drawn. What the clusters
            realise differs: its median is 0.6 to 0.8 of this, and less at high K factors.
        k_factor: float ``[batch]``, linear Rician factor; 0 without line of sight.
        excess_gain: float ``[batch]``, power over free space: shadow fading and clutter loss.
        powers: float ``[batch, N]``, scattered clusters, the two strongest first; sum 1.
        delays_s: float ``[batch, N]``, 0 where a cluster has no power.
        cluster_spread_s: float ``[batch]``, delay spread of the two strongest clusters.
        azimuth: float ``[batch, N, 20]``, ray angles of arrival in radians, satellite at azimuth 0.
        zenith: float ``[batch, N, 20]``, ray zenith angles of arrival in radians.
    """

    line_of_sight: Tensor
    delay_spread_s: Tensor
    k_factor: Tensor
    excess_gain: Tensor
    powers: Tensor
    delays_s: Tensor
    cluster_spread_s: Tensor
    azimuth: Tensor
    zenith: Tensor


class SystemLevel(ChannelModel):
    """A satellite link as drawn by the system-level model of TR 38.811 V15.4.0 clause 6.7.2.

    Every image is a drop of its own: line of sight by the environment's probability at this
    elevation (table 6.6.1-1), delay spread, K factor and angles from tables 6.7.2-1a to -6b,
    rays redrawn for every call. The terminal goes in a random horizontal direction; the satellite's
    own Doppler is common to all paths and not in the model.

    With f_nm the Doppler shift of ray m in cluster n and uniform phases Φ_nm, gains are those of
    TR 38.901 eqs. (7.5-22) and (7.5-28) to (7.5-30) for unit field components: a_n(t) =
    √(P_n/20/(K+1)) Σ_m exp(j(Φ_nm + 2π f_nm t)), the two strongest clusters split into three by
    table 7.5-5, and √(K/(K+1)) for the line of sight, whose phase is uniform too. Mean power is 1
    with and without line of sight. Clusters more than 25 dB below the strongest are dropped and the
    rest scaled to sum to 1.

    Args:
        environment: ``"dense-urban"``, ``"urban"`` or ``"suburban"``.
        elevation_deg: elevation of the satellite, 10 to 90 degrees; the nearest ten counts.
        altitude_m: its altitude in metres, 160 km to 35 786 km. Without shadowing it has no effect:
            the report's satellite tables do not depend on it.
        carrier_hz: carrier in Hz, 1.9 to 4 GHz (S band) or 19 to 40 GHz (Ka band).
        speed_mps: terminal speed in m/s.
        line_of_sight: forces the state of all images; ``None`` draws it.
        shadowing: whether shadow fading and, without line of sight, clutter loss scale the gains.
            Powers are then relative to free space and their mean is not 1.
        device: where draws are made.

    Attributes:
        doppler_hz: largest Doppler shift that a path can have in Hz.
        max_delay_s: 99 % of images have all their paths within this delay, in seconds; measured on
            2000 drops when the model is built, the same on every build.
        statistics: powers by delay, of the same drops.

    Raises:
        InputError: on an unknown environment, a number outside the ranges above, a negative speed,
            or without openntn.

    >>> model = SystemLevel("urban", 30, altitude_m=600e3, carrier_hz=2e9, speed_mps=1.0)
    >>> gains, delays = model(batch_size=16, num_time_steps=28, sampling_frequency=14e3)
    >>> gains.shape, delays.shape
    (torch.Size([16, 1, 1, 1, 1, 8, 28]), torch.Size([16, 1, 1, 8]))
    """

    doppler_hz: float
    max_delay_s: float
    statistics: Statistics

    def __init__(
        self,
        environment: str,
        elevation_deg: float,
        altitude_m: float,
        carrier_hz: float,
        speed_mps: float,
        line_of_sight: bool | None = None,
        shadowing: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        check_name("environment", environment, SCENARIOS)
        elevation_deg = check_number("elevation_deg", elevation_deg, 10, 90)
        altitude_m = check_number("altitude_m", altitude_m, *ALTITUDE_M)
        carrier_hz = check_number("carrier_hz", carrier_hz, 0, 1e12)
        if not any(low <= carrier_hz <= high for low, high in BANDS_HZ.values()):
            raise InputError(
                "carrier_hz must be in the S band (1.9e9 to 4e9) or the Ka band (19e9 to 40e9), "
                f"got {carrier_hz!r}"
            )
        speed_mps = check_number("speed_mps", speed_mps, 0, 1e4)
        if line_of_sight is not None:
            line_of_sight = check_flag("line_of_sight", line_of_sight)
        shadowing = check_flag("shadowing", shadowing)
        super().__init__(precision="single", device=str(check_device(device)))
        self._scenario, self._draw_spreads, self._draw_rays = _openntn_parts(
            SCENARIOS[environment], elevation_deg, carrier_hz, str(device)
        )
        horizontal_m = altitude_m / math.tan(math.radians(elevation_deg))
        self._satellite_m = torch.tensor(
            [horizontal_m, 0.0, altitude_m], dtype=torch.float32, device=self.device
        )
        self._forced = line_of_sight
        self._shadowing = shadowing
        self.doppler_hz = speed_mps / SPEED_OF_LIGHT_MPS * carrier_hz
        self.max_delay_s, self.statistics = self._measured()

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        """Draw gains ``[batch, 1, 1, 1, 1, P, num_time_steps]`` and delays ``[batch, 1, 1, P]``.

        Paths are the line of sight (no gain without it), three sub-clusters of each of the two
        strongest clusters, and the other clusters.
        """
        batch_size, num_time_steps, sampling_frequency = check_draw(
            batch_size, num_time_steps, sampling_frequency
        )
        drop = self.drop(batch_size)
        step = torch.arange(num_time_steps, dtype=torch.float32, device=self.device)
        times_s = step / sampling_frequency
        gains = torch.cat(self._gains(drop, times_s), dim=1)
        gains = gains * drop.excess_gain.sqrt()[:, None, None]
        return gains[:, None, None, None, None], _path_delays_s(drop)[:, None, None]

    def drop(self, batch_size: int) -> Drop:
        """Draw ``batch_size`` terminals with their clusters and rays."""
        batch_size = check_count("batch_size", batch_size, 1, MOST)
        scenario = self._scenario
        origin = torch.zeros(batch_size, 1, 3, dtype=torch.float32, device=self.device)
        satellite = self._satellite_m.expand(batch_size, 1, 3).clone()
        outdoors = torch.zeros(batch_size, 1, dtype=torch.bool, device=self.device)
        with single_precision():
            scenario.set_topology(origin, satellite, origin, origin, origin, outdoors, self._forced)
            self._draw_spreads.topology_updated_callback()
            self._draw_rays.topology_updated_callback()
            spreads = self._draw_spreads()
            rays = self._draw_rays(spreads)
        los = scenario.los[:, 0, 0].clone()
        strongest = rays.strongest_cluster_indices[:, 0, 0]
        order = _strongest_first(strongest, rays.powers.shape[-1])
        powers = rays.powers[:, 0, 0].gather(1, order)
        delays = rays.delays[:, 0, 0].gather(1, order).clamp_min(0)
        rays_order = order[..., None].expand(-1, -1, rays.aoa.shape[-1])
        excess = torch.ones_like(spreads.sf[:, 0, 0])
        if self._shadowing:
            clutter_db = (scenario.basic_pathloss - scenario.free_space_pathloss)[:, 0, 0]
            excess = spreads.sf[:, 0, 0] * 10 ** (-clutter_db / 10)
        return Drop(
            line_of_sight=los,
            delay_spread_s=spreads.ds[:, 0, 0],
            k_factor=spreads.k_factor[:, 0, 0] * los,
            excess_gain=excess,
            powers=powers / powers.sum(1, keepdim=True),
            delays_s=torch.where(powers > 0, delays, 0),
            cluster_spread_s=scenario.get_param("cDS")[:, 0, 0] * 1e-9,
            azimuth=rays.aoa[:, 0, 0].gather(1, rays_order),
            zenith=rays.zoa[:, 0, 0].gather(1, rays_order),
        )

    def _gains(self, drop: Drop, times_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Line of sight ``[batch, 1, T]``, sub-clusters ``[batch, 6, T]`` and other clusters."""
        heading = self._uniform_angle(len(drop.powers), 1, 1)
        shift_hz = self.doppler_hz * drop.zenith.sin() * (drop.azimuth - heading).cos()
        phase = self._uniform_angle(*shift_hz.shape)
        scattered = drop.powers / (1 + drop.k_factor)[:, None]
        amplitude = (scattered / shift_hz.shape[-1]).sqrt()[..., None, None]
        rays = amplitude * _rotating(phase, shift_hz, times_s)
        parts = [rays[:, :2, list(part)].sum(2) for part in SUB_CLUSTERS]
        seen_hz = self.doppler_hz * math.cos(self._elevation()) * heading[:, 0].cos()
        share = (drop.k_factor / (1 + drop.k_factor)).sqrt()[:, None, None]
        direct = share * _rotating(self._uniform_angle(len(share), 1), seen_hz, times_s)
        return direct, torch.cat(parts, dim=1), rays[:, 2:].sum(2)

    def _elevation(self) -> float:
        return math.radians(self._scenario.elevation_angle)

    def _uniform_angle(self, *shape: int) -> Tensor:
        return 2 * math.pi * uniform(shape, self.device)

    def _measured(self) -> tuple[float, Statistics]:
        """Draw from a fixed seed, and leave the generator as it was."""
        with seeded(0, self.device):
            drop = self.drop(DELAY_SAMPLE)
        delays_s = _path_delays_s(drop)
        longest_s = float(delays_s.amax(1).quantile(0.99))
        scattered = drop.powers / (1 + drop.k_factor)[:, None]
        shares = [len(part) / RAYS for part in SUB_CLUSTERS]
        strong = [share * scattered[:, :2] for share in shares]
        direct = (drop.k_factor / (1 + drop.k_factor))[:, None]
        powers = torch.cat([direct, *strong, scattered[:, 2:]], 1)
        bins = (delays_s / DELAY_STEP_S).round().long().flatten()
        sums = torch.bincount(bins, powers.flatten().double()).tolist()
        known = Statistics.of(
            *(
                (power, place * DELAY_STEP_S, self.doppler_hz, 0.0)
                for place, power in enumerate(sums)
            ),
            mean_power=None if self._shadowing else 1.0,
            continuous=True,
        )
        return longest_s, known


def _openntn_parts(
    scenario: str, elevation_deg: float, carrier_hz: float, device: str
) -> tuple[Any, Any, Any]:
    """Scenario of openntn and its samplers of large-scale parameters and of rays."""
    try:
        openntn = import_module("openntn")
    except ImportError as error:
        raise InputError("the system-level model needs openntn: pip install openntn") from error
    both = {"precision": "single", "device": device}
    antenna = openntn.Antenna("single", "V", "omni", carrier_hz, **both)
    switches = {"enable_pathloss": False, "enable_shadow_fading": False, "doppler_enabled": False}
    build = getattr(openntn, f"{scenario}Scenario")
    built = build(carrier_hz, antenna, antenna, "downlink", elevation_deg, **switches, **both)
    return built, openntn.LSPGenerator(built), openntn.RaysGenerator(built)


def _strongest_first(strongest: Tensor, num_clusters: int) -> Tensor:
    """Indices ``[batch, num_clusters]`` of all clusters, the two of ``strongest`` in front."""
    rank = torch.ones(len(strongest), num_clusters, dtype=torch.int8, device=strongest.device)
    rank.scatter_(1, strongest, 0)
    return rank.argsort(dim=1, stable=True)


def _rotating(phase: Tensor, shift_hz: Tensor, times_s: Tensor) -> Tensor:
    angle = phase[..., None] + 2 * math.pi * shift_hz[..., None] * times_s
    return torch.polar(torch.ones_like(angle), angle)


def _path_delays_s(drop: Drop) -> Tensor:
    """Delays of all paths of a drop, ``[batch, P]``; 0 for those without power."""
    strong, weak = drop.delays_s[:, :2], drop.delays_s[:, 2:]
    late = [strong + share * drop.cluster_spread_s[:, None] for share in SUB_CLUSTER_DELAYS]
    late = [torch.where(drop.powers[:, :2] > 0, delay, 0) for delay in late]
    return torch.cat([torch.zeros_like(strong[:, :1]), *late, weak], dim=1)
