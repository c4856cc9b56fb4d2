"""Rate and power of the analogue symbols: which quantisation errors are sent, and how strongly.

After the digital part both ends know how large a quantisation error to expect in each coefficient.
With ``n`` real numbers to send, those ``n`` are sent that carry most: with a water level such that
``n`` exceed it, a cell sends as many numbers as it has coefficients whose information
``-log2 P`` exceeds the level, ``k_i = Q(eta_i sum -log2 P)`` in the words of NTSCC (Dai et al.,
IEEE JSAC 2022). ``eta`` is higher in the region of interest, since its errors are counted in finer
steps. No index has to be sent for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcom.medjscc.contexts import Expected
from semcom.medjscc.wavelet import Bands

STEPS = 8
"""Importances to an octave of deviation."""


@dataclass(frozen=True)
class Allocation:
    """Which coefficients of a picture are refined, and by how much power each.

    Args:
        chosen: int64 ``[n]``, places in the flattened bands, the largest errors first.
        deviation: float32 ``[n]``, expected standard deviation of each error, in steps.
        power: float32 ``[n]``, share of the transmit power, 1 on average.
    """

    chosen: Tensor
    deviation: Tensor
    power: Tensor


def importance(rest: list[Expected], equal: bool = False) -> NDArray[np.float64]:
    """Log-deviation of each expected error in steps, in eighths of an octave.

    Args:
        rest: what is expected of the errors of one picture, ``[1, bands, h, w]`` each.
        equal: whether all cells are served alike, each place in a cell by its mean over the cells.

    Returns:
        Whole numbers ``[coefficients]`` in the order of the bands; if ``equal``, any.
    """
    parts = []
    for expected in rest:
        octaves = expected.log_scale[0].detach().double().cpu()
        if equal:
            side = octaves.shape[-1] // rest[0].log_scale.shape[-1]
            folded = octaves.unfold(1, side, side).unfold(2, side, side)
            mean = folded.mean((1, 2), keepdim=True).expand_as(folded)
            parts.append(mean.permute(0, 1, 3, 2, 4).numpy().ravel() * STEPS)
        else:
            parts.append(np.rint(octaves.numpy().ravel() * STEPS))
    return np.concatenate(parts)


def allocate(
    importances: NDArray[np.floating | np.integer], count: int, snr_db: float
) -> Allocation:
    """Choose what is sent and with what power.

    The power of a number with an error of deviation ``d`` is ``(d / level - 1) / snr`` where that
    is positive: it minimises the squared errors that Wiener estimates leave over Gaussian noise.

    Args:
        importances: see :func:`importance`.
        count: real numbers to send.
        snr_db: E_s/N_0 in dB that the transmitter believes.

    >>> found = allocate(np.array([0.0, -8.0, 8.0]), 2, 10.0)
    >>> found.chosen.tolist(), found.deviation.tolist()
    ([2, 0], [2.0, 1.0])
    >>> round(float(found.power.mean()), 3)
    1.0
    """
    count = min(count, len(importances))
    order = np.argsort(-importances, kind="stable")[:count]
    deviation = np.exp2(importances[order] / STEPS)
    power = _water_filling(deviation, 10 ** (snr_db / 10))
    return Allocation(
        torch.from_numpy(order),
        torch.from_numpy(deviation.astype(np.float32)),
        torch.from_numpy(power.astype(np.float32)),
    )


def received(
    sent: Allocation, numbers: Tensor, noise_var: Tensor, amplitude: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Wiener estimates of analogue numbers.

    Args:
        sent: what was sent.
        numbers: float ``[n]`` or more, as received.
        noise_var: their error variances.
        amplitude: gain of the analogue part.

    Returns:
        Estimates of the quantisation errors and the deviations of what is left, float ``[n]``.
    """
    count = len(sent.chosen)
    gain = amplitudes(sent).to(numbers.device) * amplitude
    variance = sent.deviation.to(numbers.device).square()
    noise = noise_var[:count]
    total = variance * gain.square() + noise
    return numbers[:count] * variance * gain / total, (variance * noise / total).sqrt()


def amplitudes(sent: Allocation) -> Tensor:
    """Amplitude per unit of error: power 1/2 a number on average."""
    return (sent.power / 2).sqrt() / sent.deviation


def flattened(bands: Bands) -> Tensor:
    """One row of coefficients per picture: ``[batch, coefficients]``."""
    return torch.cat([band.flatten(1) for band in bands], dim=1)


def unflattened(rows: Tensor, like: Bands) -> Bands:
    """Undo :func:`flattened`.

    >>> bands = [torch.rand(2, 1, 2, 2), torch.rand(2, 3, 2, 2)]
    >>> all(torch.equal(a, b) for a, b in zip(unflattened(flattened(bands), bands), bands))
    True
    """
    sizes = [band[0].numel() for band in like]
    parts = torch.split(rows, sizes, dim=1)
    return [part.reshape(len(rows), *b.shape[1:]) for part, b in zip(parts, like, strict=True)]


def _water_filling(deviation: NDArray[np.float64], snr: float) -> NDArray[np.float64]:
    """Powers of mean 1; ``deviation`` falls."""
    if not len(deviation):
        return deviation
    # With the m largest served, level = sum(d) / (snr n + m), and the smallest of them exceeds it.
    total = np.cumsum(deviation)
    levels = total / (snr * len(deviation) + np.arange(1, len(deviation) + 1))
    served = int(np.flatnonzero(deviation > levels)[-1]) + 1
    powers: NDArray[np.float64] = np.maximum(deviation / levels[served - 1] - 1, 0) / snr
    return powers
