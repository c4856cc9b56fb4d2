"""Weights in eight or four bits: codes, and the scales that make numbers of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from channels import InputError

_TINIEST = 2.0**-24
"""The smallest positive number of half precision: all zeros need a scale too."""


class Int8(nn.Module):
    """A matrix in eight bits, symmetric, with a scale for each row.

    ``s = max|w| / 127``, ``q = clip(round(w / s), -127, 127)``, and ``w`` is given back as ``q s``,
    at most half a step ``s`` away. Scales are rounded up to half precision before codes are taken,
    so that no code is cut off.

    Args:
        weight: finite, ``[rows, columns]``.

    Raises:
        InputError: if a scale does not fit half precision.

    >>> Int8(torch.tensor([[-127.0, 0.4, 1.6]]))().tolist()
    [[-127.0, 0.0, 2.0]]
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        weight = weight.float()
        scales = _half_above(weight.abs().amax(1) / 127)
        codes = (weight / scales.float()[:, None]).round().clamp(-127, 127)
        self.register_buffer("codes", codes.to(torch.int8))
        self.register_buffer("scales", scales)

    def forward(self) -> Tensor:
        """The matrix, float32 ``[rows, columns]``."""
        return self.codes.float() * self.scales.float()[:, None]


class Int4(nn.Module):
    """A matrix in four bits, asymmetric, with a scale and a zero point for each group of a row.

    With ``l = min(w, 0)`` and ``h = max(w, 0)`` of a group, ``s = (h - l) / 15``,
    ``z = round(-l / s)``, ``q = clip(round(w / s) + z, 0, 15)``, and ``w`` is given back as
    ``(q - z) s``, at most half a step ``s`` away; zeros stay zeros. Scales are rounded up to half
    precision before codes are taken. Codes and zero points are packed two a byte, the first in the
    lower nibble: with groups of 64, 4.31 bits a weight.

    Asymmetric, since it errs less: the RMS error of groups of 64 Gaussian weights is 9.1 % of their
    RMS, against 9.5 % of symmetric codes -8…7 that put the largest weight at -8, and 10.8 % of
    symmetric codes -7…7. Of the weights that come with the package, 8 to 10 % against 9 to 11 % and
    10 to 13 %. A smallest value in half precision instead of the zero point gains 1.5 % of the
    error for 4 % more bytes, which smaller groups use better.

    Args:
        weight: finite, ``[rows, columns]``.
        group: weights that share a scale; the last group of a row may be shorter.

    Raises:
        InputError: if a scale does not fit half precision.

    >>> weight = torch.tensor([[0.0, 15.0, 6.4, -7.5, 0.0]])
    >>> Int4(weight, group=3)().tolist()
    [[0.0, 15.0, 6.0, -7.5, 0.0]]
    """

    codes: Tensor
    scales: Tensor
    zeros: Tensor

    def __init__(self, weight: Tensor, group: int) -> None:
        super().__init__()
        rows, self.columns = weight.shape
        self.group = group
        padded = F.pad(weight.float(), (0, -self.columns % group))
        whole = padded.reshape(rows, -1, group)
        low, high = whole.amin(2).clamp(max=0), whole.amax(2).clamp(min=0)
        scales = _half_above((high - low) / 15)
        zeros = (-low / scales.float()).round()
        steps = (whole / scales.float()[..., None]).round()
        codes = (steps + zeros[..., None]).clamp(0, 15).reshape(rows, -1)[:, : self.columns]
        self.register_buffer("codes", _packed(codes))
        self.register_buffer("scales", scales)
        self.register_buffer("zeros", _packed(zeros))

    def forward(self) -> Tensor:
        """The matrix, float32 ``[rows, columns]``."""
        zeros, scales = _unpacked(self.zeros, self.scales.shape[1]), self.scales.float()
        codes = _unpacked(self.codes, self.columns)
        return (codes - self._spread(zeros)) * self._spread(scales)

    def _spread(self, of_groups: Tensor) -> Tensor:
        """What a group has, for each of its weights."""
        return of_groups.repeat_interleave(self.group, 1)[:, : self.columns]


def _half_above(scales: Tensor) -> Tensor:
    """The smallest positive numbers of half precision that are not below."""
    near = scales.clamp(min=_TINIEST).half()
    above = (near.view(torch.int16) + 1).view(torch.half)
    half = torch.where(near.float() < scales, above, near)
    if not bool(torch.isfinite(half).all()):
        raise InputError("weights are too large: their scales do not fit half precision")
    return half


def _packed(codes: Tensor) -> Tensor:
    """Whole numbers in 0…15, two a byte: ``[rows, n]`` to uint8 ``[rows, ceil(n / 2)]``."""
    padded = F.pad(codes.to(torch.uint8), (0, codes.shape[1] % 2))
    pairs = padded.reshape(len(codes), -1, 2)
    return pairs[..., 0] | pairs[..., 1] << 4


def _unpacked(packed: Tensor, columns: int) -> Tensor:
    """The numbers again, float32 ``[rows, columns]``."""
    return torch.stack([packed & 15, packed >> 4], -1).flatten(1)[:, :columns].float()
