"""The capacity bound: rates against closed forms, outages of the codecs' own draws, the CLI."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import binom, norm
from torch import Tensor

import channels
import scenarios
import semcom
from channels import InputError
from scenarios import Table
from scenarios.command.cli import main
from scenarios.engine.inputs import schemes
from scenarios.results.columns import COLUMNS
from scenarios.results.line_styles import line_styles
from scenarios.results.style import COLOURS, MARKERS
from semcom.image_coders import payloads
from semcom.modem.capacity import carried, outage_rate
from semcom.modem.information import mutual_information
from semcom.modem.mcs import place_of
from semcom.modem.realisations import REALISATIONS, noise_variances
from semcom.separate import CapacityBound, SeparateCodec

CBR = 1 / 8
SNRS_DB = (-3.0, 1.5, 6.05, 12.0, 20.0)


@pytest.fixture(scope="module")
def chest() -> Tensor:
    return semcom.data.phantoms("chest", n=1, size=128, seed=4)[0]


def flat(n: int) -> Tensor:
    """Images ``[n, 1, 32, 32]`` that take an image coder no time."""
    return torch.full((n, 1, 32, 32), 0.25)


def log2_snr(snr_db: float) -> float:
    return math.log2(1 + 10 ** (snr_db / 10))


@pytest.mark.parametrize("kind", ["outage", "ergodic"])
@pytest.mark.parametrize("snr_db", SNRS_DB)
def test_rate_over_gaussian_noise_is_its_capacity(kind: str, snr_db: float, chest: Tensor) -> None:
    bound, link = CapacityBound(kind=kind), channels.link("awgn")
    bits = log2_snr(snr_db) * CBR * 128**2
    for fitted in (bound, bound.adapted(link)):
        found = fitted.budget(chest, cbr=CBR, snr_db=snr_db)
        assert bits / 8 - 1 - 1e-6 * bits < found <= bits / 8 * (1 + 1e-6)
        got = fitted.deliver(chest, cbr=CBR, snr_db=snr_db, link=link, seed=3)
        assert not bool(got.outage)
        assert got.used.tolist() == [CBR * 128**2]


def test_the_image_coder_keeps_the_budget(chest: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    bound, taken = CapacityBound(), []
    fit = type(bound._source).fit

    def spied(self: Any, image: Any, budget: int, roi: Any = None) -> bytes:
        payload = fit(self, image, budget, roi)
        taken.append((len(payload), budget))
        return payload

    payloads._kept.clear()
    monkeypatch.setattr(type(bound._source), "fit", spied)
    for snr_db in SNRS_DB:
        bound.deliver(chest, cbr=CBR, snr_db=snr_db, link=channels.link("awgn"), seed=0)
        length, budget = taken[-1]
        least = 0.98 if budget > 200 else 0.96  # where one step of HEVC is a few bytes of 150
        assert least * budget < length <= log2_snr(snr_db) * CBR * 128**2 / 8
    assert len(taken) == len(SNRS_DB)


def test_quality_over_gaussian_noise_is_above_the_codec_s(chest: Tensor) -> None:
    table = scenarios.snr(
        chest, codecs=["hevc-ldpc", "hevc-capacity"], links=["awgn"], snr_db=SNRS_DB, cbr=CBR
    )
    means = table.summary("psnr").pivot(index="snr_db", columns="codec", values="mean")
    assert (means["hevc-capacity"] >= means["hevc-ldpc"]).all()
    rows = table.frame[table.frame["codec"] == "hevc-capacity"]
    assert rows["mcs"].isna().all() and rows["rx_snr_db"].isna().all()
    assert (rows["cbr_used"] == CBR).all()


@pytest.mark.parametrize(("snr_db", "uses"), [(5.0, 2048), (15.0, 1024)])
def test_outages_over_rayleigh_fading_are_those_of_the_closed_form(
    snr_db: float, uses: int
) -> None:
    """P(log2(1 + g snr) < R) with g ~ Exp(1); bounds of binomial counts at 1e-6 a side."""
    n, cbr, link = 400, uses / 32**2, channels.link("rayleigh")
    bound = CapacityBound("jpeg2000").adapted(link)
    rate = 8 * bound.budget(flat(1), cbr=cbr, snr_db=snr_db) / uses
    expected = 1 - math.exp(-(2**rate - 1) / 10 ** (snr_db / 10))
    lost = bound.deliver(flat(n), cbr=cbr, snr_db=snr_db, link=link, seed=11).outage
    assert 0.02 < expected < 0.6
    assert binom.ppf(1e-6, n, expected) <= int(lost.sum()) <= binom.isf(1e-6, n, expected)


def test_ergodic_rate_over_rayleigh_fading_is_its_integral() -> None:
    """E log2(1 + g snr) = e^(1/snr) E1(1/snr) / ln 2, from 200 draws; never an outage."""
    link, snr_db, uses = channels.link("rayleigh"), 8.0, 2048
    bound = CapacityBound("jpeg2000", kind="ergodic").adapted(link)
    gains = -np.log1p(-(np.arange(100000) + 0.5) / 100000)
    per_use = np.log2(1 + gains * 10 ** (snr_db / 10))
    found = 8 * bound.budget(flat(1), cbr=2, snr_db=snr_db) / uses
    tolerance = 4.5 * per_use.std() / math.sqrt(REALISATIONS) + 8 / uses
    assert abs(found - per_use.mean()) < tolerance
    assert not bound.deliver(flat(40), cbr=2, snr_db=snr_db, link=link, seed=1).outage.any()


@pytest.mark.parametrize("name", ["rayleigh", "ntn-tdl-c", "leo600-s-urban"])
def test_an_image_is_lost_where_the_codec_s_own_draw_carries_less(name: str) -> None:
    link = channels.link(name)
    codec, bound = SeparateCodec("jpeg2000"), CapacityBound("jpeg2000").adapted(link)
    images, options = flat(20), {"cbr": 1.0, "snr_db": 9.0}
    rate = 8 * bound.budget(images, **options) / 1024
    tx = codec.encode(images, **options)
    for seed in (5, 6):
        noise_var = link(tx, 9.0, seed=seed).noise_var.double()
        information = torch.log2(1 + 1 / noise_var).mean(1)
        lost = bound.deliver(images, **options, link=link, seed=seed).outage
        near = (information - rate).abs() < 8 / 1024
        assert torch.equal(lost | near, (information < rate) | near)
        assert not near.all()


def test_a_finite_code_carries_what_the_normal_approximation_says() -> None:
    snr, n = 10**0.6, 2000
    noise_var = np.full((1, n), 1 / snr)
    dispersion = (1 - 1 / (1 + snr) ** 2) * math.log2(math.e) ** 2
    expected = math.log2(1 + snr) - math.sqrt(dispersion / n) * norm.isf(0.01)
    expected += math.log2(n) / (2 * n)
    assert carried(noise_var, finite=True)[0] == pytest.approx(expected, rel=1e-12)
    for order in (2, 4, 6, 8):
        qam = carried(noise_var, order)[0]
        assert qam == pytest.approx(float(mutual_information(6.0, order)))
        assert carried(noise_var, order, finite=True)[0] < qam < math.log2(1 + snr)


@pytest.mark.parametrize("name", ["awgn", "rayleigh"])
@pytest.mark.parametrize("snr_db", [0.0, 9.0, 25.0])
def test_bounds_are_ordered(name: str, snr_db: float) -> None:
    link = channels.link(name)

    def bits(**options: str) -> int:
        bound = CapacityBound("jpeg2000", **options).adapted(link)
        return bound.budget(flat(1), cbr=2, snr_db=snr_db)

    ergodic = bits(kind="ergodic")
    assert ergodic >= bits(kind="ergodic", blocklength="finite")
    assert ergodic >= bits(kind="ergodic", inputs="qam") > 0
    assert name == "rayleigh" or bits(inputs="qam", blocklength="finite") < bits()
    assert name == "awgn" or bits() < ergodic
    # An outage rate may be higher where less is carried and more is lost: quality is ordered.
    noise_var = noise_variances(link, 2048, snr_db)

    def worth(order: int | None, finite: bool) -> float:
        return outage_rate(carried(noise_var, order, finite), 2048, 32**2, smallest_bytes=40)[1]

    assert all(worth(order, finite=True) < worth(None, finite=False) for order in (2, 4, 6, 8))


def test_rate_is_that_of_the_highest_expected_quality() -> None:
    """Against all rates on a fine grid, of gains drawn at random."""
    rates = np.log2(1 + 8 * np.random.default_rng(1).exponential(size=300))
    uses, pixels, smallest = 2048, 32768, 60
    rate, worth = outage_rate(rates, uses, pixels, smallest)
    grid = np.linspace(8 * smallest / uses, rates.max(), 20000)
    gains = np.maximum(30.9 + 3.0 * np.log2(grid * uses / pixels), 1)
    worths = gains * [(rates >= some).mean() for some in grid]
    assert worth >= worths.max()
    assert (rates >= rate).mean() * (30.9 + 3 * math.log2(rate / 16)) == pytest.approx(worth)


def test_too_little_for_any_image_is_lost_not_refused(chest: Tensor) -> None:
    for kind in ("outage", "ergodic"):
        bound = CapacityBound(kind=kind)
        got = bound.deliver(chest, cbr=1 / 64, snr_db=-10.0, link=channels.link("awgn"), seed=0)
        assert got.outage.tolist() == [True]
        assert (got.images == 0.5).all()
    with pytest.raises(InputError, match="raise cbr"):
        bound.budget(chest, cbr=1e-6, snr_db=0.0)


def test_same_seed_same_images_in_a_batch_and_region(chest: Tensor) -> None:
    link, masks = channels.link("rayleigh"), torch.zeros(4, 1, 128, 128)
    masks[..., 32:96, 32:96] = 1
    bound, images = CapacityBound("hevc-roi").adapted(link), chest.expand(4, -1, -1, -1)
    runs = [
        bound.deliver(images, cbr=CBR, snr_db=9.0, link=link, seed=seed, roi=masks)
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0].images, runs[1].images)
    assert torch.equal(runs[0].outage, runs[1].outage)
    arrived = runs[0].images[~runs[0].outage]
    plain = bound.deliver(images, cbr=CBR, snr_db=9.0, link=link, seed=1).images
    assert len(arrived) and not torch.equal(arrived, plain[~runs[0].outage])


def test_no_codec_and_no_way_to_decode() -> None:
    bound = semcom.bound("hevc-capacity")
    assert not isinstance(bound, semcom.Codec)
    assert not hasattr(bound, "decode") and not hasattr(bound, "encode")
    assert not set(semcom.bounds()) & set(semcom.codecs())
    assert list(schemes([*semcom.bounds()])) == list(semcom.bounds())
    for name in semcom.bounds():
        assert semcom.bound(name).name == name
        assert name.replace("-capacity", "-ldpc") in semcom.codecs()


def test_fingerprints_tell_options_apart() -> None:
    others: list[dict[str, Any]] = [
        {}, {"kind": "ergodic"}, {"inputs": "qam"}, {"blocklength": "finite"},
        {"header": "billed"}, {"bit_depth": 8},
    ]  # fmt: skip
    prints = {semcom.bound("hevc-capacity", **options).fingerprint for options in others}
    assert len(prints) == len(others)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hevc-capcity", {}, "did you mean 'hevc-capacity'"),
        ("hevc-ldpc", {}, "unknown bound"),
        ("hevc-capacity", {"kind": "outages"}, "unknown kind 'outages': did you mean 'outage'"),
        ("hevc-capacity", {"inputs": "qpsk"}, "unknown inputs"),
        ("hevc-capacity", {"blocklength": 100}, "unknown blocklength"),
        ("hevc-capacity", {"mcs": 4}, "unknown option of 'hevc-capacity'"),
        ("hevc-capacity", {"bit_depth": 9}, "bit_depth must be"),
    ],
)
def test_bad_options_get_one_line(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        semcom.bound(name, **options)
    assert "\n" not in str(caught.value)


def test_bad_images_and_masks_get_one_line() -> None:
    bound, link = CapacityBound("avif"), channels.link("awgn")
    for images in (torch.rand(1, 2, 64, 64), torch.rand(1, 1, 31, 64), torch.rand(64, 64)):
        with pytest.raises(InputError):
            bound.budget(images, cbr=CBR, snr_db=0.0)
    with pytest.raises(InputError, match="roi must have"):
        bound.deliver(flat(1), cbr=CBR, snr_db=0.0, link=link, seed=0, roi=torch.ones(1, 1, 9, 9))


def test_what_is_shipped_looks_different_and_bounds_like_their_family() -> None:
    codecs, bounds = list(semcom.codecs()), list(semcom.bounds())
    found = line_styles([*codecs, *bounds, "hevc-ldpc MCS 4", "hevc-ldpc MCS 9", "mine"])
    solid = [found[name] for name in codecs]
    for seen in ({look.colour for look in solid}, {look.marker for look in solid}):
        assert len(seen) == len(codecs)
    for name in bounds:
        assert found[name].colour == found[name.replace("-capacity", "-ldpc")].colour
        assert not found[name].is_solid and found[name].legend == f"{name} (bound)"
    low, high = (found[f"hevc-ldpc MCS {index}"] for index in (4, 9))
    assert low.colour == high.colour == found["hevc-ldpc"].colour
    assert low.marker != high.marker and low.width < found["hevc-ldpc"].width
    assert low.line != found["hevc-capacity"].line
    assert found["mine"].colour in COLOURS and found["mine"].marker in MARKERS


def test_own_codecs_take_colours_that_are_free_and_own_labels_keep_the_family() -> None:
    names = {"ideal": "hevc-capacity", "ergodic": "hevc-capacity"}
    found = line_styles(["medjscc", "mine", "ideal", "ergodic"], names)
    assert found["ideal"].marker != found["ergodic"].marker
    assert len({look.colour for look in found.values()}) == 3
    assert found["ideal"].colour == line_styles(["hevc-ldpc"])["hevc-ldpc"].colour
    assert found["ideal"].legend == "ideal (bound)"


def test_a_figure_of_everything_shows_everything() -> None:
    names = [*semcom.codecs(), *semcom.bounds()]
    rows = [dict.fromkeys(COLUMNS, 1) | {"codec": name, "link": "awgn"} for name in names]
    figure = Table(pd.DataFrame(rows), {}).plot("psnr")
    figure.draw_without_rendering()
    axis, legend = figure.axes[0], figure.legends[0]
    left, right = axis.get_xlim()
    assert [len(line.get_xdata()) for line in axis.get_lines()] == [1] * len(names)
    assert all(left < line.get_xdata()[0] < right for line in axis.get_lines())
    assert len(legend.get_texts()) == len(names)
    assert legend.get_window_extent().x0 > 0
    assert legend.get_window_extent().x1 < figure.bbox.x1
    assert legend.get_window_extent().y0 > axis.get_tightbbox().y1


def semcom_run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", *arguments, "--workers", "1"])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_command_line_from_end_to_end(tmp_path: Path) -> None:
    arguments = ["--codec", "hevc-ldpc,hevc-capacity", "--mcs", "auto,9,13", "--limit", "1"]
    arguments += ["--size", "64", "--cbr", "1/4", "--link", "awgn,rayleigh"]
    assert semcom_run(*arguments, "--snr", "4:12:8", "--out", str(tmp_path)) == 0
    table = Table.load(tmp_path / "results.parquet")
    labels = ["hevc-ldpc", "hevc-ldpc MCS 9", "hevc-ldpc MCS 13", "hevc-capacity"]
    assert list(dict.fromkeys(table.frame["codec"])) == labels
    assert len(table) == 2 * 4 * 2
    said = table.metadata["codecs"]
    assert len(set(said.values())) == 4
    assert "mcs 19 of table all" in said["hevc-ldpc MCS 13"] and "capacity" in said["hevc-capacity"]
    assert "bound" in table.metadata["definitions"]["codec"]
    assert "on_loss='drop'" in table.metadata["definitions"]["outage"]
    fixed = table.frame[table.frame["codec"] == "hevc-ldpc MCS 13"]
    assert (fixed["mcs"] == place_of(13, 1, "all")).all()
    with Image.open(tmp_path / "psnr.png") as drawn:
        assert min(drawn.size) > 500
    legend = table.plot("psnr").legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [
        *labels[:3],
        "hevc-capacity (bound)",
    ]
    assert [line.get_linestyle() for line in legend.get_lines()] == ["-", "--", "--", "--"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--codec", "hevc-capcity"], "did you mean 'hevc-capacity'"),
        (["--codec", "hevc-ldpc", "--mcs", "29"], "mcs of table 1 must be an int in 0..28, got 29"),
        (["--codec", "hevc-ldpc", "--mcs", "all"], "write auto and indices"),
        (["--codec", "hevc-ldpc", "--mcs", ","], "write auto and indices"),
        (
            ["--codec", "hevc-ldpc", "--mcs", "auto,3:0", "--cbr", "1/64"],
            "hevc-ldpc MCS 3:0: the coarsest",
        ),
        (["--codec", "hevc-capacity", "--mcs", "4"], "name such a codec, e.g. hevc-ldpc"),
    ],
)
def test_bad_command_lines_get_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert semcom_run(*arguments, "--out", str(tmp_path / "out")) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("semcom: error: ") and message in line
    assert not (tmp_path / "out").exists()
