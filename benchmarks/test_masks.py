"""Mask sources on one picture, and what TransMedSeg adds to a step of training, in one run.

    pytest benchmarks/test_masks.py --benchmark-only -n 0 --benchmark-json masks.json
    python benchmarks/milliseconds.py masks.json benchmarks/masks.json

One thread. A mask: one 512 x 512 chest phantom; SAM 2.1 tiny with random weights (its time does not
depend on them) at 1024 and 512, one box. A step: four labelled and four unlabelled
pictures of 128 x 128, forward, backward and Adam, after the warm-up.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import semcom
from semcom.segmentation import MedSAM2
from semcom.segmentation.sam2_network import build_network
from semcom.segmentation.unet import UNet
from semcom.training.segmentation.method import Batch, Method
from semcom.training.segmentation.self_training import SelfTraining
from semcom.training.segmentation.transmedseg import TransMedSeg

BOX = torch.tensor([[[60.0, 60, 450, 450]]])
torch.set_num_threads(1)


def medsam2(image_size: int, folder: Path) -> Any:
    torch.save(build_network("sam2.1_hiera_t").state_dict(), folder / "random.pt")
    return partial(MedSAM2(folder / "random.pt", image_size=image_size), boxes=BOX)


@pytest.mark.parametrize("side", ["unet", "sam2.1-tiny-512", "sam2.1-tiny-1024"])
def test_mask(benchmark: Any, side: str, tmp_path: Path) -> None:
    images, _ = semcom.data.phantoms("chest", n=1, size=512)
    if side == "unet":
        segmenter: Any = semcom.segmenter("chest")
    else:
        segmenter = medsam2(int(side.rpartition("-")[2]), tmp_path)
    benchmark.group = "mask"
    with torch.inference_mode():
        benchmark.pedantic(segmenter, (images,), rounds=5, warmup_rounds=1)


class Step:
    """A step of training, the same pictures each time."""

    def __init__(self, method: Method) -> None:
        draws = torch.Generator().manual_seed(0)
        images, masks = semcom.data.phantoms("chest", n=8, size=128)
        self.batch = Batch(images[:4], masks[:4, 0].long(), images[4:], images[4:])
        self.method, self.draws = method, draws
        learned = [value for value in method.parameters() if value.requires_grad]
        self.optimizer = torch.optim.Adam(learned)

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            loss = self.method.loss(self.batch, 0.9, self.draws)
        loss.backward()
        self.optimizer.step()
        self.method.stepped(0.9)


@pytest.mark.parametrize("side", ["self-training", "transmedseg"])
def test_step(benchmark: Any, side: str) -> None:
    torch.manual_seed(0)
    method = {"self-training": SelfTraining, "transmedseg": TransMedSeg}[side](UNet())
    benchmark.group = "step"
    benchmark.pedantic(Step(method), rounds=40, warmup_rounds=3)
