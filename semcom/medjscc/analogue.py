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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcom.analogue.allocation import STEPS, Allocation, amplitudes, received
from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.source.wavelet import Bands

_FIRST_FINE = 3
"""Place among the bands of the details that have one coefficient of each kind to a block."""


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
