"""JPEG 2000, and filling a byte budget with either coder."""

from __future__ import annotations

import numpy as np
import pytest

from channels import InputError
from semcom.separate import jpeg2000
from semcom.separate.rate import fit
from semcom.separate.scale import Picture
from semcom.separate.source import source_coder


def textured(height: int, width: int) -> Picture:
    y, x = np.mgrid[:height, :width] / max(height, width)
    grain = np.random.default_rng(0).standard_normal((height, width))
    picture = 0.5 + 0.3 * np.sin(9 * x + 4 * y) * np.cos(5 * y) + 0.15 * (x > 0.5) + 0.02 * grain
    result: Picture = np.clip(picture, 0, 1).astype(np.float32)
    return result


def psnr(a: Picture, b: Picture) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (250, 251)])
def test_jpeg2000_round_trip_of_odd_sizes(shape: tuple[int, int]) -> None:
    picture = textured(*shape)
    stream = jpeg2000.encode(picture, 40.0)
    decoded = jpeg2000.decode(stream + bytes(50))
    assert decoded.shape == shape
    assert np.array_equal(decoded, jpeg2000.decode(stream))
    assert psnr(decoded, picture) > 37


def test_jpeg2000_has_no_boxes_and_no_header_to_send() -> None:
    stream = jpeg2000.encode(textured(100, 65), 30.0)
    assert stream.startswith(b"\xff\x4f\xff\x51")
    assert stream.startswith(jpeg2000.header(100, 65))
    assert jpeg2000.restore(jpeg2000.strip(stream) + bytes(7), 100, 65) == stream


@pytest.mark.parametrize("payload", [b"", bytes(10), b"\x12\x34"])
def test_jpeg2000_payload_without_end_is_refused(payload: bytes) -> None:
    with pytest.raises(InputError, match="end marker"):
        jpeg2000.restore(payload, 64, 64)


def test_jpeg2000_refuses_garbage() -> None:
    with pytest.raises(InputError, match="JPEG 2000"):
        jpeg2000.decode(b"no codestream")


@pytest.mark.parametrize(("name", "least"), [("hevc", 0.95), ("jpeg2000", 0.85)])
@pytest.mark.parametrize("budget", [300, 1200])
def test_budget_is_kept_and_filled(name: str, least: float, budget: int) -> None:
    picture = textured(128, 128)
    payload = source_coder(name).fit(picture, budget)
    assert least * budget <= len(payload) <= budget


@pytest.mark.parametrize("name", ["hevc", "jpeg2000"])
def test_more_bytes_more_quality(name: str) -> None:
    coder, picture = source_coder(name), textured(128, 128)

    def quality(budget: int) -> float:
        return psnr(coder.decode(coder.fit(picture, budget), 128, 128), picture)

    assert quality(150) < quality(400) < quality(1500)


@pytest.mark.parametrize("name", ["hevc", "jpeg2000"])
def test_smallest_holds_a_picture_whatever_it_shows(name: str) -> None:
    coder = source_coder(name)
    noise: Picture = np.random.default_rng(0).random((96, 64), dtype=np.float32)
    for picture in (textured(96, 64), noise, np.zeros((96, 64), np.float32)):
        assert len(coder.fit(picture, coder.smallest(96, 64))) <= coder.smallest(96, 64)


def test_too_small_a_budget_says_what_is_needed() -> None:
    with pytest.raises(InputError, match=r"takes \d+ bytes .* holds 3: raise cbr or snr_db"):
        source_coder("hevc").fit(textured(64, 64), 3)


def test_fit_takes_the_finest_that_fits() -> None:
    calls: list[int] = []

    def encode(step: int) -> bytes:
        calls.append(step)
        return bytes(round(20 * 1.01**step))

    payload = fit(encode, 800, 5000, lambda stream: -len(stream), 20000)
    assert len(payload) == max(n for n in (round(20 * 1.01**s) for s in range(801)) if n <= 5000)
    assert len(calls) < 16


def test_fit_prefers_less_error_to_more_bytes() -> None:
    assert fit(lambda step: bytes(step + 1), 9, 6, lambda s: abs(len(s) - 5), 10) == bytes(5)


def test_unknown_coder_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'hevc'"):
        source_coder("hvec")
