"""One door for images and masks: what is surely meant is converted, all else told its cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import channels
import scenarios
import semcom
from semcom import metrics
from semcom.images import as_images, as_roi
from semcom.segmentation import SegmenterPlan, diagnostic_dice, train_segmenter
from semcom.separate import SeparateCodec
from semcom.training import Plan, train
from tests.refusals import refused

IMAGES, MASKS = semcom.data.phantoms("chest", n=1, size=64, seed=0)
AWGN = channels.link("awgn")
CODEC = SeparateCodec("jpeg2000")
BOUND = semcom.bound("jpeg2000-capacity")
AT: dict[str, Any] = {"cbr": 1 / 4, "snr_db": 9.0}
WAYS: dict[str, Any] = {"codecs": "jpeg2000-ldpc", "links": "awgn"} | AT

# All that takes images, and what comes of them.
DOORS: dict[str, Callable[[Any], Tensor]] = {
    "encode": lambda images: CODEC.encode(images, **AT).symbols,
    "a learned codec": lambda images: semcom.codec("deepjscc").encode(images, **AT).symbols,
    "deliver": lambda images: CODEC.deliver(images, AWGN, **AT, seed=1).images,
    "bound": lambda images: BOUND.deliver(images, AWGN, **AT, seed=1).images,
    "budget": lambda images: torch.tensor(BOUND.budget(images, **AT)),
    "scenario": lambda images: torch.tensor(scenarios.snr(images, None, **WAYS).frame["psnr"]),
    "send": lambda images: (
        scenarios.send(images, codecs="jpeg2000-ldpc", link="awgn", **AT).sample.image
    ),
    "segmenter": lambda images: semcom.segmenter("chest")(images),
    "psnr": lambda images: metrics.psnr(images, IMAGES),
    "ssim": lambda images: metrics.ssim(IMAGES, images),
    "roi_psnr": lambda images: metrics.roi_psnr(0.9 * IMAGES, images, MASKS),
    "diagnosis": lambda images: diagnostic_dice(images, IMAGES, semcom.segmenter("chest")),
}


@pytest.mark.parametrize("name", DOORS)
def test_other_floats_are_converted(name: str) -> None:
    door = DOORS[name]
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        images = IMAGES.to(dtype)
        assert torch.equal(door(images), door(images.float())), dtype


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda images: (255 * images).byte(), "got torch.uint8: divide by 255"),
        (
            lambda images: (65535 * images).to(torch.uint16),
            "got torch.uint16: divide by 65535, or by the white of your data",
        ),
        (lambda images: images.long(), "got torch.int64: divide by the white of your data"),
        (lambda images: images > 0.5, "got torch.bool: convert them"),
        (lambda images: images + 0j, "got torch.complex64: take their real part"),
        (lambda images: images.numpy(), r"got a NumPy array: torch\.from_numpy"),
        (lambda images: "chest.png", "must be a tensor|must be a list"),
    ],
)
def test_what_is_no_image_is_told_its_cure(
    name: str, make: Callable[[Tensor], object], words: str
) -> None:
    refused(lambda: DOORS[name](make(IMAGES)), words)


@pytest.mark.parametrize("name", [name for name in DOORS if name != "psnr"])
def test_rounding_is_clamped_and_more_is_printed_in_full(name: str) -> None:
    door = DOORS[name]
    edges = IMAGES.clone()
    edges[..., 0, 0], edges[..., 0, 1] = 0, 1
    beyond = edges.clone()
    beyond[..., 0, 0], beyond[..., 0, 1] = -9e-7, 1 + 1e-6
    assert torch.equal(door(beyond), door(edges))
    assert torch.equal(door(beyond.double()), door(edges))
    for off, said in ((1.00002, r"1\.00002"), (-4e-6, r"-[34][.\d]*e-06")):
        beyond[..., 0, 1] = off
        refused(lambda: door(beyond), rf"must lie in \[0, 1\], got \[.*{said}")


def test_images_in_range_are_not_copied() -> None:
    assert as_images(IMAGES) is IMAGES
    given = IMAGES.clone().requires_grad_()
    as_images(given.double() + 1e-9).sum().backward()
    assert given.grad is not None and bool((given.grad == 1).all())


@pytest.mark.parametrize(
    "make", [lambda m: m.byte(), lambda m: m.long(), lambda m: m.float(), lambda m: m.double()]
)
def test_masks_of_zeros_and_ones_are_masks(make: Callable[[Tensor], Tensor]) -> None:
    mask = make(MASKS)
    codec = semcom.codec("medjscc-small")
    for roi in (MASKS, mask):
        tx = codec.encode(IMAGES, **AT, roi=roi)
    assert torch.equal(tx.symbols, codec.encode(IMAGES, **AT, roi=MASKS).symbols)
    frames = [scenarios.snr(IMAGES, roi, **WAYS).frame for roi in (MASKS, mask)]
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda m: 255 * m.byte(), r"got \[0, 255\]: use \w+ > 0.5"),
        (lambda m: 2.5 * m, r"got \[0, 2.5\]: use \w+ > 0.5"),
        (lambda m: m.numpy(), "got a NumPy array"),
        (lambda m: m + 0j, "must be bool, or floats"),
        (lambda m: m * torch.nan, "must be bool, or floats"),
        (lambda m: m[..., 1:], "must have the images?'s? (batch and )?size"),
    ],
)
def test_masks_that_are_none_are_told_their_cure(make: Callable[[Tensor], Any], words: str) -> None:
    bad = make(MASKS)
    refused(lambda: as_roi(bad, IMAGES), words)
    refused(lambda: CODEC.encode(IMAGES, **AT, roi=bad), words)
    refused(lambda: BOUND.deliver(IMAGES, AWGN, **AT, seed=1, roi=bad), words)
    refused(lambda: scenarios.snr(IMAGES, bad, **WAYS), words)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 64, 48, 3), r"images \[2, 64, 48, 3\] have 64 .*images\.permute\(0, 3, 1, 2\)$"),
        ((2, 64, 48, 1), r"put channels in front of the sides, images\.permute\(0, 3, 1, 2\)$"),
        ((64, 48, 3), r"got \[64, 48, 3\]: reshape them, images\.permute\(2, 0, 1\)\[None\]$"),
        ((2, 4, 64, 48), r"\[2, 4, 64, 48\] have 4 channels .*: drop alpha, images\[:, :3\]"),
        ((2, 7, 64, 48), r"have 7 channels .*: average them, images\.mean\(1, keepdim=True\)"),
        ((5, 64, 48), r"got \[5, 64, 48\]: reshape them, images\[:, None\]$"),
        ((1, 64, 48), r"got \[1, 64, 48\]: reshape them, images\[None\]$"),
        ((64, 48), r"got \[64, 48\]: reshape them, images\[None, None\]$"),
    ],
)
def test_other_layouts_are_told_their_cure(shape: tuple[int, ...], words: str) -> None:
    bad = torch.zeros(shape)
    refused(lambda: CODEC.encode(bad, **AT), words)
    refused(lambda: semcom.codec("deepjscc").encode(bad, **AT), words.removesuffix("$"))
    refused(lambda: scenarios.snr(bad, None, **WAYS), words)


def test_layouts_of_single_pictures_are_told_as_they_were_given() -> None:
    for shape, words in {
        (64, 48, 3): r"picture 1: images \[64, 48, 3\] have .*, images\.permute\(2, 0, 1\)$",
        (4, 64, 48): r"images \[4, 64, 48\] have .*: drop alpha, images\[:3\]$",
        (64, 48): r"images must be \[C, H, W\], got \[64, 48\]: reshape them, images\[None\]$",
    }.items():
        refused(
            lambda shape=shape: scenarios.snr([IMAGES[0], torch.zeros(shape)], **WAYS),  # type: ignore[misc]
            words,
        )
    refused(
        lambda: scenarios.snr([IMAGES[0]], [MASKS[0, 0]], **WAYS),
        r"roi must have the image's size, \[1, 64, 64\], got \[64, 64\]",
    )


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda images: images.to_sparse(), r"images.* must be a dense .* sparse_coo .* to_dense"),
        (lambda images: images.to("meta"), "images.* must hold values, .* meta device"),
    ],
)
def test_tensors_without_dense_values_are_refused(
    name: str, make: Callable[[Tensor], Tensor], words: str
) -> None:
    refused(lambda: DOORS[name](make(IMAGES)), words.replace("images", "images?", 1))


def test_numbers_and_masks_without_values_are_refused() -> None:
    for snr_db in (torch.tensor(3.0, device="meta"), torch.zeros(2, device="meta")):
        for given in (snr_db, [snr_db]):
            refused(
                lambda given=given: scenarios.snr(IMAGES, **(WAYS | {"snr_db": given})),  # type: ignore[misc]
                "snr_db must",
            )
    refused(
        lambda: scenarios.snr(IMAGES, **(WAYS | {"snr_db": torch.ones(2).to_sparse()})),
        r"snr_db must be a dense tensor, got a sparse_coo one: take its to_dense\(\)",
    )
    for mask in (MASKS.to_sparse(), MASKS.to("meta")):
        refused(lambda mask=mask: scenarios.snr(IMAGES, mask, **WAYS), "masks must")  # type: ignore[misc]


def test_metrics_of_masks_want_bool() -> None:
    for bad in (MASKS.byte(), MASKS.float()):
        refused(lambda bad=bad: metrics.dice(bad, MASKS), "use masks > 0.5")  # type: ignore[misc]
    refused(lambda: metrics.dice(MASKS.numpy(), MASKS), "NumPy array")  # type: ignore[arg-type]
    refused(lambda: metrics.roi_psnr(IMAGES, IMAGES, MASKS.byte()), "use masks > 0.5")


def test_training_and_packing_take_no_integers(tmp_path: Path) -> None:
    """Else they would learn from, or write, a picture that is white all over."""
    whole = (255 * IMAGES[0]).byte()
    codec = semcom.catalogue.learned("deepjscc")
    plan = Plan(steps=1, batch=1, crop=32)
    learn: Callable[[Any], object] = lambda image: train(  # noqa: E731
        codec, [(image, None)], plan, tmp_path / "a"
    )
    refused(lambda: learn(whole), "divide by 255")
    refused(lambda: learn(IMAGES[0].numpy()), "NumPy array")
    few = SegmenterPlan(steps=1, batch=1)
    refused(
        lambda: train_segmenter("chest", [(whole, MASKS[0])], [], few, tmp_path / "b"),
        "divide by 255",
    )
    refused(
        lambda: train_segmenter("chest", [(IMAGES[0], MASKS[0].float())], [], few, tmp_path / "b"),
        "masks must be bool",
    )
    file = tmp_path / "a.safetensors"
    refused(lambda: semcom.data.pack([(whole, None)], file), "divide by 255")
    semcom.data.pack([(IMAGES[0].double(), MASKS[0].byte())], file)
    image, mask = semcom.data.load_packed(file)[0]
    assert float((image - IMAGES[0]).abs().max()) <= 0.5 / 255 + 1e-6
    assert mask is not None and torch.equal(mask, MASKS[0])
    assert not (tmp_path / "a").exists() and np.isfinite(image.numpy()).all()


def test_what_a_scheme_makes_may_miss_by_rounding() -> None:
    from semcom.scheme import check_outputs

    images, lost = torch.full((1, 1, 32, 32), 1 + 1e-7), torch.zeros(1, dtype=torch.bool)
    assert float(check_outputs("mine", images, lost, [1, 1, 32, 32])[0].max()) == 1
    refused(lambda: check_outputs("mine", images + 1e-5, lost, [1, 1, 32, 32]), r"got \[1\.0000101")
