"""The training loop: it learns, it resumes exactly, it refuses foreign runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from channels import InputError
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
    with pytest.raises(InputError, match="another codec or plan"):
        train(fresh(), samples, Plan(steps=7, batch=2, crop=64), tmp_path)  # type: ignore[arg-type]
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="damaged"):
        train(fresh(), samples, PLAN, tmp_path)  # type: ignore[arg-type]


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
