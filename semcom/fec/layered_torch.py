"""Layered decoding in torch: on any device, in any floating precision, with gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from channels.cached import cached
from semcom.fec.rate_matching import RateMatching
from semcom.fec.rules import RULES, all_but_one, messages, rule_for
from semcom.fec.schedule import layers

_SURE = 1e4


class TorchArithmetic:
    """Operations on magnitudes as tensors.

    >>> TorchArithmetic().less(torch.tensor(1.0), torch.tensor(2.0)).item()
    0.0
    """

    def smaller(self, x: Tensor, y: Any) -> Tensor:
        """The smaller of two magnitudes."""
        return torch.minimum(x, x.new_tensor(y) if isinstance(y, float) else y)

    def larger(self, x: Tensor, y: Tensor) -> Tensor:
        """The larger of two magnitudes."""
        return torch.maximum(x, y)

    def less(self, x: Any, y: Any) -> Tensor:
        """What x has over y, at least 0."""
        rest: Tensor = x - y
        return torch.relu(rest)

    def difference(self, larger: Tensor, smaller: Tensor) -> Tensor:
        """Difference of two magnitudes."""
        return larger - smaller

    def part(self, x: Tensor, shift: int) -> Tensor:
        """A magnitude over 2^shift."""
        return x / float(2**shift)

    def equal(self, x: Tensor, y: Tensor) -> Tensor:
        """Where two magnitudes are equal."""
        return x == y

    def choose(self, where: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Take x where a condition holds, else y."""
        return torch.where(where, x, y)


def decode_torch(
    llr: Tensor, matching: RateMatching, cn_update: str, num_iter: int, early_stop: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Decode.

    Args:
        llr: floating ``[batch, n]``, log p(1)/p(0).
        matching: the code and what was sent of it.
        cn_update: a rule, or ``"boxplus"`` for belief propagation.
        num_iter: iterations at most.
        early_stop: whether a word's result stays once its checks hold.

    Returns:
        Posterior log p(1)/p(0) of the information bits ``[batch, k]``, iterations done, int32
        ``[batch]``, whether all checks hold and all information bits are decided, and whether the
        latter is so, bool ``[batch]`` each.

    >>> from semcom.fec.code import LDPCCode
    >>> matching = RateMatching(LDPCCode(40, "bg2"), 100)
    >>> decode_torch(torch.full((1, 100), -3.0), matching, "boxplus", 20, True)[1]
    tensor([1], dtype=torch.int32)
    """
    code, batch = matching.code, len(llr)
    rows = _rows(matching, str(llr.device))
    info_columns = code.graph.num_info_columns
    length = (info_columns + matching.num_rows) * code.lifting_size
    places = torch.from_numpy(matching.places).to(llr.device)
    beliefs = llr.new_zeros(batch, length).index_add(1, places, -llr)
    beliefs[:, code.k : info_columns * code.lifting_size] = _SURE
    differentiable = llr.requires_grad and torch.is_grad_enabled()
    put = torch.Tensor.index_copy if differentiable else torch.Tensor.index_copy_

    messages: list[Tensor | None] = [None] * len(rows)
    result = beliefs
    iterations = torch.full((batch,), num_iter, dtype=torch.int32, device=llr.device)
    ok = torch.zeros(batch, dtype=torch.bool, device=llr.device)
    for iteration in range(1, num_iter + 1):
        for number, row in enumerate(rows):
            inputs = beliefs[:, row]
            old = messages[number]
            if old is not None:
                inputs = inputs - old
            new = _messages(inputs, cn_update)
            messages[number] = new
            beliefs = put(beliefs, 1, row.flatten(), (inputs + new).flatten(1))
        holds = _checks_hold(beliefs < 0, rows) & _decided(beliefs, code.k)
        if early_stop:
            result = torch.where(ok[:, None], result, beliefs)
            iterations[holds & ~ok] = iteration
            ok = ok | holds
            if bool(ok.all()):
                break
        else:
            result, ok = beliefs, holds
    return -result[:, : code.k], iterations, ok, _decided(result, code.k)


def _decided(beliefs: Tensor, k: int) -> Tensor:
    return (beliefs[:, :k] != 0).all(1)


def _messages(inputs: Tensor, cn_update: str) -> Tensor:
    """Messages of a row to its bits, both ``[batch, degree, Z]``."""
    magnitudes = inputs.abs()
    signs = torch.where(inputs < 0, -1.0, 1.0).to(inputs)
    others_signs = signs.prod(1, keepdim=True) * signs
    each = list(magnitudes.unbind(1))
    if cn_update == "boxplus":
        new = all_but_one(_box_plus, each)
    else:
        fields = rule_for(cn_update, _SURE)._asdict()
        new = messages(TorchArithmetic(), RULES[cn_update], fields, each, limited=0)
    return others_signs * torch.stack(new, 1)


def _box_plus(x: Tensor, y: Tensor) -> Tensor:
    """Exact box-plus sum of magnitudes."""
    correction = torch.log1p(torch.exp(-x - y)) - torch.log1p(torch.exp(-(x - y).abs()))
    return torch.minimum(x, y) + correction


def _checks_hold(bits: Tensor, rows: tuple[Tensor, ...]) -> Tensor:
    holds = torch.ones(len(bits), dtype=torch.bool, device=bits.device)
    for row in rows:
        holds &= (bits[:, row].sum(1) % 2 == 0).all(1)
    return holds


@cached(maxsize=32)
def _rows(matching: RateMatching, device: str) -> tuple[Tensor, ...]:
    """For each row of checks the bits that it holds together, int64 ``[degree, Z]``."""
    size = matching.code.lifting_size
    checks = torch.arange(size)
    rows = []
    for columns, shifts, own_column in layers(matching):
        edges = list(zip(columns, shifts, strict=True))
        edges += [] if own_column is None else [(own_column, 0)]
        rows.append(torch.stack([int(c) * size + (checks + int(s)) % size for c, s in edges]))
    return tuple(row.to(device) for row in rows)
