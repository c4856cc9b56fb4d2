"""How parity bits follow from information bits, one column of the base graph after the other."""

from __future__ import annotations

from typing import NamedTuple

from semcom.fec.code import LDPCCode


class Equation(NamedTuple):
    """Column ``target`` is the sum over ``terms`` of column c, rotated by s.

    Args:
        target: a parity column.
        terms: (c, s): bit z of the target takes bit ``(z + s) mod Z`` of column c.
    """

    target: int
    terms: tuple[tuple[int, int], ...]


def parity_equations(code: LDPCCode, num_rows: int) -> tuple[Equation, ...]:
    """Solve the first ``num_rows`` checks of TS 38.212 clause 5.3.2 for their parity columns.

    In the sum of the four core checks all parity columns cancel but the first, of which one
    rotation is left. With it known, core checks follow that have one unknown column each, and so
    does every later check. Columns that hold nothing but filler bits are left out.

    Args:
        code: the mother code.
        num_rows: checks to satisfy, 4 to all.

    Returns:
        As many equations, to be solved in turn: terms are information or earlier targets.

    >>> equations = parity_equations(LDPCCode(3840, "bg2"), 6)
    >>> [equation.target for equation in equations]
    [10, 11, 12, 13, 14, 15]
    >>> equations[2].terms[-2:]
    ((9, 3), (11, 0))
    """
    size, parity = code.lifting_size, code.graph.num_info_columns
    used = -(-code.k // size)
    checks = [
        {entry for entry in row if entry[0] < used or entry[0] >= parity}
        for row in code.rows[:num_rows]
    ]
    core, rest = checks[:4], checks[4:]
    total = core[0] ^ core[1] ^ core[2] ^ core[3]
    solved = [_solve(total, parity, size)]
    while core:
        known = {equation.target for equation in solved}
        check = next(check for check in core if len(_unknown(check, parity, known)) <= 1)
        core.remove(check)
        for target in _unknown(check, parity, known):
            solved.append(_solve(check, target, size))
    solved += [_solve(check, max(check)[0], size) for check in rest]
    return tuple(solved)


def _unknown(check: set[tuple[int, int]], parity: int, known: set[int]) -> set[int]:
    return {column for column, _ in check if column >= parity} - known


def _solve(check: set[tuple[int, int]], target: int, size: int) -> Equation:
    (own,) = (shift for column, shift in check if column == target)
    terms = sorted(entry for entry in check if entry[0] != target)
    return Equation(target, tuple((column, (shift - own) % size) for column, shift in terms))
