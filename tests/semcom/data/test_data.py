"""Phantoms, folders of images, and DICOM files."""

from __future__ import annotations

import io
import logging
import os
import stat
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from torch import Tensor
from torch.nn.functional import max_pool2d

from channels import InputError
from semcom.data import list_images, load_folder, phantoms
from semcom.images import as_images, as_roi
from tests.semcom.data.dicom_files import GREY, PATIENT, STORED, dicom, lut, ramp, shown


def save(folder: Path, name: str, values: NDArray[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(values).save(folder / name)
    return folder / name


def stacked(images: Tensor | list[Tensor] | None) -> Tensor:
    assert isinstance(images, Tensor)
    return images


def refusal(call: Callable[[], object]) -> str:
    """The one-line message that a call is refused with."""
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert message and "\n" not in message
    return message


# Phantoms


@pytest.mark.parametrize("kind", ["chest", "dental", "angiography"])
@pytest.mark.parametrize("size", [32, 57, 256])
def test_phantoms_keep_the_contract(kind: str, size: int) -> None:
    images, masks = phantoms(kind, n=2, size=size)
    assert images.shape == masks.shape == (2, 1, size, size)
    assert masks.dtype == torch.bool
    assert as_images(images) is images
    assert as_roi(masks, images) is masks


@pytest.mark.parametrize("kind", ["chest", "dental", "angiography"])
def test_a_phantom_depends_on_its_place_and_seed_alone(kind: str) -> None:
    many, many_masks = phantoms(kind, n=3, size=48, seed=5)
    torch.manual_seed(1)
    np.random.default_rng(1)
    few, few_masks = phantoms(kind, n=2, size=48, seed=5)
    assert torch.equal(many[:2], few) and torch.equal(many_masks[:2], few_masks)
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(phantoms(kind, n=1, size=48, seed=6)[0][0], many[0])


def test_lungs_are_darker_and_teeth_brighter_than_the_rest() -> None:
    for kind, sign in (("chest", -1), ("dental", 1)):
        images, masks = phantoms(kind, n=4, size=128, seed=2)
        for image, mask in zip(images, masks, strict=True):
            assert 0.08 < float(mask.float().mean()) < 0.45
            assert sign * float(image[mask].mean() - image[~mask].mean()) > 0.1


def test_arteries_are_thin_and_darker_than_what_is_beside_them() -> None:
    images, masks = phantoms("angiography", n=8, size=256, seed=2)
    for image, mask in zip(images, masks, strict=True):
        assert 0.008 < float(mask.float().mean()) < 0.12
        near = max_pool2d(mask.float()[None], 21, 1, 10)[0] > 0
        assert float(image[mask].mean() - image[near & ~mask].mean()) < -0.04


@pytest.mark.parametrize("kind", ["chest", "dental", "angiography"])
def test_phantoms_have_the_texture_of_radiographs(kind: str) -> None:
    """Open chest X-rays at 256 x 256 take 0.5 to 0.9 bits per pixel as JPEG of quality 50."""
    for image in phantoms(kind, n=3, seed=1)[0]:
        file = io.BytesIO()
        Image.fromarray((image[0].numpy() * 255).round().astype(np.uint8)).save(
            file, "JPEG", quality=50
        )
        assert 0.4 < file.tell() * 8 / 256**2 < 1.0
        assert float(image.std()) > 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "chset"}, "did you mean 'chest'"),
        ({"kind": "chest", "n": 0}, "n must be a whole number from 1 on"),
        ({"kind": "chest", "size": 31}, "size must be a whole number from 32 on"),
        ({"kind": "chest", "size": 9999}, "size must be at most 4096"),
        ({"kind": "chest", "size": 64.0}, "size must be a whole number"),
        ({"kind": "dental", "seed": -1}, "seed must be a whole number from 0 on"),
    ],
)
def test_phantoms_refuse(arguments: dict[str, Any], words: str) -> None:
    assert words in refusal(lambda: phantoms(**arguments))


# Folders


