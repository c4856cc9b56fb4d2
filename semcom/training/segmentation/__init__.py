"""Segmenters in the common loop: how to learn from few labels and many images, a file a method."""

from semcom.training.segmentation.few_labels import few_labels
from semcom.training.segmentation.segmenters import SegmenterPlan, train_segmenter
from semcom.training.segmentation.transmedseg import TransMedSeg

__all__ = ["SegmenterPlan", "TransMedSeg", "few_labels", "train_segmenter"]
