"""What is white in a DICOM file: bits, windows, look-up tables, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sequence import Sequence

from semcom.data import load_folder, load_image, read_file
from tests.refusals import refused
from tests.semcom.data.dicom_files import GREY, STORED, dicom, lut, ramp, shown, written


def white_of(folder: Path) -> str:
    """How white was found in the file that was read last."""
    return read_file(folder / "x.dcm").white[0]


# Bits


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_that_are_aligned_high(bits: int, photometric: str, tmp_path: Path) -> None:
    values = ramp(top=2**bits - 1)
    file = dicom(
        values << (16 - bits), bits=bits, HighBit=15, PhotometricInterpretation=photometric
    )
    expected = values / (2**bits - 1)
    if photometric == "MONOCHROME1":
        expected = 1 - expected
    np.testing.assert_allclose(shown(tmp_path, file), expected, atol=1e-6)


def test_signed_bits_that_are_aligned_high(tmp_path: Path) -> None:
    values = ramp(top=4095) - 2048
    file = dicom(values << 4, "int16", HighBit=15, WindowCenter=0, WindowWidth=4096)
    np.testing.assert_allclose(shown(tmp_path, file), GREY, atol=1e-6)


def test_bits_that_are_said_to_be_high_and_plainly_are_low(tmp_path: Path) -> None:
    np.testing.assert_allclose(shown(tmp_path, dicom(STORED, HighBit=15)), GREY, atol=1e-6)
    signed = dicom(STORED - 2048, "int16", HighBit=15, WindowCenter=0, WindowWidth=4096)
    np.testing.assert_allclose(shown(tmp_path, signed), GREY, atol=1e-6)


def test_bits_that_are_said_to_be_low_and_are_high_are_refused(tmp_path: Path) -> None:
    refused(lambda: shown(tmp_path, dicom(STORED << 4)), "beyond the 12 bits that it declares")


def test_overlays_in_spare_bits_are_no_pixels(tmp_path: Path) -> None:
    file = dicom(STORED | (np.arange(2000).reshape(40, 50) % 2 << 12))
    file.add_new(0x60000102, "US", 12)
    np.testing.assert_allclose(shown(tmp_path, file), GREY, atol=1e-6)


def test_signs_may_be_repeated_above_the_stored_bits_or_not(tmp_path: Path) -> None:
    values = ramp(top=4095) - 2048
    how = {"WindowCenter": 0, "WindowWidth": 4096}
    np.testing.assert_allclose(shown(tmp_path, dicom(values, "int16", **how)), GREY, atol=1e-6)
    bare = dicom(values & 4095, PixelRepresentation=1, **how)
    np.testing.assert_allclose(shown(tmp_path, bare), GREY, atol=1e-6)


@pytest.mark.parametrize("used", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("slope", [1, 2, -1])
def test_of_16_bits_the_ones_that_are_used_count(slope: int, used: int, tmp_path: Path) -> None:
    values = ramp(top=2**used - 1)
    file = dicom(values, bits=16, RescaleSlope=slope, RescaleIntercept=2**used)
    expected = values / (2**used - 1)
    image = shown(tmp_path, file)
    np.testing.assert_allclose(image, expected if slope > 0 else 1 - expected, atol=1e-6)
    assert "holds the brightest pixel" in white_of(tmp_path)


def test_declared_bits_are_believed(tmp_path: Path) -> None:
    np.testing.assert_allclose(shown(tmp_path, dicom(STORED // 8)), STORED // 8 / 4095, atol=1e-6)
    assert white_of(tmp_path) == "4095, the file's 12 bits"


def test_32_bits_without_a_window_are_refused(tmp_path: Path) -> None:
    file = dicom(ramp(top=10**6), "uint32", 32)
    refused(lambda: shown(tmp_path, file), "export it with a window")
    file.WindowCenter, file.WindowWidth = 5e5, 1e6
    assert float(shown(tmp_path, file).max()) == 1


def test_one_bit(tmp_path: Path) -> None:
    values = ramp(top=1)
    file = dicom(values, "uint8", 1, BitsAllocated=1)
    file.PixelData = np.packbits(values.astype(np.uint8).ravel(), bitorder="little").tobytes()
    np.testing.assert_array_equal(shown(tmp_path, file), values)


# Windows


@pytest.mark.parametrize("width", [1, 2, 400, 4096])
def test_a_linear_window(width: int, tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2.1."""
    file = dicom(STORED, WindowCenter=1000, WindowWidth=width)
    from_middle, half = STORED - 999.5, (width - 1) / 2
    between = from_middle / max(width - 1, 1) + 0.5
    expected = np.where(from_middle <= -half, 0, np.where(from_middle > half, 1, between))
    np.testing.assert_allclose(shown(tmp_path, file), expected, atol=1e-6)
    assert white_of(tmp_path) == "the file's window"


