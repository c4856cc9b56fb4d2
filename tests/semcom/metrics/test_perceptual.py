"""VSI, FSIM and GMSD by piq, against their papers' formulas where they are short."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate
from torch import Tensor

import semcom
from semcom.metrics import fsim, gmsd, vsi
from tests.refusals import refused

Array = NDArray[np.float64]
Metric = Callable[[Tensor, Tensor], Tensor]
BETTER = {vsi: 1, fsim: 1, gmsd: -1}
IMAGES = semcom.data.phantoms("chest", n=2, size=96, seed=0)[0]
NOISE = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(0))


def noisy(sigma: float) -> Tensor:
    return (IMAGES + sigma * NOISE).clamp(0, 1)


@pytest.mark.parametrize("metric", BETTER)
def test_equal_is_best_and_more_noise_is_worse(metric: Metric) -> None:
    values = [BETTER[metric] * metric(noisy(sigma), IMAGES) for sigma in (0, 0.02, 0.05, 0.1)]
    assert values[0].tolist() == pytest.approx([1, 1] if BETTER[metric] > 0 else [0, 0], abs=1e-6)
    assert all(bool((a > b).all()) for a, b in itertools.pairwise(values))
    assert values[0].dtype == torch.float32 and values[0].shape == (2,)


@pytest.mark.parametrize("metric", BETTER)
def test_images_of_a_batch_do_not_touch_and_order_does_not_matter(metric: Metric) -> None:
    out = noisy(0.05)
    alone = torch.cat([metric(a[None], b[None]) for a, b in zip(out, IMAGES, strict=True)])
    torch.testing.assert_close(metric(out, IMAGES), alone)
    torch.testing.assert_close(metric(IMAGES, out), alone)


@pytest.mark.parametrize("metric", BETTER)
def test_grey_is_three_equal_channels(metric: Metric) -> None:
    """FSIM and GMSD weigh channels by sums of 1; those of VSI's luminance are 0.96."""
    wide = metric(noisy(0.05).expand(-1, 3, -1, -1), IMAGES.expand(-1, 3, -1, -1))
    torch.testing.assert_close(wide, metric(noisy(0.05), IMAGES), rtol=0, atol=2e-6)


def test_gmsd_is_its_formula() -> None:
    """On 0..255 with c = 170, halved by means of 2 x 2, Prewitt by thirds."""
    prewitt = np.array([[1, 0, -1]] * 3) / 3
    sides = []
    for side in (noisy(0.05), IMAGES):
        grey = 255 * side[0, 0].double().numpy()
        half = grey.reshape(48, 2, 48, 2).mean((1, 3))
        ways = [correlate(half, kernel, mode="constant") for kernel in (prewitt, prewitt.T)]
        sides.append(np.hypot(*ways))
    a, b = sides
    similarity = (2 * a * b + 170) / (a**2 + b**2 + 170)
    assert float(gmsd(noisy(0.05), IMAGES)[0]) == pytest.approx(similarity.std(), abs=1e-5)


def saliency(grey: Array) -> Array:
    """SDSP of a grey picture of 256 x 256, after its authors' text, 0 to 1."""
    linear = np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4)
    white = np.array([0.9642, 1.0, 0.8252])  # D50
    xyz = np.array([0.95047, 1.0, 1.08883])[:, None, None] * linear / white[:, None, None]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), (903.3 * xyz + 16) / 116)
    channels = [116 * y - 16, 500 * (x - y), 200 * (y - z)]
    frequency = np.fft.fftfreq(256)
    radius = np.hypot(frequency[:, None], frequency)
    with np.errstate(divide="ignore"):
        gabor = np.exp(-(np.log(radius / 0.021) ** 2) / (2 * 1.34**2))
    gabor[radius > 0.5] = 0
    seen = [np.fft.ifft2(np.fft.fft2(channel) * gabor).real for channel in channels]
    place = np.arange(1, 257) - 128
    middle = np.exp(-(place[:, None] ** 2 + place**2) / 145**2)
    warm = [(c - c.min()) / (c.max() - c.min()) for c in channels[1:]]
    warmth = 1 - np.exp(-(warm[0] ** 2 + warm[1] ** 2) / 0.001**2)
    found = np.sqrt(sum(s**2 for s in seen)) * middle * warmth
    return np.asarray((found - found.min()) / (found.max() - found.min()))


def test_vsi_is_its_formula() -> None:
    """On 0..255 with C1 = 1.27, C2 = 386, C3 = 130, alpha = 0.4, beta = 0.02, Scharr by 16ths."""
    image = semcom.data.phantoms("chest", n=1, size=256, seed=0)[0]
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    out = (image + 0.05 * noise).clamp(0, 1)
    scharr = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
    salient, edges, colours = [], [], []
    for side in (out, image):
        grey = side[0, 0].double().numpy()
        salient.append(saliency(grey))
        ways = [correlate(0.96 * 255 * grey, k, mode="constant") for k in (scharr, scharr.T)]
        edges.append(np.hypot(*ways))
        colours.append([weight * 255 * grey for weight in (-0.01, -0.09)])

    def similar(a: Array, b: Array, constant: float) -> Array:
        return np.asarray((2 * a * b + constant) / (a**2 + b**2 + constant))

    chroma = similar(colours[0][0], colours[1][0], 130) * similar(colours[0][1], colours[1][1], 130)
    quality = similar(*salient, 1.27) * similar(*edges, 386) ** 0.4 * chroma**0.02
    weight = np.maximum(*salient)
    assert float(vsi(out, image)) == pytest.approx(
        (quality * weight).sum() / weight.sum(), abs=1e-4
    )


@pytest.mark.parametrize(("metric", "least"), [(vsi, 3), (fsim, 3), (gmsd, 6)])
def test_the_smallest_images(metric: Metric, least: int) -> None:
    draw = torch.Generator().manual_seed(3)
    a, b = torch.rand(2, 1, 1, least, least + 4, generator=draw)
    assert float(metric(b, b)) == pytest.approx(0 if metric is gmsd else 1, abs=1e-6)
    assert 0 < float(metric(a, b)) < 1
    too_small = a[..., : least - 1, :]
    refused(lambda: metric(too_small, too_small), f"both sides at least {least}")


@pytest.mark.parametrize("metric", BETTER)
def test_lost_images_are_nan_and_bad_ones_refused(metric: Metric) -> None:
    lost = noisy(0.05)
    lost[1, 0, 3, 5] = math.nan
    assert metric(lost, IMAGES).isnan().tolist() == [False, True]
    refused(lambda: metric(3 * noisy(0.05), IMAGES), r"received images must lie in \[0, 1\]")
    four = IMAGES.expand(-1, 4, -1, -1)
    refused(lambda: metric(four, four), "takes grey and RGB images, got 4 channels")
    refused(lambda: metric(IMAGES[..., 1:], IMAGES), "different shapes")


def test_without_piq_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piq", None)
    refused(lambda: vsi(IMAGES, IMAGES), r"pip install 'semcom\[perceptual\]'")
