"""Maps of regions under the outline model: what both ends know, and what that is worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from channels import InputError
from channels.tensorfile import store
from semcom.medjscc.source.outline import Blocks, OutlineModel, features, shipped
from semcom.training.outline import train_outline


def disc(side: int, radius: float) -> Blocks:
    place = np.arange(side) - (side - 1) / 2
    inside: Blocks = place[:, None] ** 2 + place**2 < radius**2
    return inside


def test_what_a_chance_depends_on_comes_before_its_block() -> None:
    """Blocks from one on, in raster order, change; the features of it and those before do not."""
    blocks = np.random.default_rng(0).random((9, 12)) < 0.5
    for first in (0, 17, 60, 107):
        other = blocks.copy()
        other.ravel()[first:] = ~other.ravel()[first:]
        assert np.array_equal(features(blocks)[: first + 1], features(other)[: first + 1])
        assert first > 100 or not np.array_equal(features(blocks), features(other))


def test_chances_add_up_to_one_over_all_maps() -> None:
    """All 512 maps of 3 x 3 blocks: 2^-bits is a distribution, but for chances' last bit."""
    maps = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(bool).reshape(-1, 3, 3)
    total = sum(2 ** -shipped().bits(blocks) for blocks in maps)
    assert total == pytest.approx(1, abs=1e-9)


def test_regions_in_one_piece_cost_less_than_their_outline_by_the_neighbours_alone() -> None:
    """A chance of 1/8 for a change at each block of the outline costs 3 bits a block at least."""
    blocks = disc(32, 9)
    outline = int((blocks[:, 1:] != blocks[:, :-1]).sum() + (blocks[1:] != blocks[:-1]).sum())
    assert shipped().bits(blocks) < 3 * outline
    assert shipped().bits(disc(32, 9)) < shipped().bits(np.roll(np.eye(32, dtype=bool), 3, 0))


def test_training_lowers_what_maps_cost_that_it_has_not_seen() -> None:
    seen = [disc(16, radius) for radius in (3, 4, 6, 7)]
    little, much = (train_outline(seen, steps=steps, hidden=8) for steps in (5, 400))
    assert much.bits(disc(16, 5)) < 0.5 * little.bits(disc(16, 5))


def test_a_model_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    model = train_outline([disc(8, 3)], steps=3, hidden=4)
    model.save(tmp_path / "outline.safetensors")
    read = OutlineModel.load(tmp_path / "outline.safetensors")
    assert read.fingerprint == model.fingerprint
    assert read.bits(disc(8, 2)) == model.bits(disc(8, 2))


def test_other_files_and_weights_are_refused(tmp_path: Path) -> None:
    store({"first": torch.zeros(2)}, tmp_path / "other.safetensors", {})
    with pytest.raises(InputError, match="holds no outline model"):
        OutlineModel.load(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="must be first, first_bias"):
        OutlineModel({"first": np.zeros((2, 2), np.int16)})
    with pytest.raises(InputError, match="no map of a region to learn from"):
        train_outline([])
