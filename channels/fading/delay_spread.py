"""How long echoes of a satellite link last in a place: the tables of TR 38.811 clause 6.7.2.

They give the delay spread that the NTN-TDL and NTN-CDL profiles are scaled by. The numbers for
dense urban, urban and suburban come with openntn 2.0.0, those for rural from two public simulators
(ns-3 and a Simu5G extension) that agree; the latter agrees with openntn on every other number. ns-3
has the Ka table in place of the S table for urban and suburban without line of sight, which is not
followed. Nothing is verified against the text of the report.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

from channels.errors import check_flag, check_name, check_number


def delay_spread_s(
    environment: str, elevation_deg: float, band: str = "s", line_of_sight: bool = True
) -> float:
    """Median RMS delay spread in seconds, 10^μ_lgDS of TR 38.811 V15.4.0 tables 6.7.2-1a to -8b.

    The spread is log-normal: see :func:`delay_spread_decades`.

    Args:
        environment: ``"dense-urban"``, ``"urban"``, ``"suburban"`` or ``"rural"``.
        elevation_deg: elevation of the satellite, 10 to 90 degrees; the table of the nearest ten
            counts (clause 6.7.2), and of the higher one midway between two.
        band: ``"s"`` (2 to 4 GHz) or ``"ka"`` (26.5 to 40 GHz, taken for a downlink at 20 as well).
        line_of_sight: whether the satellite is seen.

    Raises:
        InputError: on an unknown environment or band, or an elevation outside 10 to 90 degrees.

    >>> round(delay_spread_s("urban", 30, line_of_sight=False) * 1e9, 1)
    17.8
    """
    return float(10 ** _row(environment, elevation_deg, band, line_of_sight, "mu_lg_ds"))


def delay_spread_decades(
    environment: str, elevation_deg: float, band: str = "s", line_of_sight: bool = True
) -> float:
    """Standard deviation of log10 of the RMS delay spread, σ_lgDS of the same tables.

    Args and errors are those of :func:`delay_spread_s`.

    >>> median, decades = delay_spread_s("rural", 50), delay_spread_decades("rural", 50)
    >>> round(median * 10 ** (2 * decades) * 1e9, 1)  # two standard deviations above, in ns
    9.8
    """
    return _row(environment, elevation_deg, band, line_of_sight, "sigma_lg_ds")


def median_k_factor_db(environment: str, elevation_deg: float, band: str = "s") -> float:
    """Median Rician K factor in dB with line of sight, μ_K of the same tables.

    Args and errors are those of :func:`delay_spread_s`.

    >>> median_k_factor_db("suburban", 90, "ka")
    5.4
    """
    return _row(environment, elevation_deg, band, True, "mu_k_db")


@cache
def _tables() -> dict[str, Any]:
    text = files("channels").joinpath("data/delay_spread.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)["tables"]
    return tables


def _row(
    environment: str, elevation_deg: float, band: str, line_of_sight: bool, quantity: str
) -> float:
    check_name("environment", environment, _tables())
    check_name("band", band, ("s", "ka"))
    line_of_sight = check_flag("line_of_sight", line_of_sight)
    nearest = math.floor(check_number("elevation_deg", elevation_deg, 10, 90) / 10 + 0.5)
    state = _tables()[environment]["los" if line_of_sight else "nlos"]
    return float(state[band][quantity][nearest - 1])
