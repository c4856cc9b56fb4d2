"""Ways to allocate bits: frames, savings, journal, figures and the command."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

import scenarios
import semcom
from scenarios.command.cli import main
from scenarios.comparisons.allocation import coding
from scenarios.comparisons.allocation.allocations import Allocations
from scenarios.comparisons.allocation.dmic import BASE_QPS, ENCODES, PRESET, PRESETS
from scenarios.comparisons.allocation.maps import draw_maps
from scenarios.comparisons.allocation.savings import MEASURES, savings_of
from scenarios.comparisons.allocation.ways import shipped_names
from semcom.dmic import Policy, curves
from semcom.dmic import search as searching
from semcom.dmic.curves import curve
from semcom.dmic.rules import two_levels
from semcom.dmic.units import encode
from semcom.image_coders import hevc
from tests.refusals import refused

SIDE = 96
QPS = (31, 37, 43, 49)
IMAGES, MASKS = semcom.data.phantoms("angiography", n=2, size=SIDE, seed=1)


def dark(images: Tensor) -> Tensor:
    """What is darker than the middle, softly."""
    return torch.sigmoid(20 * (0.35 - images))


def hard(images: Tensor) -> Tensor:
    """The same without a gradient."""
    return (images < 0.35).float()


class Mine(Policy):
    """Coarser by 6 everywhere."""

    def offsets(self, image: Any, found: Any, base_qp: float) -> Any:
        return np.full((3, 3), 6)


def ran(**changes: Any) -> Allocations:
    options: dict[str, Any] = {
        "masks": MASKS, "segmenter": dark, "policies": {}, "base_qps": QPS, "preset": "ultrafast",
    }  # fmt: skip
    return scenarios.dmic(**({"images": IMAGES} | options | changes))


@pytest.fixture(scope="module")
def found() -> Allocations:
    return ran(policies={"mine": Mine()}, observers={"hard": hard})


def test_defaults_are_those_of_the_library() -> None:
    assert (BASE_QPS, PRESET, ENCODES) == (curves.BASE_QPS, hevc.PRESET, searching.ENCODES)
    image = np.full((32, 32), 0.5, np.float32)
    assert all(encode(image, 51, None, preset) for preset in PRESETS)


def test_rows_are_what_a_curve_measures(found: Allocations) -> None:
    frame = found.frame
    ways = ["anchor", "two levels", "sensitivity", "low-pass (extension)", "mine"]
    assert list(dict.fromkeys(frame["way"])) == ways
    assert list(dict.fromkeys(frame["observer"])) == ["segmenter", "mirrored", "hard"]
    assert len(frame) == 2 * len(ways) * len(QPS) * 3
    images, masks = [x[0].numpy() for x in IMAGES], [x[0].numpy() for x in MASKS]
    alone = curve(images, [dark], two_levels, base_qps=QPS, preset="ultrafast", masks=masks)
    own = frame[(frame["way"] == "two levels") & (frame["observer"] == "segmenter")]
    for name, values in {
        "bytes": alone.num_bytes, "psnr_db": alone.psnr_db, "roi_psnr_db": alone.roi_psnr_db,
        "diagnostic": alone.diagnostic[0], "soft": alone.soft[0], "dice": alone.dice[0],
        "cldice": alone.cldice[0],
    }.items():  # fmt: skip
        np.testing.assert_array_equal(own[name], values.ravel(), err_msg=name)


def test_offsets_are_of_the_qps_that_are_coded(found: Allocations) -> None:
    means = found.frame.groupby(["way", "base_qp"])["mean_qp_offset"].first()
    assert means["mine"].tolist() == [6, 6, 6, 2], "QP 51 is the last"
    assert (means["anchor"] == 0).all()


def test_headers_are_what_all_streams_of_a_size_begin_with() -> None:
    for preset in ("ultrafast", "slow", "veryslow"):
        length = coding.header_bytes(SIDE, 128, preset)
        noise = np.random.default_rng(0).random((SIDE, 128), np.float32)
        streams = [encode(noise, qp, None, preset) for qp in (20, 45)]
        assert streams[0][:length] == streams[1][:length]
        assert streams[0][length] != streams[1][length] or length >= 77


def test_savings_leave_nothing_out(found: Allocations) -> None:
    savings = found.savings
    assert "anchor" not in set(savings["way"])
    assert set(savings["measure"]) == set(MEASURES)
    assert len(savings) == 4 * (4 * 3 + 2)
    assert (savings.loc[savings["saving"].isna(), "reason"] != "").all()
    assert (savings.loc[savings["low"].isna(), "reason"] != "").all(), "two pictures, no interval"
    assert savings.loc[savings["measure"] == "dice", "least_qp"].eq(37).all()
    assert set(savings.loc[savings["measure"] == "psnr_db", "observer"]) == {"any"}
    bare = Allocations(found.frame.assign(dice=np.nan)).savings
    assert "dice" not in set(bare["measure"])


def made(images: int = 8) -> pd.DataFrame:
    """An anchor, and a way that takes four fifths of its bytes; one observer."""
    draws, rows = np.random.default_rng(0), []
    for image in range(images):
        size, shift = draws.uniform(0.5, 2), draws.uniform(-0.02, 0.02)
        for way, share in (("anchor", 1.0), ("less", 0.8)):
            for place, qp in enumerate(QPS):
                q = 0.9 - 0.1 * place + shift
                row = {"image": image, "way": way, "base_qp": qp, "observer": "segmenter"}
                row |= {"bytes": share * size * 4000 / 2**place, "header_bytes": 80}
                row |= {"psnr_db": 40 * q, "roi_psnr_db": 40 * q if image else np.nan}
                row |= dict.fromkeys(("diagnostic", "soft", "cldice", "dice"), q)
                rows.append(row | {"mean_qp_offset": 0.0})
    return pd.DataFrame(rows)


def test_four_fifths_of_the_bytes_save_a_fifth() -> None:
    savings = savings_of(made(), resamples=50).set_index("measure")
    assert (savings["reason"] == "").all()
    for name in ("saving", "low", "high", "per_image"):
        np.testing.assert_allclose(savings[name], -20, err_msg=name)
    assert (savings["known_header"] < -20).all()
    assert (savings["overlap"] == 1).all() and (savings["refused"] == 0).all()
    assert savings.loc["roi_psnr_db", "images"] == 7
    assert savings.loc["diagnostic", "per_image_of"] == 8
    few = savings_of(made(3))
    assert few["low"].isna().all() and few["reason"].str.contains("fewer than 5").all()


def test_a_curve_that_does_not_rise_says_so(found: Allocations) -> None:
    frame = made()
    worse = (frame["way"] == "less") & (frame["base_qp"] == 43)
    frame.loc[worse, "diagnostic"] = 0.1
    savings = savings_of(frame, resamples=20).set_index("measure")
    row = savings.loc["diagnostic"]
    assert np.isnan(row["saving"]) and "must rise" in row["reason"]
    assert savings.loc["soft", "saving"] == pytest.approx(-20)
    console = Console(record=True, width=80, file=io.StringIO())
    Allocations(frame).print(console)
    text = console.export_text()
    assert (
        "- (a)" in text and "(a) a curve does not rise" in text and "…" not in text.split("\n")[2]
    )
    Allocations(frame[frame["way"] == "anchor"]).print(console)
    assert "only the anchor" in console.export_text()


def test_a_second_run_finds_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Allocations
) -> None:
    ways = ["two levels", "best uniform", "search"]
    first = ran(ways=ways, encodes=12, out=tmp_path)
    upper = first.frame[first.frame["way"].isin(["best uniform", "search"])]
    assert len(upper) and (upper["mean_qp_offset"] != 0).any()
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    assert len(lines) == 2 * 4 + 1, "a way of a picture each, and exchange rates"

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("coded anew")

    with monkeypatch.context() as patch:
        patch.setattr(hevc, "encode", forbidden)
        again = ran(ways=ways, encodes=12, out=tmp_path)
        narrower = ran(ways="two levels", seed=5, out=tmp_path)
    pd.testing.assert_frame_equal(again.frame, first.frame)
    assert len(narrower.frame) == len(first.frame) / 2
    ran(ways=["two levels", "search"], encodes=11, out=tmp_path)
    ran(ways="two levels", policies={"mine": Policy()}, observers={"hard": hard}, out=tmp_path)
    after = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    assert after[: len(lines)] == lines and len(after) == len(lines) + 2 + 2 * 3


def test_processes_find_the_same(found: Allocations) -> None:
    both = ran(policies={"mine": Mine()}, observers={"hard": hard}, workers=2)
    pd.testing.assert_frame_equal(both.frame, found.frame)


def test_figures_and_files(found: Allocations, tmp_path: Path) -> None:
    figure = found.plot(tmp_path / "dmic.png")
    labels = [axis.get_ylabel() for axis in figure.axes if axis.axison]
    assert labels[:2] == ["diagnostic Dice\nby segmenter", "diagnostic Dice\nby mirrored"]
    assert "ROI-PSNR [dB]" in labels and "PSNR [dB]" in labels
    assert all(axis.get_xscale() == "log" for axis in figure.axes if axis.axison)
    maps = draw_maps(found.pictures, tmp_path / "maps.png")
    titles = [axis.get_title() for axis in maps.axes]
    assert titles[:5] == ["original", "two levels", "sensitivity", "low-pass (extension)", "mine"]
    assert len(found.pictures) == 2 and found.pictures[0].base_qp == 43
    for name in ("dmic.png", "maps.png"):
        with Image.open(tmp_path / name) as drawn:
            assert min(drawn.size) > 200
    for name, read in {"a.csv": pd.read_csv, "a.parquet": pd.read_parquet}.items():
        found.save(tmp_path / name)
        saved = read(tmp_path / name)  # type: ignore[operator]
        pd.testing.assert_frame_equal(saved, found.frame, check_dtype=False)
    refused(lambda: found.save(tmp_path / "a.txt"), "name it .csv or .parquet")
    refused(lambda: draw_maps([]), "no picture")
    alone = ran(ways=[], images=IMAGES[:1], masks=None)
    assert alone.savings.empty and alone.plot().axes and draw_maps(alone.pictures).axes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ways": "three levels"}, "unknown way 'three levels'"),
        ({"base_qps": [30, 40]}, "base_qps must be three rising ones"),
        ({"base_qps": [30.5, 40, 45]}, "a base QP must be"),
        ({"base_qps": [30, 40, 52]}, "base_qps must"),
        ({"preset": "quick"}, "unknown preset 'quick'"),
        ({"encodes": 0}, "encodes must be a whole number"),
        ({"segmenter": "lungs"}, "unknown segmenter 'lungs'"),
        ({"segmenter": None}, "segmenter must be a segmenter"),
        ({"segmenter": hard}, "lets gradients through"),
        ({"segmenter": hard, "ways": "search"}, "without a gradient"),
        ({"policies": {"search": Mine()}}, "'search': the label is taken"),
        ({"policies": {"mine": 3}}, "must be a policy or a file"),
        ({"policies": {"nan": Mine()}}, "would be read from a CSV"),
        ({"policies": {"mine": "nothing.safetensors"}}, "nothing.safetensors"),
        ({"observers": {"mirrored": dark}}, "'mirrored': the label is taken"),
        ({"observers": [dark]}, "observers must be a mapping"),
        ({"images": IMAGES.expand(-1, 3, -1, -1)}, "picture 0 is RGB"),
        ({"images": [], "masks": None}, "picture"),
        ({"masks": MASKS[:1]}, "1 masks do not fit 2 images"),
    ],
)
def test_impossible_requests_are_refused(changes: dict[str, Any], message: str) -> None:
    call: Callable[[], object] = lambda: ran(**changes)  # noqa: E731
    refused(call, message)


def test_semcom_run_dmic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Policy().save(tmp_path / "own.safetensors")
    out = tmp_path / "out"
    options = ["run", "dmic", "--limit", "2", "--size", "96", "--preset", "ultrafast"]
    options += ["--base-qps", "31,37,43,49", "--workers", "1", "--ways", "two levels"]
    policy = ["--policy", f"own={tmp_path / 'own.safetensors'}"]
    with pytest.raises(SystemExit) as ended:
        main([*options, *policy, "--out", str(out)])
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    assert "Bytes at equal diagnostic Dice" in told.out and "two levels" in told.out
    assert {file.name for file in out.iterdir()} == {
        "dmic.csv", "dmic.png", "journal.jsonl", "maps.png", "results.csv", "results.parquet",
    }  # fmt: skip
    assert set(pd.read_csv(out / "dmic.csv")["way"]) == {"two levels", "own"}
    rows = pd.read_parquet(out / "results.parquet")
    assert set(rows["observer"]) == {"segmenter", "mirrored", "control"}
    for wrong, words in {
        ("--policy", "own.safetensors"): "write label=weights.safetensors",
        ("--policy", f"a={tmp_path / 'none.safetensors'}"): "none.safetensors",
        ("--ways", "all"): "unknown way 'all'",
        ("--base-qps", "a"): "write whole numbers",
        ("--base-qps", "30,60,70"): "base_qps must",
        ("--preset", "quick"): "unknown preset",
        ("--segmenter", "lungs"): "--segmenter lungs is no segmenter",
        ("--masks", "there"): "--masks belong to pictures",
        ("--images", str(tmp_path / "nowhere")): "nowhere",
    }.items():
        with pytest.raises(SystemExit) as ended:
            main([*options, *wrong, "--out", str(tmp_path / "other")])
        assert ended.value.code == 2
        assert words in " ".join(capsys.readouterr().err.split()), wrong
    assert not (tmp_path / "other").exists()


def test_policies_that_ship_take_part() -> None:
    assert all(name.startswith("dmic") for name in shipped_names())
    found = ran(policies=None, ways=[], images=IMAGES[:1], masks=None)
    assert set(found.frame["way"]) == {"anchor", *shipped_names()}
