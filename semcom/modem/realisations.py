"""What a transmitter knows of its link: noise variances of realisations that no image meets."""

from __future__ import annotations

import torch
from torch import Tensor

from channels import Link
from semcom.modem.information import Array

REALISATIONS = 200
LONG = 2**15
"""Symbols of a realisation of which each is looked at; of longer ones every second, third, ..."""

_BATCH = 50
_SEED = 0x5EED << 40
_KEPT = 16

_drawn: dict[tuple[str, int, float], Array] = {}


def noise_variances(link: Link, channel_uses: int, snr_db: float) -> Array:
    """Noise variances of symbols after equalisation in 200 realisations, drawn once and kept.

    Of a long transmission every :func:`stride`-th symbol is kept, and fewer realisations are drawn,
    50 at least: each goes through more of the channel's states.

    Returns:
        float64 ``[realisations, ceil(channel_uses / stride)]``, within 1e-12 and 1e12.

    >>> import channels
    >>> noise_variances(channels.link("awgn"), 100, 10.0).round(3)[0, 0]
    np.float64(0.1)
    """
    key = (link.identity, channel_uses, snr_db)
    if key not in _drawn:
        if len(_drawn) >= _KEPT:
            _drawn.pop(next(iter(_drawn)))
        apart = stride(channel_uses)
        rows = max(1, _BATCH // apart)
        count = max(_BATCH, REALISATIONS // apart)
        probe = qpsk_probe(channel_uses, rows)
        parts = [
            link.propagate(probe, snr_db, seed=_SEED + part).noise_var[:, ::apart]
            for part in range(-(-count // rows))
        ]
        _drawn[key] = torch.cat(parts).double().clamp(1e-12, 1e12).numpy()
    return _drawn[key]


def stride(channel_uses: int) -> int:
    """Every how manieth symbol of a transmission is looked at.

    >>> stride(2**15), stride(2**15 + 1), stride(2**19)
    (1, 2, 16)
    """
    return -(-channel_uses // LONG)


def qpsk_probe(channel_uses: int, rows: int = _BATCH) -> Tensor:
    """The same random QPSK symbols each time, complex64 ``[rows, channel_uses]``.

    >>> qpsk_probe(100).shape
    torch.Size([50, 100])
    """
    generator = torch.Generator().manual_seed(0)
    signs: Tensor = torch.randint(0, 2, (rows, channel_uses, 2), generator=generator) * 2.0 - 1
    return torch.view_as_complex(signs / 2**0.5)
