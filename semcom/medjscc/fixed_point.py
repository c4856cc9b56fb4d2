"""Networks that give the same numbers on any machine.

Entropy coding needs both ends to hold the same probabilities to the last bit, and floating-point
convolutions depend on the processor, the batch and the number of threads. Given double precision,
the layers here round what goes in, their weights and what comes out to multiples of a power of two,
few enough bits each that all sums are exact in any order, even in single precision (the idea of
Ballé, Johnston, Minnen, "Integer networks for data compression with latent-variable models", ICLR
2019). Given single precision they are ordinary layers and can be trained.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WEIGHT = 2.0**7
_INNER = 2.0**5
_LARGEST = 32.0
_EXACT = 2.0**24
_VALUE = 2.0**8
SLOPE = 0.125


def on_grid(values: Tensor) -> Tensor:
    """Values of double precision rounded to multiples of 1/256; others as they are.

    >>> on_grid(torch.tensor([0.3], dtype=torch.float64)).item() * 256
    77.0
    """
    if values.dtype != torch.float64:
        return values
    return torch.round(values * _VALUE) / _VALUE


def mean_around(values: Tensor) -> Tensor:
    """Mean over 3 x 3 neighbours of ``[batch, 1, H, W]``, edges repeated.

    >>> mean_around(torch.ones(1, 1, 2, 2)).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    return on_grid(around(F.pad(values, (1, 1, 1, 1), mode="replicate")) / 9)


def around(values: Tensor) -> Tensor:
    """Sum over 3 x 3 neighbours inside ``[batch, 1, H, W]``: two rows and columns less.

    >>> around(torch.ones(1, 1, 3, 3)).item()
    9.0
    """
    return F.conv2d(values, values.new_ones(1, 1, 3, 3))


class _Bounded(torch.autograd.Function):
    """Clamps, and lets only those gradients past a bound that lead back inside."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(values)
        ctx.bounds = low, high
        return values.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (values,) = ctx.saved_tensors
        low, high = ctx.bounds
        stuck = ((values < low) & (gradient > 0)) | ((values > high) & (gradient < 0))
        return gradient.masked_fill(stuck, 0), None, None


def bounded(values: Tensor, low: float, high: float) -> Tensor:
    """Values clamped to a range; gradients that lead back into it pass.

    >>> value = torch.tensor(-9.0, requires_grad=True)
    >>> (-bounded(value, -1.0, 1.0)).backward()
    >>> value.grad.item()
    -1.0
    """
    found: Tensor = _Bounded.apply(values, low, high)
    return found


class Layer(nn.Conv2d):
    """A convolution that keeps the size, by default with a leaky rectifier after it."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, rectify: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2)
        self.rectify = rectify

    def forward(self, maps: Tensor) -> Tensor:
        """``[batch, inputs, H, W]`` to ``[batch, outputs, H / stride, W / stride]``."""
        if maps.dtype != torch.float64:
            found = super().forward(maps)
            return F.leaky_relu(found, SLOPE) if self.rectify else found
        assert self.bias is not None
        weight, bias = (
            torch.round(value.double() * _WEIGHT) / _WEIGHT for value in (self.weight, self.bias)
        )
        largest = float((weight.abs().sum((1, 2, 3)) * _LARGEST + bias.abs()).max())
        fits = largest * _WEIGHT * _INNER < _EXACT
        precision = torch.float32 if fits else torch.float64
        found = F.conv2d(
            _limited(maps).to(precision),
            weight.to(precision),
            bias.to(precision),
            self.stride,
            self.padding,
        )
        return _limited(F.leaky_relu(found.double(), SLOPE) if self.rectify else found.double())


def _limited(values: Tensor) -> Tensor:
    """Values as exact sums want them."""
    return torch.round(values * _INNER).clamp(-_LARGEST * _INNER, _LARGEST * _INNER) / _INNER


class Doubled(nn.Module):
    """A layer that gives maps of twice the sides."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.layer = Layer(inputs, 4 * outputs, kernel)

    def forward(self, maps: Tensor) -> Tensor:
        """``[batch, inputs, H, W]`` to ``[batch, outputs, 2 H, 2 W]``."""
        return F.pixel_shuffle(self.layer(maps), 2)
