"""Metrics that are measured where they are asked for: columns of those tables, and of no others."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor
from torchvision.models import alexnet

import scenarios
import semcom
from scenarios import Table
from scenarios.command.cli import main
from scenarios.engine.inputs import requested
from scenarios.results.columns import COLUMNS, definitions, on_request
from scenarios.results.differences import Differences
from scenarios.results.exports import dataset, latex
from scenarios.results.rate_saving import rate_saving
from semcom.metrics.learned_distance import FILES
from semcom.separate import SeparateCodec
from tests.refusals import refused

IMAGES, MASKS = semcom.data.phantoms("chest", n=2, size=64, seed=0)
ASKED = ["vsi", "gmsd", "frechet", "roi_ssim", "nroi_psnr", "nroi_ssim"]
HELD = [name for name in COLUMNS if name in ASKED]
"""In the order of tables."""


def sent(metrics: str | list[str] = (), **changes: Any) -> Table:  # type: ignore[assignment]
    arguments: dict[str, Any] = {
        "codecs": ["jpeg2000-ldpc", "hevc-ldpc"],
        "links": "awgn",
        "snr_db": [6, 12],
        "cbr": 1 / 4,
        "metrics": metrics,
    }
    return scenarios.snr(IMAGES, MASKS, **(arguments | changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked")


@pytest.fixture(scope="module")
def asked(folder: Path) -> Table:
    return sent(ASKED, diagnosis="chest", out=folder)


@pytest.fixture(scope="module")
def plain() -> Table:
    return sent()


def semcom_says(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_tables_are_as_wide_as_before_where_nothing_is_asked_for(plain: Table) -> None:
    assert not set(plain.frame) & set(on_request())
    assert not definitions().keys() & set(on_request())
    assert "metrics" not in plain.metadata["parameters"]
    assert plain.metadata["definitions"] == definitions()


def test_what_is_asked_for_is_measured_and_defined(asked: Table, plain: Table) -> None:
    assert [name for name in asked.frame if name in on_request()] == HELD
    assert asked.frame[HELD].notna().all().all()
    usual = plain.frame.columns.drop(["dice", "dice_control"])
    pd.testing.assert_frame_equal(asked.frame[usual], plain.frame[usual])
    told = asked.metadata["definitions"]
    assert told == definitions(ASKED) and "second pooling" in told["frechet"]
    basis = asked.metadata["parameters"]["metrics"]
    assert list(basis) == HELD and basis["vsi"].startswith("piq ") and basis["frechet"] == ""


def test_values_are_those_of_the_functions() -> None:
    from scenarios.comparisons.snr import plan
    from scenarios.engine.sweep import receive

    options: dict[str, Any] = {"codecs": "hevc-ldpc", "links": "awgn", "snr_db": 6, "cbr": 1 / 4}
    grid = plan(IMAGES, MASKS, **options, diagnosis="chest", metrics=ASKED)
    task = grid.tasks()[1]
    image, outcome, _ = receive(grid, task)
    measured = outcome.measured
    out, images, masks = image[None], IMAGES[1:], MASKS[1:]
    metrics, segmenter = semcom.metrics, semcom.segmenter("chest")
    expected = {
        "vsi": metrics.vsi(out, images),
        "gmsd": metrics.gmsd(out, images),
        "frechet": semcom.segmentation.frechet(out, images, segmenter),
        "roi_ssim": metrics.roi_ssim(out, images, masks),
        "nroi_psnr": metrics.nroi_psnr(out, images, masks),
        "nroi_ssim": metrics.nroi_ssim(out, images, masks),
    }
    for name, value in expected.items():
        assert measured[name] == pytest.approx(float(value), abs=1e-4), name


def test_files_and_exports_hold_them(asked: Table, plain: Table, tmp_path: Path) -> None:
    for table in (asked, plain):
        for ending in ("csv", "parquet"):
            table.save(tmp_path / f"t.{ending}")
            loaded = Table.load(tmp_path / f"t.{ending}")
            pd.testing.assert_frame_equal(loaded.frame, table.frame)
            assert loaded.metadata == table.metadata
    assert set(HELD) <= set(dataset(asked)) and not set(HELD) & set(dataset(plain))
    assert "VSI over awgn" in latex(asked, "vsi")


def test_they_are_shown_and_compared_where_they_are(asked: Table, plain: Table) -> None:
    assert set(HELD) <= set(asked.shown)
    assert plain.shown == [name for name in asked.shown if name not in HELD]
    apart = asked.against("hevc-ldpc").frame["frechet"]
    here, there = (
        asked.select(codecs=name).frame["frechet"] for name in ("jpeg2000-ldpc", "hevc-ldpc")
    )
    assert apart.tolist() == pytest.approx((here - there).tolist())
    best = asked.with_separate().select(codecs="separate")
    low, high = (asked.summary("gmsd").groupby("snr_db")["mean"].agg(way) for way in ("min", "max"))
    assert best.summary("gmsd")["mean"].tolist() == pytest.approx(low.tolist()) != high.tolist()
    assert set(HELD) <= set(Differences(asked, "hevc-ldpc").frame["metric"])


def test_a_table_without_one_says_how_to_get_it(plain: Table) -> None:
    for call in (
        lambda: plain.summary("vsi"),
        lambda: plain.plot("vsi"),
        lambda: plain.print(["vsi"]),
        lambda: latex(plain, "vsi"),
    ):
        refused(call, "holds no vsi: run the scenario again with --metrics vsi")
    rates = sent(cbr=[1 / 8, 1 / 4], snr_db=12)
    refused(lambda: rate_saving(rates, "hevc-ldpc", "vsi"), "holds no vsi")


def test_a_journal_knows_which_were_asked_for(asked: Table, folder: Path) -> None:
    """Those of a run are found again; a run that asks for others does not mix with it."""
    journal = folder / "journal.jsonl"
    before = journal.read_bytes()
    assert sent(ASKED[::-1], diagnosis="chest", out=folder).frame.equals(asked.frame)
    assert journal.read_bytes() == before
    fewer = sent(["vsi"], diagnosis="chest", out=folder)
    assert fewer.frame["vsi"].equals(asked.frame["vsi"]) and "gmsd" not in fewer.frame
    lines = journal.read_bytes().splitlines()
    assert len(lines) == 2 * len(before.splitlines())
    assert len({json.loads(line)["key"] for line in lines}) == len(lines)


def test_workers_that_get_pickles_measure_the_same(asked: Table) -> None:
    with ThreadPoolExecutor(2) as pool:
        again = sent(ASKED, diagnosis="chest", executor=pool)
    assert again.frame.equals(asked.frame) and again.metadata == asked.metadata


def test_what_cannot_be_measured_is_empty() -> None:
    """No segmenter, one that is no U-Net, no region, a picture that was dropped."""
    few: dict[str, Any] = {"codecs": "jpeg2000-ldpc", "snr_db": 12}
    assert sent("frechet", **few).frame["frechet"].isna().all()
    assert sent("frechet", **few, diagnosis=brighter).frame["frechet"].isna().all()
    table = scenarios.snr(
        IMAGES, None, codecs="jpeg2000-ldpc", links="awgn", snr_db=12, cbr=1 / 4, metrics=ASKED
    )
    assert table.frame[["roi_ssim", "nroi_psnr", "nroi_ssim", "frechet"]].isna().all().all()
    drops = SeparateCodec("jpeg2000", mcs=20, on_loss="drop")
    lost = sent(ASKED, codecs={"drops": drops}, snr_db=-10, diagnosis="chest").frame
    assert lost["outage"].all() and lost[[*HELD, "dice", "dice_control"]].isna().all().all()


def brighter(images: Tensor) -> Tensor:
    return (images > 0.5).float()


def test_names_are_checked(plain: Table) -> None:
    assert requested(["vsi", "psnr", "vsi"]).keys() == {"vsi"} and requested("psnr") == {}
    refused(lambda: sent("vsy"), "unknown metric 'vsy': did you mean 'vsi'")
    refused(lambda: sent(3), "metrics must be a list of str, got int")  # type: ignore[arg-type]
    refused(lambda: Table.merge([plain, sent("gmsd", snr_db=0)]), "disagree about 'definitions'")


def test_lpips_is_refused_before_any_work_and_names_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    out = tmp_path / "out"
    few: dict[str, Any] = {"codecs": "jpeg2000-ldpc", "snr_db": 12, "out": out}
    refused(lambda: sent("lpips", **few), "lpips downloads nothing")
    assert semcom_says("run", "snr", "--metrics", "lpips", "--out", out) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("semcom: error: lpips downloads nothing") and "\n" not in said
    assert not out.exists()

    weights = tmp_path / "hub" / "checkpoints" / FILES["alex"]
    weights.parent.mkdir(parents=True)
    state = alexnet(weights=None).features.state_dict()
    for factor in (1, 2):
        torch.save({f"features.{n}": factor * value for n, value in state.items()}, weights)
        table = sent("lpips", **few)
        assert table.frame["lpips"].gt(0).all()
        told = table.metadata["parameters"]["metrics"]["lpips"]
        assert told.startswith("alexnet-owt-7be5be79.pth ")
        assert len((out / "journal.jsonl").read_bytes().splitlines()) == factor * len(table)


def test_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "out"
    options = ["--codecs", "jpeg2000-ldpc,hevc-ldpc", "--link", "awgn", "--size", "64", "--limit"]
    options += ["1", "--snr", "12", "--cbr", "1/4", "--workers", "1", "--out", str(out)]
    assert semcom_says("run", "snr", *options, "--metrics", "gmsd,nroi_psnr") == 0
    assert "GMSD over awgn" in capsys.readouterr().out
    assert {"gmsd.png", "gmsd-against.png", "nroi_psnr.png"} <= {f.name for f in out.iterdir()}
    results = out / "results.csv"
    assert semcom_says("table", results) == 0
    assert "NROI-PSNR [dB] over awgn" in capsys.readouterr().out
    assert semcom_says("plot", results, "--y", "gmsd", "--out", tmp_path / "g.png") == 0
    capsys.readouterr()
    assert semcom_says("table", results, "--y", "vsi") == 2
    assert "run the scenario again with --metrics vsi" in capsys.readouterr().err
    assert semcom_says("run", "snr", *options) == 0
    assert "gmsd" not in Table.load(results).frame and not (out / "gmsd.png").exists()
    for scenario in ("snr", "satellite-pass", "ablation"):
        capsys.readouterr()
        assert semcom_says("run", scenario, "--metrics", "vsy", "--limit", "1", "--size", "64") == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert said[-1].startswith("semcom: error: unknown metric 'vsy': did you mean 'vsi'")


def test_every_scenario_takes_them() -> None:
    table = scenarios.satellite_pass(
        IMAGES, MASKS, codecs="jpeg2000-ldpc", band="ka", moments=2, cbr=1 / 4, threshold_db=5.0,
        metrics="gmsd",
    ).table  # fmt: skip
    assert table.frame["gmsd"].between(0, 1).all()
