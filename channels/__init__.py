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
    parameter. :class:`Link` makes one of any Sionna ``ChannelModel``.
Signals
    :class:`Transmission` goes in, :class:`Reception` comes out, :class:`Session` is what both ends
    agreed on before.
Parts that :func:`link` takes
    ``grid``: :class:`Grid`, numerology and pilots. ``residual``: :class:`Residual`, the carrier
    offset left, by default that of a :class:`Precompensation` for LEO links. ``power``:
    :class:`AveragePower`, :class:`PeakPower`. ``amplifier``: :class:`SoftLimiter`, :class:`Rapp`,
    :class:`Saleh`.
Geometry and budget
    :class:`Pass`, a satellite's pass over time; :func:`link_budget`, a :class:`LinkBudget` for the
    SNR at an elevation.
Modules
    ``channels.amplifier``: ``transmit``, ``oversampled``, ``papr_ccdf``: waveforms without a link.
    ``channels.satellite``: range, delay, Doppler and visibility in closed form.
    ``channels.tle``: passes from two-line elements by SGP4 (import it, it needs ``sgp4``).
    ``channels.delay_spread``: tables of TR 38.811.

All errors of input are :class:`InputError`. More: docs/channels.md.
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
