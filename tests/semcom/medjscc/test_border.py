"""Lines along an image's sides: found, written, restored."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from semcom.medjscc.source.bitstream import Reader, Writer
from semcom.medjscc.source.border import Border, find_border
from semcom.medjscc.undecodable import Undecodable
from tests.semcom.images import framed


@given(
    lines=st.tuples(*[st.integers(0, 20)] * 4),
    level=st.integers(0, 255),
    height=st.integers(60, 90),
    seed=st.integers(0, 99),
)
def test_a_frame_is_found_written_and_restored(
    lines: tuple[int, int, int, int], level: int, height: int, seed: int
) -> None:
    draws = torch.Generator().manual_seed(seed)
    image = framed(torch.rand(1, 1, height, 70, generator=draws), lines, level)
    found = find_border(image)
    assert (found.lines, found.level) == (lines, level if any(lines) else 0)
    writer = Writer()
    writer.border(found)
    assert Reader(writer.bytes()).border(height, 70) == found
    assert torch.allclose(found.restored(found.removed(image)), image, atol=1e-6)


def test_bright_and_dark_lines_are_brought_near_the_image() -> None:
    """Lines 0.3 off, as an edge filter leaves them, within half a step of 4/255 afterwards."""
    image = torch.full((1, 1, 60, 80), 0.5)
    image[..., 1] += 0.3
    image[..., 2, :] -= 0.3
    found = find_border(framed(image, (1, 0, 0, 2), 0))
    assert [len(offsets) for offsets in found.offsets] == [1, 0, 3, 0]
    left = found.removed(framed(image, (1, 0, 0, 2), 0))
    assert float((left - 0.5).abs().max()) < 0.02


def test_an_image_of_one_level_keeps_an_inside() -> None:
    image = torch.full((1, 1, 40, 300), 0.2)
    found = find_border(image)
    assert found == Border((63, 63, 12, 12), 51)
    assert torch.allclose(found.restored(found.removed(image)), image)


@pytest.mark.parametrize(
    "found", [Border((40, 40, 0, 0), 9), Border((0, 0, 57, 0), 9, ((), (), (), (1,) * 8))]
)
def test_a_frame_beyond_the_image_is_refused(found: Border) -> None:
    writer = Writer()
    writer.border(found)
    with pytest.raises(Undecodable, match="does not fit"):
        Reader(writer.bytes()).border(64, 80)


def test_gradients_pass_a_frame() -> None:
    """Pixels inside get theirs, those of the border none."""

    def summed(image: Tensor) -> Tensor:
        return found.restored(found.removed(image)).sum()

    image = framed(torch.rand(1, 1, 40, 50), (2, 0, 1, 0), 0).requires_grad_()
    found = find_border(image)
    (gradient,) = torch.autograd.grad(summed(image), image)
    assert (gradient[..., 1:, 2:] == 1).all() and gradient.sum() == 39 * 48
