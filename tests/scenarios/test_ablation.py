"""Med-JSCC taken apart: other masks for the encoder, paired differences, the scenario."""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from rich.console import Console
from scipy import stats
from torch import Tensor

import channels
import scenarios
import semcom
from channels import InputError
from scenarios import Table
from scenarios.command.cli import main
from scenarios.comparisons.ablation import MEANINGS, WHOLE, parts
from scenarios.comparisons.mask_override import FoundMask, MaskOverride, NoMask, SpoiltMask
from scenarios.results.columns import COLUMNS
from scenarios.results.differences import Differences
from semcom.medjscc import MedJSCC
from semcom.segmentation import UNetSegmenter, corrupt


@pytest.fixture(scope="module")
def phantoms() -> tuple[Tensor, Tensor]:
    return semcom.data.phantoms("chest", n=2, size=64, seed=0)


@pytest.fixture(scope="module")
def small() -> MedJSCC:
    torch.manual_seed(0)
    return MedJSCC((8, 8, 8), (8,) * 6).eval().requires_grad_(False)


def bright(images: Tensor) -> Tensor:
    return (images > 0.5).float()


OVERRIDES = {
    "none": NoMask(),
    "found": FoundMask(bright),
    "grown": SpoiltMask(dilate=0.05),
    "moved": SpoiltMask(shift=(0.1, -0.1)),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_guided_codec_sends_what_the_codec_sends_with_that_mask(
    name: str, phantoms: tuple[Tensor, Tensor]
) -> None:
    images, masks = phantoms
    expected = {
        "none": None,
        "found": images > 0.5,
        "grown": corrupt(masks, dilate=3),
        "moved": corrupt(masks, shift=(6, -6)),
    }[name]
    codec, link = semcom.codec("hevc-roi-ldpc"), channels.link("awgn")
    guided = MaskOverride(codec, OVERRIDES[name]).adapted(link)
    point: dict[str, float] = {"cbr": 1 / 2, "snr_db": 12.0}
    sent = guided.encode(images, roi=masks, **point)
    plain = codec.adapted(link).encode(images, roi=expected, **point)
    assert torch.equal(sent.symbols, plain.symbols) and sent.session == plain.session
    rx = link(sent, snr_db=12.0, seed=0)
    assert torch.equal(guided.decode(rx), codec.decode(rx))
    if expected is not None:
        assert not torch.equal(sent.symbols, codec.encode(images, roi=masks, **point).symbols)


def test_guided_codec_says_what_it_is_and_travels(phantoms: tuple[Tensor, Tensor]) -> None:
    codec = semcom.codec("hevc-roi-ldpc")
    guides = [*OVERRIDES.values(), SpoiltMask(dilate=0.06), FoundMask(UNetSegmenter())]
    told = [MaskOverride(codec, guide).fingerprint for guide in guides]
    assert len(set(told)) == len(told)
    assert all(str(getattr(codec, "fingerprint")) in words for words in told)  # noqa: B009
    images, masks = phantoms
    for guide in OVERRIDES.values():
        guided = MaskOverride(codec, guide)
        again = pickle.loads(pickle.dumps(guided))
        assert again.fingerprint == guided.fingerprint
        way: dict[str, Any] = {"cbr": 1 / 2, "snr_db": 12.0, "roi": masks}
        assert torch.equal(
            again.encode(images, **way).symbols, guided.encode(images, **way).symbols
        )


def test_spoilt_masks_are_shares_of_the_longer_side_and_drawn_by_picture() -> None:
    masks = torch.zeros(1, 1, 64, 128, dtype=torch.bool)
    masks[..., 20:40, 20:40] = masks[..., 20:40, 60:80] = True
    images = torch.rand(40, 1, 64, 128, generator=torch.Generator().manual_seed(0))
    spoil = SpoiltMask(drop=0.5)
    grown = SpoiltMask(dilate=0.03)(images[:1], masks)
    assert grown is not None and torch.equal(grown, corrupt(masks, dilate=4))
    assert spoil(images, None) is None
    many = spoil(images, masks.expand(40, -1, -1, -1))
    assert many is not None
    kept = many[:, 0, 30, [30, 70]].sum().item()
    assert stats.binomtest(int(kept), 80, 0.5).pvalue > 1e-4
    assert torch.equal(spoil(images[3:4], masks), many[3:4])  # type: ignore[arg-type]


def results(losses_db: dict[str, list[float]], lost: int = 0) -> Table:
    """Two trials at two points of each picture; every part loses as told."""
    draws = np.random.default_rng(0)
    base = draws.normal(30, 4, (len(losses_db[WHOLE]), 2, 2))
    rows = [
        {name: 0 for name, column in COLUMNS.items() if not column.on_request}
        | {"codec": part, "link": "awgn", "cbr": 1 / 16, "snr_db": 6.0 * point, "image": image}
        | {"trial": trial, "psnr": base[image, point, trial] - loss}
        | dict.fromkeys(("roi_psnr", "dice", "dice_control"))
        | {"outage": part != WHOLE and image < lost and point == 0 and trial == 0}
        for part, losses in losses_db.items()
        for image, loss in enumerate(losses)
        for point in range(2)
        for trial in range(2)
    ]
    return Table(pd.DataFrame(rows), {})


def test_differences_are_paired_and_their_intervals_students() -> None:
    losses = [1.0, 1.5, 0.5, 2.0]
    found = Differences(results({WHOLE: [0.0] * 4, "part": losses}), WHOLE).frame
    psnr = found[found["metric"] == "psnr"]
    assert psnr["snr_db"].tolist()[:2] == [0, 6] and math.isnan(psnr["snr_db"].iloc[2])
    expected = stats.ttest_1samp([-loss for loss in losses], 0).confidence_interval(0.95)
    for _, row in psnr.iterrows():
        assert row["n"] == 4
        assert row["mean"] == pytest.approx(-1.25)
        assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert found.loc[found["metric"] == "roi_psnr", "mean"].isna().all()


def test_outage_differs_as_a_share_of_transmissions() -> None:
    found = Differences(results({WHOLE: [0.0] * 4, "part": [0.0] * 4}, lost=2), WHOLE).frame
    outage = found[found["metric"] == "outage"]["mean"].tolist()
    assert outage == pytest.approx([0.25, 0, 0.125])


def test_differences_are_printed_drawn_and_saved(tmp_path: Path) -> None:
    found = Differences(
        results({WHOLE: [0.0] * 3, "no mask": [1.0] * 3, "no CAU": [-2.0] * 3}, lost=3),
        WHOLE,
        {"no CAU": "without the unit"},
    )
    console = Console(record=True, width=100, file=io.StringIO())
    found.print(console)
    text = console.export_text()
    assert "difference to whole over awgn" in text and "without the unit" in text
    assert "-1.00 ±0.00" in text and "+2.00 ±0.00" in text and "+25.0 ±0.0" in text
    assert "ROI" not in text.splitlines()[2]
    figure = found.plot(tmp_path / "differences.png")
    assert [axis.get_xlabel() for axis in figure.axes] == ["PSNR [dB]", "lost [%]"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["no mask", "no CAU"]
    dots = figure.axes[0].get_lines()[1].get_xdata()
    assert dots == pytest.approx([-1, 2])
    with Image.open(tmp_path / "differences.png") as drawn:
        assert min(drawn.size) > 200
    found.save(tmp_path / "differences.csv")
    saved = pd.read_csv(tmp_path / "differences.csv")
    assert saved["mean"].to_numpy() == pytest.approx(found.frame["mean"].to_numpy(), nan_ok=True)
    for call in (found.save, found.plot):
        with pytest.raises(InputError, match="name it"):
            call(tmp_path / "differences.txt")


def test_one_picture_has_differences_and_no_interval() -> None:
    found = Differences(results({WHOLE: [0.0], "part": [1.0]}), WHOLE)
    console = Console(record=True, width=200, file=io.StringIO())
    found.print(console)
    text = console.export_text()
    assert "±" not in text and "part minus whole. SNR: 0, 6 dB." in text
    words = " ".join(" ".join(text.get_text() for text in found.plot().texts).split())
    assert "mean over 1 picture of part minus whole" in words and "intervals" not in words


def test_differences_need_a_whole_and_one_rate() -> None:
    table = results({WHOLE: [0.0], "part": [1.0]})
    with pytest.raises(InputError, match="unknown scheme 'hole'"):
        Differences(table, "hole")
    other = table.frame.assign(cbr=1 / 8)
    with pytest.raises(InputError, match="several rates"):
        Differences(Table(pd.concat([table.frame, other]), {}), WHOLE)


def test_each_part_is_the_codec_with_that_option(small: MedJSCC) -> None:
    found = parts(small, bright)
    assert list(found) == list(MEANINGS)
    told = {part: getattr(codec, "fingerprint") for part, codec in found.items()}  # noqa: B009
    assert len(set(told.values())) == len(told)
    assert told["no CAU"] == small.with_options(channel_adaptive=False).fingerprint
    assert told["no header protection"] == small.with_options(header_margin_db=0.0).fingerprint
    assert told["no learned synthesis"] == small.with_options(learned_synthesis=False).fingerprint
    assert told["no analogue part"] == small.with_options(digital_only=True).fingerprint
    assert told["fixed rate"] == small.with_options(equal_rates=True).fingerprint
    assert "found mask" not in parts(small, None)
    for wrong in ("hevc-ldpc", semcom.codec("jpeg2000-ldpc")):
        with pytest.raises(InputError, match="takes Med-JSCC apart"):
            parts(wrong, None)


def test_ablation_measures_all_in_the_same_masks(
    small: MedJSCC, phantoms: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    images, masks = phantoms
    options: dict[str, Any] = {"codec": small, "links": "awgn", "snr_db": 12, "cbr": 1 / 4}
    found = scenarios.ablation(images, masks, segmenter=bright, **options, out=tmp_path)
    frame = found.table.frame
    assert list(dict.fromkeys(frame["codec"])) == list(MEANINGS)
    assert (frame["cbr"] == 1 / 4).all() and frame["roi_psnr"].notna().all()
    assert found.frame["part"].nunique() == len(MEANINGS) - 1
    blind = scenarios.snr(
        images,
        masks,
        codecs={"a": MaskOverride(small, NoMask())},
        links="awgn",
        snr_db=12,
        cbr=1 / 4,
    ).frame
    ours = frame[frame["codec"] == "no mask"]
    assert ours["roi_psnr"].tolist() == pytest.approx(blind["roi_psnr"].tolist(), abs=1.0)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    again = scenarios.ablation(images, masks, **options, out=tmp_path)
    assert (tmp_path / "journal.jsonl").read_text().splitlines() == lines
    rest = frame[frame["codec"] != "found mask"].reset_index(drop=True)
    assert again.table.frame.equals(rest)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"masks": None}, "needs regions of interest"),
        ({"codec": "hevc-ldpc"}, "takes Med-JSCC apart"),
        ({"segmenter": "lungs"}, "unknown segmenter 'lungs'"),
        ({"segmenter": 3}, "segmenter must be a segmenter"),
        ({"cbr": [1 / 4, 1 / 8]}, "cbr must lie in"),
    ],
)
def test_bad_arguments(
    changes: dict[str, Any], words: str, small: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    arguments: dict[str, Any] = {"masks": phantoms[1], "codec": small, "links": "awgn"}
    with pytest.raises(InputError, match=words):
        scenarios.ablation(phantoms[0], **(arguments | changes))


def test_command_line(small: MedJSCC, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.save(tmp_path / "small.safetensors")
    out = tmp_path / "out"
    arguments = ["run", "ablation", "--weights", str(tmp_path / "small.safetensors")]
    arguments += ["--limit", "2", "--size", "64", "--link", "awgn", "--snr", "12"]
    arguments += ["--cbr", "1/4", "--workers", "1", "--out", str(out), "--segmenter", "chest"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "difference to whole over awgn" in capsys.readouterr().out
    written = ["differences.csv", "differences.png", "journal.jsonl", "results.csv"]
    assert sorted(file.name for file in out.iterdir()) == [*written, "results.parquet"]
    assert len(Table.load(out / "results.parquet")) == 2 * len(MEANINGS)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--segmenter", "lungs"])
    assert ended.value.code == 2
    assert "--segmenter lungs is no segmenter" in capsys.readouterr().err
