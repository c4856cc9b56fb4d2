"""Mask sources: which pixels a doctor looks at."""

from semcom.segmentation.corruption import corrupt
from semcom.segmentation.segmenter import Segmenter
from semcom.segmentation.unet import UNet, UNetSegmenter

__all__ = ["Segmenter", "UNet", "UNetSegmenter", "corrupt"]
