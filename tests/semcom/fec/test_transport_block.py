"""Transport blocks: every payload comes back whole, and the CRCs tell when it does not."""

from __future__ import annotations

import pytest
import torch
from sionna.phy.nr import TBEncoder
from sionna.phy.nr.utils import calculate_tb_size

from channels import InputError
from semcom.fec.crc import attach
from semcom.fec.encoder import LDPCEncoder
from semcom.fec.segmentation import Segmentation, largest_payload
from semcom.fec.transport_block import TransportBlock
from semcom.modem.mcs import MCS
from tests.semcom.fec.test_fec_segmentation import EVERY_MCS, PAYLOADS, segment


def build(sizes: Segmentation, **options: int) -> TransportBlock:
    return TransportBlock(
        sizes.payload_bits, sizes.coded_bits, sizes.code_rate, sizes.num_bits_per_symbol, **options
    )


@pytest.mark.parametrize("mcs", EVERY_MCS)
def test_every_payload_comes_back(mcs: MCS) -> None:
    for payload_bits in PAYLOADS:
        block = build(segment(payload_bits, mcs))
        payload = torch.randint(0, 2, (1, payload_bits), dtype=torch.uint8)
        coded = block.encode(payload)
        assert coded.shape == (1, block.segmentation.coded_bits)
        assert coded.dtype == torch.uint8
        decoded, info = block.decode(20.0 * coded - 10)
        assert decoded.dtype == torch.float32
        assert torch.equal(decoded, payload.float()), payload_bits
        assert info.ok.tolist() == [True]
        assert info.block_ok.tolist() == [[True] * block.segmentation.num_blocks]


def test_bits_that_sionna_drops_are_carried() -> None:
    reference = TBEncoder(20000, 40000, 0.5, 2, use_scrambler=False, device="cpu")
    assert reference.k_padding == -32
    payload = torch.zeros(2, 20000)
    payload[1, -32:] = 1
    dropped = reference(payload)
    assert torch.equal(dropped[0], dropped[1])
    block = TransportBlock(20000, 40000, 0.5, 2)
    coded = block.encode(payload)
    assert coded.shape == dropped.shape
    assert not torch.equal(coded[0], coded[1])
    decoded, info = block.decode(20 * coded - 10)
    assert torch.equal(decoded, payload)
    assert bool(info.ok.all())


@pytest.mark.parametrize(
    ("symbols", "rate", "order"),
    [
        (300, 0.3, 2),
        (1000, 602 / 1024, 4),
        (3360, 948 / 1024, 6),
        (9001, 682.5 / 1024, 8),
        (20011, 0.24, 2),
    ],
)
def test_sizes_of_the_standard_are_coded_as_in_sionna(
    symbols: int, rate: float, order: int
) -> None:
    coded_bits = symbols * order
    payload_bits = int(calculate_tb_size(order, rate, coded_bits * rate, coded_bits)[0])
    reference = TBEncoder(payload_bits, coded_bits, rate, order, use_scrambler=False, device="cpu")
    assert reference.k_padding == 0
    payload = torch.randint(0, 2, (2, payload_bits)).float()
    block = TransportBlock(payload_bits, coded_bits, rate, order)
    assert torch.equal(block.encode(payload), reference(payload))


@pytest.mark.parametrize("rv", [0, 1, 2, 3])
def test_every_redundancy_version_that_stands_alone(rv: int) -> None:
    block = TransportBlock(9000, 45000, 0.2, 2, rv=rv)
    payload = torch.randint(0, 2, (3, 9000)).float()
    decoded, info = block.decode(20 * block.encode(payload) - 10)
    assert torch.equal(decoded, payload)
    assert bool(info.ok.all())


def test_crcs_tell_which_block_is_wrong() -> None:
    block = TransportBlock(20000, 40000, 0.5, 2)
    first, second, third = block.segmentation.block_coded_bits
    llr = 20 * block.encode(torch.randint(0, 2, (4, 20000)).float()) - 10
    llr[1, first : first + second] = torch.randn(second)
    llr[3, -third:] = torch.randn(third)
    _, info = block.decode(llr)
    assert info.ok.tolist() == [True, False, True, False]
    assert info.block_ok.tolist() == [
        [True, True, True],
        [True, False, True],
        [True, True, True],
        [True, True, False],
    ]
    assert info.num_iter.shape == (4, 3)


