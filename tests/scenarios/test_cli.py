"""The command line: one clear line for every bad input, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenarios.command.cli import main
from scenarios.engine.workers.cores import cores
from scenarios.options import writing
from scenarios.results.table import Table

ALONE = ["journal.jsonl", "panel.png", "psnr.png", "results.csv", "results.parquet", "roi_psnr.png"]
"""What a run of one codec writes."""

FILES = sorted([*ALONE, "psnr-against.png", "roi_psnr-against.png"])
QUICK = ["--codecs", "jpeg2000-ldpc,hevc-ldpc", "--link", "awgn", "--size", "64", "--limit", "2"]
QUICK += ["--snr", "12:15:3", "--cbr", "1/4", "--workers", "1"]


def semcom(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def grey(path: Path, shape: tuple[int, ...] = (64, 64)) -> None:
    path.parent.mkdir(exist_ok=True)
    ramp = np.linspace(0, 255, int(np.prod(shape))).reshape(shape).astype(np.uint8)
    Image.fromarray(ramp).save(path)


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("semcom: error: ")
    assert "Traceback" not in captured.err + captured.out
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--codecs", "medjsc"], "did you mean 'medjscc'"),
        (["--codecs", "hevc-ldpc", "--link", "ntn-tdl-e"], "did you mean 'ntn-tdl-"),
        (["--codecs", "hevc-ldpc", "--channel", "ntn-tdl-e"], "did you mean 'ntn-tdl-"),
        (["--codecs", "hevc-ldpc", "--channel=ntn-tdl-e"], "did you mean 'ntn-tdl-"),
        (["--codecs", "hevc-ldpc", "--link", ","], "no link to compare"),
        (["--codecs", ","], "no codec to compare"),
        (["--codecs", "hevc-ldpc,hevc-ldpc"], "name each once"),
        (["--codecs", "hevc-ldpc", "--link", "awgn,awgn"], "name each once"),
        (["--snr", "101"], "must lie in [-100, 100] dB"),
        (["--snr", "1e99999999"], "write start:stop:step"),
        (["--snr", "0:1:1e-99999999"], "write start:stop:step"),
        (["--cbr", "1e99999999"], "write a fraction or a number"),
        (["--out", ""], "name a folder"),
        (["--cbr", "-1/16"], "must be above 0"),
        (["--cbr", ","], "write a fraction or a number"),
        (["--cbr", "1/16,x"], "write a fraction or a number"),
        (["--codecs", "hevc-ldpc", "--diagnosis", "lungs"], "--diagnosis lungs is no segmenter"),
        (["--cbr", "1/0"], "write a fraction or a number"),
        (["--codecs", "hevc-ldpc", "--cbr", "9"], "cbr must lie in (0, 8]"),
        (["--snr", "0:12"], "write start:stop:step"),
        (["--snr", "12:0:2"], "write start:stop:step"),
        (["--snr", "0:nan:1"], "write start:stop:step"),
        (["--snr", "0:1:1e-4"], "too many"),
        (["--size", "31"], "--size"),
        (["--limit", "0"], "--limit"),
        (["--workers", "0"], "--workers"),
        (["--seed", "-1"], "--seed"),
        (["--codecs", "hevc-ldpc", "--masks", "."], "--images"),
        (["--sizes", "64"], "No such option: --sizes"),
        (["--codecs", "hevc-ldpc", "--images", "nowhere"], "nowhere"),
        (["--codecs", "jpeg2000-ldpc,hevc-ldpc", "--cbr", "1/4096", "--size", "64"], "raise cbr"),
    ],
)
def test_bad_options(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert semcom("run", "snr", "--workers", "1", *arguments) == 2
    assert message in error_line(capsys)
    assert not list(tmp_path.iterdir())


def _empty(folder: Path) -> None:
    folder.mkdir()


def _truncated(folder: Path) -> None:
    grey(folder / "a.png")
    whole = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(whole[: len(whole) // 2])


def _colour(folder: Path) -> None:
    grey(folder / "a.png", (64, 64, 3))


def _small(folder: Path) -> None:
    grey(folder / "a.png", (31, 64))


def _nan(folder: Path) -> None:
    folder.mkdir()
    picture = np.full((64, 64), 0.5, np.float32)
    picture[3, 3] = np.nan
    Image.fromarray(picture).save(folder / "a.tiff")


@pytest.mark.parametrize("make", [_empty, _truncated, _colour, _small, _nan])
def test_bad_pictures(make: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(make)
    make(tmp_path / "images")
    out = tmp_path / "out"
    assert semcom("run", "snr", "--images", str(tmp_path / "images"), "--out", str(out)) == 2
    error_line(capsys)
    assert not out.exists()


def test_out_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert semcom("run", "snr", *QUICK, "--out", str(tmp_path / "out")) == 2
    assert "name a folder" in error_line(capsys)
    assert (tmp_path / "out").read_text() == "mine"


def test_out_below_a_file_is_found_before_any_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.engine.sweep.transmit", lambda *_: pytest.fail("sent"))
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        assert semcom("run", "snr", *QUICK, "--out", str(out)) == 2
        assert "name a folder" in error_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_perfectly_received_picture_is_tabled_but_not_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(np.full((64, 64), 128, np.uint8)).save(tmp_path / "images" / "a.png")
    arguments = ["--images", str(tmp_path / "images"), "--out", str(tmp_path / "out")]
    assert semcom("run", "snr", *QUICK, "--codecs", "jpeg2000-ldpc", *arguments) == 0
    assert "inf" in capsys.readouterr().out
    files = {file.name for file in (tmp_path / "out").iterdir()}
    assert files == set(ALONE) - {"psnr.png", "roi_psnr.png"}


def test_a_first_picture_that_arrives_perfectly_stops_nothing(tmp_path: Path) -> None:
    """There is nothing to draw of it yet."""
    grey(tmp_path / "images" / "a.png")
    Image.fromarray(np.full((64, 64), 128, np.uint8)).save(tmp_path / "images" / "a.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "b.png")
    arguments = ["--images", str(tmp_path / "images"), "--masks", "none"]
    arguments += ["--out", str(tmp_path / "out"), "--codecs", "jpeg2000-ldpc"]
    assert semcom("run", "snr", *QUICK, *arguments) == 0


def test_run_writes_everything_and_a_second_run_finds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert semcom("run", "snr", *QUICK, "--out", str(out)) == 0
    assert "PSNR [dB] over awgn" in capsys.readouterr().out
    assert sorted(file.name for file in out.iterdir()) == FILES
    assert len(Table.load(out / "results.parquet")) == 2 * 2 * 2
    first = {name: (out / name).read_bytes() for name in FILES}

    monkeypatch.setattr("scenarios.engine.sweep.transmit", lambda *_: pytest.fail("sent again"))
    assert semcom("run", "snr", *QUICK, "--out", str(out)) == 0
    assert {name: (out / name).read_bytes() for name in FILES} == first

    monkeypatch.undo()
    for damaged in (b"", b"hello", first["panel.png"][:5000]):
        (out / "panel.png").write_bytes(damaged)
        assert semcom("run", "snr", *QUICK, "--out", str(out)) == 0
        with Image.open(out / "panel.png") as redrawn:
            redrawn.load()
            assert redrawn.info["semcom"]


def test_several_rates_and_a_diagnosis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = ["--cbr", "1/4,1/8", "--diagnosis", "chest", "--out", str(out)]
    assert semcom("run", "snr", *QUICK, "--codecs", "jpeg2000-ldpc", *options) == 0
    printed = capsys.readouterr().out
    assert "PSNR [dB] over awgn at CBR 1/8" in printed and "diagnostic Dice" in printed
    frame = Table.load(out / "results.csv").frame
    assert sorted(set(frame["cbr"])) == [1 / 8, 1 / 4]
    assert frame["dice"].between(0, 1).all()
    drawn = ["dice.png", "dice_control.png"]
    assert sorted(file.name for file in out.iterdir()) == sorted([*ALONE, *drawn])


def test_mismatch_writes_what_snr_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = [*QUICK, "--believed-snr", "13", "--out", str(out)]
    assert semcom("run", "mismatch", *options) == 0
    assert "transmitter believed 13 dB" in capsys.readouterr().out
    frame = Table.load(out / "results.parquet").frame
    assert set(frame["scenario"]) == {"mismatch"} and set(frame["believed_snr_db"]) == {13.0}
    files = {file.name for file in out.iterdir()}
    assert files - {"outage.png"} == set(FILES)
    assert semcom("run", "mismatch", *QUICK, "--codecs", "hevc-capacity", "--out", str(out)) == 2
    assert "is a bound and believes nothing" in error_line(capsys)


def test_no_file_name_reaches_the_results(tmp_path: Path) -> None:
    grey(tmp_path / "images" / "Doe^Jane.png")
    out = tmp_path / "out"
    images = str(tmp_path / "images")
    options = [*QUICK, "--images", images, "--masks", "none", "--out", str(out)]
    assert semcom("run", "snr", *options) == 0
    assert all(b"Doe" not in file.read_bytes() for file in out.iterdir())
    assert not (out / "roi_psnr.png").exists()


def test_interrupt_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.sweep, "run", interrupted)
    assert semcom("run", "snr", *QUICK, "--out", str(tmp_path / "out")) == 130
    assert capsys.readouterr().err.strip().endswith("run again to go on")


@pytest.mark.skipif(sys.platform != "linux" or cores() < 2, reason="looks for two workers in /proc")
def test_ctrl_c_reaches_no_worker(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to the workers too, here while they still import PyTorch."""
    command = [sys.executable, "-m", "scenarios", "run", "snr", *QUICK]
    command += ["--out", str(tmp_path / "out"), "--trials", "999"]
    run = subprocess.Popen(
        [*command, "--workers", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    deadline = time.monotonic() + 200
    while run.poll() is None and len(children.read_text().split()) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    os.killpg(run.pid, signal.SIGINT)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 130, errors
    assert errors.strip().splitlines() == [
        "semcom: interrupted; what was finished is kept, run again to go on"
    ]


def test_help_is_quick_and_info_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    imported = "import sys, scenarios.command.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imported], check=False).returncode == 0
    assert semcom("info") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("ntn-tdl-c", "jpeg2000-ldpc", "torch"))
    assert semcom("--help") == 0


@pytest.mark.parametrize("scenario", ["snr", "bandwidth", "ablation", "satellite-pass", None])
def test_help_counts_rates_by_image_samples(
    scenario: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert semcom(*(["send"] if scenario is None else ["run", scenario]), "--help") == 0
    told = capsys.readouterr().out
    assert "channel uses per image sample (H·W·C)" in told and "per pixel" not in told


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"semcom {version('semcom')}\n"


@pytest.mark.parametrize(
    ("device", "message"),
    [("cuda:99", "device 'cuda:99' is not there"), ("gpu", "device must be 'cpu', 'cuda' or")],
)
@pytest.mark.parametrize("what", ["deepjscc", "medjscc", "segmenter"])
def test_a_device_that_is_not_there(
    what: str, device: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", what, "--device", device])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and error.count("\n") == 1
