"""Rows of checks as vector instructions, for compiled decoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import as_dtype

from semcom.fec.rules import Rule
from semcom.fec.rules import messages as messages_of
from semcom.fec.simd import I64, Vectors

MAX_DEGREE = 19
MAX_DEGREE_WITH_OWN_PARITY = 9


class _Row:
    """Addresses of one row of checks inside a kernel.

    A column of the lifted graph is a run of lanes in the posteriors, rotated so that its last user
    found its first check first, and followed by one vector that repeats the first. Any vector of
    the column as another row needs it is then one run at any address; ``reads`` lists where those
    start, edge by edge for each vector of the row.
    """

    def __init__(self, v: Vectors, degree: int, arguments: dict[str, Any]) -> None:
        self.v, self.builder, self.degree = v, v.builder, degree
        self.posteriors, self.reads = arguments["posteriors"], arguments["reads"]
        self.count = arguments["count"]

    def _int(self, value: int) -> Any:
        return ir.Constant(I64, value)

    def at(self, lane: Any) -> Any:
        """Pointer to a lane of the posteriors."""
        return self.builder.gep(self.posteriors, [lane])

    def listed(self, table: Any, entry: Any) -> Any:
        """Lane that stands in a table."""
        return self.builder.zext(self.builder.load(self.builder.gep(table, [entry])), I64)

    def lane(self, vector: Any) -> Any:
        """First lane of a vector within its column."""
        return self.builder.mul(vector, self._int(self.v.lanes))

    @property
    def width(self) -> Any:
        """Lanes of a column."""
        return self.lane(self.count)

    def loads(self, vector: Any) -> list[Any]:
        """One vector of each column, as the row needs it."""
        start = self.builder.mul(vector, self._int(self.degree))
        entries = [self.builder.add(start, self._int(edge)) for edge in range(self.degree)]
        return [self.v.load(self.at(self.listed(self.reads, entry))) for entry in entries]


def _emit_update(
    row: _Row,
    rule: type[Rule],
    writes: Any,
    messages: Any,
    own_bits: tuple[Any, Any] | None,
    fields: dict[str, Any],
) -> None:
    """One layer: take the old messages off the posteriors, make new ones, put them on.

    A message to the row's own parity bit comes from nowhere else, so it is neither kept nor
    clamped further than its type asks.
    """
    v, builder, degree = row.v, row.builder, row.degree
    edges = [ir.Constant(I64, edge) for edge in range(degree)]
    columns = [row.at(row.listed(writes, edge)) for edge in edges]
    with cgutils.for_range(builder, row.count, intp=I64) as loop:
        vector = loop.index
        old = builder.gep(messages, [builder.mul(row.lane(vector), ir.Constant(I64, degree))])
        slots = [builder.gep(old, [row.lane(edge)]) for edge in edges]
        inputs = [
            v.subtract(value, v.load(slot))
            for value, slot in zip(row.loads(vector), slots, strict=True)
        ]
        if own_bits is not None:
            inputs.append(v.load(row.at(builder.add(own_bits[0], row.lane(vector)))))
        magnitudes = [v.magnitude(value) for value in inputs]
        signs = v.pattern(inputs[0])
        for value in inputs[1:]:
            signs = builder.xor(signs, v.pattern(value))
        new = messages_of(v, rule, fields, magnitudes, limited=degree)
        for edge, value in enumerate(inputs):
            magnitude = new[edge] if edge < degree else v.signed(new[edge])
            message = v.with_sign(magnitude, builder.xor(signs, v.pattern(value)))
            posterior = v.add(value, message)
            if edge < degree:
                v.store(message, slots[edge])
                v.store(posterior, builder.gep(columns[edge], [row.lane(vector)]))
            elif own_bits is not None:
                v.store(posterior, row.at(builder.add(own_bits[1], row.lane(vector))))
    for column in columns:
        v.store(v.load(column), builder.gep(column, [row.width]))


def _emit_parity(row: _Row, own_bit: Any | None, failed: Any) -> None:
    """Collect in ``failed`` the lanes whose hard decisions violate the row."""
    v, builder = row.v, row.builder
    with cgutils.for_range(builder, row.count, intp=I64) as loop:
        values = row.loads(loop.index)
        if own_bit is not None:
            values.append(v.load(row.at(builder.add(own_bit, row.lane(loop.index)))))
        signs = v.pattern(values[0])
        for value in values[1:]:
            signs = builder.xor(signs, v.pattern(value))
        builder.store(builder.or_(builder.load(failed), signs), failed)


def _by_degree(
    builder: ir.IRBuilder, degree: Any, own_parity: Any, emit: Callable[[int, bool], None]
) -> None:
    """Branch to straight-line code for each degree that a lifted base graph can have."""
    end = builder.append_basic_block("end")
    key = builder.add(builder.mul(degree, ir.Constant(I64, 2)), own_parity)
    switch = builder.switch(key, end)
    for edges in range(1, MAX_DEGREE + 1):
        for own in (False, True):
            if (edges == 1 and not own) or (edges > MAX_DEGREE_WITH_OWN_PARITY and own):
                continue
            block = builder.append_basic_block(f"degree{edges}_{own:d}")
            switch.add_case(ir.Constant(I64, 2 * edges + own), block)
            with builder.goto_block(block):
                emit(edges, own)
                builder.branch(end)
    builder.position_at_end(end)


def _pointer(context: Any, builder: Any, kind: types.Array, value: Any, first: Any) -> Any:
    """Pointer to an element of an array."""
    return builder.gep(context.make_array(kind)(context, builder, value).data, [first])


@intrinsic
def update_row(
    typing_context: Any,
    posteriors: Any,
    reads: Any,
    first_read: Any,
    writes: Any,
    first_write: Any,
    messages: Any,
    first_message: Any,
    degree: Any,
    own_parity: Any,
    own_arrived: Any,
    own_posterior: Any,
    count: Any,
    rule: Any,
) -> Any:
    """Update posteriors and messages by one row of checks."""
    number = types.int64
    signature = types.void(
        *(posteriors, reads, number, writes, number, messages, number),
        *(number, number, number, number, number, rule),
    )

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        v = Vectors(builder, as_dtype(posteriors.dtype))
        arguments = {
            "posteriors": _pointer(context, builder, posteriors, values[0], I64(0)),
            "reads": _pointer(context, builder, reads, values[1], values[2]),
            "count": values[11],
        }
        own_writes = _pointer(context, builder, writes, values[3], values[4])
        own_messages = _pointer(context, builder, messages, values[5], values[6])
        kind = rule.instance_class
        fields = {}
        for index, name in enumerate(kind._fields):
            value = builder.extract_value(values[12], index)
            fields[name] = v.splat(
                context.cast(builder, value, rule.types[index], posteriors.dtype)
            )

        def emit(edges: int, own: bool) -> None:
            row = _Row(v, edges, arguments)
            own_bits = (values[9], values[10]) if own else None
            _emit_update(row, kind, own_writes, own_messages, own_bits, fields)

        _by_degree(builder, values[7], values[8], emit)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def failed_checks(
    typing_context: Any,
    posteriors: Any,
    reads: Any,
    first_read: Any,
    degree: Any,
    own_parity: Any,
    own_posterior: Any,
    count: Any,
) -> Any:
    """Lanes in which a row of checks fails, modulo the lanes of a vector, as bits of an int64."""
    number = types.int64
    signature = types.int64(posteriors, reads, number, number, number, number, number)

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        v = Vectors(builder, as_dtype(posteriors.dtype))
        arguments = {
            "posteriors": _pointer(context, builder, posteriors, values[0], I64(0)),
            "reads": _pointer(context, builder, reads, values[1], values[2]),
            "count": values[6],
        }
        failed = cgutils.alloca_once(builder, v.int_type)
        builder.store(v.int_constant(0), failed)

        def emit(edges: int, own: bool) -> None:
            _emit_parity(_Row(v, edges, arguments), values[5] if own else None, failed)

        _by_degree(builder, values[3], values[4], emit)
        bits = builder.bitcast(v.negative(builder.load(failed)), ir.IntType(v.lanes))
        return builder.zext(bits, I64) if v.lanes < 64 else bits

    return signature, generate
