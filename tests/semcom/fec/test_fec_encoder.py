"""The LDPC encoder against Sionna, against its check rows and against TS 38.212 clause 5.4.2."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sionna.phy.fec.ldpc import LDPC5GEncoder
from torch import Tensor

from channels import InputError
from semcom.fec.base_graph import LIFTING_SETS, LIFTING_SIZES
from semcom.fec.code import LDPCCode
from semcom.fec.encoder import LDPCEncoder
from semcom.fec.parity import parity_equations
from semcom.fec.rate_matching import RateMatching
from tests.semcom.fec.codes import sizes_of_every_lifting

GRAPHS = ("bg1", "bg2")
STARTS = {"bg1": (0, 17, 33, 56), "bg2": (0, 13, 25, 43)}


def random_bits(*shape: int) -> Tensor:
    return torch.randint(0, 2, shape, dtype=torch.uint8)


def sionna(k: int, n: int, bg: str | None, order: int | None, bits: Tensor, rv: int = 0) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        encoder = LDPC5GEncoder(
            k, n, num_bits_per_symbol=order, bg=bg, precision="single", device="cpu"
        )
    coded: Tensor = encoder(bits.float(), rv=[rv])[:, 0]
    return coded.to(bits.dtype)


def mother_word(code: LDPCCode, bits: Tensor) -> NDArray[np.uint8]:
    """All bits ``[batch, columns, Z]``, fillers zero, from one full turn of the buffer."""
    size, parity = code.lifting_size, code.graph.num_info_columns * code.lifting_size
    visible = max(code.k - 2 * size, 0)
    sent = LDPCEncoder(code.k, visible + code.graph.num_rows * size, bg=code.bg)(bits).numpy()
    word = np.zeros((len(bits), parity + code.graph.num_rows * size), np.uint8)
    word[:, : code.k] = bits.numpy()
    assert (word[:, 2 * size : code.k] == sent[:, :visible]).all()
    word[:, parity:] = sent[:, visible:]
    return word.reshape(len(bits), -1, size)


def circular_buffer(code: LDPCCode, word: NDArray[np.uint8], n: int, rv: int) -> list[int]:
    """One word's bit selection, line by line as TS 38.212 clauses 5.3.2 and 5.4.2.1 write it."""
    size, graph = code.lifting_size, code.graph
    null = 2
    filled = word.reshape(-1).copy()
    filled[code.k : graph.num_info_columns * size] = null
    d = filled[2 * size :].tolist()
    length = 66 * size if code.bg == "bg1" else 50 * size
    assert len(d) == length
    k0 = STARTS[code.bg][rv] * size
    e: list[int] = []
    j = 0
    while len(e) < n:
        if d[(k0 + j) % length] != null:
            e.append(d[(k0 + j) % length])
        j += 1
    return e


