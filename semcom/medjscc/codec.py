"""Med-JSCC, first version: mask-guided joint source-channel coding of X-rays."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from channels import InputError, Reception, Session, Transmission
from semcom.crops import Sample
from semcom.learned import LearnedCodec, from_symbols, pad_to, to_symbols, transmission
from semcom.medjscc.allocation import CELLS, PowerAllocation
from semcom.medjscc.transforms import STRIDE, Analysis, Synthesis


class MedJSCC(LearnedCodec):
    """Joint source-channel codec that knows the region of interest, the SNR and the rate.

    Numbers are sent in the order of their importance, so one model serves every rate: as many as
    the budget holds. A few reference symbols of known amplitude tell the receiver the gain that
    the power constraint put on the picture; they are counted like all others.

    Args:
        latents: latent maps at 1/16 of the picture's sides; 64 allow cbr up to 1/8.
        widths: features at 1/4, 1/8 and 1/16.

    >>> codec = MedJSCC()
    >>> codec.encode(torch.rand(1, 1, 64, 64), cbr=1/16, snr_db=6.0).symbols.shape
    torch.Size([1, 256])
    """

    name = "medjscc"
    stride = STRIDE * CELLS

    def __init__(self, latents: int = 64, widths: tuple[int, int, int] = (40, 80, 128)) -> None:
        super().__init__()
        self.latents, self.widths = latents, (widths[0], widths[1], widths[2])
        self.analysis = Analysis(latents, self.widths)
        self.allocation = PowerAllocation(latents)
        self.synthesis = Synthesis(latents, self.widths)
        self.reference = nn.Parameter(torch.tensor(1.5))

    def config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"latents": self.latents, "widths": list(self.widths)}

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Fit gains, variances and order to pictures ``[batch, 1, H, W]``, before training."""
        coefficients = self.analysis.linear(pad_to(images, self.stride) - 0.5)
        self.allocation.calibrate(coefficients)
        spread = coefficients.square().mean((0, 2, 3)).sqrt().clamp_min(1e-4)
        self.analysis.scale.copy_(spread)
        self.synthesis.scale.copy_(1 / spread)

    def calibrate_on(self, samples: list[Sample], side: int = 256) -> None:
        """Calibrate on the central squares of training samples."""
        squares = [_central_square(image, side) for image, _ in samples]
        self.calibrate(torch.stack(squares))

    def _num_reference(self, uses: int) -> int:
        return max(1, min(32, uses // 64))

    def _grid(self, session: Session) -> tuple[int, int]:
        _, height, width = session.image_shape
        return (
            -(-height // self.stride) * CELLS,
            -(-width // self.stride) * CELLS,
        )

    def _condition(self, snr_db: Tensor, session: Session) -> Tensor:
        """SNR and rate, each scaled to about -1…1: float ``[batch, 2]``."""
        rows, columns = self._grid(session)
        rate = math.log2(2 * session.channel_uses / (rows * columns)) / 3 - 1.5
        scaled = (snr_db.clamp(-10, 30) - 8) / 10
        return torch.stack([scaled, torch.full_like(scaled, rate)], dim=1)

    def _encode(self, images: Tensor, roi: Tensor | None, session: Session) -> Transmission:
        height, width = images.shape[2:]
        rows, columns = self._grid(session)
        least = rows * columns // 4 + 1
        if session.channel_uses < least:
            raise InputError(
                f"medjscc needs at least {least} channel uses for {height} x {width} pixels, got "
                f"{session.channel_uses}: raise cbr to {least / (height * width):.5f}"
            )
        mask = torch.zeros_like(images) if roi is None else roi.to(images.dtype)
        snr = torch.full((len(images),), session.snr_db, device=images.device)
        latents = self.analysis(
            pad_to(images, self.stride) - 0.5,
            pad_to(mask, self.stride),
            self._condition(snr, session),
        )
        references = self._num_reference(session.channel_uses)
        known = torch.complex(self.reference, self.reference).expand(len(images), references)
        symbols = to_symbols(self.allocation.send(latents), session.channel_uses - references)
        return transmission(torch.cat([known, symbols], dim=1), session)

    def reconstruct(self, rx: Reception) -> Tensor:
        """Picture before clamping, float32 ``[batch, 1, H, W]``."""
        _, height, width = rx.session.image_shape
        rows, columns = self._grid(rx.session)
        size = self.latents * rows * columns
        references = self._num_reference(rx.session.channel_uses)

        heard = torch.view_as_real(rx.symbols[:, :references]).mean(2)
        trust = 1 / rx.noise_var[:, :references]
        gain = (heard * trust).sum(1) / trust.sum(1) / self.reference
        gain = gain.clamp_min(0.05)[:, None]

        numbers = from_symbols(rx.symbols[:, references:] / gain, size)
        noise_var = rx.noise_var[:, references:] / gain.square() / 2
        noise_var = noise_var.repeat_interleave(2, dim=1)[:, :size]
        silent = size - noise_var.shape[1]
        noise_var = nn.functional.pad(noise_var, (0, silent), value=math.inf)
        latents = self.allocation.receive(numbers, noise_var, (rows, columns))
        images: Tensor = self.synthesis(latents, self._condition(rx.snr_db, rx.session))
        return images[..., :height, :width] + 0.5


def _central_square(image: Tensor, side: int) -> Tensor:
    """The central square of a picture ``[1, H, W]``, resized to ``side``."""
    height, width = image.shape[1:]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = image[None, :, top : top + edge, left : left + edge]
    return nn.functional.interpolate(square, (side, side), mode="bilinear", antialias=True)[0]
