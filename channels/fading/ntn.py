"""3GPP TR 38.811 link-level profiles for satellites: NTN-TDL and NTN-CDL on Sionna's machinery.

Both override a private loader of Sionna's, whose TDL and CDL take no custom profile: hence the
pin ``sionna>=2.2,<2.3``.
"""

from __future__ import annotations

import json
import math
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sionna.phy.channel.tr38901 import CDL, TDL, Antenna
from torch import Tensor

from channels.errors import InputError, check_name, check_number
from channels.fading.draws import check_draw, uniform
from channels.fading.statistics import Statistics
from channels.orbit.geometry import SPEED_OF_LIGHT_MPS
from channels.surroundings import check_device

CDL_ELEVATION_DEG = 50.0
RAYS_PER_CLUSTER = 20


@cache
def _profiles(kind: str) -> dict[str, Any]:
    text = files("channels").joinpath(f"data/ntn_{kind}.json").read_text(encoding="utf-8")
    profiles: dict[str, Any] = json.loads(text)["profiles"]
    return profiles


def ntn_tdl_profiles() -> dict[str, Any]:
    """The tables of TR 38.811 V15.4.0 clause 6.9.2 as the package keeps them, a copy.

    >>> sorted(ntn_tdl_profiles())
    ['A', 'B', 'C', 'D']
    """
    return deepcopy(_profiles("tdl"))


def ntn_cdl_profiles() -> dict[str, Any]:
    """The tables of TR 38.811 V15.4.0 clause 6.9.1 as the package keeps them, a copy.

    >>> ntn_cdl_profiles()["C"]["zoa_deg"]
    [40.0, 87.1]
    """
    return deepcopy(_profiles("cdl"))


class NTNTDL(TDL):
    """NTN-TDL-A to NTN-TDL-D of TR 38.811 V15.4.0, tables 6.9.2-1 to 6.9.2-4.

    Taps have unit mean power in sum. The terminal's speed spreads the scattered part. The line of
    sight has no Doppler shift here (Sionna's own TDL gives it 0.7 of the largest): its shift is
    common to all paths and part of the link's residual.

    Args:
        profile: ``"A"``, ``"B"`` (no line of sight), ``"C"`` or ``"D"`` (line of sight).
        delay_spread_s: RMS delay spread that scales the normalised delays, 0 to 1e-3 s.
        carrier_hz: carrier frequency, 1e6 to 1e12 Hz.
        speed_mps: terminal speed, 0 to 1e4 m/s.
        device: where draws are made.
        k_factor_db: line of sight over all scattered power in dB, for C and D; ``None`` keeps the
            table. The scattered taps are scaled and the delays brought back to unit RMS spread
            (TR 38.901 clause 7.7.6), which makes them longer as K grows.

    Attributes:
        doppler_hz: largest Doppler shift of a scattered path in Hz.
        max_delay_s: delay of the last tap in seconds.
        statistics: powers, delays and Doppler of all taps.

    Raises:
        InputError: on an unknown profile, a number out of range, or a K factor outside −20 to 30 dB
            or for a profile without line of sight.

    >>> model = NTNTDL("C", delay_spread_s=100e-9, carrier_hz=2e9, speed_mps=1.0)
    >>> round(10 * float(torch.log10(model.k_factor)), 3)
    10.224
    >>> model.max_delay_s
    1.48124e-06
    """

    doppler_hz: float
    max_delay_s: float
    statistics: Statistics

    def __init__(
        self,
        profile: str,
        delay_spread_s: float,
        carrier_hz: float,
        speed_mps: float,
        device: torch.device | str = "cpu",
        *,
        k_factor_db: float | None = None,
    ) -> None:
        table = _table("tdl", profile)
        delay_spread_s, carrier_hz, speed_mps = _checked(delay_spread_s, carrier_hz, speed_mps)
        doppler_hz = speed_mps / SPEED_OF_LIGHT_MPS * carrier_hz
        los, powers, delays = _scattered(table, k_factor_db)
        self.__dict__["doppler_hz"] = doppler_hz
        self.__dict__["max_delay_s"] = float(delays.max() * delay_spread_s)
        self.__dict__["statistics"] = Statistics.of(
            (los, 0.0, 0.0, 0.0),
            *(
                (power, delay * delay_spread_s, doppler_hz, 0.0)
                for power, delay in zip(powers.tolist(), delays.tolist(), strict=True)
            ),
        )
        self.__dict__["_taps"] = los, powers, delays
        super().__init__(
            "D" if los else "A",
            delay_spread_s,
            carrier_hz,
            los_angle_of_arrival=math.pi / 2,
            min_speed=speed_mps,
            max_speed=speed_mps,
            precision="single",
            device=str(check_device(device)),
        )

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        """Draw gains ``[batch, 1, 1, 1, 1, P, num_time_steps]`` and delays ``[batch, 1, 1, P]``."""
        batch_size, num_time_steps, sampling_frequency = check_draw(
            batch_size, num_time_steps, sampling_frequency
        )
        drawn: tuple[Tensor, Tensor] = super().__call__(
            batch_size, num_time_steps, sampling_frequency
        )
        return drawn

    def _load_parameters(self, fname: str, fixed_profile: bool) -> None:
        los, powers, delays = self._taps
        self._los = los > 0
        self._scale_delays = True
        self._num_clusters = len(powers)
        self._delays = torch.tensor(delays, dtype=self.dtype, device=self.device)
        self._mean_powers = torch.tensor(powers, dtype=self.cdtype, device=self.device)
        if self._los:
            self._los_power = torch.tensor(los, dtype=self.cdtype, device=self.device)


