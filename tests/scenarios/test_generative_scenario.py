"""The scenario ``generative``: words on the same draws, channel uses by part, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

import scenarios
import semcom
from scenarios.command.cli import main
from scenarios.comparisons import generative as scenario
from scenarios.results.table import Table
from semcom.generative import Generative, Generator
from semcom.generative.captioner import Measured, OfAnother, Silent
from tests.refusals import refused

SIDE = 128


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    images, masks = semcom.data.phantoms("chest", n=2, size=SIDE, seed=5)
    images[1, :, : SIDE // 4] = 0.0  # other words than the first
    return images, masks


@pytest.fixture(scope="module")
def codec() -> Generative:
    torch.manual_seed(0)
    generator = Generator((8, 8, 8, 8)).eval().requires_grad_(False)
    for parameter in generator.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    return Generative("chest", generator=generator)


def test_words_are_compared_on_the_same_draws_and_the_region_does_not_feel_them(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    words = ("right", "none", "other")
    ways = {"codecs": {"mine": codec}, "links": "awgn", "snr_db": 12, "cbr": 1 / 16}
    grid = scenario.plan(*pictures, **ways, words=words)  # type: ignore[arg-type]
    parts = scenarios.generative(*pictures, **ways, words=words)  # type: ignore[arg-type]
    frame = parts.table.frame
    assert list(dict.fromkeys(frame["codec"])) == ["mine", "mine, no words", "mine, other words"]
    assert len({task.draw for task in grid.tasks()}) == 2, "one for each picture"
    by_codec = frame.pivot(index="image", columns="codec", values=["psnr", "roi_psnr"])
    spread = by_codec.T.groupby(level=0).agg(lambda values: values.max() - values.min()).T
    assert (spread["roi_psnr"] < 0.2).all() and (spread["psnr"] > 0).all()
    worth = scenario.worth_of_words(parts.table, grid.codecs)
    assert set(worth) == {"mine"} and worth["mine"].anchor == "mine"
    differences = worth["mine"].frame.query("codec == 'mine, no words'")["psnr"].to_numpy()
    by_hand = by_codec["psnr"]["mine, no words"] - by_codec["psnr"]["mine"]
    assert differences == pytest.approx(by_hand.to_numpy())
    assert frame["nroi_psnr"].notna().all() and frame["frechet"].isna().all(), "no diagnosis"
    assert ((frame["painted"] > 0) & (frame["painted"] < 1)).all()
    assert not frame["words_lost"].any()
    assert set(parts.frame["codec"]) == {"mine"}, "words of all three take as many channel uses"
    assert float(parts.frame["uses"].sum()) == pytest.approx(SIDE**2 / 16)
    assert (parts.frame["uses"] > 0).all()


def test_other_words_are_those_of_the_next_picture(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = pictures
    right = Measured("frontal chest X-ray")(images, codec.key_region(masks))
    assert right[0] != right[1]
    grid = scenario.plan(
        images, masks, codecs={"mine": codec}, links="awgn", snr_db=12, cbr=1 / 16, words="other"
    )
    (other,) = grid.codecs.values()
    assert isinstance(other, Generative)
    assert other.captioner(images, masks) == right[::-1]
    assert other.captioner(images[1:], masks[1:]) == right[:1], "whatever the batch"
    assert other.captioner(images[:1] * 0.5, masks[:1]) == right[:1], "one that is not among them"
    again = OfAnother(codec.captioner, list(zip(images, codec.key_region(masks), strict=True)))
    of_one = OfAnother(codec.captioner, [(images[0], masks[0])] * 2)
    assert other.fingerprint == codec.saying(again).fingerprint
    prints = [codec, other, codec.saying(Silent()), codec.saying(of_one)]
    assert len({one.fingerprint for one in prints}) == 4


def test_a_coarse_picture_takes_no_outline(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    tx = codec.encode(pictures[0], cbr=1 / 64, snr_db=-6.0, roi=pictures[1])
    for parts, used in zip(codec.uses_by_part(tx), tx.used.tolist(), strict=True):
        assert parts["words"] == parts["outline"] == parts["key"] == 0
        assert parts["header"] + parts["coarse"] == used


def test_what_makes_no_comparison_is_refused(
    codec: Generative, pictures: tuple[Tensor, Tensor]
) -> None:
    images, masks = pictures
    empty = masks.clone()
    empty[1] = False

    def asked(images: Tensor, masks: Tensor | None, **changes: object) -> None:
        ways = {"codecs": {"mine": codec}, "links": "awgn", "snr_db": 12, "cbr": 1 / 16}
        scenarios.generative(images, masks, **ways | changes)  # type: ignore[arg-type]

    refused(lambda: asked(images, None), "picture 0 has no region of interest, which mine sends")
    refused(lambda: asked(images, empty), "picture 1 has no region of interest")
    refused(lambda: asked(images, masks, words="wrong"), "unknown words 'wrong'")
    refused(lambda: asked(images, masks, words=[]), "words are empty")
    refused(lambda: asked(images, masks, codecs="medjscc", words="none"), "no codec sends words")
    refused(lambda: asked(images[:1], masks[:1], words="other"), "need two pictures")
    refused(lambda: asked(images.expand(2, 3, SIDE, SIDE), masks), "takes grey images")


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    options = "--limit 2 --size 64 --link awgn --snr 12 --cbr 1/8 --workers 1"
    words = ["--words", "right,none", "--codecs", "generative"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "generative", *options.split(), *words, "--out", str(out)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "channel uses of generative over awgn at CBR 1/8" in said
    assert "PSNR over generative's" in said
    table = Table.load(out / "results.parquet")
    assert list(dict.fromkeys(table.frame["codec"])) == ["generative", "generative, no words"]
    assert table.frame[["vsi", "frechet", "nroi_ssim", "dice"]].notna().all(axis=None)
    parts = pd.read_csv(out / "parts.csv")
    assert parts.groupby("snr_db")["uses"].sum().round().tolist() == [512]
    lacking = Table.load(out / "generative-words.csv")
    assert set(lacking.frame["codec"]) == {"generative, no words"}
    with Image.open(out / "panel-low.png") as low, Image.open(out / "panel.png") as panel:
        low.load()
        panel.load()
        for drawn in (low, panel):
            told = str(drawn.info["Description"]).splitlines()
            assert [line.split(": ")[0] for line in told] == ["generative", "generative, no words"]


def test_all_codecs_are_those_that_can_do_without_masks(tmp_path: Path) -> None:
    drawn = (semcom.data.phantoms("chest", n=1, size=64)[0][0, 0] * 255).byte()
    (tmp_path / "in").mkdir()
    Image.fromarray(drawn.numpy()).save(tmp_path / "in" / "a.png")
    folders = ["--images", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    options = "--masks none --codecs all --link awgn --snr 12 --cbr 1/4 --workers 1"
    with pytest.raises(SystemExit) as ended:
        main(["run", "snr", *options.split(), *folders])
    assert ended.value.code == 0
    held = set(Table.load(tmp_path / "out" / "results.parquet").frame["codec"])
    assert held == set(semcom.codecs()) - {"generative"}