@given(
    seed=st.integers(0, 99),
    suffix=st.sampled_from([".png", ".TIF", ".tiff"]),
    bits=st.sampled_from([8, 10, 12, 14, 16]),
    wide=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_lossless_files_come_back_as_saved(seed: int, suffix: str, bits: int, wide: bool) -> None:
    top = 2**bits - 1
    values = np.random.default_rng(seed).integers(0, top + 1, (33, 41))
    values[0, 0] = top
    kind = np.uint16 if wide or bits > 8 else np.uint8
    with TemporaryDirectory() as folder:
        save(Path(folder), "a" + suffix, values.astype(kind))
        images, masks = load_folder(folder)
    assert masks is None
    expected = torch.from_numpy(values.astype(np.float32) / np.float32(top))
    assert torch.equal(stacked(images), expected[None, None])


def test_files_are_sorted_and_limited_and_others_passed_over(tmp_path: Path) -> None:
    for name, level in (("c.jpeg", 90), ("a.PNG", 10), ("b.tif", 50)):
        save(tmp_path, name, np.full((32, 32), level, dtype=np.uint8))
    save(tmp_path, ".hidden.png", np.zeros((32, 32), dtype=np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    assert [file.name for file in list_images(tmp_path)] == ["a.PNG", "b.tif", "c.jpeg"]
    images = stacked(load_folder(tmp_path)[0])
    assert (images.mean(dim=(1, 2, 3)) * 255).round().tolist() == [10, 50, 90]
    assert torch.equal(stacked(load_folder(str(tmp_path), limit=2)[0]), images[:2])


def test_other_grey_forms(tmp_path: Path) -> None:
    grey = ramp().astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "1_rgb.png")
    Image.fromarray(np.stack([grey, np.full_like(grey, 255)], -1)).save(tmp_path / "2_la.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "3_palette.png")
    Image.fromarray(grey.astype(np.float32) / np.float32(255)).save(tmp_path / "4_float.tif")
    Image.fromarray(grey.astype(np.uint16)).save(tmp_path / "5_sixteen.tif", tiffinfo={262: 0})
    Image.fromarray(grey).convert("1").save(tmp_path / "6_bits.png")
    images = stacked(load_folder(tmp_path)[0])
    expected = torch.from_numpy(grey.astype(np.float32) / np.float32(255))
    for image in images[:4]:
        assert torch.equal(image[0], expected)
    torch.testing.assert_close(images[4, 0], 1 - expected)
    assert set(images[5].flatten().tolist()) == {0.0, 1.0}


def test_size_shrinks_and_never_enlarges(tmp_path: Path) -> None:
    fine = np.indices((100, 200)).sum(0) % 2 * 255
    save(tmp_path, "a.png", fine.astype(np.uint8))
    save(tmp_path, "b.png", ramp(40, 60).astype(np.uint8))
    images, _ = load_folder(tmp_path, size=80)
    assert isinstance(images, list)
    assert [list(image.shape) for image in images] == [[1, 40, 80], [1, 40, 60]]
    assert float((images[0] - 0.5).abs().max()) < 0.1, "a checkerboard must average, not alias"
    assert torch.equal(images[1][0], torch.from_numpy(ramp(40, 60) / 255).float())


def test_masks_select_images_and_follow_their_size(tmp_path: Path) -> None:
    folder, masks = tmp_path / "images", tmp_path / "masks"
    region = np.zeros((64, 128), dtype=np.uint8)
    region[:32, :64] = 1
    for name in ("a.png", "b.jpg", "c.png"):
        save(folder, name, ramp(64, 128).astype(np.uint8))
    save(masks, "a.png", region)
    save(masks, "c.tif", np.stack([0 * region, region * 200, 0 * region], -1))
    images, regions = load_folder(folder, masks=masks, size=64)
    assert [file.name for file in list_images(folder, masks)] == ["a.png", "c.png"]
    assert stacked(images).shape == (2, 1, 32, 64)
    expected = torch.zeros(2, 1, 32, 64, dtype=torch.bool)
    expected[..., :16, :32] = True
    assert torch.equal(stacked(regions), expected)


def test_masks_of_different_sizes_are_a_list_too(tmp_path: Path) -> None:
    for name, height in (("a.png", 40), ("b.png", 50)):
        save(tmp_path / "images", name, ramp(height).astype(np.uint8))
        save(tmp_path / "masks", name, ramp(height, top=1).astype(np.uint8))
    images, masks = load_folder(tmp_path / "images", tmp_path / "masks")
    assert isinstance(images, list) and isinstance(masks, list)
    assert [m.shape for m in masks] == [i.shape for i in images]
    assert all(mask.dtype == torch.bool for mask in masks)


def _damaged(name: str, keep: float) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        file = save(folder, name, np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])

    return write


def _saved(name: str, values: NDArray[Any]) -> Callable[[Path], None]:
    return lambda folder: (save(folder, name, values), None)[1]


def _two_pages(folder: Path) -> None:
    page = Image.new("L", (32, 32))
    page.save(folder / "x.tif", save_all=True, append_images=[page])


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda folder: None, "put PNG, JPEG, TIFF or DICOM files into it"),
        (_damaged("x.png", 0.5), "x.png cannot be read as an image"),
        (_damaged("x.jpg", 0.5), "x.jpg cannot be read as an image"),
        (_damaged("x.tif", 0.1), "x.tif cannot be read as an image"),
        (_damaged("x.png", 0), "export it again"),
        (_saved("x.png", np.indices((40, 40, 3)).sum(0).astype(np.uint8)), "convert it"),
        (_saved("x.png", np.zeros((31, 90), np.uint8)), "31 x 90, but both sides must be at lea"),
        (_saved("x.tif", np.full((40, 40), np.nan, np.float32)), "NaN or infinite"),
        (_saved("x.tif", np.full((40, 40), 255, np.float32)), "rescale them"),
        (_saved("x.tif", np.zeros((40, 40), np.int32)), "save it as grey of 8 or 16 bits"),
        (_saved("x.png", np.zeros((40, 40, 4), np.uint8)), "flatten it"),
        (_two_pages, "save the one to send on its own"),
    ],
)
def test_a_bad_folder_is_refused_in_one_line(
    write: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    write(tmp_path)
    message = refusal(lambda: load_folder(tmp_path))
    assert words in message
    assert str(tmp_path) not in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 16}, "size must be a whole number from 32 on, or None, got 16"),
        ({"size": True}, "size must be"),
        ({"limit": 0}, "limit must be a whole number from 1 on"),
        ({"size": 40}, "raise size 40"),
    ],
)
def test_bad_numbers_are_refused(arguments: dict[str, Any], words: str, tmp_path: Path) -> None:
    save(tmp_path, "x.png", ramp(32, 64).astype(np.uint8))
    assert words in refusal(lambda: load_folder(tmp_path, **arguments))


