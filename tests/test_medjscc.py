"""Med-JSCC part by part: wavelet, exact arithmetic, entropy coding, allocation, header, losses."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import channels
import semcom
from channels import InputError, Reception
from semcom.medjscc import MedJSCC, coder
from semcom.medjscc.allocation import allocate, amplitudes, importance, received
from semcom.medjscc.contexts import Expected
from semcom.medjscc.entropy_model import EntropyModel, bits
from semcom.medjscc.estimates import Estimate
from semcom.medjscc.fixed_point import Layer
from semcom.medjscc.frame import Frame, frame
from semcom.medjscc.header import ROI_RATIOS, Header
from semcom.medjscc.layout import HEADER_SHARE, layout
from semcom.medjscc.quantiser import rounded, worthwhile
from semcom.medjscc.wavelet import analyse, synthesise
from semcom.metrics import psnr, roi_psnr
from semcom.separate.adaptation import gaussian_success
from tests.headers import headers_of


@pytest.fixture(scope="module")
def model() -> EntropyModel:
    torch.manual_seed(1)
    return EntropyModel((8, 8, 8, 8), hyper_latents=3).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    return semcom.data.phantoms("chest", n=2, size=192, seed=21)


def steps_of(bands: list[Tensor], log_step: Tensor) -> list[Tensor]:
    return [b * torch.exp2(-torch.nn.functional.interpolate(log_step, b.shape[-2:])) for b in bands]


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(2, 9), columns=st.integers(2, 9), seed=st.integers(0, 99))
def test_the_wavelet_gives_back_what_it_took(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    picture = torch.rand(1, 1, 16 * rows, 16 * columns, generator=generator, dtype=torch.float64)
    assert torch.allclose(synthesise(analyse(picture)), picture, atol=1e-9)


def test_an_error_in_any_band_costs_about_the_same() -> None:
    """Within 1.4 dB: the 9/7 wavelet is nearly orthonormal. Edges apart, so a large picture."""
    generator = torch.Generator().manual_seed(3)
    bands = analyse(torch.zeros(1, 1, 512, 512))
    for index, band in enumerate(bands):
        noise = [torch.zeros_like(b) for b in bands]
        noise[index] = torch.randn(band.shape, generator=generator)
        cost = synthesise(noise).square().sum() / noise[index].square().sum()
        assert abs(10 * math.log10(cost)) < 1.4, index


@settings(max_examples=20, deadline=None)
@given(
    inputs=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5]),
    size=st.floats(0.01, 3.0),
    seed=st.integers(0, 99),
)
def test_exact_layers_do_not_depend_on_precision_or_batch(
    inputs: int, kernel: int, size: float, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = Layer(inputs, 5, kernel).requires_grad_(False)
    layer.weight.mul_(size)
    maps = torch.randn(3, inputs, 9, 7, dtype=torch.float64) * 20
    found = layer(maps)
    for row in range(3):
        assert torch.equal(layer(maps[row : row + 1]), found[row : row + 1])
    limited = (maps * 32).round().clamp(-1024, 1024) / 32
    weight, bias = ((part.double() * 128).round() / 128 for part in (layer.weight, layer.bias))
    truth = torch.nn.functional.conv2d(limited, weight, bias, padding=kernel // 2)
    truth = torch.nn.functional.leaky_relu(truth, 0.125)
    assert torch.equal(found, (truth * 32).round().clamp(-1024, 1024) / 32)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(2, 7),
    columns=st.integers(2, 7),
    spread=st.floats(0.1, 40),
    seed=st.integers(0, 99),
)
def test_bands_survive_the_entropy_coder(
    model: EntropyModel, rows: int, columns: int, spread: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 1, 16 * rows, 16 * columns)
    bands = [(b * spread).round() for b in analyse(torch.randn(shape, generator=generator))]
    log_step = torch.rand(1, 1, rows, columns, generator=generator).mul(256).round() / 256
    limit = int(max(float(b.abs().max()) for b in bands[1:])) + 1
    writer = coder.Writer()
    expected = coder.write(writer, model, bands, log_step, limit)
    read, rest = coder.read(coder.Reader(writer.bytes() + b"\0\0\0"), model, log_step, limit)
    for sent, got in zip(bands, read, strict=True):
        assert torch.equal(sent.double(), got)
    assert np.array_equal(importance(expected), importance(rest))


def test_the_coder_takes_what_the_model_says() -> None:
    """Within 2 % (it rounds scales to eighths of an octave) and the four bytes it rounds up to."""
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    picture = semcom.data.phantoms("chest", n=1, size=256, seed=4)[0]
    log_step = torch.full((1, 1, 16, 16), -3.0)
    bands = rounded(steps_of(analyse(picture - 0.5), log_step))
    modelled = codec.entropy_model(bands, log_step)
    predicted = float(modelled.hyper_bits.sum())
    predicted += sum(float(part.sum()) for part in modelled.band_bits(bands))
    writer = coder.Writer()
    coder.write(writer, codec.entropy_model, bands, log_step, 63)
    assert len(writer.bytes()) * 8 == pytest.approx(predicted, rel=0.02, abs=32)


@pytest.mark.parametrize("log_scale", [-4.5, -2.0, 0.0, 3.0])
def test_probabilities_of_all_integers_sum_to_one(log_scale: float) -> None:
    values = torch.arange(-400.0, 401.0)
    for mean in (0.0, 0.3, -7.5):
        expected = Expected(torch.full_like(values, mean), torch.full_like(values, log_scale))
        assert torch.exp2(-bits(values, expected)).sum().item() == pytest.approx(1, abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), share=st.floats(0, 1))
def test_mask_cells_survive_the_coder(seed: int, share: float) -> None:
    cells = np.random.default_rng(seed).random((11, 7)) < share
    writer = coder.Writer()
    writer.cells(cells)
    assert np.array_equal(coder.Reader(writer.bytes()).cells((11, 7)), cells)


def test_rubbish_is_read_without_an_end_or_a_crash(model: EntropyModel) -> None:
    log_step = torch.zeros(1, 1, 4, 4)
    for seed in range(5):
        rubbish = np.random.default_rng(seed).bytes(200)
        try:
            bands, _ = coder.read(coder.Reader(rubbish), model, log_step, 7)
        except InputError:
            continue
        assert max(float(b.abs().max()) for b in bands[1:]) <= 7


def test_weighed_integers_cost_less_than_rounded_ones(pictures: tuple[Tensor, Tensor]) -> None:
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    log_step = torch.full((1, 1, 12, 12), -2.0)
    values = steps_of(analyse(pictures[0][:1] - 0.5), log_step)

    def cost(chosen: list[Tensor]) -> float:
        modelled = codec.entropy_model(chosen, log_step)
        spent = sum(float(part.sum()) for part in modelled.band_bits(chosen))
        lost = sum(float((v - c).square().sum()) for v, c in zip(values, chosen, strict=True))
        return lost + 0.1 * spent

    assert cost(worthwhile(codec.entropy_model, values, log_step)) < cost(rounded(values))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 60), snr_db=st.floats(-10, 30))
def test_power_is_shared_as_no_other_way_is_better(seed: int, count: int, snr_db: float) -> None:
    """Against random other ways to share the same power over the same numbers."""
    draws = np.random.default_rng(seed)
    found = allocate(draws.integers(-30, 10, 60).astype(float), count, snr_db)
    power, variance = found.power.double().numpy(), found.deviation.double().numpy() ** 2
    assert power.mean() == pytest.approx(1, abs=1e-4)
    snr = 10 ** (snr_db / 10)
    best = (variance / (1 + power * snr)).sum()
    for _ in range(20):
        other = power * draws.lognormal(0, 0.3, count) + draws.random(count) * 0.1
        other /= other.mean()
        assert best <= (variance / (1 + other * snr)).sum() * (1 + 1e-5)


def test_what_is_said_to_be_left_is_left() -> None:
    """Mean squared error of 40 000 Wiener estimates within 4 standard errors of the stated."""
    generator = torch.Generator().manual_seed(5)
    sent = allocate(np.zeros(40_000), 40_000, 6.0)
    errors = torch.randn(40_000, generator=generator)
    noise_var = torch.full((40_000,), 10 ** (-6 / 10) / 2)
    numbers = errors * amplitudes(sent) + noise_var.sqrt() * torch.randn(
        40_000, generator=generator
    )
    found, left = received(sent, numbers, noise_var, 1.0)
    squares = (found - errors).square()
    tolerance = 4 * float(squares.std()) / math.sqrt(len(squares))
    assert float(squares.mean() - left.square().mean()) == pytest.approx(0, abs=tolerance)


def test_equal_rates_serve_every_cell_alike() -> None:
    rest = []
    for side, bands in ((4, 1), (4, 3), (8, 3), (16, 3), (32, 3)):
        generator = torch.Generator().manual_seed(side)
        scale = torch.randn(1, bands, side, side, generator=generator)
        rest.append(Expected(torch.zeros_like(scale), scale))
    equal = importance(rest, equal=True)
    chosen = set(np.argsort(-equal, kind="stable")[: 16 * 20].tolist())
    per_cell = np.zeros((4, 4), dtype=int)
    start = 0
    for part in rest:
        _, bands, side, _ = part.log_scale.shape
        places = np.arange(start, start + bands * side * side).reshape(bands, side, side)
        for row, column in np.ndindex(side, side):
            wanted = sum(int(place) in chosen for place in places[:, row, column])
            per_cell[row * 4 // side, column * 4 // side] += wanted
        start += places.size
    assert set(per_cell.ravel().tolist()) == {20}


@pytest.mark.parametrize("log_step", [-4.0, -1.0, 2.0])
def test_exact_arithmetic_foresees_errors_as_well_as_floating_point(
    log_step: float, pictures: tuple[Tensor, Tensor]
) -> None:
    """Squared errors off the means of both ends, within 3 %."""
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    steps = torch.full((1, 1, 12, 12), log_step)
    bands = steps_of(analyse(pictures[0][:1] - 0.5), steps)
    chosen = worthwhile(codec.entropy_model, bands, steps)
    exact = coder.write(coder.Writer(), codec.entropy_model, chosen, steps, 255)
    left = [
        sum(
            float((b - c - r.mean).square().sum())
            for b, c, r in zip(bands, chosen, rest, strict=True)
        )
        for rest in (codec.entropy_model(chosen, steps).rest, exact)
    ]
    assert left[1] == pytest.approx(left[0], rel=0.03)


def test_every_coefficient_is_coded_in_one_pass(model: EntropyModel) -> None:
    for level in range(4):
        detail, like = model.detail(level), torch.zeros(1, 3, 8, 24)
        places = [detail.place(index, like) for index in range(len(detail.passes))]
        assert bool((torch.stack(places).sum(0) == 1).all())


def test_lines_are_coded_across_themselves(model: EntropyModel) -> None:
    """The first pass holds a quarter of a horizontal line of band 0, a vertical one of band 1."""
    first = model.detail(3).place(0, torch.zeros(1, 3, 16, 16))
    assert first[0, 5].sum() == first[1, :, 5].sum() == 4


def test_what_is_left_of_errors_is_what_a_channel_leaves() -> None:
    """40 000 errors, half of them sent: within 4 standard errors of the mean of squares."""
    generator = torch.Generator().manual_seed(6)
    importances = np.random.default_rng(6).integers(-30, 0, 40_000).astype(np.int16)
    errors = torch.randn(40_000, generator=generator) * 2 ** (torch.from_numpy(importances) / 8)
    sent = allocate(importances, 20_000, 3.0)
    noise_var = torch.full((20_000,), 10 ** (-3 / 10) / 2)
    noise = noise_var.sqrt() * torch.randn(20_000, generator=generator)
    found, _ = received(sent, errors[sent.chosen] * amplitudes(sent) + noise, noise_var, 1.0)
    rest = errors.index_add(0, sent.chosen, -found).square()
    said = Estimate(0, importances, errors.numpy().astype(np.float16)).left(20_000, 3.0)
    tolerance = 4 * float(rest.std()) * math.sqrt(len(rest))
    assert said == pytest.approx(float(rest.sum()), abs=tolerance)


def framed(picture: Tensor, lines: tuple[int, int, int, int], level: int) -> Tensor:
    left, right, top, bottom = lines
    height, width = picture.shape[-2:]
    out = torch.full_like(picture, level / 255)
    inside = (..., slice(top, height - bottom), slice(left, width - right))
    out[inside] = picture[inside]
    return out


@given(
    lines=st.tuples(*[st.integers(0, 20)] * 4),
    level=st.integers(0, 255),
    height=st.integers(60, 90),
    seed=st.integers(0, 99),
)
def test_a_frame_is_found_written_and_restored(
    lines: tuple[int, int, int, int], level: int, height: int, seed: int
) -> None:
    draws = torch.Generator().manual_seed(seed)
    picture = framed(torch.rand(1, 1, height, 70, generator=draws), lines, level)
    found = frame(picture)
    assert (found.lines, found.level) == (lines, level if any(lines) else 0)
    writer = coder.Writer()
    writer.frame(found)
    assert coder.Reader(writer.bytes()).frame(height, 70) == found
    assert torch.allclose(found.restored(found.removed(picture)), picture, atol=1e-6)


def test_bright_and_dark_lines_are_brought_near_the_picture() -> None:
    """Lines 0.3 off, as an edge filter leaves them, within half a step of 4/255 afterwards."""
    picture = torch.full((1, 1, 60, 80), 0.5)
    picture[..., 1] += 0.3
    picture[..., 2, :] -= 0.3
    found = frame(framed(picture, (1, 0, 0, 2), 0))
    assert [len(offsets) for offsets in found.offsets] == [1, 0, 3, 0]
    left = found.removed(framed(picture, (1, 0, 0, 2), 0))
    assert float((left - 0.5).abs().max()) < 0.02


def test_a_picture_of_one_level_keeps_an_inside() -> None:
    picture = torch.full((1, 1, 40, 300), 0.2)
    found = frame(picture)
    assert found == Frame((63, 63, 12, 12), 51)
    assert torch.allclose(found.restored(found.removed(picture)), picture)


@pytest.mark.parametrize(
    "found", [Frame((40, 40, 0, 0), 9), Frame((0, 0, 57, 0), 9, ((), (), (), (1,) * 8))]
)
def test_a_frame_beyond_the_picture_is_refused(found: Frame) -> None:
    writer = coder.Writer()
    writer.frame(found)
    with pytest.raises(InputError, match="payload"):
        coder.Reader(writer.bytes()).frame(64, 80)


def test_a_black_frame_costs_little(pictures: tuple[Tensor, Tensor]) -> None:
    """One line at each side had cost up to 3 dB; now less than half of one."""
    images = pictures[0]
    with_frame = framed(images, (1, 1, 1, 2), 0)
    codec, link = semcom.codec("medjscc"), channels.link("awgn")
    found = []
    for sent in (images, with_frame):
        rx = link(codec.encode(sent, cbr=1 / 32, snr_db=5.0), 5.0, seed=2)
        found.append(psnr(codec.decode(rx), sent))
    assert (found[1] > found[0] - 0.5).all()


@given(
    step=st.integers(0, 65),
    roi=st.integers(0, len(ROI_RATIOS) - 1),
    limit=st.integers(0, 15),
    length=st.integers(0, 255),
    gain=st.integers(0, 255),
)
def test_a_header_is_read_as_it_was_written(
    step: int, roi: int, limit: int, length: int, gain: int
) -> None:
    header = Header(step, roi, limit, length, gain)
    assert Header.parse(header.pack()) == header


@settings(max_examples=20, deadline=None)
@given(uses=st.integers(256, 40_000), snr_db=st.floats(-5, 25))
def test_a_layout_spends_the_budget_and_no_more(uses: int, snr_db: float) -> None:
    success = gaussian_success(snr_db)
    headers = gaussian_success(snr_db - 6), gaussian_success(snr_db - 3)
    found = layout(uses, *headers, success, lambda bits: bits, None)
    assert found.header.channel_uses + found.overview + found.rest == uses
    if uses > 8000 and snr_db > 0:
        assert found.header.channel_uses <= HEADER_SHARE * uses
    assert layout(uses, *headers, success, min, found.mcs.index) == found


@pytest.mark.parametrize("cbr", [1 / 64, 1 / 32, 1 / 16])
def test_the_budget_is_used_to_the_last(cbr: float, pictures: tuple[Tensor, Tensor]) -> None:
    tx = semcom.codec("medjscc").encode(pictures[0], cbr=cbr, snr_db=7.0, roi=pictures[1])
    assert tx.used.tolist() == [round(cbr * 192 * 192)] * 2


def spoilt(rx: Reception, start: int, stop: int) -> Reception:
    symbols = rx.symbols.clone()
    symbols[:, start:stop] = torch.randn_like(symbols[:, start:stop])
    return Reception(symbols, rx.noise_var, rx.snr_db, rx.session)


@pytest.mark.parametrize("part", ["header", "digital"])
@pytest.mark.parametrize("shape", [(192, 192), (183, 120)])
def test_without_its_digital_part_a_picture_is_lost_but_not_grey(
    part: str, shape: tuple[int, int], pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = (found[..., : shape[0], : shape[1]] for found in pictures)
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    tx = codec.encode(images, cbr=1 / 16, snr_db=8.0, roi=masks)
    parts = codec._layout(tx.session)
    first = parts.header.channel_uses + parts.overview
    places = {"header": (0, parts.header.channel_uses), "digital": (first, first + 300)}
    rx = channels.link("awgn")(tx, 8.0, seed=1)
    whole, lost = codec.decode_with_outage(rx)
    assert not lost.any()
    out, lost = codec.decode_with_outage(spoilt(rx, *places[part]))
    assert lost.all()
    grey = psnr(torch.full_like(images, 0.5), images)
    assert (psnr(out, images) > grey + 2).all()
    assert (psnr(whole, images) > psnr(out, images) + 5).all()


def test_where_no_digital_part_fits_a_finer_overview_is_sent() -> None:
    """Cells drawn apart from each other take more bits than 1/64 at 0 dB holds."""
    generator = torch.Generator().manual_seed(5)
    cells = torch.rand(2, 1, 16, 16, generator=generator)
    images = torch.nn.functional.interpolate(cells, (256, 256), mode="nearest")
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    tx = codec.encode(images, cbr=1 / 64, snr_db=0.0, roi=images)
    parts = codec._layout(tx.session)
    assert tx.used.tolist() == [1024] * 2
    rx = channels.link("awgn")(tx, 0.0, seed=1)
    out, lost = codec.decode_with_outage(rx)
    assert not lost.any()
    coarse, lost = codec.decode_with_outage(spoilt(rx, 0, parts.header.channel_uses))
    assert lost.all()
    assert (psnr(out, images) > psnr(coarse, images) + 2).all()
    for found in codec.rate_map(rx):
        assert found is not None
        assert float(found.symbols.sum()) == pytest.approx(parts.rest)
        assert (found.digital, found.analogue) == (0, parts.rest)


def test_quality_follows_the_channel_and_not_the_belief(pictures: tuple[Tensor, Tensor]) -> None:
    """Believed 6 dB; what is better than believed is used, and what is worse costs gently."""
    images, masks = pictures
    codec = semcom.codec("medjscc")
    tx = codec.encode(images, cbr=1 / 16, snr_db=6.0, roi=masks)
    link = channels.link("awgn")
    found = [
        float(psnr(codec.decode(link(tx, snr_db, seed=3)), images).mean())
        for snr_db in (5.5, 8.0, 11.0, 16.0)
    ]
    assert all(b > a for a, b in pairwise(found))
    assert found[-1] > found[0] + 0.05


def test_a_finer_step_in_the_region_makes_it_better(pictures: tuple[Tensor, Tensor]) -> None:
    images, masks = pictures
    codec, link = semcom.codec("medjscc"), channels.link("awgn")
    assert isinstance(codec, MedJSCC)
    scores = []
    for ratio in (1.0, 1.5, 3.0):
        altered = codec.with_options(roi_ratio=ratio)
        tx = altered.encode(images, cbr=1 / 16, snr_db=8.0, roi=masks)
        scores.append(float(roi_psnr(altered.decode(link(tx, 8.0, seed=1)), images, masks).mean()))
    assert scores[0] < scores[1] < scores[2] - 0.1


def test_a_small_region_gets_finer_steps_than_a_large_one() -> None:
    """A disc of a hundredth of the picture, and half of it: the ratio that the header tells."""
    image, codec = semcom.data.phantoms("chest", n=1, size=192, seed=5)[0], semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    ratios = []
    for side in (20, 136):
        roi = torch.zeros(1, 1, 192, 192)
        roi[..., :side, :side] = 1
        tx = codec.encode(image, cbr=1 / 8, snr_db=20.0, roi=roi)
        ratios.append(ROI_RATIOS[headers_of(codec, tx)[0].roi])
    assert ratios[0] >= 3 > ratios[1] > 1


def test_options_change_the_fingerprint_and_the_weights_do_not() -> None:
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    altered = [
        codec.with_options(roi_ratio=2.0),
        codec.with_options(header_margin_db=0.0),
        codec.with_options(digital_only=True),
        codec.with_options(learned_synthesis=False),
        codec.with_options(channel_adaptive=False),
    ]
    assert len({codec.fingerprint, *(other.fingerprint for other in altered)}) == 6
    assert codec.with_options(roi_ratio="auto").fingerprint == codec.fingerprint
    assert all(other.entropy_model is codec.entropy_model for other in altered)


def test_digital_alone_takes_most_of_the_budget(pictures: tuple[Tensor, Tensor]) -> None:
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    lengths = []
    for one in (codec, codec.with_options(digital_only=True)):
        tx = one.encode(pictures[0][:1], cbr=1 / 8, snr_db=10.0)
        lengths.append(headers_of(one, tx)[0].length)
        assert not one.decode_with_outage(channels.link("awgn")(tx, 10.0, seed=4))[1].any()
    assert lengths[0] < 0.7 * 256 < 0.85 * 256 < lengths[1]


def test_a_black_picture_arrives(pictures: tuple[Tensor, Tensor]) -> None:
    """Its errors are all foreseen: the analogue part is silent and the rest is louder."""
    codec = semcom.codec("medjscc")
    for level in (0.0, 0.5, 1.0):
        image = torch.full((1, 1, 96, 96), level)
        tx = codec.encode(image, cbr=1 / 8, snr_db=14.0)
        out, lost = codec.decode_with_outage(channels.link("awgn")(tx, 14.0, seed=2))
        assert not lost.any()
        assert psnr(out, image).item() > 40


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roi_ratio": 0.5}, "roi_ratio must"),
        ({"roi_ratio": math.nan}, "roi_ratio must"),
        ({"margin_db": "x"}, "margin_db must"),
        ({"header_margin_db": 99}, "header_margin_db must"),
        ({"digital_only": 1}, "digital_only must"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], message: str) -> None:
    codec = semcom.codec("medjscc")
    assert isinstance(codec, MedJSCC)
    with pytest.raises(InputError, match=message):
        codec.with_options(**options)


@pytest.mark.parametrize("widths", [(8, 8), "abc", (8, 8, 0), (8, 8, 2.5)])
def test_impossible_widths_are_refused(widths: object) -> None:
    with pytest.raises(InputError, match="synthesis_widths"):
        MedJSCC(synthesis_widths=widths)  # type: ignore[arg-type]


def test_weights_that_compute_otherwise_here_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from channels.tensorfile import store
    from semcom.weightfile import stored

    torch.manual_seed(2)
    codec = MedJSCC((8, 8, 8), (8, 8, 8, 8)).eval()
    path = tmp_path / "weights.safetensors"
    codec.save(path)
    assert MedJSCC.load(path).config() == codec.config()
    tensors, metadata = stored(path)
    tensors["golden.picture"] = tensors["golden.picture"] + 0.01
    store(tensors, path, metadata)
    with pytest.raises(InputError, match="do not give here what they gave"):
        MedJSCC.load(path)