@pytest.mark.parametrize("width", [0.5, 1, 400])
def test_an_exact_linear_window(width: float, tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.3.2."""
    file = dicom(STORED, WindowCenter=1000, WindowWidth=width, VOILUTFunction="LINEAR_EXACT")
    expected = np.clip((STORED - 1000) / width + 0.5, 0, 1)
    np.testing.assert_allclose(shown(tmp_path, file), expected, atol=1e-6)


def test_a_sigmoid_window(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.3.1."""
    file = dicom(STORED, WindowCenter=1000, WindowWidth=400, VOILUTFunction="SIGMOID")
    expected = 1 / (1 + np.exp(-4 * (STORED - 1000) / 400))
    np.testing.assert_allclose(shown(tmp_path, file), expected, atol=1e-6)


def test_a_window_below_1_wide_after_a_rescale(tmp_path: Path) -> None:
    file = dicom(
        STORED, RescaleSlope=1 / 4095, RescaleIntercept=0, WindowCenter=0.5, WindowWidth=0.5
    )
    np.testing.assert_allclose(shown(tmp_path, file), np.clip(2 * GREY - 0.5, 0, 1), atol=1e-5)


def test_of_several_windows_the_first(tmp_path: Path) -> None:
    file = dicom(STORED, WindowCenter=[1000, 40], WindowWidth=[401, 80])
    expected = np.clip((STORED - 999.5) / 400 + 0.5, 0, 1)
    np.testing.assert_allclose(shown(tmp_path, file), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"WindowCenter": 40, "WindowWidth": 0}, "WindowWidth that is not above 0"),
        (
            {"WindowCenter": 40, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
            "VOILUTFunction other than LINEAR",
        ),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "RescaleSlope of 0"),
    ],
)
def test_windows_that_cannot_be_followed_are_refused(
    elements: dict[str, Any], words: str, tmp_path: Path
) -> None:
    refused(lambda: shown(tmp_path, dicom(STORED, **elements)), words)


@pytest.mark.parametrize(
    "empty",
    [
        {"RescaleIntercept": "", "RescaleSlope": ""},
        {"RescaleSlope": 1, "RescaleIntercept": ""},
        {"RescaleSlope": ""},
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 5},
        {"VOILUTFunction": "", "PresentationLUTShape": ""},
        {"VOILUTSequence": Sequence([]), "ModalityLUTSequence": Sequence([])},
        {"NumberOfFrames": ""},
    ],
)
def test_empty_elements_are_none(empty: dict[str, Any], tmp_path: Path) -> None:
    np.testing.assert_allclose(shown(tmp_path, dicom(STORED, **empty)), GREY, atol=1e-6)


# Look-up tables


