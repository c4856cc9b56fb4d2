"""Trains the outline model of regions that comes with the package: ``python docs/outline.py DATA``.

DATA holds ``chest`` and ``angiography``, each with ``train/masks``. Maps are those of the masks and
of the masks with 4 pixels around them, of 60 dental phantoms, and as an eighth more of one to three
ellipses or rectangles. It takes four minutes on one core and writes
``semcom/weights/medjscc-outline.safetensors``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from semcom.data import load_folder, phantoms
from semcom.learned import pad_to
from semcom.medjscc.source.outline import Blocks, shipped
from semcom.medjscc.source.region import region_blocks
from semcom.medjscc.source.steps import mask_blocks
from semcom.medjscc.source.wavelet import BLOCK
from semcom.training.outline import train_outline

_MARGIN_PX = 4
_SHAPES_SHARE = 1 / 8


def maps_of(mask: Tensor) -> Iterator[Blocks]:
    """Blocks of a mask ``[1, H, W]``: as whole pictures tell them, and as a region alone is."""
    padded = pad_to(mask[None].float(), BLOCK)
    yield mask_blocks(padded)[0, 0].numpy()
    wider = F.max_pool2d(padded, 2 * _MARGIN_PX + 1, 1, _MARGIN_PX)
    yield region_blocks(wider > 0)[0, 0].numpy()


def shapes(draws: np.random.Generator) -> Blocks:
    """One to three ellipses or rectangles."""
    rows, columns = draws.integers(8, 40, 2)
    y, x = np.indices((rows, columns))
    blocks = np.zeros((rows, columns), dtype=np.bool_)
    for _ in range(draws.integers(1, 4)):
        down = abs(y - draws.random() * rows) / (1 + draws.random() * rows / 3)
        across = abs(x - draws.random() * columns) / (1 + draws.random() * columns / 3)
        round_one = draws.random() < 0.5
        blocks |= (down**2 + across**2 < 1) if round_one else (down < 1) & (across < 1)
    return blocks


if __name__ == "__main__":
    data = Path(sys.argv[1])
    masks = [
        mask > 0.5
        for kind in ("chest", "angiography")
        for mask in load_folder(data / kind / "train" / "masks")[0]
    ]
    masks += list(phantoms("dental", n=60, size=512)[1])
    maps = [blocks for mask in masks for blocks in maps_of(mask)]
    draws = np.random.default_rng(0)
    maps += [shapes(draws) for _ in range(round(_SHAPES_SHARE * len(maps)))]
    train_outline(maps).save("semcom/weights/medjscc-outline.safetensors")
    for kind in ("chest", "angiography", "dental"):
        seen = [mask > 0.5 for mask in load_folder(data / kind / "eval" / "masks", size=512)[0]]
        means = np.mean([[shipped().bits(blocks) for blocks in maps_of(mask)] for mask in seen], 0)
        print(f"{kind}: {means[0]:.0f} bits in whole pictures, {means[1]:.0f} alone")
