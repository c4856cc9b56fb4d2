"""Power of analogue symbols: numbers of known variances as symbols, each as strong as it pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEPS = 8
"""Importances to an octave of deviation."""


@dataclass(frozen=True)
class Allocation:
    """Which coefficients of an image are sent, and by how much power each.

    Args:
        chosen: int64 ``[n]``, places in the flattened bands, the largest errors first.
        deviation: float32 ``[n]``, expected standard deviation of each error, in steps.
        power: float32 ``[n]``, share of the transmit power, 1 on average.
    """

    chosen: Tensor
    deviation: Tensor
    power: Tensor


def allocate(importances: NDArray[np.number], count: int, snr_db: float) -> Allocation:
    """Choose what is sent and with what power.

    The power of a number with an error of deviation ``d`` is ``(d / level - 1) / snr`` where that
    is positive: it minimises the squared errors that Wiener estimates leave over Gaussian noise.

    Args:
        importances: log2 of the deviations of the numbers, in eighths, float ``[coefficients]``.
        count: real numbers to send.
        snr_db: E_s/N_0 in dB that the transmitter believes.

    >>> sent = allocate(np.array([0.0, -8.0, 8.0]), 2, 10.0)
    >>> sent.chosen.tolist(), sent.deviation.tolist()
    ([2, 0], [2.0, 1.0])
    >>> round(float(sent.power.mean()), 3)
    1.0
    """
    count = min(count, len(importances))
    order = np.argsort(-importances, kind="stable")[:count]
    deviation = np.exp2(importances[order] / STEPS)
    power = water_filling(deviation, 10 ** (snr_db / 10))
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
    return wiener(numbers[:count], noise_var[:count], sent.deviation.to(numbers.device), gain)


def wiener(
    numbers: Tensor, noise_var: Tensor, deviation: Tensor, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """Estimates of least squared error, and the deviations of what is left.

    Args:
        numbers: float ``[n]``, as received.
        noise_var: their error variances.
        deviation: standard deviations of what was sent, of mean zero.
        gain: amplitude per unit of it.

    Returns:
        Estimates and deviations, float ``[n]``: of y = g e + n, with variances d² and σ²,
        ``y g d² / (g² d² + σ²)`` and the root of ``d² σ² / (g² d² + σ²)``.

    >>> wiener(torch.ones(1), torch.ones(1), torch.ones(1), torch.ones(1))
    (tensor([0.5000]), tensor([0.7071]))
    """
    variance = deviation.square()
    total = variance * gain.square() + noise_var
    return numbers * variance * gain / total, (variance * noise_var / total).sqrt()


def amplitudes(sent: Allocation) -> Tensor:
    """Amplitude per unit of error: power 1/2 a number on average.

    >>> sent = Allocation(torch.tensor([0]), torch.tensor([0.5]), torch.tensor([2.0]))
    >>> amplitudes(sent).tolist()
    [2.0]
    """
    return (sent.power / 2).sqrt() / sent.deviation


Deviations = TypeVar("Deviations", NDArray[np.float64], Tensor)


def water_filling(
    deviation: Deviations, snr: float, count: NDArray[np.int64] | int = 1
) -> Deviations:
    """Powers of mean 1 that leave the least squared error after Wiener estimates.

    Of ``n`` numbers with errors of deviation ``d_i`` the ``m`` largest are served: as many as
    exceed the water level ``mu``::

        mu  = (d_1 + ... + d_m) / (snr n + m)
        p_i = max(d_i / mu - 1, 0) / snr

    Args:
        deviation: float ``[classes]``, falling; a tensor keeps its gradient.
        snr: E_s/N_0, linear.
        count: how many numbers have each deviation, an array beside an array.

    Returns:
        Power of a number of each class, of the kind and shape of ``deviation``.

    >>> water_filling(np.array([2.0, 1.0, 0.01]), 1.0).round(2).tolist()
    [2.33, 0.67, 0.0]
    """
    if not len(deviation):
        return deviation
    served = ((deviation >= 0) * count).cumsum(0)
    levels = (count * deviation).cumsum(0) / (snr * float(served[-1]) + served)
    level = levels[deviation > levels][-1]
    powers: Deviations = (deviation / level - 1).clip(0) / snr
    return powers
