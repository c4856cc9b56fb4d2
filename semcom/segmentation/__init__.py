"""Mask sources: which pixels a doctor looks at."""

from semcom.segmentation.corruption import corrupt
from semcom.segmentation.few_labels import few_labels
from semcom.segmentation.fidelity import diagnostic_dice
from semcom.segmentation.medsam2 import MedSAM2
from semcom.segmentation.segmenter import Segmenter
from semcom.segmentation.training import SegmenterPlan, train_segmenter
from semcom.segmentation.transmedseg import TransMedSeg
from semcom.segmentation.unet import UNet, UNetSegmenter

__all__ = [
    "MedSAM2",
    "Segmenter",
    "SegmenterPlan",
    "TransMedSeg",
    "UNet",
    "UNetSegmenter",
    "corrupt",
    "diagnostic_dice",
    "few_labels",
    "train_segmenter",
]
