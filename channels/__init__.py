"""Satellite links: symbols in, received symbols out. Knows nothing of images.

>>> import channels
>>> channels.link("awgn").name
'awgn'
"""

from channels.amplifier import Rapp, Saleh, SoftLimiter
from channels.catalogue import link, links
from channels.doppler import Precompensation, Residual
from channels.errors import InputError
from channels.link import Link
from channels.link_budget import LinkBudget, link_budget
from channels.ofdm import Grid
from channels.power import AveragePower, PeakPower
from channels.satellite import Pass
from channels.signal import Reception, Session, Transmission

__all__ = [
    "AveragePower",
    "Grid",
    "InputError",
    "Link",
    "LinkBudget",
    "Pass",
    "PeakPower",
    "Precompensation",
    "Rapp",
    "Reception",
    "Residual",
    "Saleh",
    "Session",
    "SoftLimiter",
    "Transmission",
    "link",
    "link_budget",
    "links",
]
