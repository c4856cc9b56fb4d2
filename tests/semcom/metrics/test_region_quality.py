"""Quality of a region and of the rest, against sums written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import Tensor

from semcom.metrics import nroi_psnr, nroi_ssim, psnr, roi_psnr, roi_ssim, ssim, ssim_map
from tests.refusals import refused


def pair(channels: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Received and sent images, and a region."""
    draw = torch.Generator().manual_seed(1)
    images = torch.rand(2, channels, 24, 30, generator=draw)
    out = (images + 0.2 * torch.randn(images.shape, generator=draw)).clamp(0, 1)
    return out, images, torch.rand(2, 1, 24, 30, generator=draw) > 0.7


def smooth(values: np.ndarray) -> np.ndarray:
    """The window of SSIM with mirrored borders."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    for axis in (0, 1):
        values = correlate1d(values, window, axis=axis, mode="mirror")
    return values


def test_the_map_is_ssims_formula() -> None:
    out, images, _ = pair()
    a, b = (side[0, 0].double().numpy() for side in (out, images))
    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    shared = smooth(a * b) - mean_a * mean_b
    expected = (2 * mean_a * mean_b + 1e-4) * (2 * shared + 9e-4)
    expected /= (mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)
    np.testing.assert_allclose(ssim_map(out, images)[0, 0], expected, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_region_and_rest_make_the_whole(channels: int) -> None:
    out, images, masks = pair(channels)
    share = masks.float().mean((1, 2, 3))
    similar = share * roi_ssim(out, images, masks) + (1 - share) * nroi_ssim(out, images, masks)
    torch.testing.assert_close(similar, ssim(out, images))

    def error(decibels: Tensor) -> Tensor:
        return 10 ** (-decibels / 10)

    inside, outside = roi_psnr(out, images, masks), nroi_psnr(out, images, masks)
    together = share * error(inside) + (1 - share) * error(outside)
    torch.testing.assert_close(together, error(psnr(out, images)))


def test_roi_ssim_averages_the_map_over_the_region_alone() -> None:
    out, images, masks = pair()
    wanted = ssim_map(out, images)[0][masks[0]].mean()
    assert roi_ssim(out, images, masks)[0] == pytest.approx(float(wanted), abs=1e-6)
    far = torch.zeros(2, 1, 24, 30, dtype=torch.bool)
    far[..., :8] = True
    changed = out.clone()
    changed[..., 13:] = 0.0  # further than the window's 5 pixels
    assert torch.equal(roi_ssim(changed, images, far), roi_ssim(out, images, far))
    changed[..., 12] = 0.0
    assert not torch.equal(roi_ssim(changed, images, far), roi_ssim(out, images, far))


def test_what_is_not_there_has_no_quality() -> None:
    out, images, masks = pair()
    nothing, everything = torch.zeros_like(masks), torch.ones_like(masks)
    assert roi_ssim(out, images, nothing).isnan().all()
    assert nroi_ssim(out, images, everything).isnan().all()
    assert nroi_psnr(out, images, everything).isnan().all()
    assert torch.equal(nroi_psnr(out, images, nothing), psnr(out, images))
    lost = out.clone()
    lost[0] = math.nan
    for metric in (roi_ssim, nroi_ssim, nroi_psnr):
        assert metric(lost, images, masks).isnan().tolist() == [True, False]


def test_bad_input_is_one_line() -> None:
    out, images, masks = pair()
    refused(lambda: nroi_psnr(out, images, 2.0 * masks), "above 1 leave no rest")
    refused(lambda: roi_ssim(out, images, masks[..., 1:]), "masks must have the shape")
    refused(
        lambda: roi_ssim(*(x[..., :8] for x in (out, images, masks))), "at least 11, got 24 x 8"
    )
