"""What measures the tables of generative.md: its parts on phantoms, found again, made into tables.

Times and memory are not measured here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from PIL import Image

import semcom
from semcom.data import phantoms

DOCS = Path(__file__).parents[1] / "docs"
SIDE = 128


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(DOCS)
    names = ("cells", "generative", "generative_tables", "lightened", "measure", "painting")
    return {name: importlib.import_module(name) for name in names}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    images, masks = phantoms("chest", n=3, size=SIDE, seed=5)
    for part in ("eval", "train"):
        for name, pictures in (("images", images), ("masks", masks.float())):
            place = folder / "chest" / part / name
            place.mkdir(parents=True)
            for number, picture in enumerate(pictures):
                drawn = (255 * picture[0]).round().byte().numpy()
                Image.fromarray(drawn).save(place / f"phantom{number}.png")
    return folder


def asked(data: Path, out: Path, part: str) -> list[str]:
    folders = ["--out", str(out), "--figures", str(out), "--kept", str(out / "kept")]
    few = f"--kinds chest --pictures 2 --size {SIDE} --links awgn --snr 12 --cbr 1/16"
    return [str(data), part, *few.split(), "--steps", "1", "--train", "2", *folders]


def test_words_are_measured_once_and_told(
    made: dict[str, ModuleType], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = made["generative"].arguments(asked(data, tmp_path, "words"))
    made["generative"].words(told)
    rows = pd.read_csv(tmp_path / "generative_words.csv")
    counts = rows.groupby("words")["picture"].count()
    assert (counts == 2).all() and {"right", "none", "other"} <= set(counts.index)
    right, none = (rows[rows["words"] == name].set_index("picture") for name in ("right", "none"))
    assert (right["bits"] < right["bytes"]).all() and (none["bytes"] == 0).all()
    uses = pd.read_csv(tmp_path / "generative_uses.csv")
    parts = uses[["words", "header", "coarse", "outline", "key"]]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(SIDE**2 / 16, abs=1)

    painting = made["painting"]
    monkeypatch.setattr(painting, "scores", None)  # painting again would call it
    made["generative"].words(told)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "generative_words.csv"), rows)

    lines = made["generative_tables"].sections(tmp_path, tmp_path)
    assert [line for line in lines if line.startswith("### ")] == [
        "### What words are worth",
        "### What channel uses are spent on",
    ]
    gain = (none["rest_psnr"] - right["rest_psnr"]).tolist()
    (row,) = (line for line in lines if line.startswith("| chest | no words"))
    assert made["cells"].apart(gain) in row


def test_scores_are_of_what_is_painted_around_the_true_key(
    made: dict[str, ModuleType], data: Path
) -> None:
    painting = made["painting"]
    (seen, _) = painting.pictures_of(data, "chest", SIDE, 2)
    assert seen.name == "phantom0" and bool((seen.key >= seen.mask).all())
    painter = painting.painter_of("chest")
    found = painting.scores(painter, seen, "", "chest")
    out = painter.paint(seen.image, seen.key, [""], painting.SEED, 1)
    assert torch.equal(out[seen.key], seen.image[seen.key])
    missed = (out - seen.image)[~seen.key].square().mean()
    assert found["rest_psnr"] == pytest.approx(float(-10 * missed.log10()), abs=1e-3)


def test_the_scenario_is_told_as_means_and_paired_differences(
    made: dict[str, ModuleType], tmp_path: Path
) -> None:
    generative = made["generative"]
    rows = [
        {"link": "awgn", "cbr": 1 / 64, "snr_db": 0.0, "codec": codec, "image": image}
        | dict.fromkeys((*generative.COMPARED, *generative.TOLD), value + image * slope)
        | {"outage": codec == "poor" and image == 0}
        for codec, value, slope in (("generative", 5, 2), ("poor", 1, 1), ("good", 3, 1))
        for image in range(3)
    ]  # fmt: skip
    table = generative.compared(pd.DataFrame(rows)).set_index("codec")
    assert table["lost"].to_dict() == {"generative": 0, "poor": pytest.approx(1 / 3), "good": 0}
    assert table["roi_psnr"].to_dict() == {"generative": 7, "poor": 2, "good": 4}
    assert table["roi_psnr_gain"].to_dict() == {"generative": 0, "poor": 5, "good": 3}
    assert table["roi_psnr_half"]["good"] == pytest.approx(2.484, abs=1e-3)  # of 2, 3, 4
    table.reset_index().to_csv(tmp_path / "generative_dental.csv", index=False)
    lines = made["generative_tables"].sections(tmp_path, tmp_path)
    assert "| dental | awgn | 1/64 | **+3.0 ± 2.5** (good) |" in lines, "the best by its mean"
    (cost,) = (line for line in lines if line.startswith("| dental | awgn | 1/64 | 0 |"))
    assert "(poor)" in cost, "a Fréchet distance is best where it is least"


def test_captions_stand_beside_the_names_of_pictures(
    made: dict[str, ModuleType], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generative = made["generative"]
    monkeypatch.setattr(generative, "TEXTS", {"chest": 3})
    generative.captions(generative.arguments(asked(data, tmp_path, "captions")))
    rows = pd.read_csv(tmp_path / "generative_captions.csv")
    assert rows["file"].tolist() == ["phantom0", "phantom1", "phantom2"]
    assert rows["caption"].str.startswith("frontal chest X-ray; ").all()
    lines = made["generative_tables"].sections(tmp_path, tmp_path)
    assert lines[-1] == "![Phantoms and their captions](images/generative-captions.png)"
    assert sum(line.startswith("| phantom") for line in lines) == 3


def test_weights_in_fewer_bits_take_less_and_paint_nearly_the_same(
    made: dict[str, ModuleType], data: Path, tmp_path: Path
) -> None:
    lightened = made["lightened"]
    (seen, _) = made["painting"].pictures_of(data, "chest", SIDE, 2)
    generators = {way: lightened.in_bits(way) for way in lightened.WAYS[:-1]}
    sizes = [lightened.file_bytes(way, one, tmp_path) for way, one in generators.items()]
    shown = [one.paint(seen.image, seen.key, [""], 0, 1) for one in generators.values()]
    missed = [float((out - shown[0]).abs().mean()) for out in shown]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 6 * sizes[-1]
    assert missed[0] == 0 < missed[1] < missed[2] < missed[3] < 0.05
    assert not any(tmp_path.iterdir())


def test_a_training_is_done_once_and_read_from_its_file(
    made: dict[str, ModuleType], data: Path, tmp_path: Path
) -> None:
    lightened = made["lightened"]
    told = made["generative"].arguments(asked(data, tmp_path, "light"))
    for adapted, share in ((True, 0.1), (False, 1.0)):
        training = lightened.training(told, "chest", adapted)
        assert 0 < semcom.light.trainable_share(training.begun()) <= share
        first, minutes = training.carried_out()
        written = (training.folder / "generator.safetensors").stat().st_mtime_ns
        again, same = training.carried_out()
        assert first.fingerprint == again.fingerprint and minutes == same > 0
        assert (training.folder / "generator.safetensors").stat().st_mtime_ns == written


def test_nothing_is_told_where_nothing_was_measured(
    made: dict[str, ModuleType], tmp_path: Path
) -> None:
    assert made["generative_tables"].sections(tmp_path, tmp_path) == []
