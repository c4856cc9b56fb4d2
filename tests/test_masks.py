"""Mask sources: the network, its losses against sampling and plain formulas, and its training."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

import semcom
from channels import InputError
from channels.tensorfile import store
from semcom.segmentation import UNetSegmenter, corrupt
from semcom.segmentation.unet import FEATURES, UNet
from semcom.training.crops import Sample
from semcom.training.segmentation.augment import exposed, moved, squared
from semcom.training.segmentation.bcp import BCP
from semcom.training.segmentation.loss import dice_cross_entropy
from semcom.training.segmentation.mean_teacher import MeanTeacher
from semcom.training.segmentation.method import Batch
from semcom.training.segmentation.mixing import MIXINGS, random_box
from semcom.training.segmentation.segmenters import METHODS, SegmenterPlan, train_segmenter
from semcom.training.segmentation.self_training import SelfTraining
from semcom.training.segmentation.statistics import ClassStatistics
from semcom.training.segmentation.transfer import transferable_cross_entropy
from semcom.training.segmentation.transmedseg import DIRECTIONS, TransMedSeg, drawn
from semcom.weightfile import stored


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- The transferable cross-entropy --------------------------------------------------------------


def sampled(
    logits_of: tuple[Tensor, Tensor, Tensor],
    labels: Tensor,
    shift: Tensor,
    covariance: Tensor,
    strength: float,
    draws: int,
) -> tuple[float, float]:
    """Mean cross-entropy of augmented features and its standard error."""
    features, weight, bias = logits_of
    generator = seeded(1)
    factors = torch.linalg.cholesky(covariance)[labels]
    losses = []
    for _ in range(draws):
        normal = torch.randn(features.shape, generator=generator, dtype=features.dtype)
        spread = math.sqrt(strength) * torch.einsum("nde,ne->nd", factors, normal)
        moved = features + strength * shift[labels] + spread
        losses.append(cross_entropy(moved @ weight.T + bias, labels).item())
    return float(np.mean(losses)), float(np.std(losses) / math.sqrt(draws))


@pytest.mark.parametrize("classes", [2, 4])
def test_the_closed_form_bounds_the_sampled_expectation(classes: int) -> None:
    """Above it for every strength, and equal to it as the strength vanishes."""
    torch.manual_seed(0)
    features = torch.randn(64, 5, dtype=torch.float64)
    weight, bias = torch.randn(classes, 5).double(), torch.randn(classes).double()
    labels = torch.arange(64) % classes
    root = torch.randn(classes, 5, 5, dtype=torch.float64) / 2
    covariance, shift = root @ root.mT + 0.01 * torch.eye(5), torch.randn(classes, 5).double()
    logits = features @ weight.T + bias
    parts = features, weight, bias
    gaps = []
    for strength in (1e-4, 0.01, 0.1, 0.5, 1.0):
        bound = transferable_cross_entropy(logits, labels, weight, shift, covariance, strength)
        mean, error = sampled(parts, labels, shift, covariance, strength, 400)
        assert bound.item() > mean - 5 * error
        gaps.append((bound.item() - mean, error))
    assert abs(gaps[0][0]) < 5 * gaps[0][1] + 1e-3
    assert gaps[-1][0] > 5 * gaps[-1][1]
    plain = transferable_cross_entropy(logits, labels, weight, shift, covariance, 0.0)
    assert plain.item() == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-12)


def test_statistics_are_those_of_all_features_together() -> None:
    statistics, generator = ClassStatistics(2, 3, memory=math.inf, least=1), seeded(2)
    parts = [torch.randn(count, 3, generator=generator) + count for count in (70, 5, 200)]
    for part in parts:
        statistics.update(part, torch.ones(len(part), dtype=torch.int64))
    whole = torch.cat(parts)
    torch.testing.assert_close(statistics.mean[1], whole.mean(0))
    torch.testing.assert_close(statistics.covariance[1], torch.cov(whole.T, correction=0))
    assert statistics.known.tolist() == [False, True]
    before = statistics.mean.clone()
    ClassStatistics.update(statistics, whole[:0], torch.ones(0, dtype=torch.int64))
    assert torch.equal(statistics.mean, before)


def test_old_features_fade() -> None:
    statistics = ClassStatistics(1, 1, memory=100, least=1)
    for value in (0.0, 1.0):
        for _ in range(20):
            statistics.update(torch.full((100, 1), value), torch.zeros(100, dtype=torch.int64))
    assert statistics.mean.item() == pytest.approx(1 - 0.5**20, abs=1e-6)


def test_pixels_are_drawn_alike_from_each_class_and_never_from_none() -> None:
    labels = torch.full((2, 8, 8), -1)
    labels[0, :4], labels[1, 0, :3] = 0, 1
    features = torch.stack([torch.arange(128.0).view(2, 8, 8)] * 4, 1)
    chosen, kinds = drawn(features, labels, 10, seeded(0))
    assert torch.bincount(kinds).tolist() == [10, 3]
    assert chosen.shape == (13, 4)
    flat = labels.flatten()
    assert torch.equal(flat[chosen[:, 0].long()], kinds)
    empty, none = drawn(features, torch.full((2, 8, 8), -1), 10, seeded(0))
    assert empty.shape == (0, 4) and none.shape == (0,)


# --- The losses and methods ----------------------------------------------------------------------


def test_the_loss_is_the_mean_of_cross_entropy_and_dice() -> None:
    logits, labels = torch.randn(3, 2, 6, 5), torch.randint(0, 2, (3, 6, 5))
    where = torch.rand(3, 6, 5) < 0.5
    chance, wanted = logits.softmax(1)[:, 1][where], labels[where].float()
    overlap = (2 * (chance * wanted).sum() + 1) / ((chance**2).sum() + wanted.sum() + 1)
    entropy = cross_entropy(logits.movedim(1, -1)[where], labels[where])
    expected = (entropy + 1 - overlap) / 2
    torch.testing.assert_close(dice_cross_entropy(logits, labels, where), expected)
    nowhere = dice_cross_entropy(logits, labels, torch.zeros_like(where))
    assert nowhere.item() == 0


def batch_of(side: int, classes: tuple[float, float] = (0.25, 0.75)) -> Batch:
    """Dark pictures of class 0, labelled, and bright unlabelled ones."""
    dark, bright = (torch.full((2, 1, side, side), value) for value in classes)
    return Batch(dark, torch.zeros(2, side, side, dtype=torch.int64), bright, bright - 0.01)


def test_copy_paste_exchanges_a_box_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    method, seen = BCP(UNet(8)), []
    features = UNet.features
    monkeypatch.setattr(UNet, "features", lambda net, x: seen.append(x.clone()) or features(net, x))
    batch, inside = batch_of(64), random_box(64, seeded(3))
    mixed = method.answer(batch, 0.5, seeded(3))
    taught, pasted = seen
    assert torch.equal(taught, batch.plain)
    assert torch.equal(pasted[0, 0] > 0.5, inside) and torch.equal(pasted[2, 0] < 0.5, inside)
    assert torch.equal(mixed.labels[0] == 0, ~inside) and torch.equal(mixed.labels[2] == 0, inside)
    assert mixed.labels.min() == -1
    warm = method.answer(batch, 0.1, seeded(3))
    assert warm.taught is None and bool((warm.labels == 0).all())


def test_self_training_shows_whole_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    method, seen = SelfTraining(UNet(8), closest=1), []
    features = UNet.features
    monkeypatch.setattr(UNet, "features", lambda net, x: seen.append(x.clone()) or features(net, x))
    batch = batch_of(64)
    answer = method.answer(batch, 0.5, seeded(3))
    taught, shown = seen
    assert torch.equal(taught, batch.plain)
    assert torch.equal(shown, torch.cat([batch.images, batch.unlabelled]))
    assert bool((answer.labels[:2] == 0).all()) and bool((answer.labels[2:] == -1).all())


def test_the_second_look_counts_where_it_looked() -> None:
    """A teacher that says how bright it is, and another that says how far from the middle."""
    method = SelfTraining(UNet(8))
    images = torch.rand(2, 1, 64, 64, generator=seeded(1))
    smooth = torch.nn.functional.avg_pool2d(images, 9, 1, 4)

    def brightness(pictures: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(pictures), pictures.clamp(0.01, 0.99).logit()], 1)

    method.teacher.forward = brightness  # type: ignore[method-assign]
    first = brightness(smooth).softmax(1)
    again = method._second_look(smooth, first, 1.25)
    torch.testing.assert_close(again, first, atol=0.03, rtol=0)  # resampled twice

    distance = torch.linspace(-1, 1, 64).abs().view(1, 1, 1, 64)
    method.teacher.forward = lambda pictures: brightness(  # type: ignore[method-assign]
        distance.expand_as(pictures)
    )
    first = method.teacher(images).softmax(1)
    again = method._second_look(images, first, 2.0)
    outside = torch.ones(64, 64, dtype=torch.bool)
    outside[16:48, 16:48] = False
    assert torch.equal(again[..., outside], first[..., outside])
    wanted = (1 + 2) / 2 * distance[..., 17:47]  # what lies at d is seen at 2 d
    torch.testing.assert_close(
        again[:1, 1:, 32:33, 17:47], wanted.clamp(0.01, 0.99), atol=0.02, rtol=0
    )


def test_teachers_follow_their_students() -> None:
    for method, progress, kept in ((MeanTeacher(UNet(8)), 0.1, 0.99), (BCP(UNet(8)), 0.1, 0.0)):
        before = method.teacher.classifier.weight.clone()
        with torch.no_grad():
            method.student.classifier.weight.add_(1.0)
        method.stepped(progress)
        torch.testing.assert_close(method.teacher.classifier.weight, before + (1 - kept))
        assert not any(value.requires_grad for value in method.teacher.parameters())


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_transfer_reaches_the_weights_after_the_warm_up(direction: str, mixing: str) -> None:
    torch.manual_seed(0)
    method = TransMedSeg(UNet(8), beta=1.0, direction=direction, mixing=mixing)
    images, labels = torch.rand(2, 1, 64, 64), torch.randint(0, 2, (2, 64, 64))
    batch = Batch(images, labels, *torch.rand(2, 2, 1, 64, 64))
    unsure = method.loss(batch, 1.0, seeded(1))
    assert torch.isfinite(unsure)
    with torch.no_grad():
        method.teacher.classifier.weight.mul_(20)
    for statistics in (method.source, method.target):
        statistics.update(torch.randn(400, FEATURES), torch.arange(400) % 2)
    plain = SelfTraining(method.student, mixing)
    plain.teacher = method.teacher
    assert method.loss(batch, 0.1, seeded(1)) == plain.loss(batch, 0.1, seeded(1))
    more = method.loss(batch, 1.0, seeded(1)) - plain.loss(batch, 1.0, seeded(1))
    assert more > 0
    (gradient,) = torch.autograd.grad(more, [method.student.classifier.weight])
    assert gradient.abs().sum() > 0


# --- Pictures and masks --------------------------------------------------------------------------


def test_labels_move_with_their_pictures() -> None:
    pictures = torch.zeros(8, 1, 96, 96)
    pictures[..., 24:72, 24:72] = 1.0
    seen, labels = moved(pictures, pictures, seeded(4))
    assert (
        semcom.metrics.dice(seen[:, 0] > seen.amax((1, 2, 3))[:, None, None] / 2, labels > 0).min()
        > 0.97
    )
    assert len({labels[i].sum().item() for i in range(8)}) > 4
    again = moved(pictures, pictures, seeded(4))
    assert torch.equal(again[0], seen) and torch.equal(again[1], labels)


def test_pictures_bend_and_stretch_with_their_labels() -> None:
    pictures = torch.zeros(8, 1, 96, 96)
    pictures[..., 32:64, 32:64] = 1.0
    for how in ({"bend": 0.05}, {"stretch": 1.0}):
        seen, labels = moved(pictures, pictures, seeded(4), turn_deg=0, zoom=0, **how)
        assert semcom.metrics.dice(seen[:, 0] > 0.5, labels > 0).min() > 0.97
        rows, columns = (labels.amax(2) > 0).sum(1), (labels.amax(1) > 0).sum(1)
        assert (rows / columns).std() > 0.03
        plain, _ = moved(pictures, pictures, seeded(4), turn_deg=0, zoom=0)
        assert plain.mean().item() == pytest.approx(seen.mean().item(), rel=0.1)


def test_exposure_keeps_the_order_of_grey_levels() -> None:
    ramp = torch.linspace(0, 1, 64 * 64).view(1, 1, 64, 64).expand(16, -1, -1, -1)
    seen = exposed(ramp, seeded(5)).flatten(1)
    assert bool((seen.diff(dim=1) >= -1e-6).all())
    assert bool(((seen >= 0) & (seen <= 1)).all())
    assert seen.mean(1).std() > 0.05


def test_squares_hold_the_whole_picture() -> None:
    image = torch.rand(1, 40, 60)
    framed = squared(image, 64)
    assert torch.equal(framed[:, 12:52, 2:62], image)
    assert torch.equal(framed[:, 0, 2:62], image[:, 0])


def discs() -> Tensor:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    masks = [(y - 20) ** 2 + (x - 20) ** 2 <= 100, (y - 45) ** 2 + (x - 45) ** 2 <= 64]
    return torch.stack(masks).any(0)[None, None]


def test_corruption_does_what_it_says() -> None:
    masks = discs()
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    shrunk = corrupt(masks, erode=3)
    grown = corrupt(masks, dilate=3)
    assert not bool((shrunk & ~masks).any()) and not bool((masks & ~grown).any())
    assert bool(grown[0, 0, 20, 33]) and not bool(grown[0, 0, 20, 34])
    assert torch.equal(corrupt(masks, shift=(5, -3))[0, 0, 5:, :-3], masks[0, 0, :-5, 3:])
    counts = {int(corrupt(masks, drop=0.5, seed=seed).sum()) for seed in range(20)}
    sizes = [int(((y - c) ** 2 + (x - c) ** 2 <= r).sum()) for c, r in ((20, 100), (45, 64))]
    assert counts == {0, sum(sizes), *sizes}
    assert torch.equal(corrupt(masks), masks)
    full = torch.ones(1, 1, 40, 40, dtype=torch.bool)
    assert torch.equal(corrupt(full, erode=5, dilate=5), full)
    assert not bool(corrupt(~full, dilate=5).any())
    assert corrupt(masks[:0]).shape == (0, 1, 64, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": 2}, "drop must"),
        ({"erode": -1}, "erode must"),
        ({"dilate": math.nan}, "dilate"),
        ({"dilate": "3"}, "dilate"),
        ({"shift": 1}, "shift"),
        ({"shift": (1.5, 0)}, "shift"),
        ({"seed": None}, "seed"),
    ],
)
def test_corruption_refuses_what_it_cannot_do(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        corrupt(discs(), **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"masks > 0\.5"):
        corrupt(torch.rand(1, 1, 32, 32))


# --- The segmenter -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (33, 517), (256, 256), (300, 180)])
def test_any_size_gives_probabilities_of_that_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    segmenter, images = UNetSegmenter(width=8).eval(), torch.rand(2, 1, *size)
    found = segmenter(images)
    assert found.shape == images.shape and found.dtype == torch.float32
    assert found.min() >= 0 and found.max() <= 1
    torch.testing.assert_close(segmenter(images[1:]), found[1:])
    torch.testing.assert_close(segmenter(images * 0.5 + 0.2), found, atol=1e-3, rtol=0)


def test_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    segmenter = UNetSegmenter("teeth", 128, 8, 3).half().float().eval()
    segmenter.save(tmp_path / "mine.safetensors")
    again, images = UNetSegmenter.load(tmp_path / "mine.safetensors"), torch.rand(1, 1, 70, 90)
    assert again.config() == segmenter.config()
    assert torch.equal(again(images), segmenter(images))
    assert not again(images).requires_grad
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    for name in ("other", "torn", "missing"):
        with pytest.raises(InputError, match=name):
            UNetSegmenter.load(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(1, 3, 64, 64), "make them grey"),
        (torch.rand(64, 64), r"\[batch, 1, H, W\]"),
        (torch.rand(1, 1, 16, 64), "enlarge"),
        (torch.full((1, 1, 64, 64), 255.0), "divide"),
        (torch.full((1, 1, 64, 64), math.nan), "finite"),
        (torch.zeros(1, 1, 64, 64, dtype=torch.uint8), "floating-point"),
        (np.zeros((1, 1, 64, 64)), "floating-point"),
    ],
)
def test_what_is_no_grey_picture_is_refused(images: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        UNetSegmenter(width=8)(images)


# --- Training ------------------------------------------------------------------------------------


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


def test_weights_that_are_not_finite_are_neither_stored_nor_loaded(tmp_path: Path) -> None:
    segmenter = UNetSegmenter(width=8)
    segmenter.save(tmp_path / "mine.safetensors")
    tensors, metadata = stored(tmp_path / "mine.safetensors")
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name] * math.nan}, tmp_path / "nan.safetensors", metadata)
    with pytest.raises(InputError, match="not finite"):
        UNetSegmenter.load(tmp_path / "nan.safetensors")
    with torch.no_grad():
        segmenter.network.classifier.weight.fill_(1e6)
    with pytest.raises(InputError, match="half precision"):
        segmenter.save(tmp_path / "large.safetensors")
    assert not (tmp_path / "large.safetensors").exists()


def test_weights_replace_files_alone_and_can_be_read_by_all(tmp_path: Path) -> None:
    segmenter = UNetSegmenter(width=8)
    for path in (None, "", tmp_path, "/dev/null", tmp_path / "nowhere" / "mine.safetensors"):
        with pytest.raises(InputError):
            segmenter.save(path)  # type: ignore[arg-type]
    beside = tmp_path / "beside"
    beside.write_text("")
    segmenter.save(tmp_path / "mine.safetensors")
    assert (tmp_path / "mine.safetensors").stat().st_mode == beside.stat().st_mode


def test_what_cannot_teach_is_refused(tmp_path: Path, samples: list[Sample]) -> None:
    image, mask = samples[0]
    assert mask is not None
    for labelled, message in (
        ([], "no labelled picture"),
        ([(image, None)], "has no mask"),
        ([(image, mask[:, :32])], "does not fit"),
        ([(image.expand(3, -1, -1), mask.expand(3, -1, -1))], "make them grey"),
        ([(255 * image, mask)], "divide"),
        ([((255 * image).byte(), mask)], "floating-point"),
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
