"""Learning from few labels: losses against sampling and plain formulas, teachers, augmentation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import semcom
from semcom.segmentation.unet import FEATURES, UNet
from semcom.training.segmentation.augment import exposed, moved, squared
from semcom.training.segmentation.bcp import BCP
from semcom.training.segmentation.loss import dice_cross_entropy
from semcom.training.segmentation.mean_teacher import MeanTeacher
from semcom.training.segmentation.method import Batch
from semcom.training.segmentation.mixing import MIXINGS, random_box
from semcom.training.segmentation.self_training import SelfTraining
from semcom.training.segmentation.statistics import ClassStatistics
from semcom.training.segmentation.transfer import transferable_cross_entropy
from semcom.training.segmentation.transmedseg import DIRECTIONS, TransMedSeg, drawn


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
    """Dark images of class 0, labelled, and bright unlabelled ones."""
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


def test_self_training_shows_whole_images(monkeypatch: pytest.MonkeyPatch) -> None:
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

    def brightness(batch: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(batch), batch.clamp(0.01, 0.99).logit()], 1)

    method.teacher.forward = brightness  # type: ignore[method-assign]
    first = brightness(smooth).softmax(1)
    again = method._second_look(smooth, first, 1.25)
    torch.testing.assert_close(again, first, atol=0.03, rtol=0)  # resampled twice

    distance = torch.linspace(-1, 1, 64).abs().view(1, 1, 1, 64)
    method.teacher.forward = lambda batch: brightness(  # type: ignore[method-assign]
        distance.expand_as(batch)
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


def test_labels_move_with_their_images() -> None:
    images = torch.zeros(8, 1, 96, 96)
    images[..., 24:72, 24:72] = 1.0
    seen, labels = moved(images, images, seeded(4))
    assert (
        semcom.metrics.dice(seen[:, 0] > seen.amax((1, 2, 3))[:, None, None] / 2, labels > 0).min()
        > 0.97
    )
    assert len({labels[i].sum().item() for i in range(8)}) > 4
    again = moved(images, images, seeded(4))
    assert torch.equal(again[0], seen) and torch.equal(again[1], labels)


def test_images_bend_and_stretch_with_their_labels() -> None:
    images = torch.zeros(8, 1, 96, 96)
    images[..., 32:64, 32:64] = 1.0
    for how in ({"bend": 0.05}, {"stretch": 1.0}):
        seen, labels = moved(images, images, seeded(4), turn_deg=0, zoom=0, **how)
        assert semcom.metrics.dice(seen[:, 0] > 0.5, labels > 0).min() > 0.97
        rows, columns = (labels.amax(2) > 0).sum(1), (labels.amax(1) > 0).sum(1)
        assert (rows / columns).std() > 0.03
        plain, _ = moved(images, images, seeded(4), turn_deg=0, zoom=0)
        assert plain.mean().item() == pytest.approx(seen.mean().item(), rel=0.1)


def test_exposure_keeps_the_order_of_grey_levels() -> None:
    ramp = torch.linspace(0, 1, 64 * 64).view(1, 1, 64, 64).expand(16, -1, -1, -1)
    seen = exposed(ramp, seeded(5)).flatten(1)
    assert bool((seen.diff(dim=1) >= -1e-6).all())
    assert bool(((seen >= 0) & (seen <= 1)).all())
    assert seen.mean(1).std() > 0.05


def test_squares_hold_the_whole_image() -> None:
    image = torch.rand(1, 40, 60)
    framed = squared(image, 64)
    assert torch.equal(framed[:, 12:52, 2:62], image)
    assert torch.equal(framed[:, 0, 2:62], image[:, 0])
