"""The LDPC decoder: a batch of received code words in, information bits out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from channels import InputError
from channels.errors import check_count, check_flag, check_name, shown
from semcom.fec.coder import BlockCoder
from semcom.fec.layered import Plan, decode, plan_for
from semcom.fec.layered_torch import decode_torch
from semcom.fec.rules import RULES, Rule, rule_for
from semcom.fec.threads import over_batch


@dataclass(frozen=True)
class Precision:
    """Arithmetic of compiled decoders.

    Messages stay well below the largest posterior: otherwise a posterior at its limit loses what
    other checks have said of it, and words that had converged diverge again. Inputs stay near the
    largest message, so that checks can outvote a bit that is surely wrong.

    Args:
        dtype: of messages and posteriors.
        units: units per log-likelihood ratio.
        largest_message: in units.
        largest_input: in units.
    """

    dtype: type
    units: float
    largest_message: float
    largest_input: float


PRECISIONS = {
    "int8": Precision(np.int8, 5, 31, 47),
    "int16": Precision(np.int16, 64, 8191, 4095),
    "float32": Precision(np.float32, 1, 1e6, 1e3),
}


@dataclass(frozen=True)
class DecoderInfo:
    """What a decoder can say of each code word.

    Args:
        num_iter: int32 ``[...]``, iterations done.
        syndrome_ok: bool ``[...]``, whether all checks hold and every information bit is decided;
            a CRC is surer.
        decided: bool ``[...]``, whether every information bit is more likely one value than the
            other. Where nothing was heard none is, and the zeros that a decoder then gives fulfil
            all checks and every CRC.
    """

    num_iter: Tensor
    syndrome_ok: Tensor
    decided: Tensor


class LDPCDecoder(BlockCoder):
    """Layered decoder of one 5G LDPC code (TS 38.212 clauses 5.3.2 and 5.4.2).

    Rows of checks are processed one after the other, so that each profits from those before; ten
    iterations do what twenty of a flooding schedule do. Every code word stops by itself once its
    checks hold. On the CPU compiled vector code does the work, on as many threads as torch uses,
    without holding Python's lock; on other devices, and where a gradient is wanted, torch does.

    With λ_n = log p(0)/p(1) of bit n, at first the sum of what arrived of it, and messages R = 0,
    an iteration goes once through the rows of the base graph in the order of
    :func:`semcom.fec.schedule.layers`. A row's Z checks c share no bit and are updated at once::

        q_n  = λ_n − R_cn                                       for each bit n of check c
        R_cn = (Π_{m≠n} sign q_m) · f(|q_m|, m ≠ n)
        λ_n  = q_n + R_cn

        "minsum"         f = min |q_m|
        "offset-minsum"  f = max(min |q_m| − 1/2, 0)
        "boxplus"        f = ⊞ |q_m|,  x ⊞ y = min(x, y) + log(1 + e^−(x+y)) − log(1 + e^−|x−y|)
        "a-min*"         f ≈ ⊞ |q_m|

    On the CPU messages are held within ``PRECISIONS[precision].largest_message``, except one to a
    parity bit of a single check, and λ is quantised to ``units`` per log-likelihood ratio.

    Args:
        k: information bits, CRC included.
        n: coded bits.
        num_iter: iterations at most.
        cn_update: rule of the checks: ``"a-min*"`` (nearly belief propagation, see
            :class:`semcom.fec.rules.AMinStar`), ``"offset-minsum"`` (offset 0.5),
            ``"minsum"``, or ``"boxplus"`` (belief propagation; in torch only).
        precision: ``"int16"``, ``"int8"`` or ``"float32"``, of messages on the CPU; torch computes
            in the precision of its input.
        bg: base graph ``"bg1"`` or ``"bg2"``; ``None`` chooses by TS 38.212 clause 7.2.2.
        num_bits_per_symbol: bits of a QAM symbol, over which coded bits are interleaved; ``None``
            means that they are not.
        rv: redundancy version, 0 to 3.
        hard_out: whether to give bits; otherwise log-likelihood ratios log p(1)/p(0).
        early_stop: whether a code word stops once its checks hold.
        return_info: whether to give a :class:`DecoderInfo` too.
        num_threads: threads on the CPU; ``None`` means as many as torch uses.

    Raises:
        InputError: on a code or an option that does not exist.

    >>> decoder = LDPCDecoder(512, 1024, return_info=True)
    >>> bits, info = decoder(torch.full((3, 1024), -4.0))
    >>> bits.shape, bits.sum().item(), info.num_iter.tolist(), info.syndrome_ok.tolist()
    (torch.Size([3, 512]), 0.0, [1, 1, 1], [True, True, True])
    """

    def __init__(
        self,
        k: int,
        n: int,
        num_iter: int = 20,
        *,
        cn_update: str = "a-min*",
        precision: str = "int16",
        bg: str | None = None,
        num_bits_per_symbol: int | None = None,
        rv: int = 0,
        hard_out: bool = True,
        early_stop: bool = True,
        return_info: bool = False,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(k, n, bg, num_bits_per_symbol, rv, num_threads)
        self.num_iter = check_count("num_iter", num_iter, 1, 1000)
        self.cn_update = check_name("cn_update", cn_update, (*RULES, "boxplus"))
        self.precision = check_name("precision", precision, PRECISIONS)
        self.hard_out = check_flag("hard_out", hard_out)
        self.early_stop = check_flag("early_stop", early_stop)
        self.return_info = check_flag("return_info", return_info)

    def __call__(self, llr: Tensor) -> Any:
        """Decode.

        Args:
            llr: floating ``[..., n]``, log p(1)/p(0) of each coded bit; infinite ones are sure.

        Returns:
            Bits 0 and 1 or log-likelihood ratios of the information bits, ``[..., k]``, of the
            input's dtype; with ``return_info`` a pair of these and a :class:`DecoderInfo`.

        Raises:
            InputError: on another shape or type, or if a value is not a number.
        """
        if not isinstance(llr, Tensor) or not llr.is_floating_point():
            raise InputError(
                f"llr must be a floating-point tensor, got {shown(type(llr).__name__)}"
            )
        if llr.ndim < 1 or llr.shape[-1] != self.n:
            raise InputError(f"llr must be [..., {self.n}], got {list(llr.shape)}")
        rows = llr.reshape(-1, self.n)
        in_torch = llr.device.type != "cpu" or self.cn_update not in RULES
        in_torch = in_torch or (llr.requires_grad and torch.is_grad_enabled())
        out, *told = (self._in_torch if in_torch else self._compiled)(rows)
        shape = llr.shape[:-1]
        out = out.reshape(*shape, self.k)
        if not self.return_info:
            return out
        return out, DecoderInfo(*(part.reshape(shape) for part in told))

    def _in_torch(self, llr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if bool(torch.isnan(llr).any()):
            raise InputError(_NOT_A_NUMBER)
        limit = PRECISIONS["float32"].largest_input
        working = llr.double() if llr.dtype == torch.float64 else llr.float()
        beliefs, iterations, ok, decided = decode_torch(
            working.clamp(-limit, limit),
            self.matching,
            self.cn_update,
            self.num_iter,
            self.early_stop,
        )
        out = beliefs > 0 if self.hard_out else beliefs
        return out.to(llr.dtype), iterations, ok, decided

    def _compiled(self, llr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        received = np.ascontiguousarray(llr.detach().float().numpy())
        out = np.empty((len(received), self.k), np.float32)
        iterations = np.zeros(len(received), np.int32)
        told = np.zeros((2, len(received)), np.bool_)
        precision, sizes = PRECISIONS[self.precision], self._plan.sizes
        quantiser = (
            np.float32(precision.units),
            np.float32(precision.largest_input),
            precision.units > 1,
        )

        def work(first: int, last: int) -> bool:
            posteriors = _aligned(sizes.posteriors, precision.dtype)
            messages = _aligned(sizes.messages, precision.dtype)
            missing: bool = decode(
                received,
                first,
                last,
                self._plan,
                self._rule,
                quantiser,
                self.num_iter,
                self.early_stop,
                self.hard_out,
                (posteriors, messages),
                out,
                iterations,
                told,
            )
            return missing

        if any(over_batch(work, len(received), self.num_threads, multiple=sizes.frames)):
            raise InputError(_NOT_A_NUMBER)
        bits = torch.from_numpy(out).to(llr.dtype)
        ok, decided = torch.from_numpy(told)
        return bits, torch.from_numpy(iterations), ok, decided

    @cached_property
    def _plan(self) -> Plan:
        return plan_for(self.matching, PRECISIONS[self.precision].dtype)

    @cached_property
    def _rule(self) -> Rule:
        precision = PRECISIONS[self.precision]
        return rule_for(self.cn_update, precision.largest_message, precision.units)


_NOT_A_NUMBER = "llr holds values that are not numbers (NaN): check what made them"


def _aligned(count: int, dtype: type) -> NDArray[Any]:
    """Zeros that begin a cache line."""
    size = count * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype)
