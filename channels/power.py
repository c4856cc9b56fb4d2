"""Power constraints: what a transmitter may radiate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from channels.errors import InputError
from channels.signal import Transmission


def normalize_power(symbols: Tensor, sent: Tensor | None = None) -> Tensor:
    """Scale each row to mean |symbol|² = 1 over its sent entries.

    Args:
        symbols: complex ``[batch, K]``.
        sent: bool ``[batch, K]``, true where a symbol is sent; ``None`` means everywhere.

    Returns:
        complex ``[batch, K]``, zero where nothing is sent.

    Raises:
        InputError: if a row carries no power or is not finite.

    >>> normalize_power(torch.tensor([[2j, -2j]])).abs().square().mean().item()
    1.0
    """
    if sent is None:
        sent = torch.ones_like(symbols, dtype=torch.bool)
    symbols = torch.where(sent, symbols, 0)
    power = symbols.abs().square().sum(1, keepdim=True) / sent.sum(1, keepdim=True).clamp_min(1)
    good = torch.isfinite(power) & (power > 1e-20)
    if not bool(good.all()):
        rows = torch.nonzero(~good[:, 0]).flatten().tolist()
        raise InputError(f"rows {rows} have no finite, non-zero power: send at least one symbol")
    return symbols / power.sqrt()


@dataclass(frozen=True)
class AveragePower:
    """Mean power 1 per image, never over the batch.

    >>> AveragePower()
    AveragePower()
    """

    def __call__(self, tx: Transmission) -> Tensor:
        """Return complex64 ``[batch, K]`` at unit mean power over each row's used entries."""
        return normalize_power(tx.symbols, tx.sent)
