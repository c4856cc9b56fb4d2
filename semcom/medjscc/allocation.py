"""Latents to channel symbols: decorrelated over neighbouring cells, scaled, ordered; and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.medjscc.transforms import cosine_matrix

CELLS = 4


class PowerAllocation(nn.Module):
    """Scales every coefficient to its share of the transmit power and orders them by importance.

    A cosine transform over each 4 x 4 group of cells takes out what neighbouring latents have in
    common. A coefficient of variance v is then sent with a gain of v^(-1/4), which minimises the
    squared error of an analogue transmission under a power constraint, and estimated by its Wiener
    filter (SoftCast: Jakubczak and Katabi, MobiCom 2011). Gains and variances are trained on.

    Args:
        latents: number of latent maps.

    >>> allocation = PowerAllocation(2)
    >>> allocation.send(torch.ones(1, 2, 4, 8)).shape
    torch.Size([1, 64])
    """

    order: Tensor
    cosine: Tensor

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = latents
        self.log_gain = nn.Parameter(torch.zeros(latents, CELLS**2))
        self.log_var = nn.Parameter(torch.zeros(latents, CELLS**2))
        self.register_buffer("order", torch.arange(latents * CELLS**2))
        self.register_buffer("cosine", cosine_matrix(CELLS), persistent=False)

    def _transform(self, latents: Tensor, matrix: Tensor) -> Tensor:
        rows, columns = latents.shape[2] // CELLS, latents.shape[3] // CELLS
        groups = latents.reshape(-1, self.latents, rows, CELLS, columns, CELLS)
        return torch.einsum("blricj,mi,nj->blmnrc", groups, matrix, matrix)

    def _coefficients(self, latents: Tensor) -> Tensor:
        """``[batch, latents, h, w]`` to ``[batch, latents, 16, h/4, w/4]``."""
        return self._transform(latents, self.cosine).flatten(2, 3)

    @torch.no_grad()
    def calibrate(self, latents: Tensor) -> None:
        """Set gains, variances and order from a batch of latents, before training."""
        variance = self._coefficients(latents).square().mean((0, 3, 4)).clamp_min(1e-10)
        gain = variance.pow(-0.25)
        gain = gain / (gain.square() * variance).mean().sqrt()
        self.log_gain.copy_(gain.log())
        self.log_var.copy_(variance.log())
        self.order.copy_(variance.flatten().argsort(descending=True, stable=True))

    def send(self, latents: Tensor) -> Tensor:
        """Latents ``[batch, latents, h, w]`` as numbers ``[batch, latents * h * w]`` in order."""
        scaled = self._coefficients(latents) * self.log_gain.exp()[..., None, None]
        return scaled.flatten(1, 2)[:, self.order].flatten(1)

    def receive(self, numbers: Tensor, noise_var: Tensor, shape: tuple[int, int]) -> Tensor:
        """Best linear estimate of the latents.

        Args:
            numbers: float ``[batch, latents * h * w]`` in order, anything where nothing was sent.
            noise_var: their error variances, infinite where nothing was sent.
            shape: ``(h, w)``.

        Returns:
            float ``[batch, latents, h, w]``.
        """
        rows, columns = shape[0] // CELLS, shape[1] // CELLS
        back = self.order.argsort()
        gain = self.log_gain.exp()[..., None, None]
        sent_var = self.log_var.exp()[..., None, None] * gain.square()
        full = (-1, self.latents, CELLS**2, rows, columns)
        numbers, noise_var = (
            part.reshape(len(part), -1, rows, columns)[:, back].reshape(full)
            for part in (numbers, noise_var)
        )
        estimate = numbers * (sent_var / (sent_var + noise_var)) / gain
        groups = estimate.reshape(-1, self.latents, CELLS, CELLS, rows, columns)
        return torch.einsum("blmnrc,mi,nj->blricj", groups, self.cosine, self.cosine).reshape(
            -1, self.latents, *shape
        )
