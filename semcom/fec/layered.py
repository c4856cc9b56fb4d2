"""Layered decoding of a batch: compiled, one thread, any precision and rule.

Longer than 400 lines: one memory layout, and all that walks it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from semcom.compiled import compiled
from semcom.fec.check_node import failed_checks, update_row
from semcom.fec.rate_matching import RateMatching
from semcom.fec.schedule import CORE_ROWS, layers
from semcom.fec.simd import lanes_of

Integers = NDArray[np.int64]


class Sizes(NamedTuple):
    """Sizes of a plan.

    Args:
        frames: frames of a group.
        lifting: bits of a column.
        vectors: vectors of a column.
        lanes: lanes of a vector.
        k: information bits.
        info_columns: columns of information bits.
        mother_bits: bits of a mother word, as far as the plan goes.
        num_bits_per_symbol: bits over which coded bits are interleaved.
        others: lane of the first parity column outside the core.
        posteriors: lanes in all.
        messages: messages in all.
    """

    frames: int
    lifting: int
    vectors: int
    lanes: int
    k: int
    info_columns: int
    mother_bits: int
    num_bits_per_symbol: int
    others: int
    posteriors: int
    messages: int


class Plan(NamedTuple):
    """Where everything of one code stands in the memory of one group of frames.

    The bits of a column times the frames of a group fill whole vectors: lane ``z * frames + f`` is
    bit z of frame f. Columns of information and core parity bits stand twice, because a row writes
    its columns, rotated to its own first check, beside where it read them; after two iterations
    all is where it was. Behind them stands what arrived of the other parity columns, and behind
    that their posteriors.

    Args:
        rows: int64 ``[rows, 7]``: edges, whether the row has a parity bit of its own, lane of what
            arrived of it, lane of its posterior, first message, first entry in ``reads`` and
            ``checks``, first in ``writes``.
        reads: uint16 ``[2, ...]``, lanes that the rows read in even and odd iterations.
        writes: uint16 ``[2, ...]``, columns that they write.
        checks: uint16 ``[2, ...]``, lanes from which the checks are verified afterwards.
        columns: int64 ``[2, rotating]``, first lane of each column before even and odd iterations,
            -1 for columns of fillers alone.
        turns: int64 ``[rotating]``, bit of a column that stands first.
        runs: int64 ``[runs, 3]``, see :class:`RateMatching`.
        sizes: see :class:`Sizes`.
    """

    rows: Integers
    reads: NDArray[np.uint16]
    writes: NDArray[np.uint16]
    checks: NDArray[np.uint16]
    columns: Integers
    turns: Integers
    runs: Integers
    sizes: Sizes


def plan_for(matching: RateMatching, dtype: Any) -> Plan:
    """Lay out a code for a precision.

    >>> from semcom.fec.code import LDPCCode
    >>> plan_for(RateMatching(LDPCCode(512, "bg2"), 1024), np.int16).rows.shape
    (10, 7)
    """
    code, lanes = matching.code, lanes_of(dtype)
    size, info_columns = code.lifting_size, code.graph.num_info_columns
    frames = lanes // int(np.gcd(size, lanes))
    width = size * frames
    rotating, others = info_columns + CORE_ROWS, matching.num_rows - CORE_ROWS
    graph = layers(matching)

    stands = np.full((2, rotating), -1, np.int64)
    live = [*range(-(-code.k // size)), *range(info_columns, rotating)]
    stands[:, live] = np.arange(2 * len(live)).reshape(-1, 2).T * (width + lanes)
    first_other = 2 * len(live) * (width + lanes)
    turns = np.zeros(rotating, np.int64)
    for layer in graph:
        turns[layer.columns] = layer.shifts

    side, starts = np.zeros(rotating, np.int64), []
    reads, writes, checks = [], [], []
    vectors = np.arange(0, width, lanes)[:, None]
    for _ in range(2):
        starts.append(stands[side, np.arange(rotating)])
        turn = turns.copy()
        for columns, shifts, _own in graph:
            behind = (shifts - turn[columns]) % size * frames
            reads.append(stands[side[columns], columns] + (behind + vectors) % width)
            side[columns] ^= 1
            writes.append(stands[side[columns], columns])
            turn[columns] = shifts
        for columns, shifts, _own in graph:
            behind = (shifts - turns[columns]) % size * frames
            checks.append(stands[side[columns], columns] + (behind + vectors) % width)

    rows, before = [], 0
    for layer in graph:
        degree, own = len(layer.columns), layer.own_column
        arrived = 0 if own is None else first_other + (own - rotating) * width
        rows.append(
            (
                degree,
                own is not None,
                arrived,
                arrived + others * width,
                before * width,
                before * (width // lanes),
                before,
            )
        )
        before += degree
    sizes = Sizes(
        frames=frames,
        lifting=size,
        vectors=width // lanes,
        lanes=lanes,
        k=code.k,
        info_columns=info_columns,
        mother_bits=(rotating + others) * size,
        num_bits_per_symbol=matching.num_bits_per_symbol,
        others=first_other,
        posteriors=first_other + 2 * others * width,
        messages=before * width,
    )
    return Plan(
        rows=np.array(rows, np.int64),
        reads=_table(reads),
        writes=_table(writes),
        checks=_table(checks),
        columns=np.array(starts),
        turns=turns,
        runs=matching.runs,
        sizes=sizes,
    )


def _table(rows: list[Integers]) -> NDArray[np.uint16]:
    """Lanes of even and odd iterations, uint16 ``[2, ...]``."""
    return np.concatenate([row.reshape(-1) for row in rows]).astype(np.uint16).reshape(2, -1)


@compiled
def _quantise(values, scale, limit, rounded, out):  # type: ignore[no-untyped-def]
    """Scale, round and clip; true if a value is not a number.

    No zero is negative in ``out``, nor then in any posterior.
    """
    bits = values.view(np.int32)
    largest = np.int32(0)
    half = np.float32(0.5)
    if rounded:
        for i in range(values.shape[0]):
            x = np.floor(values[i] * scale + half)
            x = x if x < limit else limit
            x = x if x > -limit else -limit
            out[i] = np.int32(x)
            largest = max(largest, bits[i] & np.int32(0x7FFFFFFF))
    else:
        for i in range(values.shape[0]):
            x = values[i] * scale + np.float32(0)
            x = x if x < limit else limit
            out[i] = x if x > -limit else -limit
            largest = max(largest, bits[i] & np.int32(0x7FFFFFFF))
    return largest > np.int32(0x7F800000)


@compiled
def _selected(received, num_bits_per_symbol, out):  # type: ignore[no-untyped-def]
    """Undo the interleaving of coded bits."""
    length = received.shape[0] // num_bits_per_symbol
    for row in range(num_bits_per_symbol):
        into = out[row * length : (row + 1) * length]
        behind = received[row:]
        for i in range(length):
            into[i] = behind[i * num_bits_per_symbol]


@compiled
def _recover(received, plan, quantiser, mother, out):  # type: ignore[no-untyped-def]
    """Undo bit selection and quantise; what was sent more than once adds up.

    Bits never sent are left as they are in ``out``.
    """
    scale, limit, rounded = quantiser
    runs = plan.runs
    again = 0
    while again < runs.shape[0] and (again == 0 or runs[again, 1] != runs[0, 1]):
        again += 1
    missing = False
    for run in range(again):
        source, target, count = runs[run]
        values = received[source : source + count]
        if again < runs.shape[0]:
            total = mother[target : target + count]
            total[:] = 0
            for other in range(run, runs.shape[0], again):
                more = received[runs[other, 0] : runs[other, 0] + runs[other, 2]]
                for i in range(more.shape[0]):
                    total[i] += _finite(more[i])
            values = total
        missing |= _quantise(values, -scale, limit, rounded, out[target : target + count])
    return missing


@compiled
def _finite(x):  # type: ignore[no-untyped-def]
    """Large instead of infinite, so that sure values of opposite signs cancel; NaN stays."""
    large = np.float32(1e30)
    return np.copysign(large, x) if abs(x) > large else x


@compiled
def _copy(values, into):  # type: ignore[no-untyped-def]
    """Far faster than to assign a slice."""
    for i in range(values.shape[0]):
        into[i] = values[i]


@compiled
def _spread(values, plan, frame, posteriors):  # type: ignore[no-untyped-def]
    """Put the mother word of one frame into its lanes."""
    sizes = plan.sizes
    frames, size, lanes = sizes.frames, sizes.lifting, sizes.lanes
    for column in range(plan.turns.shape[0]):
        lane, turn = plan.columns[0, column], plan.turns[column]
        if lane < 0:
            continue
        word = values[column * size : (column + 1) * size]
        into = posteriors[lane : lane + sizes.vectors * lanes + lanes]
        if frames == 1:
            _copy(word[turn:], into)
            _copy(word[:turn], into[size - turn :])
        else:
            for z in range(size):
                into[(z - turn if z >= turn else z - turn + size) * frames + frame] = word[z]
        if frames == 1:
            _copy(into[:lanes], into[size:])
        else:
            for i in range(frame, lanes, frames):
                into[size * frames + i] = into[i]
    rest = values[plan.turns.shape[0] * size :]
    into = posteriors[sizes.others :]
    if frames == 1:
        _copy(rest, into)
    else:
        for i in range(rest.shape[0]):
            into[i * frames + frame] = rest[i]


@compiled
def _decide(values, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0]):
        out[i] = values[i] < 0


@compiled
def _collect(posteriors, plan, phase, frame, hard, scale, out):  # type: ignore[no-untyped-def]
    """Information bits of one frame, or their log-likelihood ratios."""
    frames, size, k = plan.sizes.frames, plan.sizes.lifting, plan.sizes.k
    for column in range(-(-k // size)):
        lane, turn = plan.columns[phase, column], plan.turns[column]
        count = min(size, k - column * size)
        into = out[column * size : column * size + count]
        if hard and frames == 1:
            _decide(posteriors[lane + size - turn : lane + size], into[:turn])
            _decide(posteriors[lane : lane + size], into[turn:])
            continue
        for z in range(count):
            place = z - turn if z >= turn else z - turn + size
            value = posteriors[lane + place * frames + frame]
            if hard:
                into[z] = value < 0
            else:
                into[z] = value / scale


@compiled
def _has_zero(values):  # type: ignore[no-untyped-def]
    found = False
    for i in range(values.shape[0]):
        found |= values[i] == 0
    return found


@compiled
def _undecided(posteriors, plan, phase, frame):  # type: ignore[no-untyped-def]
    """Whether some information bit of a frame is as likely 0 as 1: nothing was heard of it."""
    frames, size, k = plan.sizes.frames, plan.sizes.lifting, plan.sizes.k
    for column in range(-(-k // size)):
        lane, turn = plan.columns[phase, column], plan.turns[column]
        count = min(size, k - column * size)
        if frames == 1 and count == size:
            if _has_zero(posteriors[lane : lane + size]):
                return True
            continue
        for z in range(count):
            place = z - turn if z >= turn else z - turn + size
            if posteriors[lane + place * frames + frame] == 0:
                return True
    return False


@compiled
def _failing(posteriors, plan, phase, frame_mask):  # type: ignore[no-untyped-def]
    """Bit mask of the frames that violate a check; stops when all of ``frame_mask`` do."""
    rows, sizes, table = plan.rows, plan.sizes, plan.checks[phase]
    failing = np.uint64(0)
    for row in range(rows.shape[0]):
        degree, own, _, own_posterior, _, first, _ = rows[row]
        bits = np.uint64(
            failed_checks(posteriors, table, first, degree, own, own_posterior, sizes.vectors)
        )
        shift = sizes.lanes
        while shift > sizes.frames:
            shift //= 2
            bits |= bits >> np.uint64(shift)
        failing |= bits & frame_mask
        if failing == frame_mask:
            break
    return failing


@compiled
def _iterate(posteriors, messages, plan, phase, rule):  # type: ignore[no-untyped-def]
    """One iteration: every row of checks in turn."""
    rows, reads, writes = plan.rows, plan.reads[phase], plan.writes[phase]
    for row in range(rows.shape[0]):
        degree, own, arrived, own_posterior, first_message, first_read, first_write = rows[row]
        update_row(
            posteriors,
            reads,
            first_read,
            writes,
            first_write,
            messages,
            first_message,
            degree,
            own,
            arrived,
            own_posterior,
            plan.sizes.vectors,
            rule,
        )


@compiled
def decode(  # type: ignore[no-untyped-def]
    llr, first, last, plan, rule, quantiser, num_iter, early_stop, hard, work, out, iterations, told
):
    """Decode rows first…last − 1.

    Args:
        llr: float32 ``[batch, n]``, log p(1)/p(0).
        first: first row.
        last: one beyond the last row.
        plan: from :func:`plan_for`.
        rule: of ``check_node``, in units of the precision.
        quantiser: units per log-likelihood ratio, largest input in units, whether to round.
        num_iter: iterations at most.
        early_stop: whether a frame ends with the iteration that satisfies its checks.
        hard: whether to give bits rather than log-likelihood ratios.
        work: posteriors and messages, of the precision, aligned; sizes as in the plan.
        out: ``[batch, k]``, any type.
        iterations: int32 ``[batch]``, iterations done.
        told: bool ``[2, batch]``, whether all checks hold and all information bits are decided,
            and whether the latter is so.

    Returns:
        Whether some input is not a number.
    """
    sizes = plan.sizes
    posteriors, messages = work
    frames, num_bits_per_symbol = sizes.frames, sizes.num_bits_per_symbol
    scale, limit, _ = quantiser
    selected = np.empty(llr.shape[1] if num_bits_per_symbol > 1 else 0, np.float32)
    mother = np.empty(sizes.mother_bits, np.float32)
    quantised = np.zeros(sizes.mother_bits, posteriors.dtype)
    for i in range(sizes.k, sizes.info_columns * sizes.lifting):
        quantised[i] = limit
    missing = False
    for group in range(first, last, frames):
        members = min(frames, last - group)
        messages[:] = 0
        for member in range(members):
            received = llr[group + member]
            if num_bits_per_symbol > 1:
                _selected(received, num_bits_per_symbol, selected)
                received = selected
            missing |= _recover(received, plan, quantiser, mother, quantised)
            _spread(quantised, plan, member, posteriors)
        waiting = np.uint64(0xFFFFFFFFFFFFFFFF)
        if members < 64:
            waiting = (np.uint64(1) << np.uint64(members)) - np.uint64(1)
        for iteration in range(1, num_iter + 1):
            phase = (iteration - 1) % 2
            _iterate(posteriors, messages, plan, phase, rule)
            if not early_stop and iteration < num_iter:
                continue
            failing = _failing(posteriors, plan, phase, waiting)
            for member in range(members):
                bit = np.uint64(1) << np.uint64(member)
                if waiting & bit & ~failing and _undecided(posteriors, plan, 1 - phase, member):
                    failing |= bit
            leaving = waiting if iteration == num_iter else waiting & ~failing
            for member in range(members if leaving else 0):
                bit = np.uint64(1) << np.uint64(member)
                if leaving & bit:
                    frame = group + member
                    _collect(posteriors, plan, 1 - phase, member, hard, -scale, out[frame])
                    iterations[frame] = iteration
                    told[0, frame] = failing & bit == 0
                    told[1, frame] = told[0, frame] or not _undecided(
                        posteriors, plan, 1 - phase, member
                    )
            waiting &= ~leaving
            if waiting == 0:
                break
    return missing
