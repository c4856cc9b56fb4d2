"""Mask sources: which pixels a doctor looks at.

How they are trained stands in :mod:`semcom.training.segmentation`; its names are here as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from semcom.segmentation.corruption import corrupt
from semcom.segmentation.feature_distance import frechet, frechet_of_set
from semcom.segmentation.fidelity import diagnostic_dice
from semcom.segmentation.medsam2 import MedSAM2
from semcom.segmentation.segmenter import Segmenter
from semcom.segmentation.unet import UNet, UNetSegmenter

if TYPE_CHECKING:
    from semcom.training.segmentation import (
        SegmenterPlan,
        TransMedSeg,
        few_labels,
        train_segmenter,
    )

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
    "frechet",
    "frechet_of_set",
    "train_segmenter",
]


def __getattr__(name: str) -> object:
    """Training builds on this room, so its names are looked up only when they are asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("semcom.training.segmentation"), name)
