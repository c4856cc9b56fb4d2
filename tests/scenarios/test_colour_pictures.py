"""RGB pictures in scenarios and on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import scenarios
import semcom
from channels import InputError
from scenarios.command.cli import main
from semcom.catalogue import TAKE_RGB


def pictures(count: int = 2, side: int = 64) -> torch.Tensor:
    """Smooth colours."""
    y, x = torch.meshgrid(*[torch.linspace(0, 3, side)] * 2, indexing="ij")
    waves = torch.stack([torch.sin(x + k) * torch.cos(y * k) for k in (1, 2, 3)])
    return torch.stack([0.5 + 0.4 * waves.roll(k, 1) for k in range(count)])


def test_every_separate_codec_takes_them_and_no_other_says_so() -> None:
    for name in semcom.codecs():
        assert (3 in semcom.codec(name).channels) == (name in TAKE_RGB), name


def test_a_comparison_in_colour() -> None:
    images = pictures()
    masks = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    masks[..., 16:48, 16:48] = True
    codecs = ["hevc-ldpc", "avif-ldpc", "jpeg2000-ldpc", "hevc-capacity"]
    table = scenarios.snr(images, masks, codecs=codecs, links="awgn", snr_db=12, cbr=1 / 8)
    frame = table.frame
    assert frame["psnr"].min() > 28
    assert frame["roi_psnr"].notna().all()
    assert frame["cbr_used"].max() <= 1 / 8
    grey = scenarios.snr(
        images.mean(1, keepdim=True), codecs="hevc-ldpc", links="awgn", snr_db=12, cbr=1 / 8
    )
    assert grey.frame["mcs"].iloc[0] == frame["mcs"].iloc[0], "channel uses are counted per sample"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"codecs": "medjscc"}, "picture 0 is RGB, medjscc takes grey images: average its"),
        ({"codecs": "hevc-ldpc", "masks": "chest"}, "segmenters take grey images: pass masks"),
        ({"codecs": "hevc-ldpc", "diagnosis": "chest"}, "leave diagnosis out"),
    ],
)
def test_what_takes_grey_alone_says_so(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.snr(pictures(1), links="awgn", snr_db=12, cbr=1 / 8, **given)  # type: ignore[arg-type]


def command(line: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("colour").mkdir()
    for index, image in enumerate(pictures()):
        samples = (image.movedim(0, -1).numpy() * 255).round().astype(np.uint8)
        Image.fromarray(samples).save(f"colour/{index}.png")
    run = "run snr --images colour --link awgn --snr 12 --cbr 1/8 --workers 1 --out out"
    assert command(f"{run} --rgb --limit 1") == 0
    table = scenarios.Table.load(tmp_path / "out" / "results.parquet")
    assert set(table.frame["codec"]) == {"hevc-ldpc", "avif-ldpc"}
    assert "1 RGB pictures (C = 3)" in capsys.readouterr().out
    assert Path("out/panel.png").exists()
    assert command("send colour/0.png --rgb --link awgn --snr 12 --cbr 1/8") == 0
    assert Path("sent.png").exists()
    capsys.readouterr()
    for refused, why in {
        run: "0.png is a colour image, which separate codecs alone take",
        f"{run} --rgb --codecs medjscc": "medjscc takes grey images",
        f"{run} --rgb --masks chest": "--masks chest is a segmenter, which takes grey pictures",
        "send --rgb": "--rgb belongs to a picture",
        "run snr --rgb": "--rgb belongs to pictures",
    }.items():
        assert command(refused) == 2
        assert why in " ".join(capsys.readouterr().err.split())
