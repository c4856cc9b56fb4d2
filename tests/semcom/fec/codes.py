"""LDPC codes of every size, for the tests of coders."""

from __future__ import annotations

from functools import cache

from semcom.fec.base_graph import MAX_INFO_BITS
from semcom.fec.code import LDPCCode


@cache
def sizes_of_every_lifting(bg: str) -> dict[int, list[int]]:
    """Numbers of information bits by the lifting size that they get."""
    found: dict[int, list[int]] = {}
    for k in range(1, MAX_INFO_BITS[bg] + 1):
        found.setdefault(LDPCCode(k, bg).lifting_size, []).append(k)
    return found