def test_a_right_block_of_another_transport_block_is_found() -> None:
    block = TransportBlock(20000, 40000, 0.5, 2)
    first = block.segmentation.block_coded_bits[0]
    llr = 20 * block.encode(torch.randint(0, 2, (2, 20000)).float()) - 10
    llr[0, :first] = llr[1, :first]
    _, info = block.decode(llr)
    assert bool(info.block_ok.all())
    assert info.ok.tolist() == [False, True]


def test_one_block_has_the_crc_of_the_transport_block() -> None:
    block = TransportBlock(1000, 2048, 0.5)
    payload = torch.randint(0, 2, (2, 1000)).float()
    llr = 20 * block.encode(payload) - 10
    llr[1] = torch.randn(2048)
    decoded, info = block.decode(llr)
    assert torch.equal(decoded[0], payload[0])
    assert info.ok.tolist() == [True, False]
    assert info.block_ok.tolist() == [[True], [False]]


def test_blocks_are_coded_one_by_one_and_the_last_is_padded() -> None:
    block = TransportBlock(20000, 40000, 0.5, 2)
    sizes = block.segmentation
    payload = torch.randint(0, 2, (20000,), dtype=torch.uint8)
    assert sizes.padding_bits == 1
    stream = torch.cat([attach(payload, "CRC24A"), torch.zeros(1, dtype=torch.uint8)])
    parts = stream.split(sizes.info_bits - 24)
    coded = [
        LDPCEncoder(sizes.info_bits, length, bg="bg1", num_bits_per_symbol=2)(
            attach(part, "CRC24B")
        )
        for part, length in zip(parts, sizes.block_coded_bits, strict=True)
    ]
    assert torch.equal(block.encode(payload[None])[0], torch.cat(coded))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool, torch.int64])
def test_dtype_stays(dtype: torch.dtype) -> None:
    block = TransportBlock(9000, 20000, 0.5, 4, num_threads=2)
    payload = torch.randint(0, 2, (3, 9000))
    coded = block.encode(payload.to(dtype))
    assert coded.dtype == dtype
    assert torch.equal(coded.long(), block.encode(payload))


@pytest.mark.parametrize("payload_bits", [1000, 20000])
def test_empty_batch(payload_bits: int) -> None:
    block = TransportBlock(payload_bits, 3 * payload_bits, 0.4, 2)
    assert block.encode(torch.empty(0, payload_bits)).shape == (0, 3 * payload_bits)
    decoded, info = block.decode(torch.empty(0, 3 * payload_bits))
    assert decoded.shape == (0, payload_bits)
    assert info.ok.shape == (0,)
    assert info.block_ok.shape == info.num_iter.shape == (0, block.segmentation.num_blocks)


def test_the_largest_payload_gets_through_noise() -> None:
    coded_bits, rate, order = 40000, 0.5, 2
    block = TransportBlock(largest_payload(coded_bits, rate, order), coded_bits, rate, order)
    payload = torch.randint(0, 2, (4, block.segmentation.payload_bits)).float()
    noise_var = 10 ** (-2.5 / 10)
    received = 2 * block.encode(payload) - 1 + noise_var**0.5 * torch.randn(4, coded_bits)
    decoded, info = block.decode(2 * received / noise_var)
    assert torch.equal(decoded, payload)
    assert bool(info.ok.all())


def test_bad_inputs() -> None:
    block = TransportBlock(1000, 2000, 0.5, 2)
    for bits in (torch.zeros(2, 999), torch.zeros(1000), torch.zeros(1, 1, 1000)):
        with pytest.raises(InputError, match=r"bits must be \[batch, 1000\], got"):
            block.encode(bits)
    with pytest.raises(InputError, match=r"llr must be \[batch, 2000\], got \[2, 1999\]"):
        block.decode(torch.zeros(2, 1999))
    with pytest.raises(InputError, match="must be a Tensor"):
        block.decode([0.0] * 2000)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be 0 or 1"):
        block.encode(torch.full((2, 1000), float("nan")))
    with pytest.raises(InputError, match=r"rv must be an int in 0..3"):
        TransportBlock(1000, 2000, 0.5, 2, rv=7)
