"""Options of commands about the files that they read, and what they say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tifffile import imwrite

from scenarios.command.cli import main
from semcom.data import load_packed

QUICK = ["--codecs", "jpeg2000-ldpc", "--link", "awgn", "--snr", "12:12:1", "--cbr", "1/4"]
QUICK += ["--workers", "1", "--masks", "none"]


def semcom(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    grey = np.linspace(0, 255, 64 * 64).reshape(64, 64).astype(np.uint8)
    Image.fromarray(grey).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"damaged")
    imwrite(folder / "c.tif", np.stack([grey, grey[::-1]]), photometric="minisblack")
    return folder


def test_a_scenario_skips_what_cannot_be_read_and_lists_it_at_the_end(
    images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "snr", *QUICK, "--images", images, "--out", tmp_path / "out"]
    assert semcom(*command) == 2
    assert "b.png cannot be read as an image" in capfd.readouterr().err
    assert semcom(*command, "--skip-unreadable") == 0
    said = capfd.readouterr().err.strip().splitlines()
    assert "white of 1 image: 255, the file's 8 bits (1)" in said
    assert "skipped 2, listed at the end" in said
    assert [line.split()[:2] for line in said[-2:]] == [
        ["skipped:", "b.png"],
        ["skipped:", "c.tif"],
    ]


def test_a_frame_can_be_named(
    images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "data.safetensors"
    command = ["pack", "--images", images, "--out", packed, "--skip-unreadable"]
    assert semcom(*command) == 0
    assert len(load_packed(packed)) == 1
    assert semcom(*command, "--frame", 1) == 0
    (first, _), (second, _) = load_packed(packed)
    np.testing.assert_array_equal(first.numpy(), second.numpy()[:, ::-1])
    assert "white of 2 images: 255, the file's 8 bits (2)" in capfd.readouterr().err


def test_one_picture_of_several_is_sent(
    images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["send", images / "c.tif", "--mask", "none", "--codecs", "jpeg2000-ldpc"]
    command += ["--link", "awgn", "--snr", "12", "--cbr", "1/4", "--out", tmp_path / "sent.png"]
    assert semcom(*command) == 2
    assert "c.tif holds several images: name one, frame=0 to 1 (--frame)" in capfd.readouterr().err
    assert semcom(*command, "--frame", 1) == 0


@pytest.mark.parametrize(
    "command",
    [
        ["train", "deepjscc", "--phantoms", "0", "--batch", "1", "--crop", "32", "--steps", "1"],
        ["run", "bandwidth", "--codecs", "jpeg2000-ldpc", "--link", "awgn"],
    ],
)
def test_all_commands_that_take_images_can_skip(
    command: list[str], images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "c.tif"):
        (images / name).unlink()
    command = [*command, "--images", str(images), "--out", str(tmp_path / "out")]
    assert semcom(*command, "--skip-unreadable") == 2
    assert "no image could be read: b.png" in capfd.readouterr().err
