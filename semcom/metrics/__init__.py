"""How good the received images, masks and bits are, one number for each image; saved rate."""

from semcom.metrics.bits import ber, bler
from semcom.metrics.centreline import cldice
from semcom.metrics.gaussians import frechet_distance
from semcom.metrics.image_quality import ms_ssim, psnr, roi_psnr, ssim, ssim_map
from semcom.metrics.learned_distance import lpips
from semcom.metrics.masks import dice, iou
from semcom.metrics.perceptual import fsim, gmsd, vsi
from semcom.metrics.rate import bd_rate
from semcom.metrics.region_quality import nroi_psnr, nroi_ssim, roi_ssim
from semcom.metrics.surface import hausdorff_95, surface_distance

__all__ = [
    "bd_rate",
    "ber",
    "bler",
    "cldice",
    "dice",
    "frechet_distance",
    "fsim",
    "gmsd",
    "hausdorff_95",
    "iou",
    "lpips",
    "ms_ssim",
    "nroi_psnr",
    "nroi_ssim",
    "psnr",
    "roi_psnr",
    "roi_ssim",
    "ssim",
    "ssim_map",
    "surface_distance",
    "vsi",
]
