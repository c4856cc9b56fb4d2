"""Every known trap of x265 through PyAV, and the stream that comes out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import pytest

from channels import InputError
from semcom.image_coders import hevc
from semcom.image_coders.planes import from_frame, to_frame
from semcom.image_coders.regions import Region, any_in_blocks, mark, regions
from semcom.image_coders.source import source_coder
from tests.semcom.images import coloured, psnr, textured


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


def square(side: int) -> np.ndarray:
    """The middle ninth of an image."""
    mask = np.zeros((side, side), dtype=bool)
    mask[side // 3 : 2 * side // 3, side // 3 : 2 * side // 3] = True
    return mask


@pytest.mark.parametrize("qp", [22, 34, 44])
def test_trap_1_qp_is_the_qp_asked_for(qp: int) -> None:
    # With x265's default ipratio of 1.4 the only frame would be coded 3 QPs finer.
    assert slice_qp(hevc.encode(textured(96, 96), qp)) == qp


def test_trap_2_no_sei_and_one_of_everything_else() -> None:
    types = [kind for kind, _ in nal_units(hevc.encode(textured(96, 96), 34))]
    assert types == [32, 33, 34, 20]


def test_trap_3_parameter_sets_are_billed_or_external() -> None:
    image = textured(96, 96)
    billed, external = source_coder("hevc", header="billed"), source_coder("hevc")
    headers = hevc.header(96, 96)
    assert 60 < len(headers) < 85
    payload = billed.fit(image, 500)
    assert payload.startswith(headers)
    shorter = bytes([0]) + payload[len(headers) :]
    decoded = billed.decode(payload, 96, 96)
    assert np.array_equal(external.decode(shorter, 96, 96), decoded)
    assert np.array_equal(hevc.decode(payload), decoded), "an ordinary decoder reads it"
    assert psnr(external.decode(external.fit(image, 500), 96, 96), image) > psnr(decoded, image)


def test_trap_4_the_region_of_interest_acts_and_the_rest_stays() -> None:
    image, roi = textured(192, 192), square(192)
    plain = hevc.decode(hevc.encode(image, 36))
    better = hevc.decode(hevc.encode(image, 36, roi=roi, roi_qp_offset=-10))
    assert psnr(better[roi], image[roi]) > psnr(plain[roi], image[roi]) + 1
    assert psnr(better[~roi], image[~roi]) == pytest.approx(psnr(plain[~roi], image[~roi]), abs=0.1)


@pytest.mark.parametrize("broken", ["aq-mode=0", "aq-strength=0"])
def test_trap_4_without_adaptive_quantisation_it_would_not(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = textured(96, 96)
    monkeypatch.setattr(hevc, "_PARAMS", f"{hevc._PARAMS}:{broken}")
    plain = hevc.encode(image, 36)
    assert hevc.encode(image, 36, roi=square(96), roi_qp_offset=-10) == plain


def test_trap_5_of_overlapping_regions_the_first_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    image, roi = textured(96, 96), square(96)
    inner, all_of_it = Region(32, 32, 32, 32, -12), Region(0, 0, 96, 96, 8)
    quality = []
    for order in ([inner, all_of_it], [all_of_it, inner]):
        monkeypatch.setattr(hevc, "regions", lambda offsets, side, order=order: order)
        quality.append(psnr(hevc.decode(hevc.encode(image, 36))[roi], image[roi]))
    assert quality[0] > quality[1] + 5


def test_trap_6_grey_keeps_its_full_range() -> None:
    # Through yuv420p the range would be squeezed to 16..235 or back.
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    decoded = hevc.decode(hevc.encode(ramp, 4))
    assert np.abs(decoded - ramp).max() < 0.005
    assert psnr(decoded, ramp) > 55


def test_trap_7_bit_errors_are_not_reported() -> None:
    image = textured(96, 96)
    stream = hevc.encode(image, 30)
    clean, first = hevc.decode(stream), len(hevc.header(96, 96)) + 8
    silent = 0
    for place in range(first, len(stream) - 8, (len(stream) - first) // 20):
        damaged = bytearray(stream)
        damaged[place] ^= 0x10
        try:
            silent += not np.array_equal(hevc.decode(bytes(damaged)), clean)
        except InputError:
            continue
    assert silent >= 15, "only a checksum can tell"


def test_trap_8_the_still_picture_profile_refuses_grey() -> None:
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 64, "gray"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"profile": "mainstillpicture", "x265-params": "log-level=none"}
    with pytest.raises(av.FFmpegError):
        encoder.encode(to_frame(textured(64, 64), 8))


def test_trap_9_threads_do_not_change_a_byte() -> None:
    images = [textured(96, 96, seed) for seed in range(6)]
    alone = [hevc.encode(image, 33.4) for image in images]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda image: hevc.encode(image, 33.4), images)) == alone


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
def test_an_offset_is_that_many_qps_at_every_depth(bit_depth: int) -> None:
    # libavcodec scales it with the depth: 1/51 would be 1.2 QPs at 10 bits and 1.5 at 12.
    image, everywhere = textured(256, 256), np.ones((256, 256), dtype=bool)
    offset = hevc.encode(image, 40, bit_depth, everywhere, -6)
    assert len(offset) == pytest.approx(len(hevc.encode(image, 34, bit_depth)), rel=0.03)


def test_soft_edges_of_a_cell_belong_to_the_region() -> None:
    mask = np.zeros((40, 50), dtype=bool)
    mask[15, 16] = True
    assert np.argwhere(any_in_blocks(mask, 16)).tolist() == [[0, 1]]
    assert any_in_blocks(mask, 16).shape == (3, 4)


def test_regions_cover_each_cell_once() -> None:
    offsets = np.random.default_rng(3).integers(-1, 2, (9, 13)) * 6
    covered = np.zeros_like(offsets)
    for top, left, height, width, offset in regions(offsets, 1):
        covered[top : top + height, left : left + width] += offset
    assert np.array_equal(covered, offsets)


def test_a_blank_frame_needs_no_region() -> None:
    frame = to_frame(textured(32, 32), 8)
    assert mark(frame, [], 8) is frame


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
@pytest.mark.parametrize("shape", [(64, 64), (33, 47)])
def test_colour_and_grey_at_every_depth(bit_depth: int, shape: tuple[int, int]) -> None:
    for image in (textured(*shape), coloured(*shape)):
        decoded = hevc.decode(hevc.encode(image, 3, bit_depth))
        assert decoded.shape == image.shape
        assert psnr(decoded, image) > 45


def test_planes_are_full_range_bt_709() -> None:
    # White, black and pure red: Y = 0.2126, Cb = -0.2126 / 1.8556, Cr = 0.5 (BT.709-6 item 3.3).
    rgb = np.zeros((3, 32, 32), dtype=np.float32)
    rgb[:, 0, 0], rgb[:, 0, 1] = 1, (1, 0, 0)
    planes = [np.frombuffer(bytes(plane), np.uint8) for plane in to_frame(rgb, 8).planes]
    assert [int(plane[0]) for plane in planes] == [255, 128, 128]
    assert [int(plane[1]) for plane in planes] == [54, 99, 255]
    assert [int(plane[2]) for plane in planes] == [0, 128, 128]


def test_a_frame_of_another_kind_is_no_image() -> None:
    assert from_frame(av.VideoFrame(32, 32, "yuv420p")) is None


def test_ten_bits_resolve_what_eight_cannot() -> None:
    image = np.full((64, 64), 0.5 + 0.5 / 255, dtype=np.float32)
    assert np.abs(hevc.decode(hevc.encode(image, 4)) - image).max() < 0.5 / 255


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (97, 64), (64, 131), (250, 251)])
def test_odd_sizes(shape: tuple[int, int]) -> None:
    image = textured(*shape)
    decoded = hevc.decode(hevc.encode(image, 20.5))
    assert decoded.shape == shape
    assert decoded.dtype == np.float32
    assert psnr(decoded, image) > 38


def test_same_image_same_bytes() -> None:
    image = textured(128, 128)
    assert hevc.encode(image, 31.4) == hevc.encode(image, 31.4)


def test_trailing_zeros_change_nothing() -> None:
    image = textured(80, 70)
    stream = hevc.encode(image, 37)
    assert np.array_equal(hevc.decode(stream), hevc.decode(stream + bytes(1000)))


def test_encoder_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    hevc.decode(hevc.encode(textured(64, 64), 30.5))
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_fractional_qp_lies_between_whole_ones() -> None:
    # A plain fractional crf stays on the plateau of a whole QP; the divided image does not.
    image = textured(256, 256)
    sizes = [len(hevc.encode(image, 26 + half / 2)) for half in range(5)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 5


def test_psy_rd_is_off() -> None:
    # With x265's default psycho-visual optimisation this takes 427 bytes at the same PSNR.
    image = textured(256, 256)
    stream = hevc.encode(image, 34)
    assert len(stream) < 410
    assert psnr(hevc.decode(stream), image) > 33.7


@pytest.mark.parametrize("shape", [(64, 64), (100, 65)])
def test_header_is_known_beforehand(shape: tuple[int, int]) -> None:
    header = hevc.header(*shape)
    for qp in (5, 23.7, 51):
        assert hevc.encode(textured(*shape, seed=3), qp).startswith(header)


@pytest.mark.parametrize("stream", [b"", bytes(100), b"\x00\x00\x01\x40\x01garbage"])
def test_no_image_is_refused(stream: bytes) -> None:
    with pytest.raises(InputError, match="HEVC"):
        hevc.decode(stream)


@pytest.mark.parametrize("qp", [-1, 52, float("nan")])
def test_qp_out_of_range(qp: float) -> None:
    with pytest.raises(InputError, match="qp"):
        hevc.encode(textured(64, 64), qp)
