"""Colour images: read where they are asked for, as every format stores them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tifffile import imwrite

from semcom.data import load_folder, load_image, read_folder
from semcom.data.stored import Stored
from tests.refusals import refused
from tests.semcom.data.dicom_files import ramp
from tests.semcom.data.test_image_depth import chunk, png

RGB = np.stack([ramp(), ramp()[::-1], np.full_like(ramp(), 90)], -1).astype(np.uint8)


def planes(samples: np.ndarray, white: int = 255) -> np.ndarray:
    return np.moveaxis(samples, -1, 0).astype(np.float32) / white


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("deep", [False, True])
def test_samples_come_back_as_they_are(suffix: str, deep: bool, tmp_path: Path) -> None:
    samples = RGB.astype(np.uint16) * 257 if deep else RGB
    if suffix == ".tif":
        imwrite(tmp_path / "x.tif", samples, photometric="rgb")
    else:
        (tmp_path / "x.png").write_bytes(png(samples, depth=16 if deep else 8))
    image, mask = load_image(tmp_path / f"x{suffix}", rgb=True)
    assert mask is None
    assert image.dtype == torch.float32
    np.testing.assert_allclose(image[0], planes(samples, 65535 if deep else 255), atol=1e-6)
    refused(lambda: load_image(tmp_path / f"x{suffix}"), "is a colour image")


def test_palettes_ink_and_chroma(tmp_path: Path) -> None:
    entries = bytes([255, 0, 0, 0, 255, 0, 9, 9, 9, 0, 0, 255])
    index = ramp(top=3)
    (tmp_path / "a.png").write_bytes(
        png(index[..., None], depth=8, extra=chunk(b"PLTE", entries), kind=3)
    )
    colours = np.frombuffer(entries, np.uint8).reshape(4, 3)
    np.testing.assert_allclose(
        load_image(tmp_path / "a.png", rgb=True)[0][0],
        planes(colours[index.astype(int)]),
        atol=1e-6,
    )
    ink = np.concatenate([255 - RGB, np.full((*RGB.shape[:2], 1), 51, np.uint8)], -1)
    Image.fromarray(ink, "CMYK").save(tmp_path / "b.tif")
    np.testing.assert_allclose(
        load_image(tmp_path / "b.tif", rgb=True)[0][0], planes(RGB) * (1 - 51 / 255), atol=1e-6
    )
    ycbcr = np.array(Image.fromarray(RGB).convert("YCbCr"))
    values = Stored("c.tif", ycbcr, "ycbcr", 8).reading(rgb=True).image
    most = (1 + 1.772) / 255  # a step of luma and one of chroma, which 8 bits may miss
    assert np.abs(values - planes(RGB)).max() <= most


@pytest.mark.parametrize("top", [255, 4095, 65535])
def test_chroma_of_tiff_at_every_depth(top: int, tmp_path: Path) -> None:
    """YCbCr of 12 bits in 16: chroma zero lies in the middle of what is used."""
    zero = (top + 1) // 2
    kind = np.uint8 if top == 255 else np.uint16
    samples = np.full((40, 50, 3), zero, kind)
    samples[..., 0] = ramp(top=top)
    imwrite(tmp_path / "x.tif", samples, photometric="ycbcr")
    image, _ = load_image(tmp_path / "x.tif", rgb=True)
    np.testing.assert_allclose(image[0], np.stack([ramp(top=top) / top] * 3), atol=1e-5)
    np.testing.assert_allclose(load_image(tmp_path / "x.tif")[0][0, 0], image[0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        (529, (2126, 10000, 7152, 10000, 722, 10000)),
        (532, (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)),
    ],
)
def test_chroma_of_another_kind_is_refused(
    tag: int, values: tuple[int, ...], tmp_path: Path
) -> None:
    samples = np.full((40, 50, 3), 128, np.uint8)
    extra = [(tag, 5, len(values) // 2, values, True)]
    imwrite(tmp_path / "x.tif", samples, photometric="ycbcr", extratags=extra)
    for rgb in (False, True):
        refused(lambda rgb=rgb: load_image(tmp_path / "x.tif", rgb=rgb), "export it as RGB")


@pytest.mark.parametrize(("depth", "row"), [(1, b"\xaa"), (2, b"\x1b"), (4, b"\x3a")])
def test_transparency_of_few_bits(depth: int, row: bytes, tmp_path: Path) -> None:
    """Pillow spreads samples to 8 bits, but not the value that is transparent."""
    height, width = 40, 40
    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    rows = (b"\0" + row * (width * depth // 8)) * height
    for value, opaque in ((int(row[0]) >> (8 - depth), False), (2**depth - 1, depth > 2)):
        clear = chunk(b"tRNS", struct.pack(">H", value))
        parts = [chunk(b"IHDR", head), clear, chunk(b"IDAT", zlib.compress(rows))]
        (tmp_path / "x.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")
        )
        if opaque:
            assert float(load_image(tmp_path / "x.png")[0].max()) == pytest.approx(10 / 15)
        else:
            refused(lambda: load_image(tmp_path / "x.png"), "transparent in places")


def test_grey_files_have_three_channels_alike(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    grey = ramp().astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / "b.png")
    images, _ = load_folder(tmp_path, rgb=True)
    assert isinstance(images, torch.Tensor)
    assert images.shape == (2, 3, *grey.shape)
    np.testing.assert_allclose(images[1], np.stack([grey / np.float32(255)] * 3), atol=1e-6)


def test_masks_and_sizes(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.fromarray(np.tile(RGB, (2, 2, 1))).save(tmp_path / "images" / "a.png")
    Image.fromarray(np.tile(ramp() > 99, (2, 2))).save(tmp_path / "masks" / "a.png")
    found = read_folder(tmp_path / "images", tmp_path / "masks", size=50, rgb=True)
    assert found.masks is not None
    assert found.images[0].shape == (3, 40, 50)
    assert found.masks[0].shape == (1, 40, 50)


def test_what_is_no_flag_and_what_is_transparent(tmp_path: Path) -> None:
    clear = np.concatenate([RGB, np.full((*RGB.shape[:2], 1), 9, np.uint8)], -1)
    Image.fromarray(clear).save(tmp_path / "a.png")
    refused(lambda: load_image(tmp_path / "a.png", rgb=True), "transparent in places")
    refused(lambda: load_image(tmp_path / "a.png", rgb="yes"), "rgb must be")  # type: ignore[arg-type]
