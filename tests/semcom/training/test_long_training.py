"""Training as a long-running thing: cut by the clock anywhere, from weights, in slices, stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import semcom
from channels import InputError
from scenarios.command.cli import main
from scenarios.engine.workers import pool
from semcom.data import load_packed, pack
from semcom.segmentation import UNetSegmenter
from semcom.training import Plan, loop
from semcom.training.conduct import Conduct, Stopped, conducted
from semcom.training.samples import load_samples
from semcom.training.schedule import SHAPES, Schedule
from semcom.training.segmentation.segmenters import SegmenterPlan, train_segmenter
from semcom.training.soap import SOAP
from semcom.weightfile import stored


@dataclass(frozen=True)
class Toy:
    """A plan with a schedule."""

    steps: int = 13
    learning_rate: float = 0.05
    schedule: Schedule = field(default_factory=Schedule)


class Fit:
    """Two convolutions that should learn another one; a third has gradients in odd steps alone."""

    name, fed_with, loss_column, score_column = "fit", "noise", "loss", "score"

    def __init__(self, plan: object = None, score: float = float("nan")) -> None:
        self.plan, self._score = plan or Toy(), score
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.module = torch.nn.ModuleList(
                [torch.nn.Conv2d(2, 6, 3), torch.nn.Conv2d(6, 2, 3), torch.nn.Conv2d(2, 2, 1)]
            )

    def loss(self, step: int) -> torch.Tensor:
        images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(step))
        first, second, odd = self.module
        out = second(torch.tanh(first(images)))
        return ((odd(out) if step % 2 else out) - images[..., 2:-2, 2:-2]).square().mean()

    def stepped(self, step: int) -> None:
        pass

    def score(self) -> float:
        torch.rand(1)  # a score may draw: nothing else may notice
        return self._score if self._score == self._score else -self.loss(999).item()

    def save(self, path: Path) -> None:
        from channels.tensorfile import store

        store(self.module.state_dict(), path, {})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return stored(folder / "fit.safetensors")[0]


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return all(torch.equal(one[name], other[name]) for name in one | other)


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_cut_by_the_clock_after_every_step_equals_an_undisturbed_one(
    shape: str, optimizer: str, tmp_path: Path
) -> None:
    plan = Toy(schedule=Schedule(shape, optimizer, averaging=0.9))
    options = {"log_every": 4, "keep_best": shape == "constant"}
    loop.run(Fit(plan), tmp_path / "whole", **options)  # type: ignore[arg-type]
    for done in range(1, plan.steps):
        with pytest.raises(Stopped, match=f"at step {done} of 13"):
            loop.run(Fit(plan), tmp_path / "cut", **options, conduct=Conduct(seconds=1e-9))  # type: ignore[arg-type]
    loop.run(Fit(plan), tmp_path / "cut", **options, conduct=Conduct(seconds=1e-9))  # type: ignore[arg-type]
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_schedules_and_optimisers_are_part_of_a_plan(tmp_path: Path) -> None:
    outcomes = []
    for number, changes in enumerate([{}, {"shape": "constant"}, {"optimizer": "soap"}]):
        with conducted(Conduct(changes=changes)):
            loop.run(Fit(), tmp_path / str(number))
        outcomes.append(weights(tmp_path / str(number))["0.weight"])
        with pytest.raises(InputError, match="another plan"):
            loop.run(Fit(), tmp_path / str(number), conduct=Conduct(changes={"averaging": 0.5}))
    assert not torch.equal(outcomes[0], outcomes[1])
    assert not torch.equal(outcomes[0], outcomes[2])


def test_rates_of_schedules() -> None:
    rates = {shape: [Schedule(shape).rate(step, 1000) for step in range(1000)] for shape in SHAPES}
    assert rates["constant"][199:] == [1.0] * 801
    for shape, warm in (("cosine", 200), ("decay", 50)):
        rising, falling = rates[shape][:warm], rates[shape][warm:]
        assert rising == sorted(rising) and falling == sorted(falling, reverse=True)
        assert rates[shape][-1] == pytest.approx(0.01, abs=1e-4)


def reference_soap(
    start: np.ndarray, gradients: list[np.ndarray], rate: float, every: int
) -> np.ndarray:
    """Algorithm 3 of arXiv:2409.11321 with bias correction."""
    weight, beta = start.astype(float), 0.95
    mean = square = np.zeros_like(weight)
    left = 0.05 * gradients[0] @ gradients[0].T
    right = 0.05 * gradients[0].T @ gradients[0]
    bases = [np.linalg.eigh(part)[1][:, ::-1] for part in (left, right)]
    for step, gradient in enumerate(gradients[1:], start=1):
        mean = beta * mean + (1 - beta) * gradient
        square = beta * square + (1 - beta) * (bases[0].T @ gradient @ bases[1]) ** 2
        root = np.sqrt(square / (1 - beta**step)) + 1e-8
        turned = (bases[0].T @ mean @ bases[1]) / (1 - beta**step) / root
        weight = weight - rate * bases[0] @ turned @ bases[1].T
        left = beta * left + (1 - beta) * gradient @ gradient.T
        right = beta * right + (1 - beta) * gradient.T @ gradient
        if step % every == 0:
            for side, part in enumerate((left, right)):
                order = np.argsort(-np.diag(bases[side].T @ part @ bases[side]))
                square = np.take(square, order, axis=side)
                bases[side] = np.linalg.qr(part @ bases[side][:, order])[0]
    return weight


def test_soap_equals_its_formula_on_a_kernel_as_a_matrix() -> None:
    draws = np.random.default_rng(1)
    start = draws.normal(size=(6, 6))  # square: the first bases are then unique
    gradients = [draws.normal(size=(6, 6)) * draws.uniform(0.5, 2, 6) for _ in range(12)]
    weight = torch.nn.Parameter(torch.tensor(start).reshape(6, 3, 2, 1))
    optimizer = SOAP([weight], lr=0.01, every=3)
    for gradient in gradients:
        weight.grad = torch.tensor(gradient).reshape(6, 3, 2, 1)
        optimizer.step()
    wanted = reference_soap(start, gradients, 0.01, every=3)
    np.testing.assert_allclose(weight.detach().numpy().reshape(6, 6), wanted, atol=1e-9)


def test_soap_begins_with_gradients_of_low_rank_and_tiny_scale() -> None:
    """In single precision eigenvalues of a tenth of these do not converge."""
    draws = torch.Generator().manual_seed(0)
    for _ in range(40):
        rows = torch.rand(108, 1, generator=draws) > 0.7
        weight = torch.nn.Parameter(torch.zeros(108, 12))
        weight.grad = torch.randn(108, 12, generator=draws) * 1e-5 * rows
        optimizer = SOAP([weight], lr=0.01)
        optimizer.step()
        optimizer.step()
        assert weight.isfinite().all() and bool(weight[rows[:, 0]].any())


def test_without_bases_soap_is_adam() -> None:
    ours, theirs = (torch.nn.Parameter(torch.ones(3, 4)) for _ in range(2))
    vector = torch.nn.Parameter(torch.ones(5))
    soap = SOAP([ours, vector], lr=0.01, limit=0)
    adam = torch.optim.Adam([theirs], lr=0.01, betas=(0.95, 0.95))
    for step in range(5):
        gradient = torch.randn(3, 4, generator=torch.Generator().manual_seed(step))
        ours.grad, theirs.grad, vector.grad = gradient, gradient.clone(), torch.ones(5)
        soap.step()
        adam.step()
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(vector, torch.full((5,), 0.95))


def test_soap_beats_adam_where_the_axes_are_not_those_of_the_problem() -> None:
    """Least squares with condition 1e4 in turned axes: the best of three rates of each."""
    draws = torch.Generator().manual_seed(2)
    turns = [torch.linalg.qr(torch.randn(12, 12, generator=draws))[0] for _ in range(4)]
    scale = torch.logspace(0, -1, 12)
    before, after = turns[0] * scale @ turns[1], turns[2] * scale @ turns[3]
    target = torch.randn(12, 12, generator=draws)

    def left_over(kind: type[torch.optim.Optimizer], rate: float) -> float:
        weight = torch.nn.Parameter(torch.zeros(12, 12))
        optimizer = kind([weight], lr=rate)  # type: ignore[call-arg]
        for step in range(200):
            for group in optimizer.param_groups:
                group["lr"] = rate * Schedule("decay").rate(step, 200)
            optimizer.zero_grad()
            loss = (before @ (weight - target) @ after).square().sum()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    rates = (0.01, 0.03, 0.1)
    assert min(left_over(SOAP, r) for r in rates) < 0.1 * min(
        left_over(torch.optim.Adam, r) for r in rates
    )


def test_weights_are_written_only_where_they_beat_those_it_started_from(tmp_path: Path) -> None:
    lines: list[str] = []

    def conduct(**more: float) -> Conduct:
        return Conduct(from_weights=True, say=lines.append, **more)  # type: ignore[arg-type]

    loop.run(Fit(), tmp_path / "better", conduct=conduct())
    start = Fit().score()
    assert lines[0].startswith(f"step 0  validation {start:.4g}")
    log = (tmp_path / "better" / "log.csv").read_text().splitlines()
    assert log[1].startswith(f"0,nan,{start:.4f},")
    assert not torch.equal(weights(tmp_path / "better")["0.weight"], Fit().module[0].weight)

    lines.clear()
    equal = tmp_path / "equal"
    with pytest.raises(Stopped):
        loop.run(Fit(score=0.5), equal, conduct=conduct(seconds=1e-9))
    assert "0.5 is not better than 0.5" in lines[-1] and not (equal / "fit.safetensors").exists()
    (equal / "fit.safetensors").write_bytes(b"precious")
    loop.run(Fit(score=0.5), equal, conduct=conduct())
    assert lines[-1].endswith("fit.safetensors stays as it was")
    assert (equal / "fit.safetensors").read_bytes() == b"precious"

    loop.run(worse := Fit(score=0.5), tmp_path / "alone", conduct=conduct())
    assert torch.equal(weights(tmp_path / "alone")["0.weight"], Fit().module[0].weight)
    assert torch.equal(worse.module[0].weight, Fit().module[0].weight)
    other = Fit()
    torch.nn.init.zeros_(other.module[0].weight)
    with pytest.raises(InputError, match="other first weights"):
        loop.run(other, tmp_path / "alone", conduct=conduct())


def test_lines_come_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 10 s: the first line within a minute, then every 3 minutes."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def step(done: int, loss: float) -> None:
        now[0] += 10

    lines: list[str] = []
    loop.run(
        Fit(Toy(steps=60)), tmp_path, on_step=step, conduct=Conduct(say=lines.append), log_every=50
    )
    steps = [int(line.split()[1]) for line in lines]
    assert steps == [2, 19, 36, 50, 60]
    assert lines[1].endswith("0.1 steps/s  3 min")


def folder_of_images(folder: Path) -> tuple[Path, Path]:
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    draws = np.random.default_rng(0)
    for name, shape in (("a", (64, 48)), ("b", (37, 90)), ("c", (64, 48))):
        grey = draws.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(grey).save(folder / "images" / f"{name}.png")
        if name != "c":
            Image.fromarray((grey > 99).astype(np.uint8) * 255).save(
                folder / "masks" / f"{name}.png"
            )
    return folder / "images", folder / "masks"


@pytest.mark.parametrize("size", [None, 50])
def test_packed_images_are_those_of_the_folder(size: int | None, tmp_path: Path) -> None:
    images, masks = folder_of_images(tmp_path)
    packed = tmp_path / "data.safetensors"
    with pytest.raises(SystemExit) as ended:
        main(["pack", "--images", str(images), "--masks", str(masks), "--out", str(packed)])
    assert ended.value.code == 0
    size = size if size is None else 80
    for (image, mask), (other, region) in zip(
        load_samples(images, masks, size=size), load_samples(packed, size=size), strict=True
    ):
        assert torch.equal(image, other)
        assert (mask is None) == (region is None)
        assert mask is None or region is None or torch.equal(mask, region)


def test_what_is_packed_fits_and_what_is_damaged_is_refused(tmp_path: Path) -> None:
    images, masks = folder_of_images(tmp_path)
    samples = load_samples(images, masks)
    packed = tmp_path / "data.safetensors"
    share = pack(samples, packed, max_mb=0.0105)
    assert share < 1 and packed.stat().st_size <= 10_500
    for (image, _), (small, _) in zip(samples, load_packed(packed), strict=True):
        assert min(small.shape[1:]) >= 32 and small.numel() <= image.numel()
    with pytest.raises(InputError, match=r"do not fit into 0\.005 MB"):
        pack(samples, packed, max_mb=0.005)
    with pytest.raises(InputError, match="masks of its own"):
        load_samples(packed, masks)
    torch_file = tmp_path / "other.safetensors"
    Fit().save(torch_file)
    with pytest.raises(InputError, match="holds no packed images"):
        load_samples(torch_file)


TRAIN = ["train", "deepjscc", "--phantoms", "1", "--size", "32", "--batch", "1", "--crop", "32"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM kills there")
def test_sigterm_leaves_a_checkpoint_that_is_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And plain lines where there is no terminal; the shipped weights are scored first."""
    quick = Plan(steps=10**6, batch=1, crop=32, links=(("awgn", 1.0),))
    monkeypatch.setattr("semcom.training.default_plan", lambda *_: quick)
    run = tmp_path / "run"
    packed = tmp_path / "data.safetensors"
    pack([(torch.rand(1, 32, 32), None) for _ in range(11)], packed)
    options = ["train", "deepjscc", "--images", str(packed), "--phantoms", "0", "--crop", "32"]
    options += ["--batch", "1", "--weights", "package", "--out", str(run)]
    over = threading.Event()

    def terminate() -> None:
        while not (run / "log.csv").exists():
            if over.wait(0.01):
                return
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    watcher = threading.Thread(target=terminate, daemon=True)
    watcher.start()
    with pytest.raises(SystemExit) as ended:
        main(options)
    over.set()
    watcher.join()
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 143 and signal.getsignal(signal.SIGTERM) == before
    assert lines[0].startswith("step 0  validation ")
    assert "stopped by SIGTERM at step " in lines[-1]
    step = int(stored(run / "checkpoint.safetensors")[1]["step"])
    assert step > 0
    with pytest.raises(SystemExit) as ended:
        main([*options, "--seconds", "1e-9", "--threads", "99"])
    assert ended.value.code == 0
    assert f"stopped after 1e-09 s at step {step + 1} of" in capsys.readouterr().err
    assert torch.get_num_threads() <= (os.cpu_count() or 1)
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--schedule", "cosin"], "did you mean 'cosine'"),
        (["--optimizer", "sgd"], "Known: adam, soap"),
        (["--averaging", "1"], "averaging must be"),
        (["--seconds", "0"], "--seconds must be"),
        (["--weights", "nowhere.safetensors"], "is not there"),
        (["--images", "nowhere.safetensors"], "is not there"),
    ],
)
def test_bad_options_are_answered_with_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*TRAIN, *arguments, "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and message in lines[0]
    assert not (tmp_path / "run").exists()


