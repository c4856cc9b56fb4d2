"""The coarse image that separate coding can fall back on: symbols without bits before its block."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from channels.power import squared_magnitude
from semcom.analogue import base_layer

_CENTRE = 0.5
_STRONGEST = 2.0
"""Mean power of the coarse image's symbols at most, 0.07 dB of the block's; X-rays have about 1."""


def send(images: Tensor, uses: int, snr_db: float) -> Tensor:
    """An image's lowest frequencies as symbols, see :func:`semcom.analogue.base_layer.send`.

    The block after it lacks the power that it takes. Images of stronger contrast than X-rays are
    sent with less, so that whether a block arrives hardly depends on what an image shows.

    Args:
        images: float32 ``[batch, C, H, W]`` in [0, 1].
        uses: complex channel uses, shared alike by the C planes.
        snr_db: E_s/N_0 in dB that the transmitter believes.

    Returns:
        complex64 ``[batch, uses]``, of about unit power and never more than twice that.

    >>> send(torch.rand(2, 3, 64, 48), 50, 6.0).shape
    torch.Size([2, 50])
    """
    batch, channels = images.shape[:2]
    each = uses // channels
    numbers = base_layer.send(images.flatten(0, 1)[:, None] - _CENTRE, each, snr_db)
    symbols = torch.view_as_complex(numbers.reshape(batch, channels * each, 2).contiguous())
    power = squared_magnitude(symbols).sum(1, keepdim=True) / uses
    limited = symbols * (_STRONGEST / power).clamp(max=1).sqrt()
    return F.pad(limited, (0, uses - channels * each))


def receive(
    symbols: Tensor, noise_var: Tensor, shape: tuple[int, int, int], snr_db: float
) -> Tensor:
    """The coarse image.

    Args:
        symbols: complex64 ``[batch, uses]``.
        noise_var: their error variances, float32 ``[batch, uses]``.
        shape: ``(C, H, W)``.
        snr_db: E_s/N_0 in dB that the transmitter believed.

    Returns:
        float32 ``[batch, C, H, W]`` in [0, 1].

    >>> flat = torch.full((1, 1, 64, 64), 0.25)
    >>> symbols = send(flat, 64, 20.0)
    >>> again = receive(symbols, torch.full((1, 64), 0.01), (1, 64, 64), 20.0)
    >>> bool((again - flat).abs().max() < 0.02)
    True
    """
    channels, each = shape[0], symbols.shape[1] // shape[0]
    rows = len(symbols) * channels
    numbers = torch.view_as_real(symbols[:, : channels * each]).reshape(rows, 2 * each)
    noise = (noise_var[:, : channels * each] / 2).repeat_interleave(2, 1).reshape(rows, 2 * each)
    coarse = base_layer.receive(numbers, noise, shape[1:], snr_db)
    return (coarse.reshape(len(symbols), *shape) + _CENTRE).clamp(0, 1)
