"""How good the received images, masks and bits are, one number for each image; saved rate."""

from semcom.metrics.bits import ber, bler
from semcom.metrics.centreline import cldice
from semcom.metrics.image_quality import ms_ssim, psnr, roi_psnr, ssim
from semcom.metrics.masks import dice, iou
from semcom.metrics.rate import bd_rate
from semcom.metrics.surface import hausdorff_95, surface_distance

__all__ = [
    "bd_rate",
    "ber",
    "bler",
    "cldice",
    "dice",
    "hausdorff_95",
    "iou",
    "ms_ssim",
    "psnr",
    "roi_psnr",
    "ssim",
    "surface_distance",
]
