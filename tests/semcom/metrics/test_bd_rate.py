"""Bjøntegaard delta rate against curves whose integrals are known in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from channels import InputError
from semcom.metrics import bd_rate
from semcom.metrics.rate import Method, overlap

RATES = [1 / 64, 1 / 32, 1 / 16, 1 / 8]
METHODS: list[Method] = ["pchip", "akima", "cubic"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.7])
def test_a_factor_of_the_rate_is_its_percentage(method: Method, factor: float) -> None:
    quality = [27.1, 30.0, 34.2, 36.5]
    scaled = [factor * rate for rate in RATES]
    found = bd_rate(RATES, quality, scaled, quality, method=method)
    assert found == pytest.approx(100 * (factor - 1), abs=1e-6)


@pytest.mark.parametrize("points", [2, 3, 4])
def test_a_decibel_on_a_straight_curve_is_a_factor(points: int) -> None:
    """3 dB for each doubling: 1 dB more saves a third of a doubling."""
    quality = [30 + 3 * number for number in range(points)]
    better = [value + 1 for value in quality]
    found = bd_rate(RATES[:points], quality, RATES[:points], better, min_overlap=0.5)
    assert found == pytest.approx(100 * (2 ** (-1 / 3) - 1), abs=1e-6)


def test_curves_of_other_slopes_are_averaged_over_what_they_share() -> None:
    """log10 of the rates is q and q / 2; over [0, 1] they differ by 1/4 in the mean."""
    found = bd_rate([1, 10], [0, 1], [1, 10], [0, 2], min_overlap=0.5)
    assert found == pytest.approx(100 * (10**-0.25 - 1))


def test_cubic_is_vceg_m33() -> None:
    quality, better = [27.1, 30.0, 34.2, 36.5], [27.9, 31.5, 34.6, 37.2]
    low, high = 27.9, 36.5
    integrals = []
    for curve in (quality, better):
        centred = np.array(curve) - 30
        cubic = np.polynomial.Polynomial.fit(centred, np.log10(RATES), 3).integ()
        integrals.append(float(cubic(high - 30) - cubic(low - 30)))
    expected = 100 * (10 ** ((integrals[1] - integrals[0]) / (high - low)) - 1)
    found = bd_rate(RATES, quality, RATES, better, method="cubic")
    assert found == pytest.approx(expected, abs=1e-6)


STEPS = st.lists(st.floats(0.5, 4), min_size=3, max_size=3)


@given(STEPS, STEPS, st.floats(-1, 1))
@settings(max_examples=50, deadline=None)
def test_the_way_back_undoes_the_way_there(a: list[float], b: list[float], start: float) -> None:
    first, second = 30 + np.cumsum(a), 30 + start + np.cumsum(b)
    assume(overlap(first, second) > 0.05)
    there = bd_rate(RATES[:3], first, RATES[:3], second, min_overlap=0)
    back = bd_rate(RATES[:3], second, RATES[:3], first, min_overlap=0)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


def test_points_may_come_in_any_order_and_number() -> None:
    expected = bd_rate([1, 2, 4], [30, 33, 36], [1, 2, 4, 8], [29, 33, 35, 37])
    assert bd_rate([4, 1, 2], [36, 30, 33], [8, 2, 4, 1], [37, 33, 35, 29]) == expected


def test_overlap_is_a_share_of_both() -> None:
    assert overlap([0, 4], [2, 8]) == 0.25
    assert overlap([0, 1], [2, 3]) == 0
    assert overlap([0, 1], [0, 1]) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([1, 2], [30, 33], [1, 2], [32, 35]), {}, "share 20 % of their qualities, less than 75 %"),
        (([1, 2], [30, 33], [1, 2], [34, 35]), {"min_overlap": 0}, "share 0 %"),
        (([1, 2], [33, 30], [1, 2], [30, 33]), {}, "the anchor's curve must rise"),
        (([1, 2], [30, 33], [1, 1], [30, 33]), {}, "the codec's curve must rise"),
        (([1, 2], [30, 33], [0, 1], [30, 33]), {}, "rates above 0"),
        (([1, 2], [30, math.inf], [1, 2], [30, 33]), {}, "finite qualities"),
        (([1, 2], [30, 33], [1, 2], [30]), {}, "as many rates as qualities"),
        (([1, 2], [30, 33], [1], [30]), {}, "at least 2"),
        (([1, 2], [30, 33], [1, 2], [30, 33]), {"method": "cubic"}, "at least 4"),
        (([1, 2], [30, 33], ["a", 2], [30, 33]), {}, "two lists of numbers"),
        (([1, 2], [30, 33], 3, [30, 33]), {}, "two lists of numbers"),
        (([1, 2], [30, 33], [1, 2], [30, 33]), {"method": "spline"}, "unknown method 'spline'"),
        (([1, 2], [30, 33], [1, 2], [30, 33]), {"min_overlap": 2}, "min_overlap must"),
    ],
)
def test_what_is_no_pair_of_curves_is_refused(
    arguments: tuple[Any, ...], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        bd_rate(*arguments, **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_fit_that_does_not_rise_is_refused() -> None:
    """A cubic through these four points turns back between the last two."""
    anchor = [1.0, 2.0, 4.0, 8.0], [30.0, 30.1, 30.2, 36.0]
    other = [1.0, 2.0, 4.0, 8.0], [30.0, 32.0, 34.0, 36.0]
    for curves in ((*anchor, *other), (*other, *anchor)):
        with pytest.raises(InputError, match="does not rise as method 'cubic' draws it"):
            bd_rate(*curves, method="cubic")
    assert math.isfinite(bd_rate(*anchor, *other, method="pchip"))
