"""Where masks come from: shipped segmenters, training from the command line, scenarios."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import semcom
from channels import InputError
from scenarios.command.cli import main
from scenarios.engine import inputs
from semcom.segmentation import Segmenter, UNetSegmenter
from semcom.segmentation.fidelity import diagnostic_dice
from semcom.training.crops import Sample
from semcom.training.segmentation.few_labels import few_labels

MEGABYTE = 2**20


@pytest.mark.parametrize("name", semcom.segmenters())
def test_shipped_segmenters_are_small_and_find_what_phantoms_show(name: str) -> None:
    segmenter, task = semcom.segmenter(name), name.partition("-")[0]
    assert isinstance(segmenter, Segmenter) and segmenter.task == task
    assert sum(value.numel() for value in segmenter.parameters()) <= 2e6
    weights = Path(semcom.__file__).parent / "weights"
    assert (weights / f"segmenter-{name}.safetensors").stat().st_size <= 8 * MEGABYTE
    assert (weights / f"segmenter-{name}.md").exists()
    images, masks = semcom.data.phantoms(task, n=4, size=256, seed=77)
    assert semcom.metrics.dice(segmenter(images) > 0.5, masks).mean() > 0.6


def test_a_segmenter_is_named_or_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'chest'"):
        semcom.segmenter("chset")
    mine = tmp_path / "mine.safetensors"
    UNetSegmenter("hands", 64, 8).save(mine)
    assert semcom.segmenter(weights=mine).task == semcom.segmenter("hands", mine).task == "hands"
    with pytest.raises(InputError, match="a segmenter of hands, not chest"):
        semcom.segmenter("chest", weights=mine)


# --- A set divided -------------------------------------------------------------------------------


def sample(value: float, masked: bool = True) -> Sample:
    image = torch.full((1, 32, 32), value)
    return image, (image > -1) if masked else None


def test_few_labels_divides_a_set_without_overlap() -> None:
    samples = [sample(i / 20, i % 4 > 0) for i in range(20)]
    few = few_labels(samples, labelled=0.25, validation=0.2, seed=3)
    assert [len(part) for part in few] == [3, 14, 3]
    seen = [float(s[0].mean()) for s in [*few.labelled, *few.validation]]
    seen += [float(image.mean()) for image in few.unlabelled]
    assert sorted(seen) == sorted(float(image.mean()) for image, _ in samples)
    assert all(mask is not None for _, mask in [*few.labelled, *few.validation])
    again = few_labels(samples, labelled=0.25, validation=0.2, seed=3)
    assert [id(i) for i, _ in again.labelled] == [id(i) for i, _ in few.labelled]
    more = few_labels(samples, labelled=1.0, validation=0.2, seed=3)
    assert {id(i) for i, _ in few.labelled} < {id(i) for i, _ in more.labelled}
    assert [id(i) for i, _ in more.validation] == [id(i) for i, _ in few.validation]


def test_an_empty_label_set_is_refused() -> None:
    unmasked = [sample(0.5, masked=False)] * 4
    for samples, options in (
        (unmasked, {}),
        ([sample(0.5), *unmasked], {}),
        ([sample(0.5)] * 4, {"labelled": 0.0}),
        ([sample(0.5)] * 4, {"labelled": -0.1}),
        ([sample(0.5)] * 4, {"validation": 1.0}),
    ):
        with pytest.raises(InputError, match=r"no labelled image|labelled must|validation must"):
            few_labels(samples, **options)


# --- semcom train segmenter ----------------------------------------------------------------------

TINY = ["--steps", "2", "--batch", "2", "--longest-side", "64", "--width", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight chest phantoms of 64 pixels, five of them with masks."""
    root = tmp_path_factory.mktemp("chest")
    images, masks = semcom.data.phantoms("chest", n=8, size=64, seed=4)
    for part in ("images", "masks"):
        (root / part).mkdir()
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        grey = (255 * image[0]).round().byte().numpy()
        Image.fromarray(grey).save(root / "images" / f"{i}.png")
        if i < 5:
            Image.fromarray(255 * mask[0].byte().numpy()).save(root / "masks" / f"{i}.png")
    return root


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_semcom_train_segmenter_writes_weights_that_load(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ["--data", str(folder), "--labelled", "0.5", "--validation", "0.2"]
    more = ["--unlabelled", str(folder / "images"), "--phantoms", "dental:2", "--out", str(out)]
    assert run("train", "segmenter", *options, *more, *TINY) == 0, capsys.readouterr().err
    assert "4 labelled, 13 unlabelled pictures, 1 to choose" in capsys.readouterr().out
    assert semcom.segmenter(weights=out / "segmenter.safetensors").longest_side == 64
    with (out / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert 0 <= float(rows[-1]["validation_dice"]) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --data or --phantoms"),
        (["--data", "nowhere"], "nowhere"),
        (["--phantoms", "dental"], "KIND:COUNT"),
        (["--phantoms", "denal:3"], "did you mean 'dental'"),
        (["--phantoms", "dental:3", "--method", "bpc"], "unknown method 'bpc'"),
        (["--phantoms", "dental:3", "--labelled", "1.5"], "labelled must"),
        (["--phantoms", "dental:1"], "no labelled image to train on"),
        (["--phantoms", "dental:3", "--longest-side", "100"], "multiple of 32"),
        (["--phantoms", "dental:3", "--device", "cuda:9"], "use 'cpu'"),
    ],
)
def test_semcom_train_segmenter_answers_bad_input_with_one_line(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run("train", "segmenter", *TINY, *options, "--out", str(out)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and message in lines[0]
    assert not out.exists()


def test_a_mask_of_another_size_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    Image.new("L", (64, 64)).save(tmp_path / "images" / "a.png")
    Image.new("1", (64, 48)).save(tmp_path / "masks" / "a.png")
    assert run("train", "segmenter", "--data", str(tmp_path), *TINY) == 2
    assert "a.png" in capsys.readouterr().err


# --- Scenarios -----------------------------------------------------------------------------------


def bright(images: Tensor) -> Tensor:
    return (images > 0.5).float()


def test_scenarios_take_masks_from_any_source() -> None:
    images, masks = semcom.data.phantoms("chest", n=2, size=64, seed=4)
    given = inputs.samples(images, masks)
    found = inputs.samples(images, bright)
    shipped = inputs.samples(images, "chest")
    for i, image in enumerate(images):
        assert torch.equal(given[i].mask, masks[i])  # type: ignore[arg-type]
        assert torch.equal(found[i].mask, image > 0.5)  # type: ignore[arg-type]
        wanted = semcom.segmenter("chest")(image[None])[0] > 0.5
        assert torch.equal(shipped[i].mask, wanted)  # type: ignore[arg-type]
        assert inputs.samples(images, None)[i].mask is None
    with pytest.raises(InputError, match="unknown segmenter 'chests'"):
        inputs.samples(images, "chests")


def test_semcom_run_says_where_regions_come_from(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--images", str(folder / "images"), "--limit", "1", "--codec", "jpeg2000-ldpc"]
    options += ["--link", "awgn", "--snr", "6:6:1", "--cbr", "1/2", "--workers", "1"]
    assert run("run", "snr", *options, "--out", str(tmp_path / "a")) == 0
    printed = capsys.readouterr()
    assert "lungs in frontal chest X-rays" in " ".join(printed.err.split())
    assert "by UNetSegmenter of chest" in " ".join(printed.out.split())
    assert run("run", "snr", *options, "--masks", "none", "--out", str(tmp_path / "b")) == 0
    assert "Regions of interest: none" in " ".join(capsys.readouterr().out.split())
    mine = tmp_path / "mine.safetensors"
    UNetSegmenter("hands", 64, 8).save(mine)
    assert run("run", "snr", *options, "--masks", str(mine), "--out", str(tmp_path / "c")) == 0
    assert "by UNetSegmenter of hands" in " ".join(capsys.readouterr().out.split())
    assert run("run", "snr", *options, "--masks", "knee", "--out", str(tmp_path / "d")) == 2
    assert "a segmenter (chest, angiography, dental, " in capsys.readouterr().err


def test_a_folder_named_like_a_segmenter_is_ambiguous(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "chest").mkdir()
    monkeypatch.chdir(tmp_path)
    options = ["--images", str(folder / "images"), "--masks", "chest", "--out", "out"]
    assert run("run", "snr", *options) == 2
    assert "write ./chest" in capsys.readouterr().err


def into_nan(images: Tensor) -> Tensor:
    return images * float("nan")


@pytest.mark.parametrize(
    ("segmenter", "message"),
    [
        (into_nan, r"in \[0, 1\]"),
        (lambda images: 9 * images - 4, r"in \[0, 1\]"),
        (lambda images: images.repeat(2, 1, 1, 1), r"\[1, 1, 64, 64\]"),
        (lambda images: images > 0.5, "float tensor, got torch.bool"),
        (lambda images: None, "float tensor, got NoneType"),
        (UNetSegmenter, "an object that can be called"),
    ],
)
def test_a_segmenter_is_held_to_its_contract(segmenter: Segmenter, message: str) -> None:
    images, _ = semcom.data.phantoms("chest", n=1, size=64)
    with pytest.raises(InputError, match=message):
        inputs.samples(images, segmenter)
    with pytest.raises(InputError, match=message):
        diagnostic_dice(images, images, segmenter)


def test_a_segmenter_cannot_change_the_images() -> None:
    images, _ = semcom.data.phantoms("chest", n=1, size=64)
    before = images.clone()
    sent = inputs.samples(images, lambda batch: batch.zero_())
    assert torch.equal(images, before) and torch.equal(sent[0].image, before[0])


# --- Diagnostic fidelity -------------------------------------------------------------------------


def test_diagnostic_dice_compares_what_is_found_in_both_images() -> None:
    images = torch.zeros(2, 1, 32, 32)
    images[:, :, :16] = 1.0
    out = images.clone()
    out[1, :, 8:16] = 0.0
    found = diagnostic_dice(out, images, bright)
    torch.testing.assert_close(found, torch.tensor([1.0, 2 / 3]))
    with pytest.raises(InputError, match="different shapes"):
        diagnostic_dice(out[:1], images, bright)
