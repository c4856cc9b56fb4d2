"""One picture through one link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import semcom.data
from channels import InputError
from scenarios import send
from scenarios.command.cli import main
from semcom.data import load_folder, load_image


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["send", *[str(argument) for argument in arguments]])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def file(tmp_path: Path) -> Path:
    drawn = semcom.data.phantoms("chest", n=1, size=96, seed=3)[0][0, 0]
    Image.fromarray((drawn.numpy() * 255).astype(np.uint8)).save(tmp_path / "Doe^Jane.png")
    return tmp_path / "Doe^Jane.png"


def test_a_picture_is_loaded_as_its_folder_loads_it(file: Path) -> None:
    Image.new("L", (96, 96), 255).save(file.parent / "mask.png")
    image, mask = load_image(file, file.parent / "mask.png", size=64)
    assert torch.equal(image, load_folder(file.parent, size=64, limit=1)[0])
    assert mask is not None
    assert mask.shape == image.shape == (1, 1, 64, 64)
    assert mask.all()
    with pytest.raises(InputError, match="is a folder: pass a file"):
        load_image(file.parent)
    with pytest.raises(InputError, match="'none' does not exist"):
        load_image(file, "none")


def test_what_is_sent_is_what_a_link_carries(file: Path) -> None:
    image, _ = load_image(file)
    codec = semcom.codec("jpeg2000-ldpc")
    sent = send(image, codecs=codec, link="awgn", snr_db=12.0, cbr=1 / 4, seed=5)
    again = send(image, codecs=codec, link="awgn", snr_db=12.0, cbr=1 / 4, seed=5)
    out, measured = sent.received["jpeg2000-ldpc"]
    assert torch.equal(out, again.received["jpeg2000-ldpc"][0])
    assert measured["psnr"] == pytest.approx(float(semcom.metrics.psnr(out[None], image)), abs=1e-4)
    assert sent.on_air_s == pytest.approx(14 * (1 / 15e3 + 144 / 2048 / 15e3))
    assert (
        "2304 channel uses (CBR 1/4), 0.999 ms on air in whole slots at 4.5 MHz" in sent.lines()[0]
    )


@pytest.mark.parametrize("several", [{"link": ["awgn", "rayleigh"]}, {"snr_db": [1.0, 2.0]}])
def test_one_picture_takes_one_link(file: Path, several: dict[str, list[object]]) -> None:
    image, _ = load_image(file)
    with pytest.raises(InputError, match="over one link"):
        send(image, **several)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one picture"):
        send(torch.cat([image, image]))


def test_semcom_send_draws_before_and_after(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.parent / "sent.png"
    options = ["--codecs", "jpeg2000-ldpc", "--link", "awgn", "--snr", "12", "--cbr", "1/4"]
    assert command(file, *options, "--out", out) == 0
    line = capsys.readouterr().out
    assert line.startswith("jpeg2000-ldpc over awgn at 12 dB: PSNR")
    assert "ROI-PSNR" in line
    with Image.open(out) as drawn:
        assert drawn.width > 600
    assert b"Doe" not in out.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.png"], "does not exist: pass a file"),
        (["--mask", "none"], "--mask belongs to a picture"),
        (["Doe^Jane.png", "--mask", "lungs"], "'lungs' does not exist"),
        (["--codec", "vvc"], "unknown codec 'vvc'"),
        (["--link", "geo"], "unknown link 'geo'"),
        (["--cbr", "0"], "above 0"),
        (["--codec", "jpeg2000-ldpc", "--size", "64", "--cbr", "1/1000"], "jpeg2000-ldpc"),
        (["--codec", "jpeg2000-ldpc", "--size", "64", "--cbr", "1", "--out", "a.xyz"], "a.xyz"),
    ],
)
def test_semcom_send_refuses_with_one_line(
    file: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(file.parent)
    assert command(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error.splitlines()[-1]
    assert [path.name for path in file.parent.iterdir()] == ["Doe^Jane.png"]
