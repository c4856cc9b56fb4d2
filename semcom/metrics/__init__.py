"""How good the received pictures, masks and bits are, one number for each picture."""

from semcom.metrics.bits import ber, bler
from semcom.metrics.masks import dice, iou
from semcom.metrics.pictures import ms_ssim, psnr, roi_psnr, ssim
from semcom.metrics.surface import hausdorff_95, surface_distance

__all__ = [
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
