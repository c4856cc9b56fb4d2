"""3GPP TR 38.811 tapped delay lines for non-terrestrial networks, on Sionna's TDL machinery."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from sionna.phy.channel.tr38901 import TDL

from channels.errors import InputError, unknown_name

SPEED_OF_LIGHT_MPS = 299_792_458.0


@cache
def ntn_tdl_profiles() -> dict[str, Any]:
    """The tables of TR 38.811 V15.4.0 clause 6.9.2 as the package keeps them.

    >>> sorted(ntn_tdl_profiles())
    ['A', 'B', 'C', 'D']
    """
    text = files("channels").joinpath("data/ntn_tdl.json").read_text(encoding="utf-8")
    profiles: dict[str, Any] = json.loads(text)["profiles"]
    return profiles


class NTNTDL(TDL):
    """NTN-TDL-A to NTN-TDL-D of TR 38.811 V15.4.0, tables 6.9.2-1 to 6.9.2-4.

    Taps have unit mean power in sum. Satellite Doppler is common to all taps and taken as
    pre-compensated; the terminal's speed spreads the scattered part.

    Args:
        profile: ``"A"``, ``"B"`` (no line of sight), ``"C"`` or ``"D"`` (line of sight).
        delay_spread_s: RMS delay spread in seconds that scales the normalised delays.
        carrier_hz: carrier frequency in Hz.
        speed_mps: terminal speed in m/s.
        device: where draws are made.

    Raises:
        InputError: on an unknown profile or a negative delay spread or speed.

    >>> model = NTNTDL("C", delay_spread_s=100e-9, carrier_hz=2e9, speed_mps=1.0)
    >>> round(10 * float(torch.log10(model.k_factor)), 3)
    10.224
    """

    doppler_hz: float

    def __init__(
        self,
        profile: str,
        delay_spread_s: float,
        carrier_hz: float,
        speed_mps: float,
        device: torch.device | str = "cpu",
    ) -> None:
        if profile not in ntn_tdl_profiles():
            raise unknown_name("NTN-TDL profile", profile, ntn_tdl_profiles())
        for name, value in (("delay_spread_s", delay_spread_s), ("speed_mps", speed_mps)):
            if not 0 <= value < float("inf"):
                raise InputError(f"{name} must be finite and not negative, got {value}")
        self.__dict__["doppler_hz"] = speed_mps / SPEED_OF_LIGHT_MPS * carrier_hz
        self.__dict__["_profile"] = ntn_tdl_profiles()[profile]
        super().__init__(
            "D" if self._profile["los_power_db"] is not None else "A",
            delay_spread_s,
            carrier_hz,
            min_speed=speed_mps,
            max_speed=speed_mps,
            precision="single",
            device=str(device),
        )

    def _load_parameters(self, fname: str, fixed_profile: bool) -> None:
        """Replace Sionna's loader: its TDL takes no custom profile (hence the version pin)."""
        powers = 10 ** (np.array(self._profile["powers_db"]) / 10)
        los_db = self._profile["los_power_db"]
        los = 0.0 if los_db is None else 10 ** (los_db / 10)
        total = powers.sum() + los
        self._los = los_db is not None
        self._scale_delays = True
        self._num_clusters = len(powers)
        self._delays = torch.tensor(self._profile["delays"], dtype=self.dtype, device=self.device)
        self._mean_powers = torch.tensor(powers / total, dtype=self.cdtype, device=self.device)
        if self._los:
            self._los_power = torch.tensor(los / total, dtype=self.cdtype, device=self.device)
