"""Where Med-JSCC's budget goes, as its receiver finds it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

import channels
import semcom
from channels import InputError, Reception
from semcom.medjscc import MedJSCC
from semcom.medjscc.rate_map import RateMap
from semcom.medjscc.source.steps import mask_blocks

SNR_DB, CBR = 9.0, 1 / 16


@pytest.fixture(scope="module")
def codec(narrow: MedJSCC) -> MedJSCC:
    return narrow


@pytest.fixture(scope="module")
def phantoms() -> tuple[Tensor, Tensor]:
    return semcom.data.phantoms("chest", n=1, size=192, seed=21)


def sent(codec: MedJSCC, phantoms: tuple[Tensor, Tensor]) -> Reception:
    tx = codec.encode(phantoms[0], cbr=CBR, snr_db=SNR_DB, roi=phantoms[1])
    return channels.link("awgn")(tx, SNR_DB, seed=1)


def mapped(codec: MedJSCC, rx: Reception) -> RateMap:
    (found,) = codec.rate_map(rx)
    assert found is not None
    return found


def test_parts_and_blocks_add_up(codec: MedJSCC, phantoms: tuple[Tensor, Tensor]) -> None:
    rx = sent(codec, phantoms)
    found = mapped(codec, rx)
    uses = found.header + found.analog_base + found.digital + found.analogue
    assert uses == rx.session.channel_uses
    assert found.symbols.sum().item() == pytest.approx(found.analogue)
    assert torch.equal(found.blocks, mask_blocks(phantoms[1].float())[0, 0])


def test_blocks_hold_the_digital_part_but_frame_and_mask(
    trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """At most 3 % more than its bytes, and most of them."""
    rx = sent(trained, phantoms)
    found, parts = mapped(trained, rx), trained._layout(rx.session)
    length = next(n for n in range(256) if parts.digital_uses(n) == found.digital)
    room = 8 * parts.capacity(length)
    assert 0.8 * room < found.bits.sum().item() < 1.03 * room
    assert (found.bits > 0).all()


def test_the_region_draws_bits_as_its_step_gets_finer(
    codec: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    shares = []
    for ratio in (1.0, 4.0):
        altered = codec.with_options(roi_ratio=ratio)
        found = mapped(altered, sent(altered, phantoms))
        inside = mask_blocks(phantoms[1].float())[0, 0]
        shares.append((found.bits[inside].sum() / found.bits.sum()).item())
    assert shares[1] > shares[0] + 0.1


def test_equal_rates_differ_by_two_numbers_at_most(
    trained: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    """One where the last place in a block is reached, one by levels that blocks have in common."""
    equal = trained.with_options(equal_rates=True)
    low, high = mapped(equal, sent(equal, phantoms)).symbols.aminmax()
    assert (high - low).item() <= 1
    low, high = mapped(trained, sent(trained, phantoms)).symbols.aminmax()
    assert (high - low).item() > 1


def test_a_lost_image_has_no_map(codec: MedJSCC, phantoms: tuple[Tensor, Tensor]) -> None:
    rx = sent(codec, phantoms)
    noise = torch.randn(rx.symbols.shape, generator=torch.Generator().manual_seed(3)) + 0j
    assert codec.rate_map(Reception(noise, rx.noise_var, rx.snr_db, rx.session)) == [None]


def test_what_another_codec_sent_is_refused(
    codec: MedJSCC, phantoms: tuple[Tensor, Tensor]
) -> None:
    rx = sent(codec, phantoms)
    other = replace(rx.session, codec="ntscc")
    with pytest.raises(InputError, match="sent by 'ntscc'"):
        codec.rate_map(Reception(rx.symbols, rx.noise_var, rx.snr_db, other))