def interleaved(e: list[int], order: int) -> list[int]:
    """Bit interleaving, line by line as TS 38.212 clause 5.4.2.2 writes it."""
    f = [0] * len(e)
    for j in range(len(e) // order):
        for i in range(order):
            f[i + j * order] = e[i * len(e) // order + j]
    return f


@pytest.mark.parametrize("bg", GRAPHS)
def test_every_check_of_every_lifted_graph_holds(bg: str) -> None:
    by_size = sizes_of_every_lifting(bg)
    assert sorted(by_size) == list(LIFTING_SIZES)
    for size, ks in by_size.items():
        code = LDPCCode(ks[len(ks) // 2] if size % 3 else ks[-1], bg)
        word = mother_word(code, random_bits(3, code.k))
        for row in code.rows:
            total = sum(np.roll(word[:, column], -shift, 1) for column, shift in row)
            assert not (total % 2).any(), (code, row)


@pytest.mark.parametrize("bg", GRAPHS)
@pytest.mark.parametrize("lifting_set", range(8))
def test_equals_sionna_on_every_lifting_set(bg: str, lifting_set: int) -> None:
    sizes = [size for size in LIFTING_SETS[lifting_set] if size > 3]
    for index, size in enumerate((sizes[0], sizes[-2])):
        k = sizes_of_every_lifting(bg)[size][-1 - index]
        rate_inverse = 1.1 + 1.8 * torch.rand(1).item()
        order = (1, 2, 4, 6, 8)[(lifting_set + index) % 5]
        n = int(k * rate_inverse) // order * order
        bits = random_bits(11, k)
        coded = LDPCEncoder(k, n, bg=bg, num_bits_per_symbol=order)(bits)
        assert torch.equal(coded, sionna(k, n, bg, order, bits))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_equals_sionna(data: st.DataObject) -> None:
    bg = data.draw(st.sampled_from([None, "bg1", "bg2"]))
    k = data.draw(st.integers(12, 3840 if bg == "bg2" else 1000))
    order = data.draw(st.sampled_from([None, 2, 4, 6, 8]))
    rate = data.draw(st.floats(1 / 5 if bg == "bg2" else 1 / 3, 0.94))
    n = -(-int(k / rate) // (order or 1)) * (order or 1)
    rate = k / n
    assume(rate <= 0.95 and rate >= (1 / 5 if bg == "bg2" else 1 / 3))
    rv = data.draw(st.integers(0, 3))
    bits = random_bits(data.draw(st.integers(1, 20)), k)
    coded = LDPCEncoder(k, n, bg=bg, num_bits_per_symbol=order, rv=rv)(bits)
    assert torch.equal(coded, sionna(k, n, bg, order, bits, rv))


@pytest.mark.parametrize(("k", "n"), [(512, 1024), (4000, 8000), (8448, 12672)])
def test_equals_sionna_on_the_sizes_of_the_benchmarks(k: int, n: int) -> None:
    bits = random_bits(9, k)
    assert torch.equal(LDPCEncoder(k, n)(bits), sionna(k, n, None, None, bits))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_rate_matching_is_that_of_the_standard(data: st.DataObject) -> None:
    bg = data.draw(st.sampled_from(GRAPHS))
    code = LDPCCode(data.draw(st.integers(1, 400)), bg)
    order = data.draw(st.sampled_from([1, 2, 4, 6, 8]))
    most = 3 * code.buffer_bits
    n = order * data.draw(st.integers(-(-code.k // order), max(code.k, most) // order + 1))
    rv = data.draw(st.integers(0, 3))
    bits = random_bits(2, code.k)
    coded = LDPCEncoder(code.k, n, bg=bg, num_bits_per_symbol=order, rv=rv)(bits)
    words = mother_word(code, bits)
    places = RateMatching(code, n, order, rv).places
    assert np.array_equal(coded.numpy(), words.reshape(2, -1)[:, places])
    for word, sent in zip(words, coded.tolist(), strict=True):
        assert sent == interleaved(circular_buffer(code, word, n, rv), order)


@pytest.mark.parametrize("bg", GRAPHS)
def test_equations_ask_only_for_what_is_known(bg: str) -> None:
    for size, ks in sizes_of_every_lifting(bg).items():
        code = LDPCCode(ks[0], bg)
        parity = code.graph.num_info_columns
        known = set(range(-(-code.k // size)))
        for place, (target, terms) in enumerate(parity_equations(code, 7)):
            assert known >= {column for column, _ in terms}
            assert all(0 <= shift < size for _, shift in terms)
            assert place < 4 or target == parity + place
            known.add(target)
        assert known >= set(range(parity, parity + 7))


@pytest.mark.parametrize("batch", [1, 7, 8, 9, 33])
@pytest.mark.parametrize("num_threads", [None, 1, 3])
def test_neither_batch_nor_threads_matter(batch: int, num_threads: int | None) -> None:
    bits = random_bits(batch, 130)
    coded = LDPCEncoder(130, 300, num_threads=num_threads)(bits)
    one = LDPCEncoder(130, 300, num_threads=1)
    assert torch.equal(coded, torch.cat([one(row[None]) for row in bits]))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.bool, torch.int64]
)
def test_dtype_and_leading_dimensions_stay(dtype: torch.dtype) -> None:
    bits = random_bits(2, 3, 5, 90)
    encoder = LDPCEncoder(90, 200, num_bits_per_symbol=4)
    coded = encoder(bits.to(dtype))
    assert coded.dtype == dtype
    assert coded.shape == (2, 3, 5, 200)
    assert torch.equal(coded.to(torch.uint8), encoder(bits))
    assert torch.equal(encoder(bits[0, 0, 0].to(dtype)), coded[0, 0, 0])


def test_views_are_read_as_they_look() -> None:
    encoder = LDPCEncoder(90, 200)
    bits = random_bits(90, 12)
    assert torch.equal(encoder(bits.T), encoder(bits.T.contiguous()))
    assert torch.equal(encoder(bits[:, :1].T.expand(12, 90)), encoder(bits[:, 0]).expand(12, 200))


def test_empty_batch() -> None:
    assert LDPCEncoder(90, 200)(torch.empty(0, 4, 90)).shape == (0, 4, 200)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *((torch.float32, value) for value in (float("nan"), float("inf"), 0.5, -1.0, 2.0)),
        *((torch.uint8, value) for value in (2, 255)),
        (torch.float16, float("nan")),
        (torch.int32, -1),
    ],
)
def test_what_is_no_bit(dtype: torch.dtype, value: float) -> None:
    bits = torch.zeros(20, 90, dtype=dtype)
    bits[11, 3] = value
    with pytest.raises(InputError, match="must be 0 or 1"):
        LDPCEncoder(90, 200, num_threads=2)(bits)


def test_bad_inputs() -> None:
    with pytest.raises(InputError, match=r"bits must be \[..., 90\], got \[2, 91\]"):
        LDPCEncoder(90, 200)(torch.zeros(2, 91))
    with pytest.raises(InputError, match="code rate above 1"):
        LDPCEncoder(90, 89)
    with pytest.raises(InputError, match=r"k must be an int in 1..3840"):
        LDPCEncoder(4000, 8000, bg="bg2")
    with pytest.raises(InputError, match="bg1"):
        LDPCEncoder(90, 200, bg="bg3")
    with pytest.raises(InputError, match="multiple of num_bits_per_symbol = 6"):
        LDPCEncoder(90, 200, num_bits_per_symbol=6)
    with pytest.raises(InputError, match=r"num_bits_per_symbol must be an int in 1..12, got 0"):
        LDPCEncoder(90, 200, num_bits_per_symbol=0)
    with pytest.raises(InputError, match=r"rv must be an int in 0..3"):
        LDPCEncoder(90, 200, rv=4)
    with pytest.raises(InputError, match="num_threads"):
        LDPCEncoder(90, 200, num_threads=0)
