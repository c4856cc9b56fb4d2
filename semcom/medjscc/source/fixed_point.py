"""Networks that give the same numbers on any machine.

Entropy coding needs both ends to hold the same probabilities to the last bit, and floating-point
convolutions depend on the processor, the batch and the number of threads. In evaluation mode the
layers here round their weights and what comes out to multiples of a power of two, few enough bits
each that all sums are exact in single precision and in any order (the idea of Ballé, Johnston,
Minnen, "Integer networks for data compression with latent-variable models", ICLR 2019). In training
mode they are ordinary layers.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WEIGHT = 2.0**7
_ACTIVATION = 2.0**5
LARGEST = 32.0
_EXACT = 2.0**24
SLOPE = 0.125


def limited(values: Tensor) -> Tensor:
    """Values as exact layers want them: multiples of 1/32 in [-32, 32].

    >>> limited(torch.tensor([0.3, 99.0])).tolist()
    [0.3125, 32.0]
    """
    most = LARGEST * _ACTIVATION
    return torch.round(values * _ACTIVATION).clamp_(-most, most).div_(_ACTIVATION)


def power_of_two(exponent: Tensor, exact: bool) -> Tensor:
    """``2 ** exponent``, as multiples of 2^-16 if exact: the last bits differ between machines.

    >>> power_of_two(torch.tensor([0.5]), exact=True).item() * 2**16
    92682.0
    """
    power = torch.exp2(exponent)
    return torch.round(power * 2.0**16) / 2.0**16 if exact else power


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
    clamped: Tensor = _Bounded.apply(values, low, high)
    return clamped


class Layer(nn.Conv2d):
    """A convolution that keeps the size, by default with a leaky rectifier after it.

    In evaluation mode what comes in must be :func:`limited`, and so is what comes out.

    >>> layer = Layer(2, 3, 3).eval().requires_grad_(False)
    >>> maps = limited(torch.rand(1, 2, 8, 8))
    >>> bool((layer(maps) * 32 % 1 == 0).all())
    True
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, rectify: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.rectify = rectify

    def forward(self, maps: Tensor) -> Tensor:
        """``[batch, inputs, h, w]`` to ``[batch, outputs, h, w]``."""
        assert self.bias is not None
        if self.training:
            convolved = _convolved(maps, self.weight, self.bias)
            return F.leaky_relu(convolved, SLOPE) if self.rectify else convolved
        weight, bias = (torch.round(p * _WEIGHT) / _WEIGHT for p in (self.weight, self.bias))
        largest = float((weight.abs().sum((1, 2, 3)) * LARGEST + bias.abs()).max().detach())
        fits = largest * _WEIGHT * _ACTIVATION < _EXACT
        precision = torch.float32 if fits else torch.float64
        convolved = _convolved(maps.to(precision), weight.to(precision), bias.to(precision))
        return limited(F.leaky_relu_(convolved, SLOPE) if self.rectify else convolved).float()


def _convolved(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution that keeps the size; one of 1 x 1 is a matrix product, which is faster."""
    side = weight.shape[-1]
    if side > 1:
        return F.conv2d(maps, weight, bias, padding=side // 2)
    product = torch.matmul(weight.flatten(1), maps.flatten(2)).add_(bias[:, None])
    return product.reshape(len(maps), len(weight), *maps.shape[-2:])
