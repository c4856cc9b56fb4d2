"""The Fréchet distance over inner features: none for equal pictures, more for more damage."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import semcom
from semcom.segmentation import UNetSegmenter, frechet, frechet_of_set
from tests.refusals import refused

IMAGES = semcom.data.phantoms("chest", n=2, size=160, seed=0)[0]
SEGMENTER = semcom.segmenter("chest")
NOISE = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(0))


def noisy(sigma: float) -> Tensor:
    return (IMAGES + sigma * NOISE).clamp(0, 1)


def blurred(side: float) -> Tensor:
    half = int(side) // 2
    padded = F.pad(IMAGES, (half,) * 4, mode="reflect")
    return F.avg_pool2d(padded, int(side), 1)


def as_jpeg(damage: float) -> Tensor:
    images = []
    for image in (255 * IMAGES[:, 0]).round().byte().numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(100 - damage))
        images.append(torch.from_numpy(np.array(Image.open(file))))
    return torch.stack(images)[:, None].float() / 255


@pytest.mark.parametrize(
    ("damage", "strengths"),
    [(noisy, (0, 0.01, 0.03, 0.1)), (blurred, (1, 3, 5, 9)), (as_jpeg, (10, 50, 80, 95))],
)
def test_more_damage_is_further(damage: Callable[[float], Tensor], strengths: list[float]) -> None:
    distances = [frechet(damage(strength), IMAGES, SEGMENTER) for strength in strengths]
    assert all(bool((a < b).all()) for a, b in itertools.pairwise(distances))
    assert distances[0].shape == (2,) and distances[0].dtype == torch.float32
    of_sets = [frechet_of_set(damage(strength), IMAGES, SEGMENTER) for strength in strengths]
    assert of_sets == sorted(of_sets)


def test_equal_pictures_are_no_distance_apart_and_order_does_not_matter() -> None:
    assert frechet(IMAGES, IMAGES, SEGMENTER).tolist() == pytest.approx([0, 0], abs=1e-9)
    out = noisy(0.05)
    there, back = frechet(out, IMAGES, SEGMENTER), frechet(IMAGES, out, SEGMENTER)
    torch.testing.assert_close(there, back)


def test_it_sees_damage_and_not_the_place() -> None:
    moved = frechet(IMAGES.roll(4, -1), IMAGES, SEGMENTER)
    assert bool((20 * moved < frechet(noisy(0.03), IMAGES, SEGMENTER)).all())
    brighter = frechet(0.9 * IMAGES + 0.05, IMAGES, SEGMENTER)
    assert brighter.tolist() == pytest.approx([0, 0], abs=1e-5)


def test_a_set_is_its_pictures_positions_in_any_order_and_of_any_sizes() -> None:
    mixed = [IMAGES[1], IMAGES[0]]
    assert frechet_of_set(mixed, IMAGES, SEGMENTER) == pytest.approx(0, abs=1e-9)
    other = semcom.data.phantoms("chest", n=3, size=96, seed=5)[0]
    apart = frechet_of_set([*other, IMAGES[0]], IMAGES, SEGMENTER)
    assert apart > 0.01
    one = frechet_of_set(noisy(0.1)[:1], IMAGES[:1], SEGMENTER)
    assert one == pytest.approx(float(frechet(noisy(0.1)[:1], IMAGES[:1], SEGMENTER)), rel=1e-5)


def test_features_are_those_of_the_segmenter_before_its_second_pooling() -> None:
    images = IMAGES[..., :96, :128]
    entered: list[Tensor] = []
    block = SEGMENTER.network.down[2]
    hook = block.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    SEGMENTER(images)
    hook.remove()
    features = SEGMENTER.early_features(images)
    assert features.shape == (2, 32, 24, 32)
    assert torch.equal(F.max_pool2d(features, 2), entered[0])


def test_bad_input_is_one_line() -> None:
    refused(lambda: frechet(IMAGES, IMAGES, lambda x: x), "looks inside a UNetSegmenter")  # type: ignore[arg-type]
    refused(lambda: frechet(IMAGES[:1], IMAGES, SEGMENTER), "different shapes")
    refused(lambda: frechet(255 * IMAGES, IMAGES, SEGMENTER), "must lie in")
    refused(lambda: frechet_of_set([], IMAGES, SEGMENTER), "holds no image")
    assert frechet_of_set(IMAGES, IMAGES, UNetSegmenter("mine").eval()) < 1e-6
