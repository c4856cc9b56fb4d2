"""The segmenter that ships, its files, and masks spoilt on purpose."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from channels import InputError
from semcom.segmentation import UNetSegmenter, corrupt
from semcom.weightfile import stored


def discs() -> Tensor:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    masks = [(y - 20) ** 2 + (x - 20) ** 2 <= 100, (y - 45) ** 2 + (x - 45) ** 2 <= 64]
    return torch.stack(masks).any(0)[None, None]


def test_corruption_does_what_it_says() -> None:
    masks = discs()
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    shrunk = corrupt(masks, erode=3)
    grown = corrupt(masks, dilate=3)
    assert not bool((shrunk & ~masks).any()) and not bool((masks & ~grown).any())
    assert bool(grown[0, 0, 20, 33]) and not bool(grown[0, 0, 20, 34])
    assert torch.equal(corrupt(masks, shift=(5, -3))[0, 0, 5:, :-3], masks[0, 0, :-5, 3:])
    counts = {int(corrupt(masks, drop=0.5, seed=seed).sum()) for seed in range(20)}
    sizes = [int(((y - c) ** 2 + (x - c) ** 2 <= r).sum()) for c, r in ((20, 100), (45, 64))]
    assert counts == {0, sum(sizes), *sizes}
    assert torch.equal(corrupt(masks), masks)
    full = torch.ones(1, 1, 40, 40, dtype=torch.bool)
    assert torch.equal(corrupt(full, erode=5, dilate=5), full)
    assert not bool(corrupt(~full, dilate=5).any())
    assert corrupt(masks[:0]).shape == (0, 1, 64, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": 2}, "drop must"),
        ({"erode": -1}, "erode must"),
        ({"dilate": math.nan}, "dilate"),
        ({"dilate": "3"}, "dilate"),
        ({"shift": 1}, "shift"),
        ({"shift": (1.5, 0)}, "shift"),
        ({"seed": None}, "seed"),
    ],
)
def test_corruption_refuses_what_it_cannot_do(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        corrupt(discs(), **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"masks > 0\.5"):
        corrupt(torch.rand(1, 1, 32, 32))


@pytest.mark.parametrize("size", [(32, 32), (33, 517), (256, 256), (300, 180)])
def test_any_size_gives_probabilities_of_that_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    segmenter, images = UNetSegmenter(width=8).eval(), torch.rand(2, 1, *size)
    found = segmenter(images)
    assert found.shape == images.shape and found.dtype == torch.float32
    assert found.min() >= 0 and found.max() <= 1
    torch.testing.assert_close(segmenter(images[1:]), found[1:])
    torch.testing.assert_close(segmenter(images * 0.5 + 0.2), found, atol=1e-3, rtol=0)


def test_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    segmenter = UNetSegmenter("teeth", 128, 8, 3).half().float().eval()
    segmenter.save(tmp_path / "mine.safetensors")
    again, images = UNetSegmenter.load(tmp_path / "mine.safetensors"), torch.rand(1, 1, 70, 90)
    assert again.config() == segmenter.config()
    assert torch.equal(again(images), segmenter(images))
    assert not again(images).requires_grad
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    for name in ("other", "torn", "missing"):
        with pytest.raises(InputError, match=name):
            UNetSegmenter.load(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(1, 3, 64, 64), "make them grey"),
        (torch.rand(64, 64), r"\[batch, 1, H, W\]"),
        (torch.rand(1, 1, 16, 64), "enlarge"),
        (torch.full((1, 1, 64, 64), 255.0), "divide"),
        (torch.full((1, 1, 64, 64), math.nan), "NaN"),
        (torch.zeros(1, 1, 64, 64, dtype=torch.uint8), "divide by 255"),
        (np.zeros((1, 1, 64, 64)), "torch.from_numpy"),
    ],
)
def test_what_is_no_grey_image_is_refused(images: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        UNetSegmenter(width=8)(images)


def test_weights_that_are_not_finite_are_neither_stored_nor_loaded(tmp_path: Path) -> None:
    segmenter = UNetSegmenter(width=8)
    segmenter.save(tmp_path / "mine.safetensors")
    tensors, metadata = stored(tmp_path / "mine.safetensors")
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name] * math.nan}, tmp_path / "nan.safetensors", metadata)
    with pytest.raises(InputError, match="not finite"):
        UNetSegmenter.load(tmp_path / "nan.safetensors")
    with torch.no_grad():
        segmenter.network.classifier.weight.fill_(1e6)
    with pytest.raises(InputError, match="half precision"):
        segmenter.save(tmp_path / "large.safetensors")
    assert not (tmp_path / "large.safetensors").exists()


def test_weights_replace_files_alone_and_can_be_read_by_all(tmp_path: Path) -> None:
    segmenter = UNetSegmenter(width=8)
    for path in (None, "", tmp_path, "/dev/null", tmp_path / "nowhere" / "mine.safetensors"):
        with pytest.raises(InputError):
            segmenter.save(path)  # type: ignore[arg-type]
    beside = tmp_path / "beside"
    beside.write_text("")
    segmenter.save(tmp_path / "mine.safetensors")
    assert (tmp_path / "mine.safetensors").stat().st_mode == beside.stat().st_mode
