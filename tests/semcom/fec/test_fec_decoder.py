"""The LDPC decoder against Sionna, line-by-line references and its own parts, and its limits."""

from __future__ import annotations

import itertools
import math
import multiprocessing
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import binom
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from torch import Tensor

from channels import InputError
from semcom.fec import decoder as decoder_module
from semcom.fec.base_graph import LIFTING_SIZES
from semcom.fec.code import LDPCCode
from semcom.fec.decoder import PRECISIONS, DecoderInfo, LDPCDecoder
from semcom.fec.encoder import LDPCEncoder
from semcom.fec.layered import plan_for
from semcom.fec.layered_torch import _box_plus
from semcom.fec.rate_matching import RateMatching
from semcom.fec.rules import all_but_one
from semcom.fec.schedule import layers
from tests.semcom.fec.codes import sizes_of_every_lifting

GRAPHS = ("bg1", "bg2")
RULES = ("a-min*", "offset-minsum", "minsum")
FALSE_ALARM = 1e-6


def at_most(count: int, chance: float) -> float:
    """Events that ``count`` trials exceed with a chance of a false alarm only."""
    return float(binom.isf(FALSE_ALARM, count, chance))


def received(k: int, n: int, batch: int, ebno_db: float, **options: Any) -> tuple[Tensor, Tensor]:
    """Random bits, and the log-likelihood ratios log p(1)/p(0) of BPSK over an AWGN channel."""
    bits = torch.randint(0, 2, (batch, k)).float()
    sent = 2 * LDPCEncoder(k, n, **options)(bits) - 1
    variance = 1 / (2 * k / n * 10 ** (ebno_db / 10))
    return bits, 2 / variance * (sent + math.sqrt(variance) * torch.randn(batch, n))


def decoded(
    k: int, n: int, llr: Tensor, num_iter: int = 20, **options: Any
) -> tuple[Tensor, DecoderInfo]:
    """Result and information of a decoder."""
    out: tuple[Tensor, DecoderInfo] = LDPCDecoder(k, n, num_iter, return_info=True, **options)(llr)
    return out


def wrong(bits: Tensor, result: Tensor) -> Tensor:
    """Which blocks differ."""
    return (bits != result).any(-1)


# --- Against Sionna, with the same order of checks ------------------------------------------------


def row_numbers(matching: RateMatching) -> list[int]:
    """Rows of the base graph in the order in which they are taken."""
    code, numbers = matching.code, []
    for columns, shifts, own_column in layers(matching):
        wanted = set(zip(columns.tolist(), shifts.tolist(), strict=True))
        wanted |= set() if own_column is None else {(own_column, 0)}
        size, fillers = code.lifting_size, range(code.k, code.graph.num_info_columns * 384)
        for number, row in enumerate(code.rows):
            live = {
                edge
                for edge in row
                if edge[0] >= code.graph.num_info_columns or edge[0] * size not in fillers
            }
            if live == wanted:
                numbers.append(number)
    return numbers


def sionna_layered(
    matching: RateMatching, llr: Tensor, rule: str, num_iter: int, precision: str
) -> Tensor:
    """Soft output of Sionna's decoder without limits, rows taken in our order."""
    code = matching.code
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        encoder = LDPC5GEncoder(code.k, matching.n, bg=code.bg, precision=precision, device="cpu")
    rows = np.array(row_numbers(matching))[:, None]
    decoder = LDPC5GDecoder(
        encoder,
        cn_update=rule,
        cn_schedule=torch.from_numpy(rows * code.lifting_size + np.arange(code.lifting_size)),
        hard_out=False,
        num_iter=num_iter,
        llr_max=None,
        prune_pcm=False,
        precision=precision,
        device="cpu",
    )
    soft: Tensor = decoder(llr)
    return soft


@pytest.mark.parametrize(
    ("k", "n", "bg"), [(60, 100, "bg2"), (77, 190, "bg1"), (300, 421, "bg1"), (512, 1024, "bg2")]
)
def test_every_row_of_checks_is_taken_once(k: int, n: int, bg: str) -> None:
    """The order of rows is a permutation of those that the bits sent need."""
    matching = RateMatching(LDPCCode(k, bg), n)
    assert sorted(row_numbers(matching)) == list(range(matching.num_rows))


