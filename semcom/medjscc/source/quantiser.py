"""From coefficients to integers: each is worth the bits that it costs."""

from __future__ import annotations

import torch
from torch import Tensor

from semcom.medjscc.source.entropy_model import Code, Group
from semcom.medjscc.source.levels import side_by_side
from semcom.medjscc.source.prior import Prior
from semcom.medjscc.source.wavelet import Bands

LAGRANGE = 0.1
"""Squared error, in squared steps, that a bit is worth."""

LARGEST = 2**14 - 1
"""Magnitude beyond which no integer is coded."""


class Quantiser:
    """Rate-distortion optimised quantisation, group by group, each given what was chosen before.

    Of the nearest integer, the next one towards zero and the one after, that is taken which costs
    least (RDOQ), for a coefficient ``x`` in steps and a multiplier ``lambda``::

        J(k) = (x - k)^2 - lambda log2 P(k)

    Below half a step that is 0. What a choice does to the contexts of later ones is not looked at.

    Args:
        bands: coefficients ``[batch, bands, h, w]``.
        lagrange: Lagrange multiplier in squared steps per bit, or one for each image
            ``[batch, 1, 1, 1]``.
    """

    def __init__(self, bands: Bands, lagrange: float | Tensor = LAGRANGE) -> None:
        self._coefficients = [side_by_side(band) for band in bands]
        self._lagrange = lagrange

    def in_steps(self, group: Group) -> Tensor:
        """A group's coefficients in steps."""
        coefficients = self._coefficients[group.band][:, list(group.channels)]
        return coefficients * torch.exp2(-group.log_step).to(coefficients.dtype)

    @torch.no_grad()
    def __call__(self, group: Group) -> Tensor:
        """The integers of a group, floats."""
        values = self.in_steps(group)
        if group.band == 0:
            return torch.round(values).clamp(-LARGEST, LARGEST)
        return chosen(values, group.prior, self._lagrange)


@torch.no_grad()
def chosen(values: Tensor, prior: Prior, lagrange: float | Tensor) -> Tensor:
    """Integers for coefficients in steps, see :class:`Quantiser`.

    Args:
        values: float ``[batch, n, h, w]``, in steps.
        prior: of the same shape.
        lagrange: Lagrange multiplier in squared steps per bit, one or ``[batch, 1, 1, 1]``.

    Returns:
        Floats without fraction, of the shape of ``values``.

    >>> even = Prior(torch.zeros(2), torch.zeros(2), torch.full((2,), -3.0))
    >>> chosen(torch.tensor([0.8, 3.2]), even, 0.1).tolist()
    [0.0, 3.0]
    """
    integers = torch.zeros_like(values)
    above_half = values.abs() > 0.5
    some = values[above_half].clamp(-LARGEST, LARGEST)
    if not some.numel():
        return integers
    sign, inner = torch.sign(some), some.abs().floor()
    candidates = torch.stack([torch.round(some), sign * inner, sign * (inner - 1).clamp_min(0)])
    log_zero = prior.log_zero
    own = Prior(
        prior.mean[above_half].expand_as(candidates),
        prior.log_scale[above_half].expand_as(candidates),
        None if log_zero is None else log_zero[above_half].expand_as(candidates),
    )
    if isinstance(lagrange, Tensor):
        lagrange = lagrange.expand_as(values)[above_half]
    costs = (candidates - some).square() + lagrange * own.bits(candidates)
    integers[above_half] = candidates.gather(0, costs.argmin(0, keepdim=True))[0]
    return integers


class Priced:
    """A code that counts the bits of each image, with gradients.

    Args:
        code: what gives the integers.

    >>> prior = Prior(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))
    >>> group = Group(0, (0,), prior, torch.zeros(1, 1, 2, 2), torch.ones(1, 2, 2) > 0)
    >>> priced = Priced(lambda group: torch.zeros_like(group.prior.mean))
    >>> _ = priced(group)
    >>> priced.bits.shape
    torch.Size([1])
    """

    def __init__(self, code: Code) -> None:
        self._code = code
        self.bits = torch.tensor(0.0)
        """So far, float ``[batch]``."""

    def __call__(self, group: Group) -> Tensor:
        """The integers of a group."""
        integers = self._code(group)
        cost = group.prior.bits(integers) * group.inside
        self.bits = self.bits.to(cost) + cost.sum((1, 2, 3))
        return integers


class Rounder(Quantiser):
    """Integers that are nearest, those of details drawn towards zero.

    Args:
        bands: coefficients ``[batch, bands, h, w]``.
        dead_zone: what is added to a detail's magnitude before its fraction is dropped.
    """

    def __init__(self, bands: Bands, dead_zone: float | Tensor = 0.4) -> None:
        super().__init__(bands)
        self._dead_zone = dead_zone

    @torch.no_grad()
    def __call__(self, group: Group) -> Tensor:
        """The integers of a group, floats."""
        values = self.in_steps(group)
        if group.band == 0:
            return torch.round(values)
        return torch.sign(values) * torch.floor(values.abs() + self._dead_zone)
