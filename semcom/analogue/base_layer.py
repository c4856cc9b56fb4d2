"""The analog base layer: the lowest frequencies in a fixed layout, each as strong as it pays.

What is left when the digital part is lost, and what is sent in its place where it would hardly
arrive. As in SoftCast (Jakubczak and Katabi, ACM MobiCom 2011) coefficients of a cosine transform
become symbols, with powers that fit their variances; here the variances are those of X-rays on
average, so that none has to be told.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from channels.cached import cached
from semcom.analogue.allocation import STEPS, Allocation, allocate, amplitudes, received

_SHARE = 1 / 64
"""Of the channel uses, for whoever has this layer."""

GAIN_DB = 6.0
"""What it is reckoned better than mid-grey, in PSNR."""

_DEVIATION, _FALL, _LOWEST = 0.11, 1.3, 0.7
"""Deviation ``0.11 f^-1.3`` of a coefficient with ``f`` half waves per image, the mean as of 0.7;
fitted to 49 open chest X-rays and angiograms, centred on mid-grey."""


def uses_of(channel_uses: int, planes: int = 1) -> int:
    """Channel uses that the layer takes of all: one 64th, and one at least for each plane.

    >>> uses_of(4096), uses_of(96, planes=3)
    (64, 3)
    """
    return max(planes, round(_SHARE * channel_uses))


class _Basis(NamedTuple):
    """Which frequencies are sent, int64 ``[n]`` each, how strongly, and all waves up to them."""

    rows: Tensor
    columns: Tensor
    sent: Allocation
    down: Tensor
    across: Tensor


def send(images: Tensor, uses: int, snr_db: float) -> Tensor:
    """Real numbers ``[batch, 2 uses]`` of about unit power per pair, for centred images.

    Args:
        images: float32 ``[batch, 1, H, W]``, centred on zero.
        uses: complex channel uses.
        snr_db: E_s/N_0 in dB that the transmitter believes.

    >>> send(torch.zeros(1, 1, 32, 48), 100, 3.0).shape
    torch.Size([1, 200])
    """
    height, width = images.shape[-2:]
    basis = _basis(height, width, uses, snr_db)
    down, across = basis.down.to(images.device) / height, basis.across.to(images.device) / width
    spectrum = down @ images[:, 0] @ across.T
    chosen = spectrum[:, basis.rows, basis.columns] * amplitudes(basis.sent).to(images.device)
    return F.pad(chosen, (0, 2 * uses - chosen.shape[1]))


def receive(numbers: Tensor, noise_var: Tensor, shape: tuple[int, int], snr_db: float) -> Tensor:
    """The image, centred on zero, from noisy numbers.

    Args:
        numbers: float ``[batch, 2 uses]``.
        noise_var: their error variances.
        shape: ``(H, W)``.
        snr_db: E_s/N_0 in dB that the transmitter believed.

    Returns:
        float32 ``[batch, 1, H, W]``.

    >>> image = torch.full((1, 1, 32, 48), 0.25)
    >>> numbers = send(image, 20, 30.0)
    >>> again = receive(numbers, torch.full_like(numbers, 1e-3), (32, 48), 30.0)
    >>> bool((again - image).abs().max() < 0.01)
    True
    """
    height, width = shape
    basis = _basis(height, width, numbers.shape[1] // 2, snr_db)
    down, across = basis.down.to(numbers.device), basis.across.to(numbers.device)
    spectrum = numbers.new_zeros((len(numbers), len(down), len(across)))
    for row, (values, noise) in enumerate(zip(numbers, noise_var, strict=True)):
        spectrum[row, basis.rows, basis.columns] = received(basis.sent, values, noise, 1.0)[0]
    return (down.T @ spectrum @ across)[:, None]


@cached(maxsize=32)
def _basis(height: int, width: int, uses: int, snr_db: float) -> _Basis:
    count = min(2 * uses, height * width)
    rows = np.arange(_enough(height, width, count), dtype=np.int64)
    columns = np.arange(_enough(width, height, count), dtype=np.int64)
    # In whole numbers, so that both ends sort alike.
    squares = ((rows * width) ** 2)[:, None] + ((columns * height) ** 2)[None]
    order = np.argsort(squares, axis=None, kind="stable")[:count]
    waves = np.sqrt(squares.ravel()[order] / (height * width))
    deviation = _DEVIATION * np.maximum(waves, _LOWEST) ** -_FALL
    sent = allocate(STEPS * np.log2(deviation), count, snr_db)
    down, across = (torch.from_numpy(places) for places in np.divmod(order, len(columns)))
    return _Basis(down, across, sent, _waves(height, down), _waves(width, across))


def _enough(side: int, other: int, count: int) -> int:
    """Frequencies along a side among which the ``count`` lowest of the image surely are."""
    return min(side, math.ceil(2 * math.sqrt(count * side / other)) + 2)


def _waves(side: int, frequencies: Tensor) -> Tensor:
    """Cosines of mean square 1 up to the highest frequency, float32 ``[frequencies, side]``."""
    phases: NDArray[np.float64] = np.arange(int(frequencies.max()) + 1)[:, None] * math.pi / side
    cosines = math.sqrt(2) * np.cos(phases * (np.arange(side) + 0.5))
    cosines[0] = 1.0
    return torch.from_numpy(cosines.astype(np.float32))
