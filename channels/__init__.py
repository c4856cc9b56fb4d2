"""Satellite links: symbols in, received symbols out. Knows nothing of images.

>>> import channels, torch
>>> tx = channels.Transmission(
...     symbols=torch.ones(2, 4096, dtype=torch.complex64),  # one row an image
...     used=torch.tensor([4096, 4096]),  # channel uses that each image spends
...     session=channels.Session("mine", (1, 256, 256), channel_uses=4096, snr_db=6.0),
... )
>>> link = channels.link("ntn-tdl-c", delay_spread_s=30e-9, estimator="lmmse")
>>> rx = link(tx, snr_db=6.0, seed=0)
>>> rx.symbols.shape, rx.noise_var.shape, rx.snr_db.shape
(torch.Size([2, 4096]), torch.Size([2, 4096]), torch.Size([2]))

Links
    :func:`link` builds one by name, :func:`links` lists the names, ``link.describe()`` prints every
    parameter. :class:`Link` makes one of any Sionna ``ChannelModel`` (:func:`sionna_block`),
    :func:`register` gives it a name.
Signals
    :class:`Transmission` goes in, :class:`Reception` comes out, :class:`Session` is what both ends
    agreed on before. ``link.propagate(symbols, snr_db)`` takes symbols alone and gives
    :class:`Received`.
Parts that :func:`link` takes
    ``grid``: :class:`Grid`, numerology and pilots. ``residual``: :class:`Residual`, the carrier
    offset left, by default that of a :class:`Precompensation` for LEO links. ``power``:
    :class:`AveragePower`, :class:`PeakPower`. ``amplifier``: :class:`SoftLimiter`, :class:`Rapp`,
    :class:`Saleh`.
Geometry and budget
    :class:`Pass`, a satellite's pass over time; :func:`link_budget`, a :class:`LinkBudget` for the
    SNR at an elevation.
Rooms
    :mod:`channels.fading`, laws and profiles of fading; :mod:`channels.ofdm`, waveform, ICI and
    estimation; :mod:`channels.orbit`, the satellite. Of use without a link:
    ``channels.ofdm.amplifier.transmit`` and ``channels.ofdm.papr`` for waveforms,
    ``channels.orbit.geometry`` for range, delay, Doppler and visibility, ``channels.orbit.tle`` for
    passes from two-line elements (needs ``sgp4``), ``channels.fading.delay_spread`` for tables of
    TR 38.811.

All errors of input are :class:`InputError`. More: docs/channels.md.
"""

from channels.catalogue import link, links, register
from channels.errors import InputError
from channels.fading.recipe import sionna_block
from channels.link import Link
from channels.ofdm.amplifier import Rapp, Saleh, SoftLimiter
from channels.ofdm.grid import Grid
from channels.orbit.doppler import Precompensation, Residual
from channels.orbit.link_budget import LinkBudget, link_budget
from channels.orbit.passes import Pass
from channels.power import AveragePower, PeakPower
from channels.signal import Received, Reception, Session, Transmission

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
    "Received",
    "Reception",
    "Residual",
    "Saleh",
    "Session",
    "SoftLimiter",
    "Transmission",
    "link",
    "link_budget",
    "links",
    "register",
    "sionna_block",
]
