"""What is said of a folder: how white was found, and which files were skipped; no contents."""

from __future__ import annotations

import logging
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tifffile import imwrite

from channels import InputError
from semcom.data import list_images, load_folder, load_image, read_file, read_folder
from semcom.training.samples import load_samples
from tests.refusals import refused
from tests.semcom.data.dicom_files import PATIENT, STORED, dicom, ramp, written


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three images of which white is found in three ways, and three files that are none."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(ramp().astype(np.uint8)).save(folder / "a.png")
    (folder / "b.png").write_bytes(b"damaged")
    imwrite(folder / "c.tif", ramp(top=4095).astype(np.uint16))
    (folder / "d.dcm").write_bytes(b"damaged")
    written(folder, dicom(STORED, WindowCenter=2048, WindowWidth=4096), "e.dcm")
    Image.fromarray(ramp(20, 20).astype(np.uint8)).save(folder / "f.png")
    return folder


def test_one_unreadable_file_stops_a_folder_unless_it_may_be_skipped(mixed: Path) -> None:
    refused(lambda: load_folder(mixed), r"^b\.png cannot be read as an image")
    with pytest.warns(UserWarning, match="skipped 3: b.png cannot be read .*; d.dcm is no .*; f"):
        images, masks = load_folder(mixed, skip_unreadable=True)
    assert len(images) == 3 and masks is None
    refused(lambda: load_folder(mixed, skip_unreadable=1), "skip_unreadable must be True")  # type: ignore[arg-type]


def test_a_folder_says_how_white_was_found(mixed: Path) -> None:
    found = read_folder(mixed, skip_unreadable=True)
    assert [file.name for file in found.files] == ["a.png", "c.tif", "e.dcm"]
    assert found.white_line() == (
        "white of 3 images: 255, the file's 8 bits (1); "
        "4095, the least depth that holds the brightest pixel (1); the file's window (1)"
    )
    assert [line.split()[0] for line in found.skipped] == ["b.png", "d.dcm", "f.png"]
    assert not found.chosen
    assert read_file(mixed / "c.tif").white == found.white[1:2]


def test_a_limit_counts_what_was_read(mixed: Path) -> None:
    found = read_folder(mixed, limit=2, skip_unreadable=True)
    assert [file.name for file in found.files] == ["a.png", "c.tif"]
    assert [line.split()[0] for line in found.skipped] == ["b.png"]
    refused(lambda: read_folder(mixed, limit=0, skip_unreadable=True), "limit must be")


def test_an_image_is_skipped_with_its_mask_and_for_its_mask(mixed: Path) -> None:
    masks = mixed.parent / "masks"
    masks.mkdir()
    for name in ("a", "b", "c", "e"):
        Image.fromarray(ramp(top=1).astype(np.uint8)).save(masks / f"{name}.png")
    (masks / "c.png").write_bytes(b"damaged")
    Image.fromarray(ramp(41, top=1).astype(np.uint8)).save(masks / "e.png")
    found = read_folder(mixed, masks, skip_unreadable=True)
    assert [file.name for file in found.files] == ["a.png"]
    assert found.masks is not None and len(found.masks) == 1
    assert [line.split(":")[0].split(" is ")[0] for line in found.skipped][2] == "mask e.png"


def test_a_folder_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.dcm"):
        (tmp_path / name).write_bytes(b"damaged")
    refused(lambda: load_folder(tmp_path, skip_unreadable=True), "no image could be read: a.png")


def test_samples_skip_images_and_do_without_masks(mixed: Path) -> None:
    masks = mixed.parent / "masks"
    masks.mkdir()
    for name in ("a", "c"):
        Image.fromarray(ramp(top=1).astype(np.uint8)).save(masks / f"{name}.png")
    (masks / "c.png").write_bytes(b"damaged")
    heard = []
    samples = load_samples(mixed, masks, skip_unreadable=True, tell=heard.append)
    assert [mask is not None for _, mask in samples] == [True, False, False]
    assert [line.split()[0] for line in heard[0].skipped] == ["b.png", "d.dcm", "f.png", "c.png"]
    with pytest.warns(UserWarning, match="skipped 4"):
        load_samples(mixed, masks, skip_unreadable=True)


def test_readable_folders_say_nothing(tmp_path: Path) -> None:
    Image.fromarray(ramp().astype(np.uint8)).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images, _ = load_folder(tmp_path, skip_unreadable=True)
        assert torch.equal(images[0], load_image(tmp_path / "a.png")[0][0])


@pytest.mark.parametrize("bad", ["cut", "tags", "png", "window", "intercept", "table"])
def test_nothing_of_a_file_comes_out(
    bad: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    if bad in ("cut", "tags"):
        path = tmp_path / "x.tif"
        imwrite(path, ramp().astype(np.uint8), description=PATIENT, metadata=None)
        content = path.read_bytes()
        old, new = struct.pack("<HHI", 258, 3, 1), PATIENT.encode()
        assert old in content
        path.write_bytes(content[:999] if bad == "cut" else content.replace(old, new))
    elif bad == "png":
        path = tmp_path / "x.png"
        Image.fromarray(ramp().astype(np.uint8)).save(path)
        path.write_bytes(path.read_bytes().replace(b"IDAT", PATIENT[:4].encode()))
    else:
        file = dicom(STORED, WindowCenter=2000, WindowWidth=4000, RescaleIntercept="-1234")
        file.RescaleSlope = 1
        path = written(tmp_path, file)
        spoiled = {"window": b"4000", "intercept": b"-1234", "table": b"2000"}[bad]
        content = path.read_bytes()
        path.write_bytes(content.replace(spoiled, PATIENT.encode()[: len(spoiled)]))
    told = ""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        found = []
        try:
            load_image(path)
        except InputError as error:
            assert error.__context__ is None and error.__cause__ is None
            told += str(error)
        try:
            found = read_folder(tmp_path, skip_unreadable=True).skipped
        except InputError as error:
            told += str(error)
    told += "".join([*found, *(str(warning.message) for warning in heard), caplog.text])
    told += "".join(capfd.readouterr())
    assert told and "DOE" not in told and "JANE" not in told


def test_a_folder_lists_what_it_reads(mixed: Path) -> None:
    names = [file.name for file in list_images(mixed)]
    assert names == ["a.png", "b.png", "c.tif", "d.dcm", "e.dcm", "f.png"]
