"""How good the received pictures, masks and bits are, one number for each picture; saved rate."""

from semcom.metrics.bits import ber, bler
from semcom.metrics.masks import dice, iou
from semcom.metrics.pictures import ms_ssim, psnr, roi_psnr, ssim
from semcom.metrics.rate import bd_rate
from semcom.metrics.surface import hausdorff_95, surface_distance

__all__ = [
    "bd_rate",
    "ber",
    "bler",
    "dice",
    "hausdorff_95",
    "iou",
    "ms_ssim",
    "psnr",
    "roi_psnr",
    "ssim",
    "surface_distance",
]
