"""Allocation by sensitivity, and the low-pass that is shown beside it."""

from __future__ import annotations

import numpy as np
import torch

import semcom
from semcom.dmic.lowpass import blurred
from semcom.dmic.observers import seen
from semcom.dmic.rules import surroundings
from semcom.dmic.sensitivity import Sensitivity
from semcom.dmic.units import UNIT
from tests.refusals import refused
from tests.semcom.dmic.test_dmic import SIDE, bright, picture


def test_the_sensitivity_rule_is_finest_where_the_gradient_is() -> None:
    image = picture()
    rule = Sensitivity(bright)
    p = seen([bright], image)[0]
    slope = 400 * p * (1 - p)
    side = SIDE // UNIT
    expected = slope.reshape(side, UNIT, side, UNIT).mean((1, 3))
    np.testing.assert_allclose(rule.sensitivities(image), expected, rtol=1e-3)
    offsets = rule(image, p, 37)
    assert offsets.flat[expected.argmax()] == offsets.min() < offsets.max()
    octaves = np.log2(expected)
    wanted = np.clip(-1.5 * (octaves - np.quantile(octaves, 0.9)), -6, 18)
    assert np.abs(offsets - wanted).max() < 0.51


def test_eight_base_qps_cost_one_look() -> None:
    looks = 0

    def counted(images: torch.Tensor) -> torch.Tensor:
        nonlocal looks
        looks += 1
        return bright(images)

    rule, image = Sensitivity(counted), picture()
    maps = [rule(image, image, qp) for qp in (28, 37, 49)]
    assert looks == 1
    assert all((offsets == maps[0]).all() for offsets in maps)
    image[:] = image[::-1].copy()
    rule(image, image, 37)
    assert looks == 2, "an image that was changed in place is another"


def test_the_segmenters_that_ship_can_be_asked_even_without_gradients_on() -> None:
    rule = Sensitivity(semcom.segmenter("angiography"), probes=2)
    image = picture()
    with torch.inference_mode():
        offsets = rule(image, image, 37)
    assert offsets.min() < 0 < offsets.max()
    np.testing.assert_array_equal(rule(image, image, 37), offsets)


def test_a_segmenter_without_gradients_is_refused() -> None:
    image = picture()
    deaf = Sensitivity(torch.no_grad()(bright))
    refused(lambda: deaf(image, image, 37), "needs a segmenter that lets gradients through")
    refused(lambda: Sensitivity(bright, probes=0), "probes")


def test_nothing_sensitive_is_coded_flat() -> None:
    image = np.full((64, 96), 0.5, np.float32)
    assert not Sensitivity(lambda images: 0 * images)(image, image, 37).any()


def test_the_low_pass_leaves_the_region_untouched() -> None:
    image = picture()
    found = np.zeros_like(image)
    found[40:60, 50:52] = 1
    smooth = blurred(image, found)
    near = surroundings(found)
    assert near[32:68, 51].all()
    np.testing.assert_array_equal(smooth[near], image[near])
    assert np.abs(np.diff(smooth[:, 100:])).mean() < 0.3 * np.abs(np.diff(image[:, 100:])).mean()
    jump = np.abs(np.diff(smooth - image, axis=0)).max()
    assert jump < np.abs(smooth - image).max(), "no step at the edge"
    assert smooth.dtype == np.float32
    refused(lambda: blurred(image, found, sigma=-1), "sigma")
