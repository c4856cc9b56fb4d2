"""One picture through one link."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.contour import ContourSet
from PIL import Image

import semcom.data
from channels import InputError
from scenarios import send
from scenarios.command.cli import main
from scenarios.comparisons.send import Sent
from scenarios.engine.made_up import description
from semcom.data import load_folder, load_image
from semcom.generative import Generative, Generator
from semcom.generative.captioner import Silent
from semcom.scheme import MadeUp


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


@pytest.fixture(scope="module")
def painting() -> Generative:
    torch.manual_seed(0)
    generator = Generator((8, 8, 8, 8)).eval().requires_grad_(False)
    return Generative("chest", generator=generator)


def painted_panel(sent: Sent, path: Path) -> dict[str, object]:
    sent.plot(path)
    with Image.open(path) as drawn:
        drawn.load()
        return dict(drawn.info)


def test_a_figure_says_what_was_painted_and_from_which_words(
    painting: Generative, tmp_path: Path
) -> None:
    image, mask = semcom.data.phantoms("chest", n=1, size=128, seed=3)
    ways = {"link": "awgn", "snr_db": 12.0, "cbr": 1 / 16}
    codecs = {"mine": painting, "plain": "jpeg2000-ldpc", "silent": painting.saying(Silent())}
    sent = send(image, mask, codecs=codecs, **ways)  # type: ignore[arg-type]
    made_up = sent.made_up["mine"]
    assert set(sent.made_up) == {"mine", "silent"}
    assert not bool((made_up.painted & mask).any()) and 0 < made_up.shares[0] < 1
    (text,) = made_up.texts
    assert text is not None and text.startswith("frontal chest X-ray; ")
    share = f"{made_up.shares[0]:.0%}".replace("%", " %")
    told = painted_panel(sent, tmp_path / "sent.png")
    assert told["Description"] == (
        f"mine: {share} painted from the words: {text}\nsilent: {share} painted without words"
    )
    assert sent.lines()[0].endswith(f"{share} painted from the words: {text}")
    assert "painted" not in sent.lines()[1]
    figure = sent.plot()
    received, errors = figure.axes[1], figure.axes[5]
    assert received.get_title() == "mine"
    drawn = [c for c in received.collections if isinstance(c, ContourSet) and c.hatches[0]]
    assert len(drawn) == 1, "the border of what was painted is hatched"
    assert errors.get_xlabel().replace("\n", " ") == f"{share} painted from the words: {text}"
    assert any("Hatched: where what a generator painted" in t.get_text() for t in figure.texts)
    plain = send(image, mask, codecs="jpeg2000-ldpc", **ways)  # type: ignore[arg-type]
    assert "painted" not in sent.received["mine"][1], "measured on request alone"
    assert "Description" not in painted_panel(plain, tmp_path / "plain.png")
    assert not any("Hatched" in t.get_text() for t in plain.plot().texts)


def test_nothing_painted_is_said_and_words_stay_on_their_line(painting: Generative) -> None:
    image, mask = semcom.data.phantoms("chest", n=1, size=64, seed=3)
    sent = send(image, mask, codecs=painting, link="awgn", snr_db=-10.0, cbr=1 / 16)
    assert sent.received["generative"][1]["outage"]
    assert sent.lines()[0].endswith("lost, nothing painted")
    wild = MadeUp(torch.ones(1, 1, 4, 4) > 0, ["a\nb\x1b[31m" + 1000 * " c"])
    said = description({"mine": wild})
    assert said.startswith("mine: 100 % painted from the words: a b[31m c c") and len(said) < 700
    assert said.isprintable()


def test_semcom_send_paints(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.parent / "sent.svg"
    ways = ["--link", "awgn", "--snr", "12", "--cbr", "1/16", "--out", out]
    assert command("--codecs", "generative", "--size", "128", *ways) == 0
    assert " painted from the words: frontal chest X-ray" in capsys.readouterr().out
    assert "frontal chest X-ray" in out.read_text("utf-8")
    assert command(file, "--mask", "none", "--codecs", "generative", *ways) == 2
    assert "picture 0 has no region of interest, which generative sends" in capsys.readouterr().err


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
