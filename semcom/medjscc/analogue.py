"""Rate and power of the analogue symbols: which quantisation errors are sent, and how strongly.

After the digital part both ends know how large a quantisation error to expect in each coefficient.
With ``n`` real numbers to send, those ``n`` are sent that carry most: with a water level such that
``n`` exceed it, a block sends as many numbers as it has coefficients whose information
``-log2 P`` exceeds the level, ``k_i = Q(eta_i sum -log2 P)`` in the words of NTSCC (Dai et al.,
IEEE JSAC 2022). ``eta`` is higher in the region of interest, since its errors are counted in finer
steps. No index has to be sent for that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.source.wavelet import Bands

STEPS = 8
"""Importances to an octave of deviation."""

_FIRST_FINE = 3
"""Place among the bands of the details that have one coefficient of each kind to a block."""


@dataclass(frozen=True)
class Allocation:
    """Which coefficients of an image are refined, and by how much power each.

    Args:
        chosen: int64 ``[n]``, places in the flattened bands, the largest errors first.
        deviation: float32 ``[n]``, expected standard deviation of each error, in steps.
        power: float32 ``[n]``, share of the transmit power, 1 on average.
    """

    chosen: Tensor
    deviation: Tensor
    power: Tensor


def importance(errors: list[ErrorPrior], equal: bool = False) -> NDArray[np.number]:
    """Log-deviation of each expected error in steps, in eighths of an octave.

    Args:
        errors: what is expected of the errors of one image, ``[1, bands, h, w]`` each.
        equal: whether all blocks are served alike: each place in a block by its mean over the
            blocks, in levels that have more than one coefficient to a block.

    Returns:
        Whole numbers ``[coefficients]`` in the order of the bands; if ``equal``, any.
    """
    if not equal:
        octaves = torch.cat([e.log_deviation[0].detach().flatten() for e in errors])
        return torch.round(octaves * STEPS).to(torch.int16).cpu().numpy()
    parts = []
    for index, expected in enumerate(errors):
        octaves = expected.log_deviation[0].detach().cpu().double()
        if index < _FIRST_FINE:
            octaves = octaves.mean((1, 2), keepdim=True).expand_as(octaves)
        else:
            side = 2 ** (index - _FIRST_FINE)
            blocks = octaves.unfold(1, side, side).unfold(2, side, side)
            mean = blocks.mean((1, 2), keepdim=True).expand_as(blocks)
            octaves = mean.permute(0, 1, 3, 2, 4)
        parts.append(octaves.flatten() * STEPS)
    return torch.cat(parts).numpy()


def allocate(importances: NDArray[np.number], count: int, snr_db: float) -> Allocation:
    """Choose what is sent and with what power.

    The power of a number with an error of deviation ``d`` is ``(d / level - 1) / snr`` where that
    is positive: it minimises the squared errors that Wiener estimates leave over Gaussian noise.

    Args:
        importances: see :func:`importance`.
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


def filling(numbers: Tensor, energy: float) -> float:
    """The amplitude at which numbers have so much energy, within 6 dB of 1/2 a number.

    >>> filling(torch.tensor([2.0, 0.0]), 1.0)
    0.5
    """
    if not len(numbers):
        return 1.0
    nominal, held = len(numbers) / 2, float(numbers.square().sum())
    return math.sqrt(min(max(energy, nominal / 4), 4 * nominal) / max(held, 1e-18))


def modulated(missing: Bands, sent: Allocation) -> Tensor:
    """The numbers that say what one image's bands miss: float ``[n]``, power 1/2 on average.

    Args:
        missing: quantisation errors off their expected means, in steps.
        sent: which of them, and how strongly.
    """
    return flattened(missing)[0, sent.chosen.to(missing[0].device)] * amplitudes(sent).to(
        missing[0].device
    )


def refined(
    values: Bands,
    errors: list[ErrorPrior],
    sent: Allocation,
    numbers: Tensor,
    noise_var: Tensor,
    amplitude: float | Tensor,
) -> tuple[Bands, Bands]:
    """One image's bands with what the analogue part says of their errors.

    Args:
        values: the bands as they were coded, in steps.
        errors: what is expected of their errors.
        sent: which errors were sent.
        numbers: float ``[n]`` or more, as received.
        noise_var: their error variances.
        amplitude: gain of the analogue part.

    Returns:
        Bands, and standard deviations of their errors.
    """
    device = numbers.device
    rough = flattened([v + e.mean for v, e in zip(values, errors, strict=True)]).to(device)
    octaves = torch.cat([(e.log_deviation * STEPS).round().flatten(1) for e in errors], dim=1)
    deviation = torch.exp2(octaves / STEPS).to(device)
    estimates, left = received(sent, numbers, noise_var, amplitude)
    places = sent.chosen.to(device)
    rough = rough.index_add(1, places, estimates[None])
    deviation = deviation.index_copy(1, places, left[None])
    return unflattened(rough, values), unflattened(deviation, values)


def flattened(bands: Bands) -> Tensor:
    """One row of coefficients per image: ``[batch, coefficients]``."""
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
