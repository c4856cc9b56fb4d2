"""Curves: what is measured, and what they save on every axis."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from semcom.dmic import RULES
from semcom.dmic.curves import Curve, Measure, curve
from semcom.dmic.lowpass import blurred
from semcom.dmic.units import encode
from semcom.image_coders import hevc
from semcom.metrics import cldice, dice, roi_psnr
from semcom.metrics.centreline import skeleton
from tests.refusals import refused
from tests.semcom.dmic.test_dmic import SIDE, bright, picture

QPS = (28, 37, 46)
IMAGES = [picture(seed) for seed in (1, 2, 3)]
MASKS = [image > 0.5 for image in IMAGES]


@pytest.fixture(scope="module")
def flat() -> Curve:
    return curve(IMAGES, [bright], RULES["anchor"], base_qps=QPS, preset="ultrafast", masks=MASKS)


def made(images: int = 20, points: int = 6) -> Curve:
    """A curve that rises in every image, by each in its own way."""
    draws = np.random.default_rng(0)
    num_bytes = np.geomspace(4000, 200, points) * draws.uniform(0.5, 2, (images, 1))
    kept = np.linspace(0.95, 0.6, points) + draws.uniform(-0.02, 0.02, (images, 1))
    return Curve(num_bytes, kept[None], kept[None], 40 * kept, kept[None], kept[None], 40 * kept)


def test_a_curve_measures_what_it_says(flat: Curve) -> None:
    decoded = hevc.decode(encode(IMAGES[1], 37, np.zeros((4, 4), np.int64), "ultrafast"))
    now, sent, there = (torch.from_numpy(x)[None, None] for x in (decoded, IMAGES[1], MASKS[1]))
    mask, before = bright(now) > 0.5, bright(sent) > 0.5
    assert flat.dice[0, 1, 1] == pytest.approx(float(dice(mask, there)))
    assert flat.diagnostic[0, 1, 1] == pytest.approx(float(dice(mask, before)))
    assert flat.cldice[0, 1, 1] == pytest.approx(float(cldice(mask, before)))
    assert flat.roi_psnr_db[1, 1] == pytest.approx(float(roi_psnr(now, sent, there)))
    assert {flat.dice.shape, flat.cldice.shape} == {(1, 3, 3)}


def test_masks_must_be_one_for_each_image() -> None:
    plain = curve(IMAGES[:1], [bright], RULES["anchor"], base_qps=(37, 46), preset="ultrafast")
    assert np.isnan(plain.dice).all()
    assert np.isfinite(plain.roi_psnr_db).all()
    refused(lambda: plain.saving(plain, measure="dice"), "dice needs annotated masks")
    for bad, told in ((MASKS, "one for each of 1"), ([IMAGES[0]], "must be bool")):
        refused(lambda bad=bad: curve(IMAGES[:1], [bright], RULES["anchor"], masks=bad), told)  # type: ignore[misc]


def test_what_is_coded_may_be_another_image(flat: Curve) -> None:
    smooth = curve(
        IMAGES, [bright], RULES["two levels"], base_qps=QPS, preset="ultrafast", masks=MASKS,
        before=blurred,
    )  # fmt: skip
    plain = curve(IMAGES, [bright], RULES["two levels"], base_qps=QPS, preset="ultrafast")
    assert smooth.num_bytes.sum() < plain.num_bytes.sum()
    assert smooth.psnr_db[:, 0].max() < plain.psnr_db[:, 0].min(), "against the original"
    same = curve(
        IMAGES[:1], [bright], RULES["anchor"], base_qps=QPS, preset="ultrafast",
        before=lambda image, found: image,
    )  # fmt: skip
    np.testing.assert_array_equal(same.num_bytes, flat.num_bytes[:1])


@pytest.mark.parametrize("measure", get_args(Measure))
def test_four_fifths_of_the_bytes_save_a_fifth_on_every_axis(measure: Measure) -> None:
    anchor = made()
    less = replace(anchor, num_bytes=0.8 * anchor.num_bytes)
    assert less.saving(anchor, measure=measure) == pytest.approx(-20)
    np.testing.assert_allclose(less.picture_savings(anchor, measure=measure), -20)
    low, high, refused_ones = less.interval(anchor, resamples=20, measure=measure)
    assert (low, high) == pytest.approx((-20, -20))
    assert refused_ones == 0
    assert less.overlap(anchor, measure) == 1


def test_overlap_is_the_share_of_qualities_that_both_reach() -> None:
    anchor = made()
    higher = replace(anchor, diagnostic=anchor.diagnostic + 0.07)
    assert higher.overlap(anchor) == pytest.approx(0.28 / 0.42)
    refused(lambda: higher.saving(anchor), "share 67 %")
    refused(lambda: higher.saving(anchor, measure="psnr"), "measure")  # type: ignore[arg-type]


def test_pictures_without_a_rate_are_not_a_number() -> None:
    anchor = made(3)
    kept = anchor.diagnostic.copy()
    kept[0, 0, 2] = 0.1
    kept[0, 1] = 0.5
    bumpy = replace(anchor, num_bytes=0.8 * anchor.num_bytes, diagnostic=kept)
    found = bumpy.picture_savings(anchor)
    assert found[0] == pytest.approx(-20, abs=2), "one point less"
    assert np.isnan(found[1]), "a flat curve"
    assert found[2] == pytest.approx(-20)


def test_an_interval_outlives_resamples_without_a_rate() -> None:
    """Where an image that falls by 0.1 is drawn 4 times of 8, others cannot lift it by 0.07 each.

    Binomial(8, 1/8) is 4 or more in 1.2 % of resamples: 11 of 1000, and none in one of 60 000.
    """
    anchor = made(8)
    kept = anchor.diagnostic.copy()
    kept[0, 0, 0] = kept[0, 0, 1] - 0.1
    rare = replace(anchor, diagnostic=kept)
    found = replace(rare, num_bytes=0.8 * rare.num_bytes).interval(rare)
    assert 0 < found.refused <= 50
    assert found[:2] == pytest.approx((-20, -20))
    kept[0, 0, 0] = kept[0, 0, 1] - 0.3
    often = replace(anchor, diagnostic=kept)
    refused(lambda: often.interval(often, resamples=200), "of 200 resamples have no BD-rate")


def test_skeletons_are_thin_and_hang_together() -> None:
    from scipy.ndimage import label

    mask = MASKS[0]
    thin = skeleton(mask)
    assert not (thin & ~mask).any()
    eight = np.ones((3, 3))
    assert label(thin, eight)[1] == label(mask, eight)[1]
    blocks = sum(thin[a : SIDE - 1 + a, b : SIDE - 1 + b] for a in (0, 1) for b in (0, 1))
    assert (np.asarray(blocks) == 4).sum() <= 0.02 * thin.sum()
    square = np.zeros((4, 4), bool)
    square[1:3, 1:3] = True
    assert skeleton(square).sum() == 1


def test_centrelines_count_thin_branches_as_thick_ones() -> None:
    a = torch.zeros(3, 1, 64, 64, dtype=torch.bool)
    a[0, 0, 10:20, 4:60] = True
    a[0, 0, 40, 4:60] = True
    b = a.clone()
    b[0, 0, 40] = False
    b[1, 0, 5, 5] = True
    found = cldice(a, b)
    assert float(found[0]) < 0.75 < float(dice(a, b)[0])
    assert found[1:].tolist() == [0.0, 1.0]
    refused(lambda: cldice(a.float(), b), "use masks > 0.5")
