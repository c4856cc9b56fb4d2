"""The training loop: it learns, it resumes exactly, it refuses foreign runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import semcom
from channels import InputError
from channels.tensorfile import store
from scenarios.command.cli import main
from semcom.catalogue import learned
from semcom.learned import LearnedCodec
from semcom.training import Plan, loop, train
from semcom.training.crops import random_batch
from semcom.training.medjscc.config import read_config
from semcom.training.samples import load_samples, split
from semcom.weightfile import stored

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


def test_numbers_of_a_checkpoint_that_were_changed_are_noticed(
    tmp_path: Path,
    samples: list,  # type: ignore[type-arg]
) -> None:
    train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    path = tmp_path / "checkpoint.safetensors"
    tensors, metadata = stored(path)
    name = next(name for name in tensors if name.startswith("average."))
    store(tensors | {name: tensors[name] + 1e-3}, path, metadata)
    with pytest.raises(InputError, match="is damaged: move it"):
        train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]
    store(tensors, path, {key: value for key, value in metadata.items() if key != "digest"})
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


def test_images_and_masks_of_one_size_become_samples(tmp_path: Path) -> None:
    images, masks = semcom.data.phantoms("chest", n=2, size=64, seed=3)
    for folder, batch in (("images", images), ("masks", masks)):
        (tmp_path / folder).mkdir()
        for i, image in enumerate(batch[:, 0]):
            pixels = (image.float() * 255).round().byte().numpy()
            Image.fromarray(pixels).save(tmp_path / folder / f"{i}.png")
    found = load_samples(tmp_path / "images", tmp_path / "masks")
    assert [mask is not None for _, mask in found] == [True, True]


def test_crops_are_images_with_their_masks(samples: list) -> None:  # type: ignore[type-arg]
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


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"steps": 10**7 + 1},
        {"steps": True},
        {"batch": 5000},
        {"crop": 40},
        {"crop": 8192},
        {"learning_rate": 0.0},
    ],
)
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
model_widths = [8, 8, 8, 8, 8, 8]

[[stages]]
stage = "source"
steps = 3
batch = 1
crop = 64

[[stages]]
stage = "receiver"
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
    shutil.copytree(tmp_path / "whole" / "1-source", tmp_path / "parts" / "1-source")
    assert trained(config, tmp_path / "parts") == whole
    logs = [tmp_path / "whole" / stage / "log.csv" for stage in ("1-source", "2-receiver")]
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


NARROW = TINY_CONFIG.replace("8", "4")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with narrow.toml and its finished run."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "narrow.toml").write_text(NARROW)
    trained(folder / "narrow.toml", folder / "run")
    return folder


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(folder: Path, *more: str) -> None:
    """Training on the folder's run ends with code 2, and every file stays as it was."""
    before = contents(folder)
    with pytest.raises(SystemExit) as ended:
        main(["train", "medjscc", "--config", str(folder / "narrow.toml"), "--phantoms", "1",
              "--size", "64", "--out", str(folder / "run"), *more])  # fmt: skip
    assert ended.value.code == 2
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("config", "more", "message"),
    [
        (NARROW.replace("4, 4]\n\n", "4, 5]\n\n"), [], "a run of another configuration"),
        (NARROW.replace("steps = 3", "steps = 4"), [], "another plan"),
        (NARROW.replace("steps = 3", "steps = 3\nlearning_rate = 1e-3"), [], "another plan"),
        (NARROW.replace("source", "receiver"), [], "stage 1 is 'source', not 'receiver'"),
        (NARROW, ["--seed", "1"], "another plan"),
        (NARROW, ["--phantoms", "2"], "on other data"),
        (NARROW, ["--weights", "run"], "from other first weights"),
        (NARROW.rpartition("[[stages]]")[0], [], "is damaged or not of this run"),
    ],
)
def test_a_finished_stage_is_not_mixed_with_another_run(
    config: str,
    more: list[str],
    message: str,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    (folder / "narrow.toml").write_text(config)
    weights = str(folder / "run" / "medjscc.safetensors")
    refused(folder, *[weights if argument == "run" else argument for argument in more])
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and message in lines[0]


@pytest.mark.parametrize(
    ("more", "message"), [(["--seed", "1"], "another plan"), (["--phantoms", "2"], "on other data")]
)
def test_a_run_stopped_after_a_stage_is_not_mixed_with_another(
    more: list[str],
    message: str,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    shutil.rmtree(folder / "run" / "2-receiver")
    (folder / "run" / "medjscc.safetensors").unlink()
    refused(folder, *more)
    assert message in capsys.readouterr().err


def test_a_finished_run_ends_at_once_and_may_get_more_stages(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    config, run = folder / "narrow.toml", folder / "run"
    whole = contents(run)
    with monkeypatch.context() as patch:
        patch.setattr("semcom.training.medjscc.task.MedJSCCTask.loss", None)
        first = trained(config, run)
    assert contents(run).keys() == whole.keys()
    config.write_text(NARROW + NARROW.rpartition("[[stages]]")[2].join(["\n[[stages]]\n", ""]))
    assert trained(config, run) != first
    assert (run / "3-receiver" / "log.csv").exists()


def test_weights_of_someone_else_are_not_replaced(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(finished / "narrow.toml", tmp_path)
    (tmp_path / "run").mkdir()
    weights = tmp_path / "run" / "medjscc.safetensors"
    for content in ((finished / "run" / weights.name).read_bytes(), b"precious"):
        weights.write_bytes(content)
        refused(tmp_path)
        assert "not of this run: move it away" in capsys.readouterr().err


def test_altered_weights_of_a_stage_are_named_and_can_be_made_again(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(finished, tmp_path / "copy")
    weights = folder / "run" / "1-source" / "medjscc.safetensors"
    whole = trained(folder / "narrow.toml", folder / "run")
    content = bytearray(weights.read_bytes())
    content[-1000] ^= 1
    weights.write_bytes(content)
    refused(folder)
    assert "is damaged or altered: move it away" in capsys.readouterr().err
    weights.unlink()
    assert trained(folder / "narrow.toml", folder / "run") == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages = 3", "at least one table"),
        ("stages = [1, 2]", r"each stage in .* must be a table \[\[stages\]\], got 1"),
        ("[[stages]]\nstage = 'transforms'", "stage"),
        ("[[stages]]\nstep = 3", "key of .*stages.* 'step': did you mean 'steps'"),
        ("[[stages]]\nlr = 1e-3", "key of .*stages.* 'lr'.* Known: .*learning_rate"),
        ("[[stages]]\nsteps = 'many'", "steps"),
        ("[[stages]]\nsteps = 0", "steps"),
        ("[[stages]]\ncrop = 100", "multiple of 64"),
        ("[[stages]]\nlinks = [['moon', 1.0]]", "link"),
        ("[[stages]]\nlinks = []", "pairs"),
        ("[[stages]]\nsnr_db = [9, 3]", "largest snr_db"),
        ("[[stages]]\nlog_step = [0, 9]", "log_step"),
        ("[[stages]]\n[codec]\nmodel_widths = [1]", "model_widths"),
        ("[[stages]]\n[codec]\ndepth = 1", "key of .codec.* 'depth'.* model_widths, synthesis"),
        ("[[stages]]\n[coder]", "part of"),
        ("[[stages", "not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("a = " + "9" * 5001, "is not TOML"),
        ('[[stages]]\nschedule = "constant"', "must be a table such as"),
        ("[[stages]]\nschedule = { foo = 1 }", "key of schedule"),
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
        (["hevc-ldpc", *TINY], "Known: adjscc, deepjscc, dmic, generator"),
        (["deepjscc", *TINY, "--phantoms", "-1"], "--phantoms must be an int in 0..100000"),
        (["deepjscc", *TINY, "--phantoms", "9" * 11], "--phantoms must be an int in 0..100000"),
        (["medjscc", "--phantoms", "9" * 11], "--phantoms must be an int in 0..100000"),
        (["segmenter", "--phantoms", "dental:" + "9" * 11], "--phantoms may be 100000 at most"),
        (["deepjscc", *TINY, "--steps", "9" * 20], "steps must be an int in 1..10000000"),
        (["medjscc", "--phantoms", "1", "--size", "64"], "of each stage in its TOML file"),
        (["deepjscc", *TINY, "--phantoms", "0"], "nothing to train on"),
        (["deepjscc", *TINY, "--crop", "33"], "multiple of 16"),
        (["deepjscc", *TINY, "--device", "cuda:9"], "device 'cuda:9' is not there: use 'cpu'"),
        (["deepjscc", *TINY, "--images", "nowhere"], "does not exist"),
        (["deepjscc", *TINY, "--masks", "nowhere"], "masks are given without images"),
        (["deepjscc", *TINY, "--crop", "80"], "smaller than a crop of 80"),
        (["deepjscc", *TINY, "--seed", "-1"], "seed must be an integer in 0..2^40-1"),
        (["deepjscc", *TINY, "--seed", str(2**63)], "seed must be an integer in 0..2^40-1"),
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


@pytest.mark.parametrize("name", ["deepjscc", "medjscc", "segmenter"])
def test_out_must_be_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text("precious")
    for out, message in (
        ("", "out is empty: name a folder"),
        ("mine.toml", "mine.toml is a file: name a folder"),
        ("mine.toml/run", "mine.toml is a file: name a folder"),
    ):
        count = "dental:2" if name == "segmenter" else "1"
        with pytest.raises(SystemExit) as ended:
            main(["train", name, "--phantoms", count, "--out", out])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
    assert Path("mine.toml").read_text() == "precious"


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
    task = Spoilt(range(20, 30))
    loop.run(task, tmp_path)
    assert 0 < task.module.weight.item() < 2


@pytest.mark.parametrize("spoilt", [range(1), range(20, 31)])
def test_many_steps_without_finite_gradients_end_a_training(tmp_path: Path, spoilt: range) -> None:
    with pytest.raises(InputError, match=f"diverged at step {spoilt[-1]}"):
        loop.run(Spoilt(spoilt), tmp_path)
