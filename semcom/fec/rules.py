"""What a check tells its bits, in any arithmetic: compiled vectors or torch.

A check knows a magnitude and a sign of each of its bits. To each it says how sure the others make
it. Both arithmetics share the words ``smaller``, ``larger``, ``less``, ``difference``, ``part`` and
``constant`` of :class:`semcom.fec.simd.Vectors`, so that they compute the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class AMinStar(NamedTuple):
    """Nearly belief propagation, by two magnitudes for each check.

    The bit of the smallest input gets the box-plus sum of all others, each other bit the box-plus
    sum of all inputs (A-min*, Jones, Vallés, Smith, Villasenor, MILCOM 2003). The box-plus sum of
    magnitudes x ≤ y is taken as x − min(max(7/4 − (y − x), 0), 7/16, x/2); the exact one is
    x − log(1 + e^−(y − x)) + log(1 + e^−(y + x)). The constants are those of the lowest block
    error rate after 20 iterations over four codes of rate 1/5 to 2/3.

    Args:
        clamp: largest magnitude of a message, in the decoder's units.
        knee: 7/4, in the decoder's units.
        most: 7/16, in the decoder's units.
    """

    clamp: float
    knee: float
    most: float


class OffsetMinSum(NamedTuple):
    """Smallest other magnitude less an offset (Chen and Fossorier, 2002).

    Args:
        clamp: largest magnitude of a message, in the decoder's units.
        offset: what is taken off, in the decoder's units.
    """

    clamp: float
    offset: float


class MinSum(NamedTuple):
    """Smallest other magnitude.

    Args:
        clamp: largest magnitude of a message, in the decoder's units.
    """

    clamp: float


Rule = AMinStar | OffsetMinSum | MinSum
RULES: dict[str, type[Rule]] = {"a-min*": AMinStar, "offset-minsum": OffsetMinSum, "minsum": MinSum}
_FIELDS = {"knee": 1.75, "most": 0.4375, "offset": 0.5}


def rule_for(cn_update: str, clamp: float, units: float = 1.0) -> Rule:
    """A rule by its name, in units of a decoder.

    Args:
        cn_update: a key of ``RULES``.
        clamp: largest magnitude of a message, in units.
        units: units per log-likelihood ratio; where there are several, constants are rounded.

    >>> rule_for("a-min*", clamp=31, units=4)
    AMinStar(clamp=31.0, knee=7.0, most=2.0)
    """
    kind = RULES[cn_update]
    fields = {name: _FIELDS[name] * units for name in kind._fields if name != "clamp"}
    if units > 1:
        fields = {name: float(round(value)) for name, value in fields.items()}
    return kind(clamp=float(clamp), **fields)


class Arithmetic(Protocol):
    """Operations on magnitudes."""

    def smaller(self, x: Any, y: Any) -> Any:
        """The smaller of two magnitudes."""

    def larger(self, x: Any, y: Any) -> Any:
        """The larger of two magnitudes."""

    def less(self, x: Any, y: Any) -> Any:
        """What x has over y, at least 0."""

    def difference(self, larger: Any, smaller: Any) -> Any:
        """Difference of two magnitudes."""

    def part(self, x: Any, shift: int) -> Any:
        """A magnitude over 2^shift."""


class Two(NamedTuple):
    """Of some magnitudes: the smallest, and the combination of all others (``None`` if none)."""

    smallest: Any
    others: Any


def reduce_inputs(v: Arithmetic, kind: type[Rule], fields: Any, magnitudes: list[Any]) -> Two:
    """Combine the magnitudes of a check, as a balanced tree.

    Args:
        v: the arithmetic.
        kind: the rule.
        fields: its fields by name, in the arithmetic's form.
        magnitudes: of the inputs.

    >>> import torch
    >>> from semcom.fec.layered_torch import TorchArithmetic
    >>> inputs = [torch.tensor(value) for value in (3.0, 1.0, 2.0)]
    >>> two = reduce_inputs(TorchArithmetic(), MinSum, {}, inputs)
    >>> two.smallest.item(), two.others.item()
    (1.0, 2.0)
    """

    def combine(x: Any, y: Any) -> Any:
        return _box_plus(v, fields, x, y) if kind is AMinStar else v.smaller(x, y)

    parts = [Two(magnitude, None) for magnitude in magnitudes]
    while len(parts) > 1:
        joined = [_join(v, combine, a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = joined + parts[2 * len(joined) :]
    return parts[0]


def _join(v: Arithmetic, combine: Callable[[Any, Any], Any], a: Two, b: Two) -> Two:
    others = v.larger(a.smallest, b.smallest)
    for more in (a.others, b.others):
        if more is not None:
            others = combine(others, more)
    return Two(v.smaller(a.smallest, b.smallest), others)


def outputs(v: Arithmetic, kind: type[Rule], fields: Any, two: Two) -> Two:
    """Magnitudes of the messages to bits other than the weakest, and to the weakest.

    Arguments are those of :func:`reduce_inputs`, and its result.
    """
    usual, to_weakest = two
    if kind is AMinStar:
        usual = _box_plus(v, fields, *two)
    elif kind is OffsetMinSum:
        usual, to_weakest = (v.less(magnitude, fields["offset"]) for magnitude in two)
    return Two(usual, to_weakest)


def _box_plus(v: Arithmetic, fields: Any, x: Any, y: Any) -> Any:
    low, high = v.smaller(x, y), v.larger(x, y)
    near = v.smaller(v.less(fields["knee"], v.difference(high, low)), fields["most"])
    return v.difference(low, v.smaller(near, v.part(low, 1)))
