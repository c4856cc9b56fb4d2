"""Gray-mapped QAM of 5G: bits to symbols, symbols to exact log-likelihood ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from channels.cached import cached

if TYPE_CHECKING:
    from sionna.phy.mapping import Mapper

_NOISE_LIMITS = (1e-6, 1e6)
_LEAST = 1e-37


def symbols_of(bits: Tensor, bits_per_symbol: int) -> Tensor:
    """Map bits to QAM symbols of unit mean power (TS 38.211 clause 5.1).

    Args:
        bits: float32 ``[batch, K * bits_per_symbol]`` of 0 and 1.
        bits_per_symbol: 2, 4, 6 or 8.

    Returns:
        complex64 ``[batch, K]``.

    >>> symbols_of(torch.tensor([[0.0, 1.0]]), 2)
    tensor([[0.7071-0.7071j]])
    """
    symbols: Tensor = _mapper(bits_per_symbol)(bits)
    return symbols


def soft_bits(symbols: Tensor, noise_var: Tensor, bits_per_symbol: int) -> Tensor:
    """Exact log-likelihood ratios log p(1)/p(0) of Gray-mapped QAM (TS 38.211 clause 5.1).

    Real and imaginary part are two amplitude modulations of half the bits each, so that 2 x 8
    distances do for 64-QAM rather than 64. Ratios are held within ±85, where float32 ends.

    Args:
        symbols: complex64 ``[batch, K]``.
        noise_var: float32 ``[batch, K]``, per complex symbol; held within 1e-6 and 1e6.
        bits_per_symbol: 2, 4, 6 or 8.

    Returns:
        float32 ``[batch, K * bits_per_symbol]``.

    >>> soft_bits(torch.tensor([[1 + 1j]]) / 2**0.5, torch.tensor([[0.5]]), 2)
    tensor([[-4.0000, -4.0000]])
    """
    points, labels = (part.to(symbols.device) for part in amplitudes(bits_per_symbol))
    received = torch.view_as_real(symbols)[..., None]
    metric = -(received - points).square() / noise_var.clamp(*_NOISE_LIMITS)[..., None, None]
    likelihood = torch.exp(metric - metric.amax(-1, keepdim=True))
    ones, zeros = likelihood @ labels, likelihood @ (1 - labels)
    llr = torch.log(ones.clamp_min(_LEAST)) - torch.log(zeros.clamp_min(_LEAST))
    return llr.transpose(2, 3).reshape(len(symbols), -1)


@cached(maxsize=8)
def amplitudes(bits_per_symbol: int) -> tuple[Tensor, Tensor]:
    """Amplitudes of one part of a QAM symbol and their labels.

    Returns:
        float32 ``[L]`` and ``[L, bits_per_symbol / 2]``; a QAM symbol takes its even bits from the
        real part and its odd ones from the imaginary part.

    >>> amplitudes(2)
    (tensor([ 0.7071, -0.7071]), tensor([[0.],
            [1.]]))
    """
    from sionna.phy.mapping import pam_gray

    order = bits_per_symbol // 2
    labels = (np.arange(2**order)[:, None] >> np.arange(order)[::-1]) & 1
    points = np.array([pam_gray(label) for label in labels], dtype=np.float64)
    points /= np.sqrt(2 * np.mean(points**2))
    return torch.from_numpy(points).float(), torch.from_numpy(labels).float()


@cached(maxsize=8)
def _mapper(bits_per_symbol: int) -> Mapper:
    from sionna.phy.mapping import Mapper

    return Mapper("qam", bits_per_symbol, precision="single", device="cpu")
