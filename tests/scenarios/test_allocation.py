"""Ways to allocate HEVC's bits: the same frame from one process and two, kept, drawn, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import scenarios
import semcom
from scenarios.command.cli import app
from scenarios.comparisons.allocation import dmic as allocation
from scenarios.comparisons.allocation.allocations import Allocations
from semcom.dmic import Policy, search, units
from semcom.image_coders import hevc
from tests.refusals import refused

WAYS: dict[str, Any] = {"base_qps": (31, 40, 49), "preset": "ultrafast"}


def bright(images: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(20 * (images - 0.55))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.cat([*semcom.data.phantoms("angiography", n=2, size=128, seed=3)[0][:, None]])


@pytest.fixture(scope="module")
def coded(images: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Allocations:
    torch.manual_seed(0)
    return scenarios.dmic(
        images, segmenter=bright, ways=["two levels", "low-pass"], policies={"mine": Policy()},
        out=tmp_path_factory.mktemp("coded"), **WAYS,
    )  # fmt: skip


def test_defaults_are_those_of_what_codes() -> None:
    """They stand in the scenario too, so that its options are told without loading PyTorch."""
    defaults = (allocation.BASE_QPS, allocation.PRESET, allocation.ENCODES)
    assert defaults == (units.BASE_QPS, hevc.PRESET, search.ENCODES)


def test_every_way_is_coded_and_the_coarser_saves(coded: Allocations) -> None:
    frame = coded.frame
    assert list(dict.fromkeys(frame["way"])) == [
        "anchor",
        "two levels",
        "low-pass (extension)",
        "mine",
    ]
    assert len(frame) == 2 * 4 * 3 * 2, "images, ways, base QPs, observers"
    sizes = frame.pivot_table(index=["image", "base_qp"], columns="way", values="bytes")
    assert (sizes["two levels"] <= sizes["anchor"]).all()
    pd.testing.assert_series_equal(sizes["mine"], sizes["anchor"], check_names=False)
    assert (frame[frame["way"] == "mine"]["mean_qp_offset"] == 0).all(), "untrained: the anchor"
    own = coded.savings[(coded.savings["way"] == "mine") & coded.savings["saving"].notna()]
    assert len(own)
    np.testing.assert_allclose(own["saving"], 0, atol=1e-9)


def test_extensions_stand_beside_what_they_extend(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    ways: dict[str, Any] = {"segmenter": bright, "policies": {"flat": Policy()}, **WAYS}
    frame = scenarios.dmic(images, ways=["low-pass", "picture QP"], **ways).frame
    assert list(dict.fromkeys(frame["way"])) == [
        "anchor",
        "low-pass (extension)",
        "flat",
        "low-pass, picture QP (extension)",
        "flat, picture QP (extension)",
    ]
    moved = frame[frame["way"] == "flat, picture QP (extension)"].groupby(["image", "base_qp"])
    offsets = moved["mean_qp_offset"].first()
    assert set(offsets) <= set(range(-9, 10, 3)) | {2, 5, 8}, "one QP everywhere, to 51"


def test_a_second_run_codes_nothing(
    images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: dict[str, Any] = {
        "segmenter": bright,
        "ways": "two levels",
        "policies": {},
        "out": tmp_path,
        **WAYS,
    }
    first = scenarios.dmic(images, **ways)
    monkeypatch.setattr("scenarios.comparisons.allocation.coding.curve", None)
    pd.testing.assert_frame_equal(scenarios.dmic(images, **ways).frame, first.frame)


def test_two_processes_find_what_one_does(images: torch.Tensor) -> None:
    ways: dict[str, Any] = {"ways": "two levels", "policies": {}, **WAYS}
    one = scenarios.dmic(images, **ways)
    pd.testing.assert_frame_equal(scenarios.dmic(images, workers=2, **ways).frame, one.frame)


def test_the_command_writes_all(tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = [
        "run",
        "dmic",
        "--limit",
        "2",
        "--size",
        "64",
        "--preset",
        "ultrafast",
        "--workers",
        "1",
    ]
    result = CliRunner().invoke(
        app, [*told, "--base-qps", "31,40,49", "--ways", "two levels", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    for name in ("dmic.csv", "dmic.png", "maps.png", "results.parquet", "results.csv"):
        assert (out / name).stat().st_size > 0


def test_what_cannot_be_is_said(images: torch.Tensor, tmp_path: Path) -> None:
    refused(lambda: scenarios.dmic(images, ways="three levels"), "unknown way")
    refused(lambda: scenarios.dmic(images.expand(-1, 3, -1, -1)), "RGB")
    refused(lambda: scenarios.dmic(images, base_qps=[31, 40]), "three rising")
    refused(lambda: scenarios.dmic(images, policies={"a": tmp_path / "no.safetensors"}), "no.saf")
    refused(lambda: scenarios.dmic(images, observers={"control": bright}), "label is taken")
    twice = {"a": Policy(), "a, picture QP (extension)": Policy()}
    refused(lambda: scenarios.dmic(images, policies=twice), "label is taken")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"ways": 3}, "ways must be names"), ({"policies": ["a"]}, "policies must be a mapping")],
)
def test_arguments_of_another_kind_are_refused(wrong: dict[str, Any], told: str) -> None:
    image = torch.full((1, 1, 64, 64), 0.2)
    refused(lambda: scenarios.dmic(image, segmenter=lambda images: images, **wrong), told)
