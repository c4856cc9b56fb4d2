"""``semcom train dmic``: pre-training, transfer, and one line for what cannot be learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import semcom
from scenarios.command.cli import main
from semcom.dmic import Policy
from semcom.weightfile import stored

TRAIN = ["train", "dmic"]
SMALL = ["--size", "128", "--steps", "2", "--batch", "2"]
SHAPE = (128, 128)


def ran(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*TRAIN, *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line of what a call is answered with that is refused."""
    capsys.readouterr()
    assert ran(*arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert sum("error" in line for line in lines) == 1 and len(lines) <= 4
    return lines[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, masks, and a random policy."""
    folder = tmp_path_factory.mktemp("dmic")
    image, region = (x[0, 0].numpy() for x in semcom.data.phantoms("angiography", 1, SHAPE[0]))
    grey(folder / "a.png", image * 255)
    grey(folder / "a-mask.png", region * 255)
    grey(folder / "empty.png", np.zeros(SHAPE))
    grey(folder / "small.png", np.zeros((31, 64)))
    grey(folder / "colour.png", np.random.default_rng(0).integers(0, 255, (*SHAPE, 3)))
    torch.manual_seed(5)
    Policy().save(folder / "first.safetensors")
    return folder


def grey(path: Path, values: NDArray[Any]) -> None:
    Image.fromarray(values.astype(np.uint8)).save(path)


def test_a_pre_training_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--phantoms", "angiography:3", *SMALL]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert ran(*options, "--out", str(whole)) == 0
    said = capsys.readouterr().out
    assert f"weights: {whole / 'policy.safetensors'}, log: {whole / 'log.csv'}" in said
    assert ran(*options, "--out", str(cut), "--seconds", "1e-9") == 0
    assert "at step 1 of 2: run it again" in capsys.readouterr().err
    assert ran(*options, "--out", str(cut)) == 0
    one, other = (Policy.load(run / "policy.safetensors") for run in (whole, cut))
    assert one.fingerprint == other.fingerprint
    assert ran(*options, "--out", str(cut), "--gamma", "0.5") == 2
    assert "another plan" in capsys.readouterr().err


def test_pictures_of_a_folder_are_diagnosed_by_the_task(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("1.png", "2.png"):
        (tmp_path / "images" / name).write_bytes((folder / "a.png").read_bytes())
    options = ["--images", str(tmp_path / "images"), "--task", "angiography", *SMALL]
    first = ["--weights", str(folder / "first.safetensors")]
    assert ran(*options, *first, "--out", str(tmp_path / "run")) == 0
    assert (tmp_path / "run" / "policy.safetensors").exists()


def test_a_transfer_moves_the_head_alone(folder: Path, tmp_path: Path) -> None:
    options = ["--transfer", str(folder / "a.png"), "--mask", str(folder / "a-mask.png")]
    options += ["--task", "angiography", "--weights", str(folder / "first.safetensors"), *SMALL]
    assert ran(*options, "--out", str(tmp_path / "run")) == 0
    first, now = (
        stored(path)[0]
        for path in (folder / "first.safetensors", tmp_path / "run" / "policy.safetensors")
    )
    moved = {name for name in first if not torch.equal(first[name], now[name])}
    assert moved and all(name.startswith("head.") for name in moved)


CASES: list[tuple[list[str], str]] = [
    ([], "nothing to train on: give --images, --phantoms or --transfer"),
    (["--phantoms", "angiography:1"], "give two at least"),
    (["--phantoms", "angiograpy:2"], "did you mean 'angiography'"),
    (["--phantoms", "dental:2,dental:2"], "name each kind once"),
    (["--phantoms", "dental"], "must be KIND:COUNT"),
    (["--phantoms", "dental:2", "--task", "chest"], "--task diagnoses pictures"),
    (["--phantoms", "dental:2", "--mask", "a-mask.png"], "--mask belongs to --transfer"),
    (["--phantoms", "dental:2", "--tuned", "tail"], "unknown tuned 'tail'"),
    (["--phantoms", "dental:2", "--batch", "0"], "batch must be"),
    (["--phantoms", "dental:2", "--weights", "nowhere.safetensors"], "is not there"),
    (["--phantoms", "dental:2", "--device", "gpu"], "device must be"),
    (["--images", ".", "--task", "lungs"], "--task lungs is no segmenter"),
    (["--transfer", "a.png", "--images", "."], "learns from its picture alone"),
    (["--transfer", "a.png", "--transfer", "a.png", "--mask", "a-mask.png"], "is given 1 times"),
    (["--transfer", "nowhere.png"], "does not exist"),
    (["--transfer", "small.png"], "both sides must be at least 32"),
    (["--transfer", "colour.png"], "colour"),
    (["--transfer", "a.png", "--mask", "small.png"], "but its image is"),
    (["--transfer", "a.png", "--mask", "empty.png"], "mask empty.png is empty"),
    (["--transfer", "empty.png"], "finds nothing in empty.png"),
]


@pytest.mark.parametrize(("arguments", "message"), CASES)
def test_what_cannot_be_learned_from(
    arguments: list[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    if "--transfer" in arguments:
        arguments = [*arguments, "--task", "angiography", "--weights", "first.safetensors"]
    out = tmp_path / "run"
    assert message in refusal(capsys, "--size", "128", *arguments, "--out", str(out))
    assert not out.exists()
