"""Mask blocks and integers as bytes; whatever the bytes are, the reader comes to an end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom.medjscc.source.bitstream import Reader, Writer, reading_from
from semcom.medjscc.source.border import Border
from semcom.medjscc.source.entropy_model import EntropyModel
from semcom.medjscc.source.quantiser import LARGEST
from semcom.medjscc.undecodable import Undecodable


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 999),
    share=st.floats(0, 1),
    rows=st.integers(2, 11),
    columns=st.integers(2, 11),
)
def test_mask_blocks_survive(seed: int, share: float, rows: int, columns: int) -> None:
    blocks = np.random.default_rng(seed).random((rows, columns)) < share
    writer = Writer()
    writer.blocks(blocks)
    assert np.array_equal(Reader(writer.bytes()).blocks((rows, columns)), blocks)


def test_a_region_in_one_piece_takes_less_than_a_bit_a_block() -> None:
    """A disc of 24 blocks across in 32 x 32: its outline costs, what is inside hardly any."""
    place = np.arange(32) - 15.5
    blocks = place[:, None] ** 2 + place**2 < 144
    writer = Writer()
    writer.blocks(blocks)
    assert 8 * len(writer.bytes()) < blocks.size / 3


def test_frame_blocks_and_integers_follow_each_other() -> None:
    found, blocks = Border((1, 0, 0, 2), 7), np.eye(4, dtype=np.bool_)
    writer = Writer()
    writer.border(found)
    writer.blocks(blocks)
    reader = Reader(writer.bytes())
    assert reader.border(64, 64) == found
    assert np.array_equal(reader.blocks((4, 4)), blocks)


@pytest.mark.parametrize("seed", range(6))
def test_rubbish_is_read_without_an_end_or_a_crash(model: EntropyModel, seed: int) -> None:
    rubbish = np.random.default_rng(seed).bytes(200)
    reader = Reader(rubbish)
    try:
        reader.border(64, 64)
        reader.blocks((4, 4))
        walked = model.walk(torch.zeros(1, 1, 4, 4), reading_from([reader]))
    except Undecodable:
        return
    assert max(float(band.abs().max()) for band in walked.integers) <= LARGEST + 2


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\0" * 40])
def test_bytes_of_one_kind_are_read_without_a_crash(model: EntropyModel, data: bytes) -> None:
    for read in (
        lambda: Reader(data).border(64, 64),
        lambda: Reader(data).blocks((4, 4)),
        lambda: model.walk(torch.zeros(1, 1, 4, 4), reading_from([Reader(data)])),
    ):
        try:
            read()
        except Undecodable:
            continue
