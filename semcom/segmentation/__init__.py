"""Mask sources: which pixels a doctor looks at."""

from semcom.segmentation.corruption import corrupt
from semcom.segmentation.medsam2 import MedSAM2
from semcom.segmentation.segmenter import Segmenter
from semcom.segmentation.unet import UNet, UNetSegmenter

__all__ = ["MedSAM2", "Segmenter", "UNet", "UNetSegmenter", "corrupt"]