class NTNCDL(CDL):
    """NTN-CDL-A to NTN-CDL-D of TR 38.811 V15.4.0, tables 6.9.1-1 to 6.9.1-4.

    Between isotropic antennas of one polarisation, downlink. Unlike the tapped delay lines, whose
    taps see a Jakes spectrum, every cluster has its own narrow Doppler spectrum: 20 rays around
    the cluster's angle of arrival, seen by a terminal that moves in a horizontal direction drawn
    uniformly for each image. The phase of the line of sight is uniform as well. Mean power is 1;
    the tables' cross-polarisation ratio has no effect between antennas of one polarisation.

    Args:
        profile: ``"A"``, ``"B"`` (no line of sight), ``"C"`` or ``"D"`` (line of sight).
        delay_spread_s: RMS delay spread that scales the normalised delays, 0 to 1e-3 s.
        carrier_hz: carrier frequency, 1e6 to 1e12 Hz.
        speed_mps: terminal speed, 0 to 1e4 m/s.
        elevation_deg: elevation of the satellite, 10 to 90 degrees. The tables are for 50; another
            elevation turns all zenith angles of arrival by 50 − ``elevation_deg``, which is eq.
            (6.9-2) without a change of spread. That equation is taken from a public
            implementation, not verified against the text.
        device: where draws are made.

    Attributes:
        doppler_hz: largest Doppler shift that a path can have in Hz.
        max_delay_s: delay of the last cluster in seconds.
        statistics: powers, delays and Doppler of all rays, over all directions of motion: those
            of a ray at zenith angle θ are as of a Jakes spectrum up to ``doppler_hz`` · sin θ.

    Raises:
        InputError: on an unknown profile or a number out of range.

    >>> model = NTNCDL("D", delay_spread_s=100e-9, carrier_hz=2e9, speed_mps=1.0)
    >>> gains, delays = model(batch_size=2, num_time_steps=14, sampling_frequency=14e3)
    >>> gains.shape, delays[0, 0, 0]
    (torch.Size([2, 1, 1, 1, 1, 3, 14]), tensor([0.0000e+00, 5.5960e-08, 7.3340e-07]))
    """

    doppler_hz: float
    max_delay_s: float
    statistics: Statistics

    def __init__(
        self,
        profile: str,
        delay_spread_s: float,
        carrier_hz: float,
        speed_mps: float,
        elevation_deg: float = CDL_ELEVATION_DEG,
        device: torch.device | str = "cpu",
    ) -> None:
        table = _table("cdl", profile)
        delay_spread_s, carrier_hz, speed_mps = _checked(delay_spread_s, carrier_hz, speed_mps)
        doppler_hz = speed_mps / SPEED_OF_LIGHT_MPS * carrier_hz
        lift_deg = check_number("elevation_deg", elevation_deg, 10, 90) - CDL_ELEVATION_DEG
        self.__dict__["doppler_hz"] = doppler_hz
        self.__dict__["max_delay_s"] = max(table["delays"]) * delay_spread_s
        los, powers, delays = _scattered(table, None)
        self.__dict__["_table"] = table
        self.__dict__["_lift_deg"] = lift_deg
        both: dict[str, Any] = {"precision": "single", "device": str(check_device(device))}
        antenna = Antenna("single", "V", "omni", carrier_hz, **both)
        super().__init__(
            profile,
            delay_spread_s,
            carrier_hz,
            ut_array=antenna,
            bs_array=antenna,
            direction="downlink",
            min_speed=speed_mps,
            max_speed=speed_mps,
            **both,
        )
        self.__dict__["statistics"] = self._known(los, powers, delays * delay_spread_s)

    def _known(
        self, los: float, powers: NDArray[np.float64], delays_s: NDArray[np.float64]
    ) -> Statistics:
        paths = [
            (power / RAYS_PER_CLUSTER, delay_s, self.doppler_hz * math.sin(zenith), 0.0)
            for power, delay_s, rays in zip(
                powers.tolist(), delays_s.tolist(), self._zoa.tolist(), strict=True
            )
            for zenith in rays
        ]
        if los:
            direct_hz = self.doppler_hz * math.sin(float(self._los_zoa))
            paths = [(los, 0.0, direct_hz, 0.0), *paths]
        return Statistics.of(*paths)

    def __call__(
        self, batch_size: int, num_time_steps: int, sampling_frequency: float
    ) -> tuple[Tensor, Tensor]:
        """Draw gains ``[batch, 1, 1, 1, 1, P, num_time_steps]`` and delays ``[batch, 1, 1, P]``."""
        batch_size, num_time_steps, sampling_frequency = check_draw(
            batch_size, num_time_steps, sampling_frequency
        )
        gains, delays = super().__call__(batch_size, num_time_steps, sampling_frequency)
        turn = self._uniform_angle(batch_size)
        phasor = torch.polar(torch.ones_like(turn), turn).reshape(-1, 1, 1, 1, 1, 1, 1)
        return gains * phasor, delays

    def _uniform_angle(self, batch_size: int) -> Tensor:
        return 2 * math.pi * uniform((batch_size,), self.device)

    def _get_velocity(self, batch_size: int) -> Tensor:
        heading = self._uniform_angle(batch_size)
        direction = torch.stack([heading.cos(), heading.sin(), torch.zeros_like(heading)], dim=-1)
        return direction * float(self._max_speed)

    def _load_parameters(self) -> None:
        table, lift_deg = self._table, self._lift_deg
        los, powers, delays = _scattered(table, None)

        def tensor(values: Any) -> Tensor:
            return torch.tensor(values, dtype=self.dtype, device=self.device)

        def rays(angles_deg: list[float], spread_deg: float) -> Tensor:
            fan: Tensor = self._generate_rays(tensor(angles_deg), tensor(spread_deg))
            return torch.deg2rad(fan)

        self._num_clusters = len(powers)
        self._rays_per_cluster = RAYS_PER_CLUSTER
        self._has_los = los > 0
        self.register_buffer("_k_factor", tensor(los / powers.sum()))
        self._powers = tensor(powers / powers.sum())
        self._delays = tensor(delays) * self._delay_spread
        self._xpr = tensor(10 ** (table["xpr_db"] / 10))
        departure = [table["aod_deg"]] * len(powers), [table["zod_deg"] + lift_deg] * len(powers)
        self._aod, self._zod = rays(departure[0], 0), rays(departure[1], 0)
        self._aoa = rays(table["aoa_deg"], table["cluster_asa_deg"])
        self._zoa = rays([zoa - lift_deg for zoa in table["zoa_deg"]], table["cluster_zsa_deg"])
        if self._has_los:
            self._los_aod, self._los_zod = self._aod[0, 0], self._zod[0, 0]
            self._los_aoa = torch.deg2rad(tensor(table["los_aoa_deg"]))
            self._los_zoa = torch.deg2rad(tensor(table["los_zoa_deg"] - lift_deg))


