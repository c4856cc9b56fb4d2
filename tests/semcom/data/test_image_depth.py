"""PNG, JPEG and TIFF files of every depth and layout: the same grey, or a refusal."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tifffile import imwrite

from semcom.data import load_folder, load_image, read_file
from tests.refusals import refused
from tests.semcom.data.dicom_files import ramp

DEPTHS = [8, 10, 12, 14, 16]
Array = NDArray[Any]


def chunk(kind: bytes, contents: bytes) -> bytes:
    checked = kind + contents
    return struct.pack(">I", len(contents)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(samples: Array, *, depth: int = 16, extra: bytes = b"", kind: int | None = None) -> bytes:
    """A PNG file by hand, of ``[H, W, C]``."""
    height, width, channels = samples.shape
    rows = samples.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if kind is None else kind
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def tiff(
    data: bytes, tags: dict[int, int | tuple[int, ...]], order: str = "<", pages: int = 1
) -> bytes:
    """A TIFF file by hand: one strip, tags of shorts."""
    tags = {259: 1, 273: 8, 279: len(data), 278: tags[257], 277: 1, **tags}
    more = b""
    entries = b""
    for tag, value in sorted(tags.items()):
        numbers = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            offset = 8 + len(data) + len(more)
            packed, more = struct.pack(f"{order}I", offset), more + packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(numbers)) + packed
    mark = b"II*\0" if order == "<" else b"MM\0*"
    at = 8 + len(data) + len(more)
    directory = struct.pack(f"{order}H", len(tags)) + entries + b"\0\0\0\0"
    return mark + struct.pack(f"{order}I", at) + data + more + directory


def grey_tiff(values: Array, bits: int, **tags: int) -> bytes:
    """``[H, W]`` of any depth, its bits packed, the rows filled up to bytes."""
    height, width = values.shape
    rows = [np.array([[int(b) for b in f"{v:0{bits}b}"] for v in row]).ravel() for row in values]
    data = b"".join(np.packbits(row).tobytes() for row in rows)
    named = {int(tag.removeprefix("t")): value for tag, value in tags.items()}
    return tiff(data, {256: width, 257: height, 258: bits, 262: 1, **named})


def layouts(grey: Array, opaque: int) -> dict[str, Array]:
    """The same grey in one to four channels."""
    alpha = np.full_like(grey, opaque)
    return {
        "grey": grey[..., None],
        "grey+alpha": np.stack([grey, alpha], -1),
        "rgb": np.stack([grey] * 3, -1),
        "rgba": np.stack([grey] * 3 + [alpha], -1),
    }


def read(folder: Path, contents: bytes, name: str = "x.png", **how: Any) -> torch.Tensor:
    (folder / name).write_bytes(contents)
    return load_image(folder / name, **how)[0][0, 0]


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("layout", ["grey", "grey+alpha", "rgb", "rgba"])
@pytest.mark.parametrize("order", ["png", "<", ">"])
def test_every_layout_of_16_bits_gives_the_same_grey(
    order: str, layout: str, bits: int, tmp_path: Path
) -> None:
    top = 2**bits - 1
    values = ramp(top=top).astype(np.uint16)
    samples = layouts(values, 65535)[layout]
    if order == "png":
        (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(samples.squeeze()))
    else:
        named = {} if samples.shape[2] in (1, 3) else {"extrasamples": ["unassalpha"]}
        photometric = "rgb" if samples.shape[2] > 2 else "minisblack"
        imwrite(
            tmp_path / "x.tif",
            samples.squeeze(),
            byteorder=order,
            photometric=photometric,
            planarconfig="contig" if samples.shape[2] > 1 else None,
            **named,
        )
    image = load_folder(tmp_path)[0][0][0]
    assert torch.equal(image, torch.from_numpy(values.astype(np.float32) / np.float32(top)))


@pytest.mark.parametrize("layout", ["grey", "grey+alpha", "rgb", "rgba"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_every_layout_of_8_bits_gives_the_same_grey(
    suffix: str, layout: str, tmp_path: Path
) -> None:
    values = ramp().astype(np.uint8)
    Image.fromarray(layouts(values, 255)[layout].squeeze()).save(tmp_path / f"x{suffix}")
    image = load_folder(tmp_path)[0][0][0]
    assert torch.equal(image, torch.from_numpy(values.astype(np.float32) / np.float32(255)))


@pytest.mark.parametrize("alpha", [0, 255, 4095, 65534])
@pytest.mark.parametrize("layout", ["grey+alpha", "rgba"])
def test_what_is_transparent_is_refused_at_16_bits_too(
    layout: str, alpha: int, tmp_path: Path
) -> None:
    samples = layouts(ramp(top=4095).astype(np.uint16), 65535)[layout]
    samples[3, 3, -1] = alpha
    refused(lambda: read(tmp_path, png(samples)), "flatten it onto black")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_value_is_refused_where_a_pixel_has_it(
    depth: int, channels: int, tmp_path: Path
) -> None:
    values = ramp(top=250 if depth == 8 else 4095)
    samples = np.stack([values] * channels, -1)
    used, unused = int(values[3, 3]), 251 if depth == 8 else 5000
    marked = [chunk(b"tRNS", struct.pack(">H", at) * channels) for at in (used, unused)]
    refused(
        lambda: read(tmp_path, png(samples, depth=depth, extra=marked[0])), "flatten it onto black"
    )
    image = read(tmp_path, png(samples, depth=depth, extra=marked[1]))
    np.testing.assert_allclose(image, values / (255 if depth == 8 else 4095), atol=1e-7)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (lambda v: v, 1.0),  # in the lower bits, against the standard
        (lambda v: v << 4, 1.0),
        (lambda v: v << 4 | v >> 8, 1.0),
        (lambda v: (v // 32) << 4, 0.031),  # dark, in the upper bits
    ],
)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_significant_bits_of_png(
    channels: int, stored: Callable[[Array], Array], expected: float, tmp_path: Path
) -> None:
    values = stored(ramp(top=4095))
    samples = layouts(values, 65535)[["grey", "grey+alpha", "rgb", "rgba"][channels - 1]]
    image = read(tmp_path, png(samples, extra=chunk(b"sBIT", bytes([12] * channels))))
    assert float(image.max()) == pytest.approx(expected, abs=3e-4)
    assert "12 bits that the file says" in read_file(tmp_path / "x.png").white[0] or expected == 1


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_of_png(bits: int, tmp_path: Path) -> None:
    values = ramp(top=2**bits - 1)
    rows = [np.array([[int(b) for b in f"{v:0{bits}b}"] for v in row]).ravel() for row in values]
    raw = b"".join(b"\0" + np.packbits(row).tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    image = read(tmp_path, b"\x89PNG\r\n\x1a\n" + parts)
    np.testing.assert_allclose(image, values / (2**bits - 1), atol=1e-6)


def test_an_interlaced_png_of_16_bits(tmp_path: Path) -> None:
    values = ramp(top=4095)
    height, width = values.shape
    raw = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                         (1, 0, 2, 2), (0, 1, 1, 2)):  # fmt: skip
        for row in np.stack([values] * 3, -1)[y::dy, x::dx].astype(">u2"):
            raw += b"\0" + row.tobytes()
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 1)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    image = read(tmp_path, b"\x89PNG\r\n\x1a\n" + parts)
    np.testing.assert_allclose(image, values / 4095, atol=1e-7)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_packed_tiff_samples_have_the_white_of_their_depth(
    white_is_zero: bool, bits: int, tmp_path: Path
) -> None:
    top = 2**bits - 1
    values = ramp(top=top) // (1 if bits < 4 else 2)
    image = read(tmp_path, grey_tiff(values, bits, t262=int(not white_is_zero)), "x.tif")
    expected = 1 - values / top if white_is_zero else values / top
    np.testing.assert_allclose(image, expected, atol=1e-6)


@pytest.mark.parametrize("bits", DEPTHS)
def test_white_is_zero_at_16_bits(bits: int, tmp_path: Path) -> None:
    values = ramp(top=2**bits - 1)
    imwrite(tmp_path / "x.tif", values.astype(np.uint16), photometric="miniswhite")
    image = load_image(tmp_path / "x.tif")[0][0, 0]
    np.testing.assert_allclose(image, 1 - values / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw", "predictor": True},
        {"compression": "zstd"},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"byteorder": ">", "compression": "lzw", "predictor": True},
        {"rowsperstrip": 7},
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_compressed_tiff_keeps_all_bits(channels: int, how: dict[str, Any], tmp_path: Path) -> None:
    values = ramp(top=4095).astype(np.uint16)
    samples = values if channels == 1 else np.stack([values] * 3, -1)
    imwrite(
        tmp_path / "x.tif", samples, photometric="rgb" if channels == 3 else "minisblack", **how
    )
    image = load_image(tmp_path / "x.tif")[0][0, 0]
    np.testing.assert_allclose(image, values / 4095, atol=1e-7)


def test_planes_of_a_tiff_one_after_another(tmp_path: Path) -> None:
    values = ramp(top=4095).astype(np.uint16)
    imwrite(tmp_path / "x.tif", np.stack([values] * 3), photometric="rgb", planarconfig="separate")
    np.testing.assert_allclose(load_image(tmp_path / "x.tif")[0][0, 0], values / 4095, atol=1e-7)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_float_tiff(channels: int, kind: Any, tmp_path: Path) -> None:
    values = (ramp(top=1000) / 1000).astype(kind)
    samples = values if channels == 1 else np.stack([values] * 3, -1)
    imwrite(tmp_path / "x.tif", samples, photometric="rgb" if channels == 3 else "minisblack")
    image = load_image(tmp_path / "x.tif")[0][0, 0]
    np.testing.assert_array_equal(image, values.astype(np.float32))


def test_signed_tiff_is_read_where_white_is_known(tmp_path: Path) -> None:
    values = ramp(top=4095).astype(np.int16)
    imwrite(tmp_path / "x.tif", values)
    np.testing.assert_allclose(load_image(tmp_path / "x.tif")[0][0, 0], values / 4095, atol=1e-7)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (ramp(top=4095).astype(np.int16) - 1024, "negative values"),
        (ramp(top=30_000).astype(np.int16), "white cannot be known"),
        (ramp(top=100).astype(np.int8), "white cannot be known"),
        (ramp(top=4095).astype(np.uint32), "save it as grey of 8 or 16 bits"),
        (ramp(top=2**31 - 1).astype(np.int32), "white cannot be known"),
        (ramp(top=255).astype(np.uint64), "white cannot be known"),
        (ramp(top=1).astype(np.complex64), "pixels of a rare kind"),
        (ramp(top=300).astype(np.float64) / 255, "rescale them"),
        (np.full((40, 50, 3), np.inf, np.float32), "NaN or infinite"),
        (np.indices((40, 50, 3)).sum(0).astype(np.uint16), "colour image"),
        (np.indices((40, 50, 3)).sum(0) / np.float32(99), "colour image"),
    ],
)
def test_a_tiff_file_whose_white_is_unknown_is_refused(
    values: Array, words: str, tmp_path: Path
) -> None:
    imwrite(tmp_path / "x.tif", values, photometric="rgb" if values.ndim == 3 else "minisblack")
    refused(lambda: load_image(tmp_path / "x.tif"), f"x.tif .*{words}")


def test_premultiplied_alpha_is_refused_unless_opaque(tmp_path: Path) -> None:
    samples = layouts(ramp(top=4095).astype(np.uint16), 65535)["rgba"]
    for alpha in (65535, 30_000):
        samples[3, 3, 3] = alpha
        imwrite(tmp_path / "x.tif", samples, photometric="rgb", extrasamples=["assocalpha"])
        if alpha == 65535:
            assert float(load_image(tmp_path / "x.tif")[0].max()) == 1
        else:
            refused(lambda: load_image(tmp_path / "x.tif"), "flatten it onto black")


def test_a_channel_without_meaning_is_refused_unless_constant(tmp_path: Path) -> None:
    samples = layouts(ramp(top=4095).astype(np.uint16), 0)["rgba"]
    for spare in (0, 9):
        samples[3, 3, 3] = spare
        imwrite(tmp_path / "x.tif", samples, photometric="rgb", extrasamples=["unspecified"])
        if spare:
            refused(lambda: load_image(tmp_path / "x.tif"), "does not say what it means")
        else:
            assert float(load_image(tmp_path / "x.tif")[0].max()) == 1


@pytest.mark.parametrize("scale", [1, 256, 257])
def test_a_grey_palette_of_tiff(scale: int, tmp_path: Path) -> None:
    """Entries in the lower half of 16 bits, as some write, in the upper half, or in both."""
    values = ramp()
    palette = tuple(int(255 - entry) * scale for entry in range(256)) * 3
    data = tiff(values.astype(np.uint8).tobytes(), {256: 50, 257: 40, 258: 8, 262: 3, 320: palette})
    np.testing.assert_allclose(read(tmp_path, data, "x.tif"), 1 - values / 255, atol=1e-6)


def test_palettes_of_png_grey_coloured_and_transparent(tmp_path: Path) -> None:
    values = ramp(top=3)
    samples = values[..., None]
    grey = chunk(b"PLTE", bytes(np.repeat([255, 170, 85, 0], 3).tolist()))
    image = read(tmp_path, png(samples, depth=8, extra=grey, kind=3))
    np.testing.assert_allclose(image, 1 - values / 3, atol=1e-6)
    clear = grey + chunk(b"tRNS", bytes([255, 0]))
    refused(lambda: read(tmp_path, png(samples, depth=8, extra=clear, kind=3)), "flatten it")
    unused = np.where(samples == 1, 0, samples)
    assert read(tmp_path, png(unused, depth=8, extra=clear, kind=3)).shape == (40, 50)
    colours = chunk(b"PLTE", bytes(range(12)))
    refused(lambda: read(tmp_path, png(samples, depth=8, extra=colours, kind=3)), "colour image")


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_ink_that_is_grey(suffix: str, tmp_path: Path) -> None:
    black = ramp().astype(np.uint8)
    ink = np.stack([np.full_like(black, 51)] * 3 + [black], -1)
    file = tmp_path / f"x{suffix}"
    Image.fromarray(ink, "CMYK").save(file, quality=100, subsampling=0)
    expected = (1 - 51 / 255) * (1 - black / 255)
    tolerance = 1e-6 if suffix == ".tif" else 0.01
    np.testing.assert_allclose(load_image(file)[0][0, 0], expected, atol=tolerance)
    ink[..., 0] = 90
    Image.fromarray(ink, "CMYK").save(file)
    refused(lambda: load_image(file), "colour image")


@pytest.mark.parametrize("top", [4095, 65535])
def test_ink_of_16_bits_whose_white_is_unknown_is_refused(top: int, tmp_path: Path) -> None:
    ink = np.zeros((40, 50, 4), np.uint16)
    ink[..., 3] = ramp(top=top)
    imwrite(tmp_path / "x.tif", ink, photometric="separated")
    if top == 65535:
        expected = 1 - ramp(top=top) / top
        np.testing.assert_allclose(load_image(tmp_path / "x.tif")[0][0, 0], expected, atol=1e-6)
    else:
        refused(lambda: load_image(tmp_path / "x.tif"), "white cannot be known")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg(mode: str, tmp_path: Path) -> None:
    values = ramp().astype(np.uint8)
    Image.fromarray(values).convert(mode).save(tmp_path / "x.jpg", quality=100)
    np.testing.assert_allclose(load_image(tmp_path / "x.jpg")[0][0, 0], values / 255, atol=0.01)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("mode", ["L", "I;16", "RGB16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_are_turned_upright_as_pillow_does(
    orientation: int, mode: str, suffix: str, tmp_path: Path
) -> None:
    if suffix == ".jpg" and mode != "L":
        mode = "L"
    values = ramp(top=255)
    values[:8, :8] = 0  # tells all eight orientations apart
    deep = values.astype(np.uint8 if mode == "L" else np.uint16)
    deep = np.stack([deep] * 3, -1) if mode == "RGB16" else deep
    file = tmp_path / f"x{suffix}"
    if suffix == ".tif":
        tags = [(274, "H", 1, orientation, True)]
        imwrite(file, deep, photometric="rgb" if deep.ndim == 3 else "minisblack", extratags=tags)
    else:
        exif = Image.Exif()
        exif[274] = orientation
        if mode == "RGB16":
            told = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
            file.write_bytes(png(deep, extra=told))
        else:
            Image.fromarray(deep).save(file, exif=exif, quality=100)
    turned = {
        1: values,
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.T,
        6: values.T[:, ::-1],
        7: values.T[::-1, ::-1],
        8: values.T[::-1],
    }[orientation]
    image = load_image(file)[0][0, 0]
    np.testing.assert_allclose(image, turned / 255, atol=0.02 if suffix == ".jpg" else 1e-6)


def test_a_page_of_a_tiff_file_is_named(tmp_path: Path) -> None:
    pages = np.stack([ramp(top=255), ramp(top=255)[::-1], ramp(top=1023)]).astype(np.uint16)
    imwrite(tmp_path / "x.tif", pages, photometric="minisblack")
    refused(
        lambda: load_image(tmp_path / "x.tif"),
        r"x\.tif holds several images: name one, frame=0 to 2",
    )
    refused(lambda: load_image(tmp_path / "x.tif", frame=3), "none of number 3")
    refused(lambda: load_image(tmp_path / "x.tif", frame=-1), "frame must be a whole number")
    image = load_image(tmp_path / "x.tif", frame=1)[0][0, 0]
    np.testing.assert_allclose(image, pages[1] / 255, atol=1e-7)
    assert torch.equal(load_folder(tmp_path, frame=1)[0][0, 0], image)


def test_a_thumbnail_is_no_second_image(tmp_path: Path) -> None:
    values = ramp(top=4095).astype(np.uint16)
    imwrite(tmp_path / "x.tif", values[::2, ::2], subfiletype=1)
    imwrite(tmp_path / "x.tif", values, append=True)
    np.testing.assert_allclose(load_image(tmp_path / "x.tif")[0][0, 0], values / 4095, atol=1e-7)


def test_a_tiff_file_that_does_not_say_where_white_is_is_refused(tmp_path: Path) -> None:
    data = tiff(ramp().astype(np.uint8).tobytes(), {256: 50, 257: 40, 258: 8})
    refused(lambda: read(tmp_path, data, "x.tif"), "whether 0 is black or white")


@pytest.mark.parametrize("photometric", ["cielab", "cfa"])
def test_other_colours_of_tiff_are_refused(photometric: str, tmp_path: Path) -> None:
    samples = np.stack([ramp().astype(np.uint8)] * (3 if photometric == "cielab" else 1), -1)
    imwrite(tmp_path / "x.tif", samples.squeeze(), photometric=photometric)
    refused(lambda: load_image(tmp_path / "x.tif"), "neither grey nor RGB")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg"])
@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_a_tiff_file_that_is_cut_off_is_refused(
    keep: float, compression: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "x.tif"
    values = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    imwrite(file, values, compression=compression)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])
    refused(lambda: load_image(file), "cannot be read as an image")


def test_a_small_file_that_announces_a_huge_image_is_refused(tmp_path: Path) -> None:
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))
    refused(lambda: read(tmp_path, b"\x89PNG\r\n\x1a\n" + parts), "cannot be read as an image")
    data = tiff(bytes(99), {256: 30_000, 257: 30_000, 258: 16, 262: 1})
    refused(lambda: read(tmp_path, data, "x.tif"), "more than 178,956,970 pixels")


# Masks


@pytest.mark.parametrize("layout", ["grey", "grey+alpha", "rgb", "rgba"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_of_16_bits_keeps_its_low_byte(suffix: str, layout: str, tmp_path: Path) -> None:
    region = ramp(top=1).astype(np.uint16)
    samples = layouts(region, 65535)[layout]
    file = tmp_path / f"mask{suffix}"
    if suffix == ".png":
        file.write_bytes(png(samples))
    else:
        photometric = "rgb" if samples.shape[2] > 2 else "minisblack"
        imwrite(file, samples.squeeze(), photometric=photometric, planarconfig="contig")
    Image.fromarray(ramp().astype(np.uint8)).save(tmp_path / "x.png")
    mask = load_image(tmp_path / "x.png", file)[1]
    assert mask is not None
    np.testing.assert_array_equal(mask[0, 0], region == 1)


def _ink(region: Array) -> Array:
    return np.stack([0 * region, 0 * region, 0 * region, 255 * (1 - region)], -1).astype(np.uint8)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda file, region: imwrite(file, region == 1, photometric="minisblack"), ""),
        (lambda file, region: imwrite(file, region == 1), "says that 0 is white"),
        (lambda file, region: imwrite(file, region.astype(np.int32)), ""),
        (lambda file, region: imwrite(file, region.astype(np.float32)), ""),
        (lambda file, region: imwrite(file, _ink(region), photometric="separated"), ""),
        (lambda file, region: imwrite(file, np.where(region, np.nan, 0.0)), "holds NaN"),
    ],
)
def test_masks_of_all_kinds(
    write: Callable[[Path, Array], None], words: str, tmp_path: Path
) -> None:
    region = ramp(top=1)
    write(tmp_path / "mask.tif", region)
    Image.fromarray(ramp().astype(np.uint8)).save(tmp_path / "x.png")
    if words:
        refused(lambda: load_image(tmp_path / "x.png", tmp_path / "mask.tif"), words)
        return
    mask = load_image(tmp_path / "x.png", tmp_path / "mask.tif")[1]
    assert mask is not None
    np.testing.assert_array_equal(mask[0, 0], region == 1)


def test_a_palette_index_other_than_0_is_a_region(tmp_path: Path) -> None:
    region = ramp(top=1)
    black = chunk(b"PLTE", bytes([9, 9, 9, 0, 0, 0])) + chunk(b"tRNS", bytes([255, 0]))
    (tmp_path / "mask.png").write_bytes(png(region[..., None], depth=8, extra=black, kind=3))
    Image.fromarray(ramp().astype(np.uint8)).save(tmp_path / "x.png")
    mask = load_image(tmp_path / "x.png", tmp_path / "mask.png")[1]
    assert mask is not None
    np.testing.assert_array_equal(mask[0, 0], region == 1)
