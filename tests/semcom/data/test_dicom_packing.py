"""DICOM files however they are packed: transfer syntaxes, frames, files without a head."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite, uid
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders.base import RLELosslessEncoder
from pydicom.sequence import Sequence

from semcom.data import load_folder, load_image
from semcom.data.dicom import elements
from tests.refusals import refused
from tests.semcom.data.dicom_files import GREY, STORED, dicom, ramp, shown, written
from tests.semcom.data.test_dicom_white import coloured

LOSSLESS = {
    uid.JPEGLossless: lambda pixels, bits: imagecodecs.jpeg8_encode(
        pixels, lossless=True, predictor=4, bitspersample=bits
    ),
    uid.JPEGLosslessSV1: lambda pixels, bits: imagecodecs.jpeg8_encode(
        pixels, lossless=True, predictor=1, bitspersample=bits
    ),
    uid.JPEGLSLossless: lambda pixels, bits: imagecodecs.jpegls_encode(pixels),
    uid.JPEG2000Lossless: lambda pixels, bits: imagecodecs.jpeg2k_encode(
        pixels, codecformat="j2k", reversible=True, bitspersample=bits
    ),
    uid.HTJ2KLossless: lambda pixels, bits: imagecodecs.htj2k_encode(pixels, reversible=True),
}


def compressed(
    frames: list[bytes], syntax: str, file: FileDataset, *, extended: bool = False
) -> FileDataset:
    file.file_meta.TransferSyntaxUID = syntax
    if extended:
        file.PixelData, file.ExtendedOffsetTable, file.ExtendedOffsetTableLengths = (
            encapsulate_extended(frames)
        )
    else:
        file.PixelData = encapsulate(frames)
    file["PixelData"].is_undefined_length = True
    return file


def container(values: NDArray[Any], bits: int) -> NDArray[Any]:
    return values.astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes(syntax: str, bits: int, tmp_path: Path) -> None:
    pixels = container(ramp(top=2**bits - 1), bits)
    file = dicom(pixels, pixels.dtype.name, bits)
    file = compressed([LOSSLESS[syntax](pixels, bits)], syntax, file)
    np.testing.assert_allclose(shown(tmp_path, file), pixels / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize(
    ("syntax", "bits", "level"),
    [
        (uid.JPEGBaseline8Bit, 8, 98),
        (uid.JPEGExtended12Bit, 12, 98),
        (uid.JPEGExtended12Bit, 8, 98),
    ],
)
def test_lossy_jpeg(syntax: str, bits: int, level: int, tmp_path: Path) -> None:
    pixels = container(ramp(top=2**bits - 1), bits)
    packed = imagecodecs.jpeg8_encode(pixels, level=level, bitspersample=bits)
    file = compressed([packed], syntax, dicom(pixels, pixels.dtype.name, bits))
    np.testing.assert_allclose(shown(tmp_path, file), pixels / (2**bits - 1), atol=0.01)


@pytest.mark.parametrize("bits", [8, 12])
def test_lossy_jpeg_ls_and_jpeg_2000(bits: int, tmp_path: Path) -> None:
    """JPEG-LS may overshoot white a little where its own depth is larger."""
    pixels = container(ramp(top=2**bits - 1), bits)
    for syntax, packed in (
        (uid.JPEGLSNearLossless, imagecodecs.jpegls_encode(pixels, level=3)),
        (
            uid.JPEG2000,
            imagecodecs.jpeg2k_encode(pixels, 50, codecformat="j2k", bitspersample=bits),
        ),
    ):
        file = compressed([packed], syntax, dicom(pixels, pixels.dtype.name, bits))
        np.testing.assert_allclose(shown(tmp_path, file), pixels / (2**bits - 1), atol=0.03)


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGLosslessSV1])
def test_signed_pixels_in_lossless_syntaxes(syntax: str, tmp_path: Path) -> None:
    """JPEG 2000 knows a sign, the others carry its bits; some writers of JPEG 2000 do so too."""
    units = STORED - 1024
    window: dict[str, Any] = {"WindowCenter": 1024, "WindowWidth": 4096}
    packed = [LOSSLESS[syntax](units.astype(np.uint16), 16)]
    if syntax == uid.JPEG2000Lossless:
        signed = units.astype(np.int16)
        packed += [
            imagecodecs.jpeg2k_encode(signed, codecformat="j2k", reversible=True, bitspersample=16)
        ]
    for frame in packed:
        file = compressed([frame], syntax, dicom(units, "int16", 16, **window))
        np.testing.assert_allclose(shown(tmp_path, file), GREY, atol=1e-6)


def test_bits_aligned_high_that_are_compressed(tmp_path: Path) -> None:
    pixels = (STORED << 4).astype(np.uint16)
    file = dicom(pixels, HighBit=15)
    file = compressed([imagecodecs.jpegls_encode(pixels)], uid.JPEGLSLossless, file)
    np.testing.assert_allclose(shown(tmp_path, file), GREY, atol=1e-6)


def test_a_frame_that_has_fewer_bits_than_the_file_says(tmp_path: Path) -> None:
    pixels = STORED.astype(np.uint16)
    packed = LOSSLESS[uid.JPEG2000Lossless](pixels, 12)
    file = compressed([packed], uid.JPEG2000Lossless, dicom(pixels, bits=16))
    np.testing.assert_allclose(shown(tmp_path, file), GREY, atol=1e-6)


@pytest.mark.parametrize("bits", [8, 12])
def test_rle(bits: int, tmp_path: Path) -> None:
    pixels = container(ramp(top=2**bits - 1), bits)
    file = dicom(pixels, pixels.dtype.name, bits)
    file.compress(uid.RLELossless)
    np.testing.assert_allclose(shown(tmp_path, file), pixels / (2**bits - 1), atol=1e-6)


def _saved(file: FileDataset, path: Path, *, implicit: bool, little: bool) -> None:
    """Write it in another byte order than it was made in."""
    plain = Dataset()
    plain.update(file)
    plain.file_meta, plain.preamble = file.file_meta, file.preamble
    plain.save_as(path, implicit_vr=implicit, little_endian=little)


@pytest.mark.parametrize(
    ("syntax", "implicit", "little"),
    [
        (uid.ImplicitVRLittleEndian, True, True),
        (uid.ExplicitVRLittleEndian, False, True),
        (uid.ExplicitVRBigEndian, False, False),
        (uid.DeflatedExplicitVRLittleEndian, False, True),
    ],
)
@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("table", [False, True])
def test_native_syntaxes(
    table: bool, bits: int, syntax: str, implicit: bool, little: bool, tmp_path: Path
) -> None:
    values = ramp(top=2**bits - 1)
    file = dicom(values, "uint8" if bits == 8 else "uint16", bits)
    file.file_meta.TransferSyntaxUID = syntax
    order = "<" if little else ">"
    file.PixelData = values.astype("u1" if bits == 8 else f"{order}u2").tobytes()
    file["PixelData"].VR = "OB" if bits == 8 else "OW"
    expected = values / (2**bits - 1)
    if table:
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [2**bits, 0, 16])
        entries = (65535 - np.arange(2**bits) * (65535 / (2**bits - 1))).round()
        item.add_new("LUTData", "OW", entries.astype(f"{order}u2").tobytes())
        file.VOILUTSequence = Sequence([item])
        expected = 1 - expected
    _saved(file, tmp_path / "x.dcm", implicit=implicit, little=little)
    np.testing.assert_allclose(load_image(tmp_path / "x.dcm")[0][0, 0], expected, atol=1e-4)


def test_bytes_of_a_big_endian_file_in_words(tmp_path: Path) -> None:
    values = ramp()
    file = dicom(values, "uint8", 8)
    file.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    file.PixelData = values.astype("u1").view("<u2").astype(">u2").tobytes()
    file["PixelData"].VR = "OW"
    _saved(file, tmp_path / "x.dcm", implicit=False, little=False)
    np.testing.assert_allclose(load_image(tmp_path / "x.dcm")[0][0, 0], values / 255, atol=1e-6)


# Files without a head


@pytest.mark.parametrize("name", ["x.dcm", "x.DCM", "x", "1.2.840.7"])
@pytest.mark.parametrize("head", ["no preamble", "no meta"])
@pytest.mark.parametrize("implicit", [True, False])
def test_a_file_without_preamble(implicit: bool, head: str, name: str, tmp_path: Path) -> None:
    file = dicom(STORED)
    file.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    if implicit:
        file.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    content = buffer.getvalue()[132:]
    if head == "no meta":
        content = content[12 + int.from_bytes(content[8:12], "little") :]
    (tmp_path / name).write_bytes(content)
    np.testing.assert_allclose(load_folder(tmp_path)[0][0, 0], GREY, atol=1e-6)


def test_compressed_pixels_without_a_head_are_refused(tmp_path: Path) -> None:
    pixels = STORED.astype(np.uint16)
    file = compressed([imagecodecs.jpegls_encode(pixels)], uid.JPEGLSLossless, dicom(pixels))
    buffer = io.BytesIO()
    dcmwrite(buffer, file, enforce_file_format=True)
    content = buffer.getvalue()[132:]
    content = content[12 + int.from_bytes(content[8:12], "little") :]
    (tmp_path / "x.dcm").write_bytes(content)
    refused(lambda: load_image(tmp_path / "x.dcm"), "TransferSyntaxUID")


@pytest.mark.parametrize("name", ["notes.txt", "README", "data.bin", "empty"])
def test_other_files_are_passed_over(name: str, tmp_path: Path) -> None:
    written(tmp_path, dicom(STORED))
    content = b"" if name == "empty" else b"\x08\x00\x05\x00 is no element" * 20
    (tmp_path / name).write_bytes(content)
    assert len(load_folder(tmp_path)[0]) == 1


# Frames


@pytest.mark.parametrize("packing", ["native", "jpeg-ls", "offsets", "rle"])
def test_a_frame_is_named(packing: str, tmp_path: Path) -> None:
    frames = np.stack([STORED, 4095 - STORED, STORED[::-1]]).astype(np.uint16)
    file = dicom(frames, NumberOfFrames=3)
    if packing in ("jpeg-ls", "offsets"):
        packed = [imagecodecs.jpegls_encode(frame) for frame in frames]
        file = compressed(packed, uid.JPEGLSLossless, file, extended=packing == "offsets")
    if packing == "rle":
        assert RLELosslessEncoder.is_available
        file.compress(uid.RLELossless)
    for index, frame in enumerate(frames):
        image = shown(tmp_path, file, frame=index)
        np.testing.assert_allclose(image, frame / 4095, atol=1e-6)
    refused(lambda: shown(tmp_path, file), r"x\.dcm holds several images: name one, frame=0 to 2")
    refused(lambda: shown(tmp_path, file, frame=3), "none of number 3")


def test_a_frame_has_its_own_window(tmp_path: Path) -> None:
    """Enhanced files keep windows and rescales in functional groups."""
    frames = np.stack([STORED, STORED])
    file = dicom(frames, NumberOfFrames=2)

    def group(slope: float, centre: float, width: float) -> Dataset:
        transformation, window, group = Dataset(), Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, 0
        window.WindowCenter, window.WindowWidth = centre, width
        window.VOILUTFunction = "LINEAR_EXACT"
        group.PixelValueTransformationSequence = Sequence([transformation])
        group.FrameVOILUTSequence = Sequence([window])
        return group

    file.SharedFunctionalGroupsSequence = Sequence([group(1, 1000, 2000)])
    file.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), group(2, 3000, 4000)])
    for index, expected in ((0, STORED / 2000), (1, (2 * STORED - 1000) / 4000)):
        image = shown(tmp_path, file, frame=index)
        np.testing.assert_allclose(image, np.clip(expected, 0, 1), atol=1e-6)


# Colours in compressed frames


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL_422", "YBR_FULL"])
def test_grey_in_colour_jpeg(photometric: str, tmp_path: Path) -> None:
    """Whether its channels were transformed, a JPEG frame says itself, and files often wrongly."""
    values = ramp().astype(np.uint8)
    samples = np.stack([values] * 3, -1)
    for space in ("rgb", "ycbcr"):
        packed = imagecodecs.jpeg8_encode(
            samples, level=98, colorspace="rgb", outcolorspace=space, subsampling="444"
        )
        file = coloured(samples, photometric)
        if space == "rgb" and photometric != "RGB":
            continue
        file = compressed([packed], uid.JPEGBaseline8Bit, file)
        np.testing.assert_allclose(shown(tmp_path, file), values / 255, atol=0.01)


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.RLELossless])
def test_grey_in_colour_without_loss(syntax: str, tmp_path: Path) -> None:
    values = ramp().astype(np.uint8)
    samples = np.stack([values] * 3, -1)
    file = coloured(samples, "RGB")
    if syntax == uid.RLELossless:
        file.compress(syntax)
    elif syntax == uid.JPEG2000Lossless:
        packed = imagecodecs.jpeg2k_encode(samples, codecformat="j2k", reversible=True, mct=True)
        file = compressed([packed], syntax, file)
        file.PhotometricInterpretation = "YBR_RCT"
    else:
        file = compressed([imagecodecs.jpegls_encode(samples)], syntax, file)
    np.testing.assert_allclose(shown(tmp_path, file), values / 255, atol=1e-6)


# Damage, each with its own remedy


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        (uid.MPEG2MPML, "compressed in a way that is not decoded here .MPEG2"),
        ("1.2.3.4", "compressed in a way that is not decoded here: export"),
    ],
)
def test_syntaxes_that_are_not_decoded(syntax: str, words: str, tmp_path: Path) -> None:
    refused(lambda: shown(tmp_path, compressed([bytes(64)], syntax, dicom(STORED))), words)


def test_damaged_frames_are_refused(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (64, 64)).astype(np.uint16)
    for syntax, encode in LOSSLESS.items():
        packed = encode(pixels, 12)
        for broken in (packed[: len(packed) // 3], b"\0" * 64, b""):
            file = compressed([broken or b"\0"], syntax, dicom(pixels))
            refused(lambda file=file: shown(tmp_path, file), "x.dcm ")


def test_a_frame_of_another_size_than_the_file_says_is_refused(tmp_path: Path) -> None:
    """A few bytes could announce gigabytes."""
    pixels = STORED.astype(np.uint16)
    for syntax, encode in LOSSLESS.items():
        file = compressed([encode(pixels, 12)], syntax, dicom(pixels, Rows=41))
        refused(lambda file=file: shown(tmp_path, file), "another size than it says")


def test_a_huge_announcement_is_refused(tmp_path: Path) -> None:
    file = dicom(STORED, Rows=60_000, Columns=60_000)
    refused(lambda: shown(tmp_path, file), "more than 178,956,970 pixels")


@pytest.mark.parametrize("counted", [True, False])
def test_a_deflated_file_that_inflates_without_end_is_refused(
    counted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "_LARGEST_BYTES", 10**7)
    file = dicom(STORED)
    file.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    path = written(tmp_path, file)
    content = path.read_bytes()
    at = 144 + int.from_bytes(content[140:144], "little")
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(bytes(2 * 10**7)) + packer.flush()
    meta = content[132 if counted else 144 : at]
    path.write_bytes(content[:132] + meta + body)
    assert path.stat().st_size < 10**5
    refused(lambda: load_image(path), "inflates to more than")


def test_a_file_that_is_cut_off_in_its_head_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, dicom(STORED))
    content = path.read_bytes()
    for keep in (140, 300, 500):
        path.write_bytes(content[:keep])
        refused(lambda: load_image(path), r"^x\.dcm ")
