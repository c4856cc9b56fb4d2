"""How much rate a codec saves at equal quality."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from channels import InputError
from channels.errors import check_name, check_number

Array = NDArray[np.float64]
Curve = Iterable[float]
Method = Literal["pchip", "akima", "cubic"]
_LEAST = {"pchip": 2, "akima": 2, "cubic": 4}
_SAMPLES = 400


def bd_rate(
    anchor_rate: Curve,
    anchor_quality: Curve,
    rate: Curve,
    quality: Curve,
    *,
    method: Method = "pchip",
    min_overlap: float = 0.75,
) -> float:
    """Bjøntegaard delta rate: by how many percent a codec's rate differs at equal quality.

    The logarithm of the rate is interpolated over the quality, and the mean difference of the two
    curves over the qualities that both reach is taken back to percent: -50 is half the rate.
    After G. Bjøntegaard, *Calculation of average PSNR differences between RD-curves*, ITU-T
    VCEG-M33, 2001, who takes a cubic through four points (``"cubic"``); piecewise cubics
    (``"pchip"``) do not overshoot. The library bjontegaard reckons.

    Args:
        anchor_rate: rates of the anchor, above 0, each once, e.g. in channel uses per pixel.
        anchor_quality: its quality at each, rising with the rate, e.g. in dB.
        rate: rates of the codec, as many as it has.
        quality: its quality at each.
        method: of interpolation; ``"pchip"`` and ``"akima"`` need two points, ``"cubic"`` four.
        min_overlap: the least share of all qualities, from the lowest to the highest of both
            curves, that both must reach, 0 to 1.

    Returns:
        Percent of the anchor's rate, above -100; negative where the codec saves.

    Raises:
        InputError: if a curve is no curve or does not rise, as measured or as the method draws it
            between the points, or the two overlap too little.

    >>> qualities = [30.0, 33.0, 36.0]
    >>> round(bd_rate([1, 2, 4], qualities, [0.5, 1, 2], qualities), 9)
    -50.0
    """
    check_name("method", method, _LEAST)
    min_overlap = check_number("min_overlap", min_overlap, 0, 1)
    anchor = _curve("the anchor's curve", anchor_rate, anchor_quality, _LEAST[method])
    other = _curve("the codec's curve", rate, quality, _LEAST[method])
    shared = overlap(anchor[1], other[1])
    if shared <= 0 or shared < min_overlap:
        raise InputError(
            f"the two curves share {100 * shared:.0f} % of their qualities, less than "
            f"{100 * min_overlap:.0f} %: measure them at nearer rates, or lower min_overlap"
        )
    low, high = max(anchor[1][0], other[1][0]), min(anchor[1][-1], other[1][-1])
    for what, curve in (("the anchor's curve", anchor), ("the codec's curve", other)):
        if not _rises(method, *curve, low, high):
            raise InputError(
                f"{what} does not rise as method {method!r} draws it between its points: take "
                "'pchip', which does not overshoot"
            )
    from bjontegaard import bd_rate as library  # takes matplotlib along

    return float(library(*anchor, *other, method, require_matching_points=False, min_overlap=0))


def _rises(method: Method, rates: Array, qualities: Array, low: float, high: float) -> bool:
    """Whether the interpolated logarithm of the rate rises with the quality, all along."""
    from scipy.interpolate import Akima1DInterpolator

    at, logarithms = np.linspace(low, high, _SAMPLES), np.log10(rates)
    if method == "cubic":
        drawn = np.polyval(np.polyfit(qualities, logarithms, 3), at)
    elif method == "akima":
        drawn = Akima1DInterpolator(qualities, logarithms)(at)
    else:
        return True
    return bool((np.diff(drawn) > -1e-9).all())


def overlap(a: Curve, b: Curve) -> float:
    """Share of all qualities, from the lowest to the highest, that two curves both reach.

    >>> overlap([30, 34], [32, 40])
    0.2
    """
    first, second = (np.asarray(list(curve), dtype=np.float64) for curve in (a, b))
    low, high = max(first.min(), second.min()), min(first.max(), second.max())
    whole = max(first.max(), second.max()) - min(first.min(), second.min())
    return float(max(high - low, 0.0) / whole) if whole > 0 else 0.0


def _curve(what: str, rate: Curve, quality: Curve, least: int) -> tuple[Array, Array]:
    """Rates and qualities in rising order, checked."""
    try:
        rates, qualities = (np.array(list(v), dtype=np.float64) for v in (rate, quality))
    except (TypeError, ValueError):
        raise InputError(f"{what} must be two lists of numbers, rate and quality") from None
    if rates.ndim != 1 or rates.shape != qualities.shape or len(rates) < least:
        raise InputError(
            f"{what} must have as many rates as qualities, at least {least} of each, got "
            f"{rates.shape} and {qualities.shape}"
        )
    if not (np.isfinite(rates).all() and np.isfinite(qualities).all() and rates.min() > 0):
        raise InputError(f"{what} must have finite qualities, and finite rates above 0")
    order = np.argsort(rates, kind="stable")
    rates, qualities = rates[order], qualities[order]
    if not ((np.diff(rates) > 0).all() and (np.diff(qualities) > 0).all()):
        raise InputError(
            f"{what} must rise: more rate, better quality; leave out points where it does not"
        )
    return rates, qualities