@pytest.mark.parametrize("rule", ["minsum", "offset-minsum"])
@pytest.mark.parametrize(
    ("k", "n", "bg"), [(60, 100, "bg2"), (77, 190, "bg1"), (300, 421, "bg1"), (512, 1024, "bg2")]
)
def test_float32_is_sionna_bit_by_bit(k: int, n: int, bg: str, rule: str) -> None:
    """With inputs in eighths all sums are exact, so no posterior may differ at all."""
    llr = (received(k, n, 6, 2.0, bg=bg)[1] * 8).round() / 8
    for num_iter in (1, 2, 5):
        options: dict[str, Any] = {"cn_update": rule, "bg": bg, "precision": "float32"}
        soft, _ = decoded(k, n, llr, num_iter, **options, hard_out=False, early_stop=False)
        matching = RateMatching(LDPCCode(k, bg), n)
        assert torch.equal(soft, sionna_layered(matching, llr, rule, num_iter, "single"))


@pytest.mark.parametrize(("k", "n", "bg"), [(60, 100, "bg2"), (77, 190, "bg1")])
def test_boxplus_is_sionna(k: int, n: int, bg: str) -> None:
    """Belief propagation in float64 agrees with Sionna's boxplus-phi within what phi resolves."""
    llr = received(k, n, 6, 1.0, bg=bg)[1].double()
    for num_iter in (1, 3):
        options: dict[str, Any] = {"cn_update": "boxplus", "bg": bg}
        soft, _ = decoded(k, n, llr, num_iter, **options, hard_out=False, early_stop=False)
        matching = RateMatching(LDPCCode(k, bg), n)
        theirs = sionna_layered(matching, llr, "boxplus-phi", num_iter, "double")
        assert (soft - theirs).abs().max() < 1e-3


# --- Against a decoder written line by line -------------------------------------------------------


class Numbers(NamedTuple):
    """Numbers of a reference decoder: type, units, largest message and input, range."""

    dtype: type
    units: int
    message: float
    limit: float
    low: float
    high: float


NUMBERS = {
    "int8": Numbers(np.int64, 5, 31, 47, -128, 127),
    "int16": Numbers(np.int64, 64, 8191, 4095, -32768, 32767),
    "float32": Numbers(np.float32, 1, 1e6, 1e3, -np.inf, np.inf),
}


