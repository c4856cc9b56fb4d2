"""Whether an image is better sent without a digital part, because that would hardly arrive."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from channels import Link
from semcom.analogue import base_layer
from semcom.learned import pad_to
from semcom.medjscc.layout import SURE, Layout
from semcom.medjscc.source.steps import in_steps
from semcom.medjscc.source.wavelet import BLOCK, Wavelet
from semcom.modem.realisations import noise_variances

_LEAST_ERROR = 1e-9
_QUANTILES = (5 / 6, 1 / 2, 1 / 6)
_AHEAD_DB = 1.0
"""By how much an image without digital part must be expected to be better: the synthesis of a
digital one gains what is not expected, and it arrives in better than average states of the link."""


def states_db(link: Link | None, channel_uses: int, snr_db: float) -> tuple[float, ...]:
    """SNRs that stand for the best, the middle and the worst third of a link's states.

    >>> import channels
    >>> [round(state) for state in states_db(channels.link("awgn"), 100, 3.0)]
    [3, 3, 3]
    """
    if link is None:
        return (snr_db,)
    snrs_db = -10 * np.log10(noise_variances(link, channel_uses, round(snr_db, 1)).mean(1))
    return tuple(np.quantile(snrs_db, _QUANTILES).tolist())


@dataclass(frozen=True)
class AnalogOnly:
    """What analog base layers of one image leave, counted as the digital part's errors are.

    Args:
        image: float32 ``[1, 1, H, W]``, centred on zero.
        log_step: log2 of the step of each block, in which errors count.
        snr_db: E_s/N_0 in dB that the transmitter believes.
        link: whose states it may meet; ``None`` for Gaussian noise.
        wavelet: in whose bands errors are counted.
    """

    image: Tensor
    log_step: Tensor
    snr_db: float
    link: Link | None
    wavelet: Wavelet

    def serves_better(self, digital_error: float, layout: Layout, surely: bool = True) -> bool:
        """Compare what a digital part and a finer analog base layer are expected to gain in dB.

        Both gain nothing over the analog base layer where the header is lost, and a digital part
        nothing where it is lost itself.

        Args:
            digital_error: squared error in steps that is left where the digital part arrives;
                infinite if none fits.
            layout: how the channel uses are divided, with the digital part's chance.
            surely: whether a digital part that is sure to arrive is taken unseen.
        """
        if (surely and layout.digital_success >= SURE) or math.isinf(digital_error):
            return False
        uses = layout.channel_uses
        states = states_db(self.link, uses, self.snr_db)
        lost = self._log_error(*self._sent(layout.analog_base), states[-1])
        arriving = min(layout.digital_success, layout.header_success)
        gained = arriving * (lost - math.log2(digital_error + _LEAST_ERROR))
        enough = gained + _AHEAD_DB / (10 * math.log10(2))
        sent = self._sent(layout.base_uses + layout.shared_uses)
        alone: list[float] = []
        for state_db in states:
            alone.append(layout.header_success * (lost - self._log_error(*sent, state_db)))
            if alone[0] <= enough:
                return False
        return sum(alone) / len(alone) > enough

    @torch.no_grad()
    def _sent(self, uses: int) -> tuple[Tensor, float]:
        """Numbers of an analog base layer of so many channel uses at unit power, and their gain."""
        numbers = base_layer.send(self.image, uses, self.snr_db)
        gain = math.sqrt(uses / (float(numbers.square().sum()) + _LEAST_ERROR))
        return gain * numbers, gain

    @torch.no_grad()
    def _log_error(self, sent: Tensor, gain: float, state_db: float) -> float:
        """log2 of the error that it leaves in a state of the link, on one draw of noise."""
        noise_var = 10 ** (-state_db / 10) / 2
        noise = torch.randn(sent.shape, generator=torch.Generator().manual_seed(0))
        received = sent + math.sqrt(noise_var) * noise.to(sent)
        shape = (self.image.shape[-2], self.image.shape[-1])
        coarse = base_layer.receive(
            received, torch.full_like(received, noise_var), shape, self.snr_db
        )
        missing = pad_to(self.image - coarse / gain, BLOCK)
        bands = in_steps(self.wavelet.analyse(missing), self.log_step)
        return math.log2(sum(float(band.square().sum()) for band in bands) + _LEAST_ERROR)
