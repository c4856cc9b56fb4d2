"""Med-JSCC as a whole: what arrives, what is lost, what its options change."""

from __future__ import annotations

import copy
import math
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import channels
import semcom
from channels import InputError, Reception, Transmission
from channels.tensorfile import store
from semcom.fec.bits import unpacked
from semcom.medjscc import MedJSCC
from semcom.medjscc.header import ROI_RATIOS, Header
from semcom.metrics import psnr, roi_psnr
from semcom.weightfile import stored
from tests.semcom.images import framed
from tests.semcom.medjscc.headers import headers_of


def over_awgn(
    codec: MedJSCC, tx: Transmission, snr_db: float, seed: int = 1
) -> tuple[Tensor, Tensor]:
    return codec.decode_with_outage(channels.link("awgn")(tx, snr_db, seed=seed))


@pytest.mark.parametrize("cbr", [1 / 64, 1 / 32, 1 / 16])
def test_the_budget_is_used_to_the_last(
    cbr: float, narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    tx = narrow.encode(phantoms[0], cbr=cbr, snr_db=7.0, roi=phantoms[1])
    assert tx.used.tolist() == [round(cbr * 192 * 192)] * 2


def test_a_batch_is_sent_as_its_images_are_alone(
    narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Headers to the last bit, and symbols but for those of floating point."""
    images, masks = (part[:1, :, :96, :112] for part in phantoms)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(1))
    images = torch.cat([images, 0 * noise, noise, 0 * noise + 0.5, framed(noise, (3, 0, 1, 0), 0)])
    rois = torch.cat([masks.float(), 0 * noise, 0 * noise + 1, noise, 0.5 * masks])
    point = {"cbr": 1 / 8, "snr_db": 8.0}
    both = narrow.encode(images, roi=rois, **point)
    headers = headers_of(narrow, both)
    for row in range(len(images)):
        one = slice(row, row + 1)
        alone = narrow.encode(images[one], roi=rois[one], **point)
        assert headers_of(narrow, alone) == headers[row : row + 1]
        assert torch.allclose(both.symbols[one], alone.symbols, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(33, 47), (512, 138), (32, 32), (160, 33)])
def test_odd_sizes_arrive(height: int, width: int, narrow: MedJSCC) -> None:
    images, masks = semcom.data.phantoms("chest", n=1, size=512, seed=4)
    images, masks = (F.interpolate(part.float(), (height, width)) for part in (images, masks))
    cbr = max(1 / 16, 1024 / (height * width))
    tx = narrow.encode(images, cbr=cbr, snr_db=9.0, roi=masks)
    out, lost = over_awgn(narrow, tx, 9.0)
    assert out.shape == images.shape and not lost.any()
    found = narrow.rate_map(channels.link("awgn")(tx, 9.0, seed=1))[0]
    assert found is not None and found.bits.shape == (-(-height // 16), -(-width // 16))


def spoilt(rx: Reception, start: int, stop: int) -> Reception:
    generator = torch.Generator().manual_seed(8)
    symbols = rx.symbols.clone()
    shape = symbols[:, start:stop].shape
    symbols[:, start:stop] = torch.randn(shape, generator=generator, dtype=symbols.dtype)
    return Reception(symbols, rx.noise_var, rx.snr_db, rx.session)


@pytest.mark.parametrize("part", ["header", "digital"])
@pytest.mark.parametrize("shape", [(192, 192), (183, 120)])
def test_without_its_digital_part_an_image_is_lost_but_not_grey(
    part: str, shape: tuple[int, int], trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    images, masks = (found[..., : shape[0], : shape[1]] for found in phantoms)
    tx = trained.encode(images, cbr=1 / 16, snr_db=8.0, roi=masks)
    parts = trained._layout(tx.session)
    first = parts.header.channel_uses + parts.analog_base
    places = {"header": (0, parts.header.channel_uses), "digital": (first, first + 300)}
    rx = channels.link("awgn")(tx, 8.0, seed=1)
    whole, lost = trained.decode_with_outage(rx)
    assert not lost.any()
    out, lost = trained.decode_with_outage(spoilt(rx, *places[part]))
    assert lost.all()
    grey = psnr(torch.full_like(images, 0.5), images)
    assert (psnr(out, images) > grey + 2).all()
    assert (psnr(whole, images) > psnr(out, images) + 5).all()


def test_a_header_that_tells_too_short_a_block_is_a_lost_image(
    narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Its checksum holds, as by chance one in 2^16 does."""
    tx = narrow.encode(phantoms[0][:1], cbr=1 / 16, snr_db=10.0)
    block = narrow._layout(tx.session).header
    for length in (0, 1):
        told = Header(40, 0, length, 128).pack()
        symbols = tx.symbols.clone()
        symbols[:, : block.channel_uses] = block.encode(unpacked(told, block.payload_bits)[None])
        sent = Transmission(symbols, tx.used, tx.session)
        assert over_awgn(narrow, sent, 20.0)[1].all()


@pytest.mark.parametrize("kept", [1, 100, 1000])
def test_a_reception_cut_short_is_decoded(
    kept: int, narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    images = phantoms[0][:1, :, :96, :96]
    rx = channels.link("awgn")(narrow.encode(images, cbr=1 / 8, snr_db=9.0), 9.0, seed=1)
    cut = Reception(rx.symbols[:, :kept], rx.noise_var[:, :kept], rx.snr_db, rx.session)
    out, lost = narrow.decode_with_outage(cut)
    assert out.shape == images.shape and bool(out.isfinite().all())
    assert bool(lost) or kept == 1000


def test_quality_follows_the_channel_and_not_the_belief(
    trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Believed 6 dB; what is better than believed is used, and what is worse costs gently."""
    images, masks = phantoms
    tx = trained.encode(images, cbr=1 / 16, snr_db=6.0, roi=masks)
    found = [
        float(psnr(over_awgn(trained, tx, snr_db, seed=3)[0], images).mean())
        for snr_db in (5.5, 8.0, 11.0, 16.0)
    ]
    assert all(b > a for a, b in pairwise(found))
    assert found[-1] > found[0] + 0.05


def test_a_finer_step_in_the_region_makes_it_better(
    trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    images, masks = phantoms
    scores = []
    for ratio in (1.0, 1.5, 3.0):
        altered = trained.with_options(roi_ratio=ratio)
        tx = altered.encode(images, cbr=1 / 16, snr_db=8.0, roi=masks)
        scores.append(float(roi_psnr(over_awgn(altered, tx, 8.0)[0], images, masks).mean()))
    assert scores[0] < scores[1] < scores[2] - 0.1


def test_a_small_region_gets_finer_steps_than_a_large_one(narrow: MedJSCC) -> None:
    """A square of a hundredth of the image, and half of it: the ratio that the header tells."""
    image = semcom.data.phantoms("chest", n=1, size=192, seed=5)[0]
    ratios = []
    for side in (20, 136):
        roi = torch.zeros(1, 1, 192, 192)
        roi[..., :side, :side] = 1
        tx = narrow.encode(image, cbr=1 / 8, snr_db=12.0, roi=roi)
        ratios.append(ROI_RATIOS[headers_of(narrow, tx)[0].roi])
    assert ratios[0] >= 3 > ratios[1] > 1


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_region_of_nothing_or_all_is_none(
    level: float, narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    images = phantoms[0][:1, :, :96, :96]
    plain = narrow.encode(images, cbr=1 / 8, snr_db=8.0)
    tx = narrow.encode(images, cbr=1 / 8, snr_db=8.0, roi=torch.full_like(images, level))
    assert torch.equal(tx.symbols, plain.symbols)


def test_uniform_is_the_same_codec_without_regions(phantoms: tuple[Tensor, Tensor]) -> None:
    images, masks = (part[:1, :, :96, :96] for part in phantoms)
    codec = semcom.codec("medjscc-uniform")
    assert isinstance(codec, MedJSCC)
    assert codec.name == "medjscc-uniform" and codec.options.roi_ratio == 1.0
    with_mask = codec.encode(images, cbr=1 / 8, snr_db=8.0, roi=masks)
    assert torch.equal(with_mask.symbols, codec.encode(images, cbr=1 / 8, snr_db=8.0).symbols)
    plain = semcom.codec("medjscc").encode(images, cbr=1 / 8, snr_db=8.0)
    assert torch.equal(with_mask.symbols, plain.symbols)
    assert codec.fingerprint != semcom.codec("medjscc").fingerprint  # type: ignore[attr-defined]


def test_options_change_the_fingerprint_and_the_weights_do_not(narrow: MedJSCC) -> None:
    altered = [
        narrow.with_options(roi_ratio=2.0),
        narrow.with_options(header_margin_db=0.0),
        narrow.with_options(digital_only=True),
        narrow.with_options(equal_rates=True),
        narrow.with_options(learned_synthesis=False),
        narrow.with_options(channel_adaptive=False),
    ]
    assert len({narrow.fingerprint, *(other.fingerprint for other in altered)}) == 7
    assert narrow.with_options(roi_ratio="auto").fingerprint == narrow.fingerprint
    assert all(other.entropy_model is narrow.entropy_model for other in altered)
    both = altered[0].with_options(digital_only=True).options
    assert (both.roi_ratio, both.digital_only) == (2.0, True)


def test_a_codec_travels(narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]) -> None:
    images = phantoms[0][:1, :, :96, :96]
    codec = narrow.with_options(roi_ratio=2.0).adapted(channels.link("ntn-tdl-c"))
    point = {"cbr": 1 / 8, "snr_db": 8.0}
    for again in (pickle.loads(pickle.dumps(codec)), copy.deepcopy(codec)):
        assert again.fingerprint == codec.fingerprint
        assert torch.equal(
            again.encode(images, **point).symbols, codec.encode(images, **point).symbols
        )


def test_digital_alone_takes_most_of_the_budget(
    narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    lengths = []
    for one in (narrow, narrow.with_options(digital_only=True)):
        tx = one.encode(phantoms[0][:1], cbr=1 / 2, snr_db=10.0)
        lengths.append(headers_of(one, tx)[0].length)
        assert not over_awgn(one, tx, 10.0, seed=4)[1].any()
    assert lengths[0] <= lengths[1]
    assert lengths[1] > 0.85 * 256


@pytest.mark.parametrize("snr_db", [2.0, 14.0, 26.0, 40.0])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_an_image_of_one_level_arrives(level: float, snr_db: float, narrow: MedJSCC) -> None:
    """Its errors are all foreseen: the analogue part is silent and the rest is louder."""
    image = torch.full((1, 1, 96, 96), level)
    tx = narrow.encode(image, cbr=1 / 8, snr_db=snr_db)
    out, lost = over_awgn(narrow, tx, snr_db, seed=2)
    assert not lost.any()
    assert psnr(out, image).item() > 40


@pytest.mark.parametrize("cbr", [2.0, 8.0])
def test_more_channel_uses_than_there_is_to_send_do_no_harm(
    cbr: float, narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    image = phantoms[0][:1, :, :96, :96]
    tx = narrow.encode(image, cbr=cbr, snr_db=25.0)
    out, lost = over_awgn(narrow, tx, 25.0)
    assert not lost.any()
    assert psnr(out, image).item() > 40


def test_fine_steps_reach_the_whole_range_of_grey(narrow: MedJSCC) -> None:
    """White and black with hardly any texture, in a region of finer steps, at a high rate."""
    image = torch.zeros(1, 1, 96, 96)
    image[..., :48] = 0.99
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(1))
    image = image + 1e-3 * noise
    roi = torch.zeros(1, 1, 96, 96)
    roi[..., :64, :64] = 1
    altered = narrow.with_options(roi_ratio=6.0)
    tx = altered.encode(image, cbr=1.0, snr_db=25.0, roi=roi)
    out, lost = over_awgn(altered, tx, 25.0)
    assert not lost.any()
    assert psnr(out, image).item() > 40


@pytest.mark.parametrize("snr_db", [-100.0, 100.0])
def test_any_snr_is_served(snr_db: float, narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]) -> None:
    image = phantoms[0][:1, :, :96, :96]
    out, lost = over_awgn(narrow, narrow.encode(image, cbr=1 / 2, snr_db=snr_db), snr_db)
    assert bool(lost) == (snr_db < 0) and bool(out.isfinite().all())


def test_a_black_frame_costs_little(trained: MedJSCC, phantoms: tuple[Tensor, Tensor]) -> None:
    """One line at each side had cost up to 3 dB; now less than half of one."""
    images = phantoms[0]
    with_frame = framed(images, (1, 1, 1, 2), 0)
    found = []
    for sent in (images, with_frame):
        tx = trained.encode(sent, cbr=1 / 32, snr_db=5.0)
        found.append(psnr(over_awgn(trained, tx, 5.0, seed=2)[0], sent))
    assert (found[1] > found[0] - 0.5).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roi_ratio": 0.5}, "roi_ratio must"),
        ({"roi_ratio": 7}, "roi_ratio must"),
        ({"roi_ratio": math.nan}, "roi_ratio must"),
        ({"roi_ratio": "fine"}, "roi_ratio must"),
        ({"margin_db": "x"}, "margin_db must"),
        ({"header_margin_db": 99}, "header_margin_db must"),
        ({"digital_only": 1}, "digital_only must"),
    ],
)
def test_impossible_options_are_refused(
    options: dict[str, float], message: str, narrow: MedJSCC
) -> None:
    with pytest.raises(InputError, match=message):
        narrow.with_options(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("widths", [(8, 8), "abc", (8, 8, 0), (8, 8, 2.5)])
def test_impossible_widths_are_refused(widths: object) -> None:
    with pytest.raises(InputError, match="synthesis_widths"):
        MedJSCC(synthesis_widths=widths)  # type: ignore[arg-type]


def test_weights_that_compute_otherwise_here_are_refused(narrow: MedJSCC, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    narrow.save(path)
    assert MedJSCC.load(path).config() == narrow.config()
    tensors, metadata = stored(path)
    tensors["golden.picture"] = tensors["golden.picture"] + 0.01
    store(tensors, path, metadata)
    with pytest.raises(InputError, match="do not give here what they gave"):
        MedJSCC.load(path)


@pytest.mark.parametrize("snr_db", [3.0, 12.0, 24.0])
def test_bits_are_sent_by_the_amplitudes_that_the_receiver_takes_them_for(
    snr_db: float, phantoms: tuple[Tensor, Tensor]
) -> None:
    """Unit power is the analogue part's affair: QAM symbols stand on their grid to the last bit."""
    codec = semcom.codec("medjscc-small")
    tx = codec.encode(phantoms[0], cbr=1 / 8, snr_db=snr_db)
    assert tx.symbols.abs().square().mean(1).tolist() == pytest.approx([1, 1], abs=1e-5)
    parts = codec._layout(tx.session)
    for row, header in enumerate(headers_of(codec, tx)):
        block = parts.digital_block(header.length)
        assert block is not None and not header.analog_only
        start = parts.header.channel_uses + parts.analog_base + parts.base_uses
        for qam, place in [(parts.header, 0), (block, start)]:
            order = qam.mcs.bits_per_symbol
            spacing = math.sqrt(6 / (2**order - 1)) if order > 1 else 2.0
            symbols = torch.view_as_real(tx.symbols[row, place : place + qam.channel_uses])
            levels = symbols / spacing + 0.5
            assert float((levels - levels.round()).abs().max()) < 1e-4


def test_a_digital_part_that_became_too_coarse_gives_way() -> None:
    """Where hardly any room is left, quality does not fall when the SNR rises by a little."""
    codec = semcom.codec("medjscc-small")
    images = semcom.data.phantoms("chest", n=1, size=128, seed=0)[0][..., 32:96, 32:96]
    found = []
    for snr_db in (-8.0, -6.0, -5.0, -4.0, -3.0):
        tx = codec.encode(images, cbr=1 / 4, snr_db=snr_db)
        shown = [over_awgn(codec, tx, snr_db, seed)[0] for seed in range(4)]
        found.append(float(torch.stack([psnr(one, images) for one in shown]).mean()))
    assert all(after > before - 1 for before, after in pairwise(found))


def test_a_larger_margin_takes_a_slower_scheme(
    narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    uses = []
    for margin_db in (-5.0, 0.0, 10.0, 20.0):
        codec = narrow.with_options(margin_db=margin_db)
        tx = codec.encode(phantoms[0], cbr=1 / 8, snr_db=-3.0)
        uses.append(codec._layout(tx.session).mcs.bits_per_use)
    assert uses == sorted(uses, reverse=True)


def test_reconstruct_takes_what_decode_takes(
    narrow: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    rx = channels.link("awgn")(narrow.encode(phantoms[0], cbr=1 / 8, snr_db=8.0), 8.0, seed=1)
    double = Reception(
        rx.symbols.to(torch.complex128), rx.noise_var.double(), rx.snr_db, rx.session
    )
    assert torch.equal(narrow.reconstruct(double).clamp(0, 1), narrow.decode(double))
    other = semcom.codec("medjscc-small")
    other.name = "other"
    for codec, wrong in [(other, rx), (narrow, "x")]:
        with pytest.raises(InputError):
            codec.reconstruct(wrong)  # type: ignore[arg-type]