def test_missing_folders_and_unfitting_masks_are_refused(tmp_path: Path) -> None:
    folder, masks = tmp_path / "images", tmp_path / "masks"
    assert "does not exist" in refusal(lambda: load_folder(folder))
    file = save(folder, "a.png", ramp().astype(np.uint8))
    assert "is a file, not a folder" in refusal(lambda: load_folder(file))
    assert "does not exist" in refusal(lambda: load_folder(folder, masks))
    save(masks, "z.png", ramp().astype(np.uint8))
    assert "call the mask of a.png" in refusal(lambda: load_folder(folder, masks))
    save(masks, "a.png", ramp(41).astype(np.uint8))
    assert "mask a.png is 41 x 50" in refusal(lambda: load_folder(folder, masks))
    save(masks, "a.tif", ramp().astype(np.uint8))
    assert "share a stem" in refusal(lambda: load_folder(folder, masks))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "x.png", ramp().astype(np.uint8)).chmod(stat.S_IWUSR)
    assert "x.png" in refusal(lambda: load_folder(tmp_path))


# DICOM


@pytest.mark.parametrize("name", ["x.dcm", "x.DCM", "x", "1.2.840.7"])
def test_stored_bits_scale_a_dicom_file(name: str, tmp_path: Path) -> None:
    np.testing.assert_allclose(shown(tmp_path, dicom(STORED), name), GREY, atol=1e-6)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    image = shown(tmp_path, dicom(STORED, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_allclose(image, 1 - GREY, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_first_window_after_the_rescale(photometric: str, tmp_path: Path) -> None:
    """int16, intercept -1024: Hounsfield units; window 40 / 400, by PS3.3 C.11.2.1.2.1."""
    stored = ramp(top=2048) - 5
    file = dicom(
        stored,
        "int16",
        16,
        RescaleIntercept=-1024,
        RescaleSlope=1,
        WindowCenter=[40, 500],
        WindowWidth=[400, 2000],
        PhotometricInterpretation=photometric,
    )
    expected = np.clip((stored - 1024 - 39.5) / 399 + 0.5, 0, 1)
    if photometric == "MONOCHROME1":
        expected = 1 - expected
    np.testing.assert_allclose(shown(tmp_path, file), expected, atol=1e-6)


def test_window_by_hand(tmp_path: Path) -> None:
    """Width 101, centre 100.5: 50 is black, 100 the middle, 150 white."""
    stored = np.full((32, 32), 50)
    stored[0, :4] = 0, 75, 100, 151
    file = dicom(stored, WindowCenter=100.5, WindowWidth=101)
    image = shown(tmp_path, file)
    np.testing.assert_allclose(image[0, :5], [0, 0.25, 0.5, 1, 0], atol=1e-6)


@pytest.mark.parametrize(("slope", "intercept"), [(2, 1024), (-1, 4095)])
def test_rescale_alone_keeps_the_stored_range(slope: int, intercept: int, tmp_path: Path) -> None:
    image = shown(tmp_path, dicom(STORED, RescaleSlope=slope, RescaleIntercept=intercept))
    np.testing.assert_allclose(image, GREY if slope > 0 else 1 - GREY, atol=1e-6)


def test_a_window_after_a_falling_rescale(tmp_path: Path) -> None:
    file = dicom(
        STORED, RescaleSlope=-1, RescaleIntercept=4095, WindowCenter=2048, WindowWidth=4096
    )
    np.testing.assert_allclose(shown(tmp_path, file), 1 - GREY, atol=1e-6)


@pytest.mark.parametrize("sequence", ["ModalityLUTSequence", "VOILUTSequence"])
def test_look_up_tables(sequence: str, tmp_path: Path) -> None:
    stored = np.full((32, 32), 10)
    stored[0, :3] = 11, 12, 99
    item = lut([0, 51, 255], first=10, bits=8)
    if sequence == "ModalityLUTSequence":
        item.ModalityLUTType = "US"
    image = shown(tmp_path, dicom(stored, **{sequence: Sequence([item])}))
    np.testing.assert_allclose(image[0, :4], [0.2, 1, 1, 0], atol=1e-6)


def test_dicom_images_take_png_masks(tmp_path: Path) -> None:
    for name in ("a.dcm", "1.2.840.7"):
        (tmp_path / "images").mkdir(exist_ok=True)
        dicom(STORED).save_as(tmp_path / "images" / name)
    save(tmp_path / "masks", "a.png", ramp(top=1).astype(np.uint8))
    save(tmp_path / "masks", "1.2.840.7.png", ramp(top=1).astype(np.uint8))
    images, masks = load_folder(tmp_path / "images", tmp_path / "masks")
    assert stacked(images).shape == stacked(masks).shape == (2, 1, 40, 50)


def _truncated(file: FileDataset) -> FileDataset:
    file.PixelData = file.PixelData[:100]
    return file


def _without_pixels() -> FileDataset:
    file = dicom(STORED)
    del file.PixelData
    return file


def _colour() -> FileDataset:
    values = np.arange(32 * 32 * 3).reshape(32, 32, 3) % 256
    file = dicom(values, "uint8", 8, SamplesPerPixel=3, PhotometricInterpretation="RGB")
    file.Rows = file.Columns = 32
    file.PlanarConfiguration = 0
    return file


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (_truncated(dicom(STORED)), "cut off; copy it"),
        (dicom(STORED, BitsStored=99), "correct BitsStored"),
        (dicom(STORED, PhotometricInterpretation="MONOCHROME3"), "that is not read"),
        (dicom(STORED, WindowCenter=40, WindowWidth=-3), "WindowWidth that is not above 0"),
        (dicom(np.zeros((2, 32, 32), np.int64), NumberOfFrames=2), "name one, frame=0 to 1"),
        (_colour(), "export it as MONOCHROME2"),
        (_without_pixels(), "leave it out"),
    ],
)
def test_bad_dicom_files_are_refused_in_one_line(
    file: FileDataset, words: str, tmp_path: Path
) -> None:
    file.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    message = refusal(lambda: load_folder(tmp_path))
    assert message.startswith("x.dcm") and words in message


def test_a_dicom_suffix_does_not_make_a_dicom_file(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_text(PATIENT * 100)
    assert "is no readable DICOM file" in refusal(lambda: load_folder(tmp_path))


def _spoiled(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert old in data and len(old) == len(new)
    file.write_bytes(data.replace(old, new))


@pytest.mark.parametrize("bad", [None, "charset", "window", "pixels", "kind"])
def test_no_patient_field_comes_out(
    bad: str | None,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even from files whose broken elements pydicom would quote."""
    caplog.set_level(logging.DEBUG)
    file = dicom(STORED, WindowCenter=2000, WindowWidth=4000)
    path = tmp_path / "x.dcm"
    file.PatientBirthDate = "19700101"
    file.SpecificCharacterSet = "ISO_IR 100"
    if bad == "pixels":
        _truncated(file)
    file.save_as(path, enforce_file_format=True)
    _spoiled(path, b"19700101", PATIENT.encode())
    if bad == "charset":
        _spoiled(path, b"ISO_IR 100", PATIENT.encode() + b"XY")
    if bad == "window":
        _spoiled(path, b"4000", b"JANE")
    if bad == "kind":
        _spoiled(path, b"MONOCHROME2", b"DOE^JANEXYZ")
    told = ""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            images, _ = load_folder(tmp_path)
            told += repr(images) + repr(list_images(tmp_path))
            assert bad in (None, "charset")
        except InputError as error:
            assert bad not in (None, "charset")
            assert error.__context__ is None and error.__cause__ is None
            told += "".join(traceback.format_exception(error))
    told += "".join(str(warning.message) for warning in heard) + caplog.text
    told += "".join(capfd.readouterr())
    assert "DOE" not in told and "JANE" not in told


def test_reading_dicom_leaves_logging_and_warnings_as_they_were(tmp_path: Path) -> None:
    before = logging.getLogger("pydicom").propagate, list(warnings.filters)
    shown(tmp_path, dicom(STORED))
    assert (logging.getLogger("pydicom").propagate, list(warnings.filters)) == before
