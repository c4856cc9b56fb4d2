"""Every known trap of x265 through PyAV, and the stream that comes out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from channels import InputError
from semcom.separate import hevc, hevc_payload

Picture = NDArray[np.float32]


def textured(height: int, width: int, seed: int = 0) -> Picture:
    """Smooth structure, an edge and grain: neither flat nor noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = 0.5 + 0.3 * np.sin(9 * x + 4 * y) * np.cos(5 * y) + 0.15 * (x > 0.5)
    picture = picture + 0.02 * rng.standard_normal((height, width))
    result: Picture = np.clip(picture, 0, 1).astype(np.float32)
    return result


def psnr(a: Picture, b: Picture) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


def nal_units(stream: bytes) -> list[tuple[int, bytes]]:
    """Type and bytes of each NAL unit of an Annex B stream (H.265 clause 7.3.1.2)."""
    parts = stream.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")[1:]
    return [(part[0] >> 1 & 63, part) for part in parts]


class BitReader:
    """Fixed and Exp-Golomb codes of a NAL unit (H.265 clause 9.2)."""

    def __init__(self, nal: bytes) -> None:
        payload = nal[2:].replace(b"\x00\x00\x03", b"\x00\x00")
        self.bits = "".join(f"{byte:08b}" for byte in payload)
        self.place = 0

    def u(self, count: int) -> int:
        self.place += count
        return int(self.bits[self.place - count : self.place], 2)

    def ue(self) -> int:
        zeros = self.bits.index("1", self.place) - self.place
        self.place += zeros
        return self.u(zeros + 1) - 1

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def slice_qp(stream: bytes) -> int:
    """QP of the first slice, read from PPS (7.3.2.3.1) and slice header (7.3.6.1)."""
    units = dict(nal_units(stream))
    pps = BitReader(units[34])
    pps.ue(), pps.ue(), pps.u(1), pps.u(1), pps.u(3), pps.u(1), pps.u(1), pps.ue(), pps.ue()
    init_qp = 26 + pps.se()
    header = BitReader(units[20])
    assert header.u(1) == 1
    header.u(1), header.ue()
    assert header.ue() == 2, "slice type I"
    assert BitReader(units[33]).u(4) == 0
    # IDR, no output flag, grey (no separate planes), SAO on: one luma flag follows.
    header.u(1)
    return init_qp + header.se()


@pytest.mark.parametrize("qp", [22, 34, 44])
def test_qp_is_the_qp_asked_for(qp: int) -> None:
    # With x265's default ipratio of 1.4 the only frame would be coded 3 QPs finer.
    assert slice_qp(hevc.encode(textured(96, 96), qp)) == qp


def test_no_sei_and_one_of_everything_else() -> None:
    types = [kind for kind, _ in nal_units(hevc.encode(textured(96, 96), 34))]
    assert types == [32, 33, 34, 20]


def test_grey_keeps_its_full_range() -> None:
    # Through yuv420p the range would be squeezed to 16..235 or back.
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    decoded = hevc.decode(hevc.encode(ramp, 4))
    assert np.abs(decoded - ramp).max() < 0.005
    assert psnr(decoded, ramp) > 55


def test_ten_bits_resolve_what_eight_cannot() -> None:
    picture = np.full((64, 64), 0.5 + 0.5 / 255, dtype=np.float32)
    assert np.abs(hevc.decode(hevc.encode(picture, 4)) - picture).max() < 0.5 / 255


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (97, 64), (64, 131), (250, 251)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    picture = textured(*shape)
    decoded = hevc.decode(hevc.encode(picture, 20.5))
    assert decoded.shape == shape
    assert decoded.dtype == np.float32
    assert psnr(decoded, picture) > 38


def test_same_picture_same_bytes() -> None:
    picture = textured(128, 128)
    assert hevc.encode(picture, 31.4) == hevc.encode(picture, 31.4)


def test_trailing_zeros_change_nothing() -> None:
    picture = textured(80, 70)
    stream = hevc.encode(picture, 37)
    assert np.array_equal(hevc.decode(stream), hevc.decode(stream + bytes(1000)))


def test_encoder_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    hevc.decode(hevc.encode(textured(64, 64), 30.5))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_fractional_qp_lies_between_whole_ones() -> None:
    # A plain fractional crf stays on the plateau of a whole QP; the divided picture does not.
    picture = textured(256, 256)
    sizes = [len(hevc.encode(picture, 30 + quarter / 4)) for quarter in range(5)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) >= 4


def test_psy_rd_is_off() -> None:
    # With x265's default psycho-visual optimisation this takes 427 bytes at the same PSNR.
    picture = textured(256, 256)
    stream = hevc.encode(picture, 34)
    assert len(stream) < 410
    assert psnr(hevc.decode(stream), picture) > 33.7


@pytest.mark.parametrize("shape", [(64, 64), (100, 65)])
def test_header_is_known_beforehand(shape: tuple[int, int]) -> None:
    header = hevc.header(*shape)
    for qp in (5, 23.7, 51):
        assert hevc.encode(textured(*shape, seed=3), qp).startswith(header)


@pytest.mark.parametrize("stream", [b"", bytes(100), b"\x00\x00\x01\x40\x01garbage"])
def test_no_picture_is_refused(stream: bytes) -> None:
    with pytest.raises(InputError, match="HEVC"):
        hevc.decode(stream)


@pytest.mark.parametrize("qp", [-1, 52, float("nan")])
def test_qp_out_of_range(qp: float) -> None:
    with pytest.raises(InputError, match="qp"):
        hevc.encode(textured(64, 64), qp)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_payload_tells_its_scale(scale: int) -> None:
    picture = textured(150, 131)
    payload = hevc_payload.encode(picture, scale, hevc_payload.TOP // 2)
    decoded = hevc_payload.decode(payload + bytes(20), 150, 131)
    assert decoded.shape == picture.shape
    assert psnr(decoded, picture) > 25


def test_payload_with_unknown_scale_is_refused() -> None:
    with pytest.raises(InputError, match="scale"):
        hevc_payload.decode(b"\x7fabc", 64, 64)


@pytest.mark.parametrize("size", [32, 64, 256])
def test_coarsest_step_holds_any_picture(size: int) -> None:
    bound = 24 + size * size // 1536
    noise = np.random.default_rng(1).random((size, size), dtype=np.float32)
    checker = (np.indices((size, size)).sum(0) % 2).astype(np.float32)
    for picture in (noise, checker, textured(size, size)):
        assert len(hevc_payload.encode(picture, 1, 0)) <= bound
