"""The codec's training forward pass: a whole transmission with gradients.

Every decision (integers, which errors are sent, the step) is taken as in use, and gradients are
those at fixed decisions. Where decisions minimise squared error plus the Lagrange multiplier times
bits, these are the true ones: what moves a decision costs as much as it gains (envelope theorem).
Bits are charged in the currency of the channel: a bit more takes the energy of so many channel
uses from the analogue part. The digital part counts as arrived: its MCS is chosen such that it is,
and its bits need not be coded to know that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import Reception
from semcom.analogue import base_layer
from semcom.analogue.allocation import allocate, water_filling, wiener
from semcom.learned import pad_to, to_symbols
from semcom.medjscc.analogue import flattened, importance, unflattened
from semcom.medjscc.header import LAST_STEP, LENGTHS
from semcom.medjscc.layout import Layout
from semcom.medjscc.options import MedJSCCOptions
from semcom.medjscc.receiver import restore
from semcom.medjscc.sender import PreparedImage, coarser, padding_numbers
from semcom.medjscc.source.entropy_model import EntropyModel
from semcom.medjscc.source.prior import ErrorPrior
from semcom.medjscc.source.quantiser import Priced, Quantiser
from semcom.medjscc.source.steps import block_pixels, in_steps
from semcom.medjscc.source.wavelet import BLOCK, Bands, Wavelet
from semcom.medjscc.synthesis import Synthesis

_MOST_ANALOGUE = 0.9
"""Largest share of analogue symbols by which the energy that bits take is corrected."""

_LEAST_POWER = 1e-6
"""Keeps the root of a power of zero from an infinite gradient."""


@dataclass(frozen=True)
class Sent:
    """What a receiver in training mode is told beside the symbols.

    Args:
        prepared: what each image was sent as.
        values: the digital part's bands in steps of the blocks.
        errors: what is expected of their errors.
        chosen: which errors each image's symbols say.
        amplitudes: amplitude per unit of each of them.
        lengths: length of each digital part.
        cbr: channel uses per pixel.
    """

    prepared: list[PreparedImage]
    values: Bands
    errors: list[ErrorPrior]
    chosen: list[Tensor]
    amplitudes: list[Tensor]
    lengths: list[int]
    cbr: float


def send(
    wavelet: Wavelet,
    model: EntropyModel,
    options: MedJSCCOptions,
    images: Tensor,
    batch: list[PreparedImage],
    layout: Layout,
    snr_db: float,
    cbr: float,
) -> tuple[Tensor, Sent]:
    """Symbols ``[batch, uses]`` with gradients, and what the receiver is told.

    Args:
        wavelet: the codec's.
        model: the codec's, in training mode.
        options: what both ends have chosen.
        images: float32 ``[batch, 1, H, W]`` in [0, 1].
        batch: what each is sent as; those without a digital part get the coarsest one.
        layout: how the channel uses are divided.
        snr_db: E_s/N_0 in dB that the transmitter believes.
        cbr: channel uses per pixel.
    """
    inside = [
        pad_to(prepared.border.removed(image[None] - 0.5), BLOCK)
        for prepared, image in zip(batch, images, strict=True)
    ]
    bands = wavelet.analyse(torch.cat(inside))
    while True:
        log_step = torch.cat([prepared.log_step for prepared in batch]).to(images)
        priced = Priced(Quantiser([band.detach() for band in bands]))
        walked = model.walk(log_step, priced)
        lengths = [
            layout.fitting_length(math.ceil(float(bits.detach()) / 8)) for bits in priced.bits
        ]
        coarsest = [prepared.step == LAST_STEP and not prepared.told for prepared in batch]
        open_rows = [n is None and not last for n, last in zip(lengths, coarsest, strict=True)]
        if not any(open_rows):
            break
        batch = [
            coarser(prepared) if is_open else prepared
            for prepared, is_open in zip(batch, open_rows, strict=True)
        ]
    flat = flattened(walked.missing(in_steps(bands, log_step)))
    log_deviation = flattened([error.log_deviation for error in walked.errors])
    rows, chosen, gains = [], [], []
    taken = [LENGTHS - 1 if length is None else length for length in lengths]
    for row, (bits, length) in enumerate(zip(priced.bits, taken, strict=True)):
        analogue = layout.analogue_uses(length)
        importances = importance(walked.row(row).errors, options.equal_rates)
        places = allocate(importances, 2 * analogue, snr_db).chosen.to(images.device)
        deviation = torch.exp2(log_deviation[row, places])
        power = water_filling(deviation, 10 ** (snr_db / 10)) + _LEAST_POWER
        amplitude = (power / 2).sqrt() / deviation
        numbers = flat[row, places] * amplitude
        strength = (2 * numbers.square().mean()).sqrt().clamp_min(1e-3)
        energy = _energy_left(bits, layout, analogue, _worth(deviation, 10 ** (snr_db / 10)))
        filler = padding_numbers(2 * analogue - len(numbers)).to(numbers)
        numbers = torch.cat([numbers * energy / strength, filler])
        digital = layout.digital_uses(length)
        rows.append(
            torch.cat(
                [
                    _unit(layout.header.channel_uses, images),
                    to_symbols(
                        base_layer.send(images[row : row + 1] - 0.5, layout.analog_base, snr_db),
                        layout.analog_base,
                    ),
                    _unit(layout.base_uses + digital, images),
                    to_symbols(numbers[None], analogue),
                ],
                dim=1,
            )
        )
        chosen.append(places)
        gains.append(amplitude / strength)
    sent = Sent(batch, walked.values, walked.errors, chosen, gains, taken, cbr)
    return torch.cat(rows), sent


def receive(
    wavelet: Wavelet,
    synthesis: Synthesis,
    options: MedJSCCOptions,
    rx: Reception,
    sent: Sent,
    layout: Layout,
) -> Tensor:
    """Images, not clamped, with gradients: float32 ``[batch, 1, H, W]``."""
    _, height, width = rx.session.image_shape
    flat = flattened([v + e.mean for v, e in zip(sent.values, sent.errors, strict=True)])
    deviations = torch.exp2(flattened([error.log_deviation for error in sent.errors]))
    rough, uncertain = [], []
    for row, (places, amplitude) in enumerate(zip(sent.chosen, sent.amplitudes, strict=True)):
        start = layout.channel_uses - layout.analogue_uses(sent.lengths[row])
        numbers = torch.view_as_real(rx.symbols[row, start:]).flatten()[: len(places)]
        noise = (rx.noise_var[row, start:] / 2).repeat_interleave(2)[: len(places)]
        estimates, left = wiener(numbers, noise, deviations[row, places], amplitude)
        rough.append(flat[row].index_add(0, places, estimates))
        uncertain.append(deviations[row].index_copy(0, places, left))
    blocks = torch.cat([prepared.blocks & (prepared.told > 0) for prepared in sent.prepared]).to(
        rough[0]
    )
    image = restore(
        wavelet,
        synthesis if options.learned_synthesis else None,
        unflattened(torch.stack(rough), sent.values),
        unflattened(torch.stack(uncertain), sent.values),
        block_pixels(blocks),
        torch.cat([prepared.log_step for prepared in sent.prepared]).to(rough[0]),
        rx.snr_db if options.channel_adaptive else None,
        sent.cbr,
    )
    image = image[..., :height, :width] + 0.5
    return torch.cat(
        [prepared.border.restored(image[i : i + 1]) for i, prepared in enumerate(sent.prepared)]
    )


def _worth(deviation: Tensor, snr: float) -> float:
    """What the last channel use of an analogue part brings, over what its energy alone would.

    Without it two numbers are not sent, and the others share its energy less.

    >>> round(_worth(torch.ones(1000), 100.0)), _worth(torch.ones(2), 1.0)
    (101, 1.0)
    """
    deviations = deviation.detach().cpu().double().numpy()
    fewer = deviations[:-2]
    if not len(fewer):
        return 1.0

    def gains(some: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 + snr * water_filling(some, snr)

    ours = gains(deviations)
    left = np.square(deviations) / ours
    lost = (np.square(fewer) / gains(fewer)).sum() + np.square(deviations[-2:]).sum() - left.sum()
    by_energy = (left * (1 - 1 / ours)).sum() * 2 / len(deviations)
    return float(lost / by_energy)


def _energy_left(bits: Tensor, layout: Layout, analogue: int, worth: float) -> Tensor:
    """1, with the gradient that an image's bits take from the amplitude of its analogue part."""
    uses = worth * (bits - bits.detach()) / layout.mcs.bits_per_use
    share = min(analogue / layout.channel_uses, _MOST_ANALOGUE)
    return (1 - uses / max(analogue, 1)).clamp_min(0.01) ** (0.5 / (1 - share))


def _unit(uses: int, like: Tensor) -> Tensor:
    """So many symbols of unit power that say nothing, always the same."""
    phases = 2 * math.pi * torch.rand(1, uses, generator=torch.Generator().manual_seed(uses))
    phases = phases.to(like.device)
    return torch.polar(torch.ones_like(phases), phases)