def packed(entries: list[int], first: int, bits: int, kind: str) -> Dataset:
    """A table whose data are bytes: an entry each, or words."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 2**16, first, bits])
    data = np.array(entries).astype(kind).tobytes()
    item.add_new("LUTData", "OW", data + b"\0" * (len(data) % 2))
    return item


CURVE = [round(255 * (i / 4095) ** 0.5) for i in range(4096)]
CURVED = np.array(CURVE)[STORED] / 255


@pytest.mark.parametrize("kind", ["words", "u1", "<u2", "pairs"])
@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
def test_a_table_of_8_bits_over_pixels_of_12(kind: str, sequence: str, tmp_path: Path) -> None:
    if kind == "words":
        item = lut(CURVE, 0, 8)
    elif kind == "pairs":
        item = lut(CURVE, 0, 8)
        item.LUTData = np.array(CURVE, "u1").view("<u2").tolist()
    else:
        item = packed(CURVE, 0, 8, kind)
    item.ModalityLUTType = "US"
    image = shown(tmp_path, dicom(STORED, **{sequence: Sequence([item])}))
    np.testing.assert_allclose(image, CURVED, atol=1e-6)


def test_an_odd_number_of_packed_entries(tmp_path: Path) -> None:
    item = packed([0, 51, 255], 10, 8, "u1")
    stored = np.full((32, 32), 10)
    stored[0, :3] = 11, 12, 99
    image = shown(tmp_path, dicom(stored, VOILUTSequence=Sequence([item])))
    np.testing.assert_allclose(image[0, :4], [0.2, 1, 1, 0], atol=1e-6)


@pytest.mark.filterwarnings("ignore:The value for the data element")
def test_a_table_of_65536_entries_announces_0(tmp_path: Path) -> None:
    stored = ramp(top=65535)
    entries = (65535 - np.arange(65536)).tolist()
    for item in (lut(entries, 0, 16), packed(entries, 0, 16, "<u2")):
        image = shown(tmp_path, dicom(stored, bits=16, VOILUTSequence=Sequence([item])))
        np.testing.assert_allclose(image, 1 - stored / 65535, atol=1e-6)


@pytest.mark.parametrize(("declared", "top"), [(16, 4095), (8, 4095), (12, 65535), (16, 4000)])
def test_a_table_whose_bits_are_not_those_it_says(declared: int, top: int, tmp_path: Path) -> None:
    entries = np.linspace(0, top, 4096).round().astype(int).tolist()
    file = dicom(STORED, VOILUTSequence=Sequence([lut(entries, 0, declared)]))
    full = 4095 if top <= 4095 else 65535
    np.testing.assert_allclose(shown(tmp_path, file), np.array(entries)[STORED] / full, atol=1e-6)


def test_a_table_whose_white_cannot_be_known_is_refused(tmp_path: Path) -> None:
    entries = np.linspace(0, 3000, 4096).round().astype(int).tolist()
    file = dicom(STORED, VOILUTSequence=Sequence([lut(entries, 0, 16)]))
    refused(lambda: shown(tmp_path, file), "white cannot be known")


def test_a_table_that_is_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    item = lut(CURVE, 0, 8)
    item.LUTDescriptor = [4096, 0, 8]
    item.LUTData = CURVE[:99]
    refused(
        lambda: shown(tmp_path, dicom(STORED, VOILUTSequence=Sequence([item]))), "of 198 entries"
    )


def test_the_first_value_of_a_table_may_be_negative(tmp_path: Path) -> None:
    """Of signed pixels, and of a rescale to negative values."""
    item = lut(CURVE, -1024, 8)
    signed = dicom(STORED - 1024, "int16", 16, VOILUTSequence=Sequence([item]))
    np.testing.assert_allclose(shown(tmp_path, signed), CURVED, atol=1e-6)
    rescaled = dicom(
        STORED, RescaleSlope=1, RescaleIntercept=-1024, VOILUTSequence=Sequence([item])
    )
    np.testing.assert_allclose(shown(tmp_path, rescaled), CURVED, atol=1e-6)


def test_a_window_after_a_modality_table(tmp_path: Path) -> None:
    item = lut([4095 - value for value in range(4096)], 0, 12)
    item.ModalityLUTType = "US"
    file = dicom(STORED, ModalityLUTSequence=Sequence([item]), WindowCenter=2048, WindowWidth=4096)
    np.testing.assert_allclose(shown(tmp_path, file), 1 - GREY, atol=1e-6)


# Presentation


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
    ],
)
def test_what_is_inverted_is_so_once(
    photometric: str, shape: str | None, inverted: bool, tmp_path: Path
) -> None:
    elements = {} if shape is None else {"PresentationLUTShape": shape}
    file = dicom(STORED, PhotometricInterpretation=photometric, **elements)
    np.testing.assert_allclose(shown(tmp_path, file), 1 - GREY if inverted else GREY, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(photometric: str, tmp_path: Path) -> None:
    stored = STORED.copy()
    stored[:5] = 7
    file = dicom(stored, PhotometricInterpretation=photometric)
    file.add_new("PixelPaddingValue", "US", 5)
    file.add_new("PixelPaddingRangeLimit", "US", 8)
    image = shown(tmp_path, file)
    assert float(image[:5].max()) == 0
    expected = 1 - GREY if photometric == "MONOCHROME1" else GREY
    np.testing.assert_allclose(image[5:], expected[5:], atol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
def test_padding_beyond_the_stored_bits(signed: bool, tmp_path: Path) -> None:
    stored = STORED - 2048 if signed else STORED.copy()
    stored[:5] = -32768 if signed else 65535
    file = dicom(stored, "int16" if signed else "uint16", WindowCenter=0, WindowWidth=4096)
    file.WindowCenter = 0 if signed else 2048
    file.add_new("PixelPaddingValue", "SS" if signed else "US", int(stored[0, 0]))
    image = shown(tmp_path, file)
    assert float(image[:5].max()) == 0
    np.testing.assert_allclose(image[5:], GREY[5:], atol=1e-6)


def test_padding_is_not_what_white_is_measured_with(tmp_path: Path) -> None:
    stored = STORED.copy()
    stored[:5] = 65535
    file = dicom(stored, bits=16)
    file.add_new("PixelPaddingValue", "US", 65535)
    np.testing.assert_allclose(shown(tmp_path, file)[5:], GREY[5:], atol=1e-6)


# Values without an end of their own


def slice_of_a_body() -> NDArray[np.int64]:
    """Hounsfield units: air, a body from fat to liver with a lung in it, a table, a coin."""
    y, x = np.mgrid[:128, :128]
    noise = np.random.default_rng(0).normal(0, 5, (128, 128))
    body = ((y - 60) / 40) ** 2 + ((x - 64) / 55) ** 2 < 1
    lung = ((y - 55) / 18) ** 2 + ((x - 50) / 15) ** 2 < 1
    units = np.where(body, -100 + (x - 9) * 200 / 110, -1000) + noise
    units = np.where(lung, -850 + noise, units)
    units[118:121] = 0
    units[60:62, 90:92] = 3000
    return units.round().astype(np.int64)


@pytest.mark.parametrize(
    ("kind", "bits", "offset", "elements"),
    [
        ("int16", 16, 0, {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0}),
        ("uint16", 12, 1024, {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}),
        ("uint16", 16, 1024, {"RescaleSlope": 1, "RescaleIntercept": -1024}),
        ("int16", 16, 1024, {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}),
    ],
)
def test_a_ct_without_a_window_is_shown_by_its_body(
    kind: str, bits: int, offset: int, elements: dict[str, Any], tmp_path: Path
) -> None:
    units = slice_of_a_body()
    written(tmp_path, dicom(units + offset, kind, bits, **elements))
    with pytest.warns(
        UserWarning, match="1 image without a window: shown between the 0.5 and 99.5 %"
    ):
        image = load_folder(tmp_path)[0][0, 0]
    assert image.shape == units.shape
    body = image[40:80, 75:110]
    assert 0.85 < float(body.mean()) < 1 or 0.3 < float(body.mean()) < 0.99
    assert float(image.std()) > 0.25, "a picture, not a flat grey"
    black = -850 - 5 * 2.576
    np.testing.assert_allclose(
        image[20, 64:70], np.clip((units[20, 64:70] - black) / (110 - black), 0, 1), atol=0.06
    )
    assert "in the body" in white_of(tmp_path)


def test_padding_is_no_body(tmp_path: Path) -> None:
    units = slice_of_a_body()
    y, x = np.mgrid[:128, :128]
    outside = (y - 64) ** 2 + (x - 64) ** 2 > 64**2
    plain = read_file(written(tmp_path, dicom(units, "int16", 16, Modality="CT")))
    padded = dicom(np.where(outside, -2000, units), "int16", 16, Modality="CT")
    padded.add_new("PixelPaddingValue", "SS", -2000)
    image = read_file(written(tmp_path, padded)).images[0]
    assert float(image[0][outside].max()) == 0
    assert float((image - plain.images[0])[0][~outside].abs().max()) < 0.02


@pytest.mark.parametrize("elements", [{"Modality": "MR"}, {"Modality": "PT"}, {"Modality": "NM"}])
def test_relative_values_without_a_window(elements: dict[str, Any], tmp_path: Path) -> None:
    values = ramp(top=700)
    written(tmp_path, dicom(values, bits=16, **elements))
    found = read_file(tmp_path / "x.dcm")
    low, high = np.percentile(values, (0.5, 99.5))
    expected = np.clip((values - low) / (high - low), 0, 1)
    np.testing.assert_allclose(found.images[0][0], expected, atol=1e-5)
    assert found.chosen and "for want of a window" in found.white_line()


def test_signed_pixels_without_a_window(tmp_path: Path) -> None:
    values = ramp(top=3000) - 1500
    written(tmp_path, dicom(values, "int16", 16))
    with pytest.warns(UserWarning, match="1 image without a window"):
        image = load_image(tmp_path / "x.dcm")[0]
    low, high = np.percentile(values, (0.5, 99.5))
    np.testing.assert_allclose(image[0, 0], np.clip((values - low) / (high - low), 0, 1), atol=1e-5)


def test_a_flat_image_without_a_window_is_refused(tmp_path: Path) -> None:
    file = dicom(np.full((40, 50), -1000), "int16", 16, Modality="CT")
    refused(lambda: shown(tmp_path, file), "pixels of one value")


# Elements that are missing, where one reading is left


@pytest.mark.parametrize(
    "missing",
    [
        {"PhotometricInterpretation": None},
        {"PixelRepresentation": None},
        {"SamplesPerPixel": None},
        {"HighBit": None},
        {"BitsAllocated": None},
        {"BitsStored": None},
        {"BitsStored": None, "HighBit": None},
        {"BitsAllocated": None, "BitsStored": None, "HighBit": None},
    ],
)
def test_elements_that_can_be_told_may_be_missing(missing: dict[str, None], tmp_path: Path) -> None:
    image = shown(tmp_path, dicom(STORED, **missing))
    np.testing.assert_allclose(image, GREY, atol=1e-6)
    assumed = "taken for granted" in white_of(tmp_path)
    assert assumed == ("PhotometricInterpretation" in missing)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"Rows": None}, "does not say how many Rows"),
        ({"PixelData": None}, "holds no pixels"),
    ],
)
def test_elements_without_which_nothing_is_known(
    missing: dict[str, None], words: str, tmp_path: Path
) -> None:
    refused(lambda: shown(tmp_path, dicom(STORED, **missing)), words)


def test_pixels_that_look_signed_and_do_not_say_so_are_refused(tmp_path: Path) -> None:
    file = dicom(ramp(top=200) - 100, "int16", 16, PixelRepresentation=None)
    refused(lambda: shown(tmp_path, file), "does not say whether its pixels have a sign")


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    file = dicom(STORED, PixelData=None)
    file.add_new("FloatPixelData", "OF", STORED.astype("<f4").tobytes())
    refused(lambda: shown(tmp_path, file), "numbers with a point")


# Colours that are grey


def coloured(values: NDArray[Any], photometric: str, bits: int = 8, **elements: Any) -> Any:
    file = dicom(values, "uint8" if bits == 8 else "uint16", bits)
    file.Rows, file.Columns, file.SamplesPerPixel = values.shape
    file.PlanarConfiguration = 0
    file.PhotometricInterpretation = photometric
    for name, value in elements.items():
        setattr(file, name, value)
    return file


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_whose_channels_are_equal(planar: int, bits: int, tmp_path: Path) -> None:
    values = ramp(top=2**bits - 1)
    file = coloured(np.stack([values] * 3, -1), "RGB", bits, PlanarConfiguration=planar)
    if planar:
        file.PixelData = np.stack([values] * 3).astype("u1" if bits == 8 else "u2").tobytes()
    np.testing.assert_allclose(shown(tmp_path, file), values / (2**bits - 1), atol=1e-6)


def test_luma_without_chroma(tmp_path: Path) -> None:
    values = ramp()
    chroma = np.full_like(values, 128)
    file = coloured(np.stack([values, chroma, chroma], -1), "YBR_FULL")
    np.testing.assert_allclose(shown(tmp_path, file), values / 255, atol=1e-6)
    pairs = np.stack([values[:, ::2], values[:, 1::2], chroma[:, ::2], chroma[:, ::2]], -1)
    file = coloured(np.stack([values, chroma, chroma], -1), "YBR_FULL_422")
    file.PixelData = pairs.astype("u1").tobytes()
    np.testing.assert_allclose(shown(tmp_path, file), values / 255, atol=1e-6)


def test_a_grey_palette(tmp_path: Path) -> None:
    values = ramp()
    file = dicom(values, "uint8", 8, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        file.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [256, 0, 16])
        data = ((255 - np.arange(256)) * 257).astype("<u2").tobytes()
        file.add_new(f"{colour}PaletteColorLookupTableData", "OW", data)
    np.testing.assert_allclose(shown(tmp_path, file), 1 - values / 255, atol=1e-6)
    file.BluePaletteColorLookupTableData = bytes(512)
    refused(lambda: shown(tmp_path, file), "colour image")


@pytest.mark.parametrize(
    ("photometric", "words"),
    [("RGB", "colour image"), ("YBR_FULL", "colour image"), ("HSV", "that is not read")],
)
def test_colours_are_refused(photometric: str, words: str, tmp_path: Path) -> None:
    values = np.arange(40 * 50 * 3).reshape(40, 50, 3) % 256
    refused(lambda: shown(tmp_path, coloured(values, photometric)), words)
