"""Metrics against their formulas, written out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor

from channels import InputError
from semcom.metrics import ber, bler, dice, ms_ssim, psnr, roi_psnr, ssim

SEEDS = st.integers(0, 999)
SHAPES = st.tuples(*(st.integers(1, high) for high in (4, 3, 20, 20)))


def pair(seed: int, shape: tuple[int, ...], noise: float = 0.1) -> tuple[Tensor, Tensor]:
    """A received and a sent batch."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(shape, generator=draw)
    return (images + noise * torch.randn(shape, generator=draw)).clamp(0, 1), images


@given(SEEDS, SHAPES)
@settings(max_examples=40, deadline=None)
def test_psnr_is_its_formula_for_each_image(seed: int, shape: tuple[int, ...]) -> None:
    out, images = pair(seed, shape)
    expected = [
        -10 * math.log10(np.mean((a.double() - b.double()).numpy() ** 2))
        for a, b in zip(out, images, strict=True)
    ]
    value = psnr(out, images)
    assert value.dtype == torch.float32
    np.testing.assert_allclose(value, expected, rtol=1e-4)


@given(SEEDS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_roi_psnr_weighs_each_pixel(seed: int, soft: bool) -> None:
    out, images = pair(seed, (3, 2, 9, 8))
    weights = torch.rand(3, 1, 9, 8, generator=torch.Generator().manual_seed(seed))
    masks = weights if soft else weights > 0.5
    wide = masks.double().expand_as(images)
    error = (out.double() - images.double()) ** 2
    expected = -10 * ((wide * error).sum((1, 2, 3)) / wide.sum((1, 2, 3))).log10()
    np.testing.assert_allclose(roi_psnr(out, images, masks), expected, rtol=1e-4)
    np.testing.assert_allclose(roi_psnr(out, images, wide.float()), expected, rtol=1e-4)


def test_roi_psnr_sees_the_region_alone() -> None:
    out, images = pair(0, (3, 1, 16, 16))
    masks = torch.zeros(3, 1, 16, 16, dtype=torch.bool)
    masks[0] = True
    masks[1, :, :8] = True
    out[1, :, :8] = images[1, :, :8]
    value = roi_psnr(out, images, masks)
    torch.testing.assert_close(value[0], psnr(out, images)[0])
    assert value[1] == torch.inf and value[2].isnan()


def test_psnr_pulls_towards_the_image_and_rests_on_it() -> None:
    out, images = pair(3, (2, 1, 8, 8))
    out[1] = images[1]
    out.requires_grad_()
    masks = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    masks[1] = False
    for value in (psnr(out, images), roi_psnr(out, images, masks)):
        (gradient,) = torch.autograd.grad(value[0] + 0 * value[1].nan_to_num(0, 0), out)
        assert ((gradient[0] * (images[0] - out[0])) >= 0).all()
        assert not gradient[1].any()
    assert psnr(out, images)[1] == torch.inf


def _ssim_by_hand(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    contrast_alone: bool = False,
    inside: bool = False,
) -> float:
    """Wang et al. 2004: a window at every pixel, over the mirrored border.

    The contrast and structure factor alone is averaged over the windows that lie inside, as is all
    of it if ``inside``.
    """
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()

    def mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = correlate1d(image, taps, axis=0, mode="mirror")
        return np.asarray(correlate1d(rows, taps, axis=1, mode="mirror"))

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    contrast = (2 * cov + 9e-4) / (va + vb + 9e-4)
    if contrast_alone:
        return float(contrast[5:-5, 5:-5].mean())
    whole = (2 * ma * mb + 1e-4) / (ma**2 + mb**2 + 1e-4) * contrast
    return float(np.mean(whole[5:-5, 5:-5] if inside else whole))


@pytest.mark.parametrize("shape", [(2, 1, 11, 11), (3, 1, 17, 24)])
def test_ssim_is_its_formula(shape: tuple[int, ...]) -> None:
    out, images = pair(1, shape)
    expected = [_ssim_by_hand(a[0].double().numpy(), b[0].double().numpy())
                for a, b in zip(out, images, strict=True)]  # fmt: skip
    value = ssim(out, images)
    assert value.shape == (shape[0],)
    np.testing.assert_allclose(value, expected, atol=2e-5)


def test_ssim_without_a_border_is_the_mean_inside() -> None:
    """As scikit-image's gaussian_weights and piq average it."""
    out, images = pair(3, (2, 1, 40, 33))
    expected = [_ssim_by_hand(a[0].double().numpy(), b[0].double().numpy(), inside=True)
                for a, b in zip(out, images, strict=True)]  # fmt: skip
    np.testing.assert_allclose(ssim(out, images, border="none"), expected, atol=2e-5)
    assert bool((ssim(out, images, border="none") != ssim(out, images)).all())
    with pytest.raises(InputError, match="unknown border 'valid'"):
        ssim(out, images, border="valid")


def _halved(image: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = image.shape
    return np.asarray(image.reshape(height // 2, 2, width // 2, 2).mean((1, 3)))


def test_ms_ssim_is_its_formula() -> None:
    """Wang et al. 2003: contrast at four scales, full SSIM at the fifth."""
    out, images = pair(2, (2, 1, 176, 192))
    value = ms_ssim(out, images)
    assert value.shape == (2,)
    for row in range(2):
        a, b = out[row, 0].double().numpy(), images[row, 0].double().numpy()
        expected = 1.0
        for weight in (0.0448, 0.2856, 0.3001, 0.2363):
            expected *= _ssim_by_hand(a, b, contrast_alone=True) ** weight
            a, b = _halved(a), _halved(b)
        expected *= _ssim_by_hand(a, b) ** 0.1333
        np.testing.assert_allclose(float(value[row]), expected, atol=2e-4)


def test_similarity_is_one_for_equal_images_and_has_a_gradient() -> None:
    out, images = pair(5, (1, 1, 176, 176))
    for metric in (ssim, ms_ssim):
        torch.testing.assert_close(metric(images, images), torch.ones(1))
        (gradient,) = torch.autograd.grad(metric(out.requires_grad_(), images).sum(), out)
        assert gradient.isfinite().all() and gradient.any()


@given(SEEDS, st.integers(1, 4), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_dice_counts_the_overlap(seed: int, batch: int, pixels: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = draw.random((2, batch, 1, pixels)) < draw.random()
    both = [(np.sum(x & y), np.sum(x) + np.sum(y)) for x, y in zip(a, b, strict=True)]
    expected = [2 * overlap / total if total else 1.0 for overlap, total in both]
    np.testing.assert_allclose(dice(torch.from_numpy(a), torch.from_numpy(b)), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float32])
def test_bit_and_block_error_rates(dtype: torch.dtype) -> None:
    sent = torch.tensor([[[0, 1, 1, 0], [1, 1, 1, 1]], [[0, 0, 0, 0], [1, 0, 1, 0]]])
    got = sent.clone()
    got[0, 0, :2] = 1 - got[0, 0, :2]
    sent, got = sent.to(dtype), got.to(dtype)
    assert ber(sent.flatten(1), got.flatten(1)).tolist() == [0.25, 0.0]
    assert bler(sent, got).tolist() == [0.5, 0.0]
    rate = bler(sent.flatten(0, 1), got.flatten(0, 1))
    assert rate.shape == () and rate == 0.25


IMAGES = torch.zeros(2, 1, 32, 32)
BITS = torch.zeros(2, 8)


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
@pytest.mark.parametrize(
    ("out", "words"),
    [
        (IMAGES[:1], "different shapes, [1, 1, 32, 32] and [2, 1, 32, 32]"),
        (IMAGES[0], "float tensor [batch, C, H, W]"),
        (IMAGES.byte(), "got torch.uint8"),
        (IMAGES.numpy(), "got a NumPy array: torch.from_numpy"),
    ],
)
def test_images_that_do_not_fit_are_refused(
    metric: Callable[[Any, Tensor], Tensor], out: Any, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        metric(out, IMAGES)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ssim(IMAGES[..., :10], IMAGES[..., :10]), "at least 11, got 32 x 10"),
        (lambda: ms_ssim(IMAGES, IMAGES), "at least 176, got 32 x 32: use ssim"),
        (lambda: roi_psnr(IMAGES, IMAGES, IMAGES[:1]), "masks must have the shape"),
        (lambda: roi_psnr(IMAGES, IMAGES, IMAGES - 1), "not negative"),
        (lambda: roi_psnr(IMAGES, IMAGES, IMAGES + torch.nan), "must be finite"),
        (lambda: roi_psnr(IMAGES, IMAGES, IMAGES.long()), "use masks > 0"),
        (lambda: dice(IMAGES, IMAGES > 0), "use masks > 0.5"),
        (lambda: dice(IMAGES > 0, IMAGES[:1] > 0), "different shapes"),
        (lambda: ber(BITS, BITS[:, :4]), "different shapes"),
        (lambda: ber(BITS, BITS + 0.3), "decide first"),
        (lambda: ber(BITS[0], BITS[0]), "[rows, n]"),
        (lambda: bler(BITS[:, :0], BITS[:, :0]), "not empty"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(call: Callable[[], Tensor], words: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)
