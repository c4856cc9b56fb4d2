"""Segmenters in the common loop: resumed, the best weights, and what is refused."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import semcom
from channels import InputError
from channels.tensorfile import store
from semcom.segmentation import UNetSegmenter
from semcom.training.crops import Sample
from semcom.training.segmentation.segmenters import METHODS, SegmenterPlan, train_segmenter
from semcom.weightfile import stored


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    images, masks = semcom.data.phantoms("chest", n=10, size=64, seed=11)
    return list(zip(images, masks, strict=True))


def plan(method: str, steps: int = 6) -> SegmenterPlan:
    return SegmenterPlan(method, steps, batch=2, longest_side=64, width=8)


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_equals_an_undisturbed_one(
    method: str, tmp_path: Path, samples: list[Sample]
) -> None:
    labelled, unlabelled = samples[:3], [image for image, _ in samples[3:8]]
    options = {"validation": samples[8:], "log_every": 2}

    def trained(out: str, **more: object) -> dict[str, Tensor]:
        found = train_segmenter(
            "chest",
            labelled,
            unlabelled,
            plan(method),
            tmp_path / out,
            **options,
            **more,  # type: ignore[arg-type]
        )
        return found.state_dict()

    def kill(step: int, _: float) -> None:
        if step == 5:
            raise KeyboardInterrupt

    whole = trained("whole")
    with pytest.raises(KeyboardInterrupt):
        trained("parts", on_step=kill)
    again = trained("parts")
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert UNetSegmenter.load(tmp_path / "whole" / "segmenter.safetensors").task == "chest"


def test_training_finds_the_lungs_of_phantoms(tmp_path: Path, samples: list[Sample]) -> None:
    segmenter = train_segmenter("chest", samples[:8], [], plan("supervised", 150), tmp_path)
    images = torch.stack([image for image, _ in samples[8:]])
    masks = torch.stack([mask for _, mask in samples[8:] if mask is not None])
    assert semcom.metrics.dice(segmenter(images) > 0.5, masks).min() > 0.8


def test_the_best_weights_on_the_samples_kept_apart_come_out(
    tmp_path: Path, samples: list[Sample]
) -> None:
    segmenter = train_segmenter(
        "chest",
        samples[:4],
        [],
        plan("supervised", 40),
        tmp_path,
        validation=samples[8:],
        log_every=5,
    )
    rows = (tmp_path / "log.csv").read_text().splitlines()[1:]
    best = max(float(row.split(",")[2]) for row in rows)
    images = torch.stack([image for image, _ in samples[8:]])
    masks = torch.stack([mask for _, mask in samples[8:] if mask is not None])
    assert semcom.metrics.dice(segmenter(images) > 0.5, masks).mean().item() == pytest.approx(
        best, abs=2e-4
    )


def test_a_run_on_other_data_is_not_taken_up(tmp_path: Path, samples: list[Sample]) -> None:
    def train(task: str, labelled: list[Sample]) -> None:
        train_segmenter(task, labelled, [], plan("supervised"), tmp_path)

    train("chest", samples[:3])
    train("chest", samples[:3])
    for task, labelled in (
        ("chest", samples[:4]),
        ("chest", samples[1:4]),
        ("dental", samples[:3]),
    ):
        with pytest.raises(InputError, match="a run on other data"):
            train(task, labelled)


def test_options_reach_the_method_and_belong_to_the_plan(
    tmp_path: Path, samples: list[Sample]
) -> None:
    def train(**options: object) -> None:
        one = SegmenterPlan("transmedseg", 2, 2, 64, width=8, method_options=options)
        train_segmenter("chest", samples[:3], [], one, tmp_path)

    with pytest.raises(InputError, match="method_options do not fit 'transmedseg'"):
        train(mixture="whole")
    with pytest.raises(InputError, match="unknown mixing 'half'"):
        train(mixing="half")
    train(mixing="copy-paste", closest=1.0)
    train(mixing="copy-paste", closest=1.0)
    with pytest.raises(InputError, match="another plan"):
        train(mixing="whole")


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, samples: list[Sample]) -> None:
    train = partial(train_segmenter, "chest", samples[:3], [], plan("supervised"), tmp_path)
    train()
    path = tmp_path / "checkpoint.safetensors"
    tensors, metadata = stored(path)
    name = next(iter(tensors)).partition(".")[2]
    for change in ("best", "weight", "mean"):
        key = f"{change}.{name}"
        for value in (tensors[key] * math.nan, tensors[key][:1], tensors[key].int()):
            save_file(tensors | {key: value.contiguous()}, path, metadata)
            with pytest.raises(InputError, match="is damaged"):
                train()
    for change in ({"step": "99"}, {"step": "-5"}, {"best_score": "inf"}, {"plan": "{"}):
        save_file(tensors, path, metadata | change)
        with pytest.raises(InputError, match="is damaged"):
            train()
    store(tensors, path, metadata)
    train()


def test_what_cannot_teach_is_refused(tmp_path: Path, samples: list[Sample]) -> None:
    image, mask = samples[0]
    assert mask is not None
    for labelled, message in (
        ([], "no labelled image"),
        ([(image, None)], "has no mask"),
        ([(image, mask[:, :32])], "does not fit"),
        ([(image.expand(3, -1, -1), mask.expand(3, -1, -1))], "make them grey"),
        ([(255 * image, mask)], "divide"),
        ([((255 * image).byte(), mask)], r"floats in \[0, 1\]"),
        ([(image, mask.float())], "masks must be bool"),
        ([(image, mask & ~mask)], "every mask is empty"),
    ):
        with pytest.raises(InputError, match=message):
            train_segmenter("chest", labelled, [], plan("supervised"), tmp_path / "run")
    with pytest.raises(InputError, match="make them grey"):
        more = [image.expand(3, -1, -1)]
        train_segmenter("chest", samples[:1], more, plan("bcp"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    for options in (
        {"method": "bpc"},
        {"steps": 0},
        {"longest_side": 100},
        {"learning_rate": 2},
        {"width": 9},
    ):
        with pytest.raises(InputError, match=next(iter(options))):
            SegmenterPlan(**options)  # type: ignore[arg-type]
