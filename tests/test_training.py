"""The training loop: it learns, it resumes exactly, it refuses foreign runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

import semcom
from channels import InputError
from scenarios.cli import main
from semcom.catalogue import learned
from semcom.crops import random_batch
from semcom.samples import load_samples, split
from semcom.training import Plan, train

PLAN = Plan(steps=6, batch=2, crop=64)


def fresh(name: str = "medjscc") -> torch.nn.Module:
    torch.manual_seed(0)
    return learned(name)


@pytest.fixture(scope="module")
def samples() -> list:  # type: ignore[type-arg]
    return load_samples(None, num_phantoms=4, size=96)


def test_a_resumed_run_equals_an_undisturbed_one(tmp_path: Path, samples: list) -> None:  # type: ignore[type-arg]
    whole = train(fresh(), samples, PLAN, tmp_path / "whole", log_every=3)  # type: ignore[arg-type]

    class Killed(Exception):
        pass

    def kill(step: int, loss: float) -> None:
        if step == 5:
            raise Killed

    with pytest.raises(Killed):
        train(fresh(), samples, PLAN, tmp_path / "parts", log_every=3, on_step=kill)  # type: ignore[arg-type]
    again = train(fresh(), samples, PLAN, tmp_path / "parts", log_every=3)  # type: ignore[arg-type]
    assert again.fingerprint == whole.fingerprint
    logs = [
        [row.rsplit(",", 1)[0] for row in (tmp_path / run / "log.csv").read_text().splitlines()]
        for run in ("whole", "parts")
    ]
    assert logs[0] == logs[1]


def test_training_lowers_the_loss(tmp_path: Path, samples: list) -> None:  # type: ignore[type-arg]
    losses: list[float] = []
    plan = Plan(
        steps=60, batch=4, crop=64, snr_db=(10, 10), cbrs=(1 / 16,), links=(("awgn", 1.0),),
        roi_weight=0.0, learning_rate=2e-3,
    )  # fmt: skip
    train(fresh("deepjscc"), samples, plan, tmp_path, on_step=lambda _, loss: losses.append(loss))  # type: ignore[arg-type]
    assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 3


def test_another_plan_is_not_mixed_into_a_run(tmp_path: Path, samples: list) -> None:  # type: ignore[type-arg]
    train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="something else or another plan"):
        train(fresh(), samples, Plan(steps=7, batch=2, crop=64), tmp_path)  # type: ignore[arg-type]
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]


def test_a_folder_without_its_checkpoint_is_left_alone(tmp_path: Path, samples: list) -> None:  # type: ignore[type-arg]
    (tmp_path / "log.csv").write_text("1,precious\n")
    with pytest.raises(InputError, match=r"holds log.csv but no checkpoint"):
        train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    assert (tmp_path / "log.csv").read_text() == "1,precious\n"


def test_a_torn_log_does_not_stop_a_resumed_run(tmp_path: Path, samples: list) -> None:  # type: ignore[type-arg]
    train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    with (tmp_path / "log.csv").open("a") as file:
        file.write("9,torn\n\nrub")
    train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2


def test_pictures_and_masks_of_one_size_become_samples(tmp_path: Path) -> None:
    images, masks = semcom.data.phantoms("chest", n=2, size=64, seed=3)
    for folder, pictures in (("images", images), ("masks", masks)):
        (tmp_path / folder).mkdir()
        for i, picture in enumerate(pictures[:, 0]):
            pixels = (picture.float() * 255).round().byte().numpy()
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    found = load_samples(tmp_path / "images", tmp_path / "masks")
    assert [mask is not None for _, mask in found] == [True, True]


def test_crops_are_pictures_with_their_masks(samples: list) -> None:  # type: ignore[type-arg]
    generator = torch.Generator().manual_seed(1)
    images, roi = random_batch(samples, 16, 64, generator)
    assert images.shape == roi.shape == (16, 1, 64, 64)
    assert images.min() >= 0 and images.max() <= 1
    assert set(roi.unique().tolist()) <= {0.0, 1.0}
    assert 0 < roi.mean() < 1


def test_validation_samples_are_not_trained_on(samples: list) -> None:  # type: ignore[type-arg]
    kept, apart = split(samples, every=4)
    assert len(kept) + len(apart) == len(samples)
    assert not {id(image) for image, _ in kept} & {id(image) for image, _ in apart}


@pytest.mark.parametrize("options", [{"steps": 0}, {"crop": 40}, {"learning_rate": 0.0}])
def test_impossible_plans_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        Plan(**options)  # type: ignore[arg-type]


TINY = ["--phantoms", "1", "--size", "64", "--steps", "2", "--batch", "1", "--crop", "32"]


def test_semcom_train_writes_weights_that_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["train", "medjscc", *TINY, "--out", str(run)])
    assert ended.value.code == 0, capsys.readouterr().err
    assert semcom.codec("medjscc", weights=run / "medjscc.safetensors").name == "medjscc"
    assert len((run / "log.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["medjsc", *TINY], "did you mean 'medjscc'"),
        (["hevc-ldpc", *TINY], "Known: deepjscc, medjscc, segmenter"),
        (["medjscc", *TINY, "--phantoms", "-1"], "must not be negative"),
        (["medjscc", *TINY, "--phantoms", "0"], "nothing to train on"),
        (["medjscc", *TINY, "--crop", "33"], "multiple of 16"),
        (["medjscc", *TINY, "--device", "cuda:9"], "--device cpu"),
        (["medjscc", *TINY, "--images", "nowhere"], "does not exist"),
        (["medjscc", *TINY, "--masks", "nowhere"], "masks are given without images"),
        (["medjscc", *TINY, "--crop", "80"], "smaller than a crop of 80"),
        (["medjscc", *TINY, "--seed", "-1"], "seed must lie"),
        (["medjscc", *TINY, "--seed", str(2**63)], "seed must lie"),
    ],
)
def test_semcom_train_answers_bad_input_with_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments, "--out", str(run)])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not run.exists()
