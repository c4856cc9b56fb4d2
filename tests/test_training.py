"""The training loop: it learns, it resumes exactly, it refuses foreign runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import semcom
from channels import InputError
from scenarios.cli import main
from semcom.catalogue import learned
from semcom.crops import random_batch
from semcom.learned import LearnedCodec
from semcom.samples import load_samples, split
from semcom.training import Plan, loop, train
from semcom.training.config import read_config

PLAN = Plan(steps=6, batch=2, crop=64, cbrs=(1 / 16,))


def fresh(name: str = "deepjscc") -> torch.nn.Module:
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
    train(fresh(), samples, plan, tmp_path, on_step=lambda _, loss: losses.append(loss))  # type: ignore[arg-type]
    assert sum(losses[-10:]) / 10 < sum(losses[:10]) / 10 - 3


def test_another_plan_is_not_mixed_into_a_run(tmp_path: Path, samples: list) -> None:  # type: ignore[type-arg]
    train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="something else or another plan"):
        train(fresh(), samples, Plan(steps=7, batch=2, crop=64, cbrs=(1 / 16,)), tmp_path)  # type: ignore[arg-type]
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


@pytest.mark.parametrize("name", ["deepjscc", "adjscc", "ntscc"])
def test_semcom_train_writes_weights_that_load(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["train", name, *TINY, "--out", str(run)])
    assert ended.value.code == 0, capsys.readouterr().err
    assert semcom.codec(name, weights=run / f"{name}.safetensors").name == name
    assert len((run / "log.csv").read_text().splitlines()) == 2


TINY_CONFIG = """
[codec]
synthesis_widths = [8, 8, 8]
model_widths = [8, 8, 8, 8]

[[stages]]
stage = "entropy"
steps = 3
batch = 1
crop = 64

[[stages]]
stage = "synthesis"
steps = 2
batch = 1
crop = 64
accumulate = 2
"""


def trained(config: Path, out: Path, *more: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["train", "medjscc", "--config", str(config), "--phantoms", "1", "--size", "64",
              "--out", str(out), *more])  # fmt: skip
    assert ended.value.code == 0
    codec = semcom.codec("medjscc", weights=out / "medjscc.safetensors")
    assert isinstance(codec, LearnedCodec)
    return codec.fingerprint


def test_medjscc_is_trained_by_stages_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(TINY_CONFIG)
    whole = trained(config, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole" / "1-entropy", tmp_path / "parts" / "1-entropy")
    assert trained(config, tmp_path / "parts") == whole
    logs = [tmp_path / "whole" / stage / "log.csv" for stage in ("1-entropy", "2-synthesis")]
    assert [len(log.read_text().splitlines()) for log in logs] == [2, 2]


def test_medjscc_goes_on_from_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, entropy, synthesis = (tmp_path / f"{name}.toml" for name in ("whole", "first", "second"))
    whole.write_text(TINY_CONFIG)
    codec, first, second = TINY_CONFIG.split("[[stages]]")
    entropy.write_text(f"{codec}[[stages]]{first}")
    synthesis.write_text(f"{codec}[[stages]]{second}")
    trained(entropy, tmp_path / "first")
    weights = str(tmp_path / "first" / "medjscc.safetensors")
    found = trained(synthesis, tmp_path / "second", "--weights", weights)
    assert found == trained(whole, tmp_path / "whole")
    with pytest.raises(SystemExit) as ended:
        main(["train", "medjscc", "--config", "base", "--weights", weights])
    assert ended.value.code == 2
    assert "the configuration asks for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages = 3", "at least one table"),
        ("[[stages]]\nstage = 'transforms'", "stage"),
        ("[[stages]]\nstep = 3", "does not fit"),
        ("[[stages]]\nsteps = 0", "steps"),
        ("[[stages]]\ncrop = 100", "multiple of 64"),
        ("[[stages]]\nlinks = [['moon', 1.0]]", "link"),
        ("[[stages]]\nlinks = []", "pairs"),
        ("[[stages]]\nsnr_db = [9, 3]", "largest snr_db"),
        ("[[stages]]\nlog_step = [0, 9]", "log_step"),
        ("[[stages]]\n[codec]\nmodel_widths = [1]", "model_widths"),
        ("[[stages]]\n[codec]\ndepth = 1", "does not fit"),
        ("[[stages]]\n[coder]", "part of"),
        ("[[stages", "not TOML"),
    ],
)
def test_impossible_configurations_are_answered_with_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["medjscc", "--config", "bse"], "base or small"),
        (["medjscc", "--phantoms", "0"], "nothing to train on"),
        (["medjscc", "--seed", "-1"], "seed must lie"),
        (["medjsc", *TINY], "did you mean 'medjscc'"),
        (["hevc-ldpc", *TINY], "Known: adjscc, deepjscc, medjscc"),
        (["deepjscc", *TINY, "--phantoms", "-1"], "must not be negative"),
        (["deepjscc", *TINY, "--phantoms", "0"], "nothing to train on"),
        (["deepjscc", *TINY, "--crop", "33"], "multiple of 16"),
        (["deepjscc", *TINY, "--device", "cuda:9"], "--device cpu"),
        (["deepjscc", *TINY, "--images", "nowhere"], "does not exist"),
        (["deepjscc", *TINY, "--masks", "nowhere"], "masks are given without images"),
        (["deepjscc", *TINY, "--crop", "80"], "smaller than a crop of 80"),
        (["deepjscc", *TINY, "--seed", "-1"], "seed must lie"),
        (["deepjscc", *TINY, "--seed", str(2**63)], "seed must lie"),
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


class Spoilt:
    """One weight that should grow to 1; some steps' gradients are not finite."""

    name, fed_with, loss_column, score_column = "spoilt", "", "loss", "score"

    def __init__(self, spoilt: range) -> None:
        self.plan = Plan(steps=40, learning_rate=0.1)
        self.module = torch.nn.Linear(1, 1, bias=False)
        self.spoilt = spoilt
        torch.nn.init.zeros_(self.module.weight)

    def loss(self, step: int) -> torch.Tensor:
        weight = self.module.weight.sum()
        if step in self.spoilt:
            weight = weight + 0 * (weight - weight).abs().sqrt()  # finite, with a slope of 0 / 0
        return (weight - 1).square()

    def stepped(self, step: int) -> None:
        pass

    def score(self) -> float:
        return float("nan")

    def save(self, path: Path) -> None:
        path.touch()


def test_a_few_steps_without_finite_gradients_move_nothing(tmp_path: Path) -> None:
    trainee = Spoilt(range(20, 30))
    loop.run(trainee, tmp_path)
    assert 0 < trainee.module.weight.item() < 2


@pytest.mark.parametrize("spoilt", [range(1), range(20, 31)])
def test_many_steps_without_finite_gradients_end_a_training(tmp_path: Path, spoilt: range) -> None:
    with pytest.raises(InputError, match=f"diverged at step {spoilt[-1]}"):
        loop.run(Spoilt(spoilt), tmp_path)