def box_plus(x: Any, y: Any, units: int) -> Any:
    """The approximate box-plus sum of the documentation of :class:`AMinStar`."""
    low, high = np.minimum(x, y), np.maximum(x, y)
    if units == 1:
        correction = np.minimum(np.maximum(2.5 - (high - low), 0) / 4, low / 2)
    else:
        knee = round(2.5 * units + 1.5)
        correction = np.minimum(np.maximum(knee - (high - low), 0) // 4, low // 2)
    return low - correction.astype(low.dtype)


def magnitudes_out(inputs: list[Any], rule: str, units: int) -> list[Any]:
    """Magnitudes of the messages of a check from those that come in."""
    combine = (lambda x, y: box_plus(x, y, units)) if rule == "a-min*" else np.minimum
    if rule == "a-min*" and len(inputs) <= 7:
        found = []
        for edge in range(len(inputs)):
            # Forwards over what stands before, backwards over what stands behind: rounded sums
            # depend on the order.
            sides = [side for side in (inputs[:edge], inputs[:edge:-1]) if side]
            found.append(reduce(combine, [reduce(combine, side) for side in sides]))
        return found
    parts: list[list[Any]] = [[value] for value in inputs]
    while len(parts) > 1:
        joined = []
        for a, b in zip(parts[::2], parts[1::2], strict=False):
            others = np.maximum(a[0], b[0])
            for more in (*a[1:], *b[1:]):
                others = combine(others, more)
            joined.append([np.minimum(a[0], b[0]), others])
        parts = joined + parts[2 * len(joined) :]
    smallest, to_weakest = parts[0]
    usual = combine(smallest, to_weakest) if rule == "a-min*" else smallest
    if rule == "offset-minsum":
        offset = smallest.dtype.type(units / 2)
        usual, to_weakest = np.maximum(usual - offset, 0), np.maximum(to_weakest - offset, 0)
    return [np.where(value == smallest, to_weakest, usual) for value in inputs]


def reference(
    matching: RateMatching, llr: Tensor, rule: str, precision: str, num_iter: int
) -> tuple[NDArray[Any], list[int], list[bool]]:
    """Posteriors of the information bits in units, iterations, and whether all checks hold."""
    code, numbers = matching.code, NUMBERS[precision]
    size, parity = code.lifting_size, code.graph.num_info_columns * code.lifting_size
    arrived = np.zeros((len(llr), code.graph.num_columns * size), np.float32)
    for place, values in zip(matching.places.tolist(), llr.numpy().T, strict=True):
        arrived[:, place] += values
    arrived = arrived * np.float32(-numbers.units)
    if numbers.units > 1:
        arrived = np.floor(arrived + np.float32(0.5))
    arrived = arrived.clip(-numbers.limit, numbers.limit).astype(numbers.dtype)
    arrived[:, code.k : parity] = numbers.limit

    rows = []
    for columns, shifts, own in layers(matching):
        edges = [*zip(columns, shifts, strict=True)] + ([] if own is None else [(own, 0)])
        places = np.array([c * size + (np.arange(size) + s) % size for c, s in edges])
        rows.append((places, len(columns)))
    posterior, result = arrived.copy(), arrived.copy()
    old: list[Any] = [numbers.dtype(0)] * len(rows)
    iterations, holds = np.full(len(llr), num_iter), np.zeros(len(llr), bool)
    for iteration in range(1, num_iter + 1):
        for number, (places, degree) in enumerate(rows):
            value = (posterior[:, places] - old[number]).clip(numbers.low, numbers.high)
            value[:, degree:] = arrived[:, places[degree:]]
            inputs = [*np.moveaxis(abs(value), 1, 0)]
            magnitude = np.stack(magnitudes_out(inputs, rule, numbers.units), 1)
            magnitude[:, :degree] = magnitude[:, :degree].clip(max=numbers.message)
            magnitude = magnitude.clip(max=numbers.high)
            others_odd = ((value < 0).sum(1, keepdims=True) - (value < 0)) % 2 == 1
            old[number] = np.where(others_odd, -magnitude, magnitude)
            posterior[:, places] = (value + old[number]).clip(numbers.low, numbers.high)
        odd = [((posterior[:, places] < 0).sum(1) % 2).any(1) for places, _ in rows]
        now = ~np.any(odd, 0)
        result[~holds] = posterior[~holds]
        iterations[now & ~holds] = iteration
        holds |= now
    return result[:, : code.k], iterations.tolist(), holds.tolist()


CASES: list[tuple[int, int, dict[str, Any]]] = [
    (60, 100, {"bg": "bg2"}),
    (97, 200, {"bg": "bg1", "num_bits_per_symbol": 4, "rv": 1}),
    (20, 300, {"rv": 3}),
    (352, 620, {"bg": "bg1"}),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_equals_a_decoder_written_line_by_line(precision: str, rule: str) -> None:
    """Every posterior is that of a plain decoder, at any level of noise and saturation."""
    for k, n, options in CASES:
        weak, strong = (received(k, n, 5, ebno_db, **options)[1] for ebno_db in (0.0, 3.0))
        erased = torch.where(torch.rand(5, n) < 0.2, 0.0, strong)
        llr = torch.cat([weak, strong, erased, 6 * strong, 100 * strong, 3 * torch.randn(5, n)])
        for num_iter in (1, 8):
            soft, info = decoded(
                *(k, n, llr, num_iter),
                **{"cn_update": rule, "precision": precision, "hard_out": False, **options},
            )
            matching = LDPCDecoder(k, n, **options).matching
            posterior, iterations, holds = reference(matching, llr, rule, precision, num_iter)
            assert np.array_equal(soft.numpy() * -NUMBERS[precision].units, posterior)
            assert info.num_iter.tolist() == iterations
            assert info.syndrome_ok.tolist() == holds


# --- Torch against compiled code, and belief propagation ------------------------------------------


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_torch_computes_what_compiled_code_does(rule: str, early_stop: bool) -> None:
    """The same posteriors and iterations in float32, erased bits included.

    With inputs in quarters the sums of the min-sum rules are exact. A-min* halves until it has to
    round, and rounding may move the place where a word stops.
    """
    exact = rule != "a-min*"
    for k, n, options in CASES:
        llr = torch.cat([received(k, n, 9, ebno_db, **options)[1] for ebno_db in (1.0, 2.0, 4.0)])
        llr[::3] = torch.where(torch.rand(9, n) < 0.3, 0.0, llr[::3])
        llr = (llr * 4).round() / 4
        settings: dict[str, Any] = {"cn_update": rule, "precision": "float32", **options}
        settings |= {"early_stop": early_stop, "hard_out": False}
        num_iter = 20 if exact else 4
        soft, info = decoded(k, n, llr, num_iter, **settings)
        theirs, their_info = decoded(k, n, llr.requires_grad_(True), num_iter, **settings)
        assert theirs.requires_grad
        same = info.num_iter == their_info.num_iter
        same &= info.syndrome_ok == their_info.syndrome_ok
        assert (~same).sum() <= (0 if exact else at_most(27, 0.02))
        assert (soft - theirs)[same].abs().max() <= (0 if exact else 1e-3)


def test_boxplus_is_the_marginal_of_a_check() -> None:
    """What a check tells each bit equals the sum over all words of even parity."""
    for degree in (2, 3, 4, 7):
        llr = 3 * torch.rand(40, degree, 1, dtype=torch.float64)  # log p(0)/p(1)
        words = torch.tensor(list(itertools.product((0.0, 1.0), repeat=degree - 1)))
        even = words.sum(1) % 2 == 0
        for bit in range(degree):
            others = torch.cat([llr[:, :bit, 0], llr[:, bit + 1 :, 0]], 1)
            weight = torch.exp(-others @ words.double().T)
            told = torch.log(weight[:, even].sum(1) / weight[:, ~even].sum(1))
            messages = all_but_one(_box_plus, list(llr[..., 0].unbind(1)))
            torch.testing.assert_close(messages[bit], told)


def test_converged_boxplus_finds_the_likeliest_word() -> None:
    """Of a tiny code, what stops at 5 dB is the likeliest of all words but for few of 2000."""
    _, llr = received(10, 60, 2000, 5.0)
    words = torch.tensor(list(itertools.product((0.0, 1.0), repeat=10)))
    likelihoods = llr @ (2 * LDPCEncoder(10, 60)(words) - 1).T
    best = words[likelihoods.argmax(1)]
    result, info = decoded(10, 60, llr, cn_update="boxplus")
    assert info.syndrome_ok.sum() > 1800
    assert wrong(best, result)[info.syndrome_ok].sum() < at_most(2000, 0.01)


# --- Every size, and batches ----------------------------------------------------------------------


@pytest.mark.parametrize("bg", GRAPHS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_lifting_size_in_every_batch(precision: str, bg: str) -> None:
    """Sure words decode, and no row's result depends on its neighbours or on threads."""
    for number, size in enumerate(LIFTING_SIZES):
        ks = sizes_of_every_lifting(bg)[size]
        k = ks[number * 7 % len(ks)]
        n = k + number % 5 * k // 4 + size * 8
        matching = RateMatching(LDPCCode(k, bg), n)
        frames = plan_for(matching, PRECISIONS[precision].dtype).sizes.frames
        bits, llr = received(k, n, 3 * frames + 2, 14.0, bg=bg)
        llr[1::2] = torch.randn_like(llr[1::2])
        settings: dict[str, Any] = {"precision": precision, "bg": bg, "hard_out": False}
        soft, info = decoded(k, n, llr, 6, **settings, num_threads=1)
        assert torch.equal((soft > 0)[::2].float(), bits[::2]), (k, n)
        assert info.syndrome_ok[::2].all()
        spans = [slice(first, first + 1) for first in (0, frames // 2, frames)]
        spans += [slice(frames - 1), slice(1, 1 + frames), slice(2, 3 + frames)]
        for span in spans:
            part, part_info = decoded(k, n, llr[span], 6, **settings)
            assert torch.equal(part, soft[span]), (k, n, span)
            assert torch.equal(part_info.num_iter, info.num_iter[span])
            assert torch.equal(part_info.syndrome_ok, info.syndrome_ok[span])
        again, again_info = decoded(k, n, llr, 6, **settings, num_threads=2)
        assert torch.equal(again, soft)
        assert torch.equal(again_info.num_iter, info.num_iter)


@pytest.mark.parametrize("rv", range(4))
@pytest.mark.parametrize("order", [None, 1, 2, 4, 6, 8])
@pytest.mark.parametrize("bg", GRAPHS)
def test_rate_matching_is_undone(bg: str, order: int | None, rv: int) -> None:
    """Any redundancy version and interleaving, with repetition up to three times over."""
    code = LDPCCode(113, bg)
    for turns in (0.6, 1.0, 1.6, 3.2)[rv > 0 :]:
        n = int(turns * (code.buffer_bits - code.filler_bits)) // 24 * 24
        options: dict[str, Any] = {"bg": bg, "num_bits_per_symbol": order, "rv": rv}
        bits, llr = received(113, n, 4, 12.0, **options)
        for precision in PRECISIONS:
            assert torch.equal(LDPCDecoder(113, n, precision=precision, **options)(llr), bits)
        assert torch.equal(LDPCDecoder(113, n, cn_update="boxplus", **options)(llr), bits)


# --- What has converged stays ---------------------------------------------------------------------


def diverged(precision: str, rule: str) -> list[int]:
    """Words that had stopped with all checks satisfied but lose that in more iterations."""
    counts = []
    for k, n in ((512, 1024), (60, 120), (1000, 1500)):
        bits, llr = received(k, n, 60, 6.0)
        right = 2 * LDPCEncoder(k, n)(bits) - 1
        few = torch.where(torch.rand(60, n) < 0.01, -8 * right, llr)
        llr, bits = torch.cat([llr, 1e4 * right, few]), bits.repeat(3, 1)
        options: dict[str, Any] = {"precision": precision, "cn_update": rule}
        stopped, info = decoded(k, n, llr, 20, **options)
        for num_iter in (20, 50, 200):
            result, more = decoded(k, n, llr, num_iter, **options, early_stop=False)
            lost = wrong(stopped, result) | ~more.syndrome_ok
            counts.append(int(lost[info.syndrome_ok].sum()))
        good = ~wrong(bits, stopped) & info.syndrome_ok
        assert good[:120].all() or counts[-1]
    return counts


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_converged_words_stay(precision: str, rule: str) -> None:
    """No word is lost in 200 iterations, at the largest inputs and beside strong wrong ones."""
    assert not any(diverged(precision, rule))


@pytest.mark.parametrize("precision", ["int8", "int16"])
def test_words_diverge_without_a_limit_of_messages(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: with messages as large as posteriors most words are lost."""
    limits = PRECISIONS[precision]
    free = replace(limits, largest_message=float(np.iinfo(limits.dtype).max))
    monkeypatch.setitem(decoder_module.PRECISIONS, precision, free)
    assert min(diverged(precision, "a-min*")) > 50


# --- Error rates ----------------------------------------------------------------------------------


def test_errors_are_no_more_than_those_of_sionna() -> None:
    """On the same 500 frames of (512, 1024) at 1.5 dB, against 20 flooding iterations.

    Where only one of two equally good decoders errs, either is as likely: a binomial count. Belief
    propagation in our order of rows may err alone at most half as often as what approximates it.
    """
    bits, llr = received(512, 1024, 500, 1.5)
    theirs = LDPC5GDecoder(LDPC5GEncoder(512, 1024, device="cpu"), num_iter=20, device="cpu")
    flooding = wrong(bits, torch.cat([theirs(part) for part in torch.split(llr, 100)]))
    exact = LDPCDecoder(512, 1024, cn_update="boxplus")
    layered = wrong(bits, torch.cat([exact(part) for part in torch.split(llr, 100)]))
    assert flooding.sum() > 10
    for precision in PRECISIONS:
        ours = wrong(bits, LDPCDecoder(512, 1024, precision=precision)(llr))
        for other, chance in ((flooding, 1 / 2), (layered, 2 / 3)):
            assert (ours & ~other).sum() <= at_most(int((ours ^ other).sum()), chance)


# --- Behaviour ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cn_update", [*RULES, "boxplus"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_stopping_changes_nothing(cn_update: str, precision: str) -> None:
    """A word that stopped is the word after as many iterations of a decoder that does not stop."""
    _, llr = received(130, 300, 40, 2.0)
    options: dict[str, Any] = {"cn_update": cn_update, "precision": precision, "hard_out": False}
    soft, info = decoded(130, 300, llr, **options)
    assert info.syndrome_ok.any()
    for num_iter in sorted(set(info.num_iter.tolist())):
        forced, forced_info = decoded(130, 300, llr, num_iter, **options, early_stop=False)
        same = info.num_iter == num_iter
        assert torch.equal(forced[same], soft[same])
        assert torch.equal(forced_info.syndrome_ok[same], info.syndrome_ok[same])
        assert (forced_info.num_iter == num_iter).all()
    assert torch.equal(
        (soft > 0).float(), LDPCDecoder(130, 300, cn_update=cn_update, precision=precision)(llr)
    )


@pytest.mark.parametrize("cn_update", ["a-min*", "boxplus"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_and_leading_dimensions_stay(dtype: torch.dtype, cn_update: str) -> None:
    """Output and information have the leading shape, the output the dtype of the input."""
    bits, llr = received(90, 200, 30, 10.0, num_bits_per_symbol=4)
    options: dict[str, Any] = {"num_bits_per_symbol": 4, "cn_update": cn_update}
    shaped = llr.to(dtype).reshape(2, 3, 5, 200)
    for hard_out in (True, False):
        result, info = decoded(90, 200, shaped, **options, hard_out=hard_out)
        assert result.dtype == dtype
        assert torch.equal((result > 0).float(), bits.reshape(2, 3, 5, 90))
        assert info.num_iter.shape == info.syndrome_ok.shape == (2, 3, 5)
        assert (info.num_iter.dtype, info.syndrome_ok.dtype) == (torch.int32, torch.bool)
        one, one_info = decoded(90, 200, shaped[0, 0, 0], **options, hard_out=hard_out)
        assert torch.equal(one, result[0, 0, 0])
        assert one_info.num_iter.shape == ()
        none, none_info = decoded(90, 200, shaped[:0], **options, hard_out=hard_out)
        assert none.shape == (0, 3, 5, 90)
        assert none_info.syndrome_ok.shape == (0, 3, 5)


def test_views_are_read_as_they_look() -> None:
    """Transposed, expanded and strided inputs, and none is written to."""
    decoder = LDPCDecoder(90, 200, hard_out=False)
    llr = received(90, 200, 12, 3.0)[1]
    kept, result = llr.clone(), decoder(llr)
    assert torch.equal(decoder(llr.T.contiguous().T), result)
    assert torch.equal(decoder(llr[:1].expand(12, 200)), result[:1].expand(12, 90))
    assert torch.equal(decoder(torch.stack([llr, -llr], -1)[..., 0][::2]), result[::2])
    LDPCDecoder(90, 200, cn_update="boxplus")(llr)
    assert torch.equal(llr, kept)


@pytest.mark.parametrize("cn_update", ["a-min*", "boxplus"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_infinite_inputs_are_sure(precision: str, cn_update: str) -> None:
    """Infinite values decode, also where repetition contradicts them, and give finite output."""
    for k, n in ((90, 200), (20, 1500)):
        bits, llr = received(k, n, 5, 40.0)
        some = torch.where(torch.rand(5, n) < 0.5, llr.sign() * torch.inf, llr)
        first = LDPCCode(k, "bg2").distinct_bits
        some[:, first : first + 3] = -some[:, :3] if n > first else some[:, first : first + 3]
        options: dict[str, Any] = {"precision": precision, "cn_update": cn_update}
        for inputs in (some, llr.sign() * torch.inf, llr.double() * 1e300):
            soft = LDPCDecoder(k, n, **options, hard_out=False)(inputs)
            assert torch.equal((soft > 0).float(), bits)
            assert soft.isfinite().all()


@pytest.mark.parametrize("cn_update", ["a-min*", "boxplus"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_not_a_number(precision: str, cn_update: str) -> None:
    """One NaN is an error wherever it stands, in any precision, with threads and repetition."""
    for n, place in itertools.product((200, 1500), (0, 77, -1)):
        for dtype in (torch.float16, torch.float32, torch.float64):
            llr = torch.ones(40, n, dtype=dtype)
            llr[-1, place] = math.nan
            decoder = LDPCDecoder(90, n, precision=precision, cn_update=cn_update, num_threads=2)
            with pytest.raises(InputError, match="NaN"):
                decoder(llr)


def test_bad_inputs() -> None:
    """Wrong inputs and options are answered in words."""
    decoder = LDPCDecoder(90, 200)
    for shape in ((2, 201), (200, 2), ()):
        with pytest.raises(InputError, match=r"llr must be \[..., 200\]"):
            decoder(torch.zeros(shape))
    others: list[Any] = [torch.zeros(2, 200, dtype=torch.int64), np.zeros((2, 200), np.float32)]
    for other in (*others, None):
        with pytest.raises(InputError, match="floating-point tensor"):
            decoder(other)
    with pytest.raises(InputError, match="floating-point tensor"):
        decoder(torch.zeros(2, 200, dtype=torch.complex64))
    cases: list[tuple[int, int, dict[str, Any], str]] = [
        (0, 10, {}, "k must be"),
        (90, 89, {}, "rate above 1"),
        (8449, 20000, {}, "k must be"),
        (90, 200, {"num_iter": 0}, "num_iter must be"),
        (90, 200, {"num_iter": 2.5}, "num_iter must be"),
        (90, 200, {"cn_update": "min-sum"}, "did you mean 'minsum'"),
        (90, 200, {"cn_update": "boxplus-phi"}, "did you mean 'boxplus'"),
        (90, 200, {"precision": "int61"}, "did you mean 'int16'"),
        (90, 200, {"bg": "bg3"}, "bg1"),
        (90, 200, {"rv": 4}, "rv must be"),
        (90, 200, {"num_bits_per_symbol": 0}, "num_bits_per_symbol must be"),
        (90, 200, {"num_bits_per_symbol": 6}, "multiple of num_bits_per_symbol"),
        (90, 200, {"num_threads": 0}, "num_threads must be"),
        (90, 200, {"hard_out": 1}, "hard_out must be"),
        (90, 200, {"early_stop": None}, "early_stop must be"),
        (90, 200, {"return_info": "yes"}, "return_info must be"),
    ]
    for k, n, options, match in cases:
        with pytest.raises(InputError, match=match):
            LDPCDecoder(k, n, **options)


@pytest.mark.parametrize("cn_update", [*RULES, "boxplus"])
def test_gradients(cn_update: str) -> None:
    """Each output has a finite gradient, and a received bit that says more of itself raises it."""
    llr = received(60, 120, 12, 1.0)[1].requires_grad_(True)
    soft, info = decoded(60, 120, llr, cn_update=cn_update, hard_out=False)
    assert info.num_iter.max() > info.num_iter.min()
    size = LDPCCode(60, "bg2").lifting_size
    (gradient,) = torch.autograd.grad(soft[:, 2 * size :].sum(), llr)
    assert gradient.isfinite().all()
    assert (gradient != 0).any(1).all()
    first = LDPCDecoder(60, 120, 1, cn_update=cn_update, hard_out=False)(llr)[:, 2 * size]
    (gradient,) = torch.autograd.grad(first.sum(), llr)
    assert (gradient[:, 0] > 0).all()


@pytest.mark.parametrize("cn_update", ["a-min*", "boxplus"])
def test_without_gradients(cn_update: str) -> None:
    """Inference mode and no_grad give the same, of tensors that require gradients too."""
    bits, llr = received(60, 120, 12, 8.0)
    decoder = LDPCDecoder(60, 120, cn_update=cn_update)
    llr.requires_grad_(True)
    with torch.no_grad():
        assert torch.equal(decoder(llr), bits)
    with torch.inference_mode():
        assert torch.equal(decoder(llr), bits)
        assert torch.equal(decoder(llr * 1), bits)
    assert torch.equal(decoder(llr).detach(), bits)


def test_callers_in_several_threads() -> None:
    """One decoder called at once from several threads, each call with threads of its own."""
    llr = received(512, 1024, 60, 1.5)[1]
    for num_threads in (1, 3):
        decoder = LDPCDecoder(512, 1024, hard_out=False, num_threads=num_threads)
        alone = decoder(llr)
        fresh = LDPCDecoder(512, 1024, hard_out=False, num_threads=num_threads)
        with ThreadPoolExecutor(6) as pool:
            for result in pool.map(fresh, [llr] * 24):
                assert torch.equal(result, alone)


def test_a_forked_process_has_threads_too() -> None:
    """A decoder that has used its threads works in a child process, as in a DataLoader."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    decoder, llr = LDPCDecoder(40, 100, num_threads=2), torch.full((300, 100), -4.0)
    decoder(llr)
    child = multiprocessing.get_context("fork").Process(target=decoder, args=(llr,))
    child.start()
    child.join(60)
    hangs = child.is_alive()
    child.kill()
    assert not hangs
    assert child.exitcode == 0