def _checked(
    delay_spread_s: float, carrier_hz: float, speed_mps: float
) -> tuple[float, float, float]:
    """What both models take."""
    return (
        check_number("delay_spread_s", delay_spread_s, 0, 1e-3),
        check_number("carrier_hz", carrier_hz, 1e6, 1e12),
        check_number("speed_mps", speed_mps, 0, 1e4),
    )


def _table(kind: str, profile: str) -> dict[str, Any]:
    profiles = _profiles(kind)
    table: dict[str, Any] = profiles[check_name(f"NTN-{kind.upper()} profile", profile, profiles)]
    return table


def _scattered(
    table: dict[str, Any], k_factor_db: float | None
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Line-of-sight power (0 without one), scattered powers and delays of a table; power sum 1."""
    powers = 10 ** (np.array(table["powers_db"]) / 10)
    delays = np.array(table["delays"])
    los = 0.0 if table["los_power_db"] is None else 10 ** (table["los_power_db"] / 10)
    if k_factor_db is not None:
        if not los:
            raise InputError("k_factor_db is for the profiles with line of sight, C and D")
        k = 10 ** (check_number("k_factor_db", k_factor_db, -20, 30) / 10)
        powers *= los / k / powers.sum()
        shares = powers / (los + powers.sum())
        delays /= np.sqrt(shares @ delays**2 - (shares @ delays) ** 2)
    total = los + powers.sum()
    return los / total, powers / total, delays
