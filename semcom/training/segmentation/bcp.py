"""Bidirectional copy-paste."""

from __future__ import annotations

from semcom.segmentation.unet import UNet
from semcom.training.segmentation.self_training import SelfTraining


class BCP(SelfTraining):
    """Bidirectional copy-paste (Bai, Chen, Li, Shen, Shao, CVPR 2023).

    A box of two thirds of the sides is exchanged between labelled and unlabelled images, both
    ways; pseudo-labels of the teacher count half. In the first 30 % of the training labelled
    images are pasted into labelled ones. As with all methods here, the teacher sees the images
    at their own exposure and the student at another one; pseudo-labels are kept whole, not their
    largest region alone, since there are two lungs.
    """

    name = "bcp"

    def __init__(self, student: UNet) -> None:
        super().__init__(student, "copy-paste", 0.3, closest=1)