def test_processes_are_no_more_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counted(pool._Processes):
        def __init__(self, workers: int) -> None:
            self._pools = [None] * workers  # type: ignore[list-item]

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            pass

    monkeypatch.setattr(pool, "_Processes", Counted)
    monkeypatch.setattr(pool, "cores", lambda: 3)
    with pool.executor_for(None, 99) as found:
        assert isinstance(found, Counted) and len(found._pools) == 3
    monkeypatch.setattr(pool, "cores", lambda: 1)
    with pool.executor_for(None, 2) as found:
        assert found is None


def test_the_command_lets_waiting_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    for wanted in ("PASSIVE", "ACTIVE"):
        with pytest.raises(SystemExit):
            main(["--help"])
        assert os.environ["OMP_WAIT_POLICY"] == wanted or wanted == "ACTIVE"
        monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_a_segmenter_goes_on_from_shipped_weights(tmp_path: Path) -> None:
    sample = torch.rand(1, 64, 64), torch.ones(1, 64, 64, dtype=torch.bool)
    plan = SegmenterPlan("supervised", steps=1, batch=1)
    first = semcom.segmenter("chest")
    assert isinstance(first, UNetSegmenter)
    begun = first.fingerprint
    found = train_segmenter("chest", [sample], [], plan, tmp_path / "run", first=first)
    assert found is first and found.fingerprint != begun
    with pytest.raises(InputError, match="the plan asks for"):
        train_segmenter("dental", [sample], [], plan, tmp_path / "other", first=first)
