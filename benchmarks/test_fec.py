"""LDPC coding against Sionna's, in one run.

    pytest benchmarks/test_fec.py --benchmark-only -n 0 --benchmark-json fec.json
    python benchmarks/throughput.py fec.json benchmarks/fec.json

Code words over BPSK and Gaussian noise at an E_b/N_0 at which about one block in a thousand or
fewer fails; 20 iterations at most on both sides. Each side gets the batch that suits it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.mapping import Demapper
from torch import Tensor

from semcom.fec import LDPCDecoder, LDPCEncoder
from semcom.modem.qam import soft_bits

SINGLE = {"precision": "single", "device": "cpu"}
CODES = {(512, 1024): 2.0, (4000, 8000): 1.2, (8448, 12672): 1.9}
NUM_ITER = 20
OURS_BATCH, SIONNA_BATCH = {512: 2000, 4000: 300, 8448: 150}, {512: 64, 4000: 16, 8448: 8}
OURS = [
    (precision, stop, threads)
    for precision in ("int8", "int16", "float32")
    for stop in (False, True)
    for threads in (1, 2)
]


@cache
def received(k: int, n: int, batch: int) -> tuple[Tensor, Tensor]:
    """Bits sent, and log-likelihood ratios of what arrived."""
    draws = torch.Generator().manual_seed(1)
    bits = torch.randint(0, 2, (batch, k), generator=draws).float()
    noise_var = 1 / (2 * 10 ** (CODES[k, n] / 10) * k / n)
    noise = math.sqrt(noise_var) * torch.randn(batch, n, generator=draws)
    return bits, 2 * (2 * LDPCEncoder(k, n)(bits) - 1 + noise) / noise_var


def run(benchmark: Callable[..., object], group: str, side: str, bits: int, call: object) -> None:
    """Measure one side of a group."""
    benchmark.group = group  # type: ignore[attr-defined]
    benchmark.extra_info.update(side=side, bits=bits)  # type: ignore[attr-defined]
    benchmark(call)


@pytest.mark.parametrize(("k", "n"), list(CODES))
@pytest.mark.parametrize(("precision", "stop", "threads"), OURS)
def test_decoder(
    benchmark: Callable[..., object], k: int, n: int, precision: str, stop: bool, threads: int
) -> None:
    bits, llr = received(k, n, OURS_BATCH[k])
    decoder = LDPCDecoder(k, n, NUM_ITER, precision=precision, early_stop=stop, num_threads=threads)
    assert (decoder(llr) != bits).any(1).float().mean() < 0.05
    stops = "stops early" if stop else f"{NUM_ITER} iterations"
    side = f"ours, A-min* {precision}, {stops}, {threads} thread{'s' * (threads > 1)}"
    run(benchmark, f"decoder ({k}, {n})", side, bits.numel(), lambda: decoder(llr))


@pytest.mark.parametrize(("k", "n"), list(CODES))
@pytest.mark.parametrize("rule", ["boxplus-phi", "offset-minsum"])
@pytest.mark.parametrize("threads", [1, 2])
def test_decoder_of_sionna(
    benchmark: Callable[..., object], k: int, n: int, rule: str, threads: int
) -> None:
    bits, llr = received(k, n, SIONNA_BATCH[k])
    encoder = LDPC5GEncoder(k, n, **SINGLE)
    decoder = LDPC5GDecoder(encoder, cn_update=rule, num_iter=NUM_ITER, **SINGLE)
    side = f"Sionna, {rule}, {NUM_ITER} iterations, {threads} thread{'s' * (threads > 1)}"
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    with torch.inference_mode():
        run(benchmark, f"decoder ({k}, {n})", side, bits.numel(), lambda: decoder(llr))
    torch.set_num_threads(before)


@pytest.mark.parametrize(("k", "n"), list(CODES))
@pytest.mark.parametrize("side", ["ours, 1 thread", "Sionna, 1 thread"])
def test_encoder(benchmark: Callable[..., object], k: int, n: int, side: str) -> None:
    ours = side.startswith("ours")
    bits, _ = received(k, n, OURS_BATCH[k] if ours else SIONNA_BATCH[k])
    sionna = LDPC5GEncoder(k, n, **SINGLE)
    encoder = LDPCEncoder(k, n, num_threads=1) if ours else sionna
    encoder(bits)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    run(benchmark, f"encoder ({k}, {n})", side, bits.numel(), lambda: encoder(bits))
    torch.set_num_threads(before)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("side", ["ours, 1 thread", "Sionna, 1 thread"])
def test_soft_bits(benchmark: Callable[..., object], order: int, side: str) -> None:
    symbols = torch.randn(16, 4096, dtype=torch.complex64)
    noise_var = torch.full((16, 4096), 0.1)
    theirs = Demapper("app", "qam", order, **SINGLE)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    call = (
        (lambda: soft_bits(symbols, noise_var, order))
        if side.startswith("ours")
        else (lambda: theirs(symbols, noise_var))
    )
    run(benchmark, f"soft bits, {2**order}-QAM", side, symbols.numel() * order, call)
    torch.set_num_threads(before)
