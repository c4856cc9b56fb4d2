"""Distances between outlines, against their definition point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from torch import Tensor

from channels import InputError
from semcom.metrics import hausdorff_95, surface_distance

masks = arrays(bool, (7, 9), elements=st.booleans()).map(torch.from_numpy)


def outline(mask: Tensor) -> np.ndarray:
    """Points of a mask with a 4-neighbour outside of it or of the image."""
    framed = torch.nn.functional.pad(mask, (1, 1, 1, 1))
    inside = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return (mask & ~inside).nonzero().numpy()


@given(a=masks, b=masks)
def test_distances_are_those_of_every_point_of_both_outlines(a: Tensor, b: Tensor) -> None:
    pair = a[None, None], b[None, None]
    if not (a.any() and b.any()):
        wanted = 0.0 if a.any() == b.any() else math.inf
        assert hausdorff_95(*pair).item() == surface_distance(*pair).item() == wanted
        return
    apart = cdist(outline(a), outline(b))
    both = np.concatenate([apart.min(1), apart.min(0)])
    assert hausdorff_95(*pair).item() == pytest.approx(np.percentile(both, 95), abs=1e-5)
    assert surface_distance(*pair).item() == pytest.approx(both.mean(), abs=1e-5)
    assert torch.equal(hausdorff_95(*pair), hausdorff_95(*pair[::-1]))


def test_each_image_of_a_batch_has_its_own() -> None:
    discs = torch.zeros(3, 1, 32, 32, dtype=torch.bool)
    discs[:, :, 8:20, 8:20] = True
    moved = torch.stack([discs[0], discs[1].roll(2, -1), discs[2].roll(5, -2)])
    assert hausdorff_95(discs, moved).tolist() == [0, 2, 5]


@pytest.mark.parametrize("metric", [hausdorff_95, surface_distance])
def test_what_are_no_masks_is_refused(metric: object) -> None:
    mask = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    for a, b, message in (
        (mask.float(), mask, r"masks > 0\.5"),
        (mask, mask[..., :4], "different shapes"),
        (mask[0], mask[0], r"\[batch, 1, H, W\]"),
        (mask.expand(1, 3, 8, 8), mask.expand(1, 3, 8, 8), r"\[batch, 1, H, W\]"),
    ):
        with pytest.raises(InputError, match=message):
            metric(a, b)  # type: ignore[operator]
