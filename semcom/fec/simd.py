"""Vectors of fixed length in compiled functions: the vocabulary of the LDPC kernels.

LLVM does not vectorise message passing well by itself, so the kernels of this package are written
as LLVM vector operations through :func:`numba.extending.intrinsic`. They are portable: LLVM lowers
them to whatever vector unit there is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

I32, I64 = ir.IntType(32), ir.IntType(64)


# Vectors of 32 bytes keep the frames that small codes must share few, and lose nothing against 64
# where the processor splits those in two (AMD Zen 4).
VECTOR_BYTES = 32


def lanes_of(dtype: Any) -> int:
    """Values of a dtype in a vector.

    >>> lanes_of(np.int8), lanes_of(np.float32)
    (32, 8)
    """
    return VECTOR_BYTES // int(np.dtype(dtype).itemsize)


class Vectors:
    """Emits operations on vectors of int8, int16 or float32; integers saturate.

    Magnitudes are values that are not negative. Integer ones are treated as unsigned, so that
    |-128| = 128 is right.

    Args:
        builder: where instructions go.
        dtype: of a lane.
    """

    def __init__(self, builder: ir.IRBuilder, dtype: Any) -> None:
        self.builder = builder
        self.is_float = np.dtype(dtype).kind == "f"
        self.lanes = lanes_of(dtype)
        self.bits = 8 * np.dtype(dtype).itemsize
        self.lane_int = ir.IntType(self.bits)
        self.lane = ir.FloatType() if self.is_float else self.lane_int
        self.type = ir.VectorType(self.lane, self.lanes)
        self.int_type = ir.VectorType(self.lane_int, self.lanes)
        self._suffix = f"v{self.lanes}{'f' if self.is_float else 'i'}{self.bits}"

    def _call(self, name: str, *arguments: Any) -> Any:
        kinds = [argument.type for argument in arguments]
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(self.type, kinds),
            f"llvm.{name}.{self._suffix}",
        )
        return self.builder.call(function, arguments)

    def constant(self, value: float) -> Any:
        """A vector of one value."""
        return ir.Constant(self.type, [value] * self.lanes)

    def int_constant(self, value: int) -> Any:
        """A vector of one pattern of bits."""
        return ir.Constant(self.int_type, [value] * self.lanes)

    def splat(self, value: Any) -> Any:
        """A vector of one run-time value, of floats or of integers as the value is."""
        undefined = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, value, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def load(self, pointer: Any) -> Any:
        """Read a vector at any address."""
        typed = self.builder.bitcast(pointer, self.type.as_pointer())
        return self.builder.load(typed, align=1)

    def store(self, value: Any, pointer: Any) -> None:
        """Write a vector at any address."""
        typed = self.builder.bitcast(pointer, self.type.as_pointer())
        self.builder.store(value, typed, align=1)

    def add(self, x: Any, y: Any) -> Any:
        """Sum of signed values."""
        return self.builder.fadd(x, y) if self.is_float else self._call("sadd.sat", x, y)

    def subtract(self, x: Any, y: Any) -> Any:
        """Difference of signed values."""
        return self.builder.fsub(x, y) if self.is_float else self._call("ssub.sat", x, y)

    def magnitude(self, x: Any) -> Any:
        """Absolute value."""
        if self.is_float:
            return self._call("fabs", x)
        return self._call("abs", x, ir.Constant(ir.IntType(1), 0))

    def signed(self, magnitude: Any) -> Any:
        """A magnitude that is a signed value too: at most 127 of int8."""
        if self.is_float:
            return magnitude
        return self.smaller(magnitude, self.constant((1 << (self.bits - 1)) - 1))

    def smaller(self, x: Any, y: Any) -> Any:
        """The smaller of two magnitudes."""
        if self.is_float:
            return self.builder.select(self.builder.fcmp_ordered("<", x, y), x, y)
        return self._call("umin", x, y)

    def larger(self, x: Any, y: Any) -> Any:
        """The larger of two magnitudes."""
        if self.is_float:
            return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)
        return self._call("umax", x, y)

    def less(self, x: Any, y: Any) -> Any:
        """What x has over y, magnitudes, at least 0."""
        if self.is_float:
            return self.larger(self.builder.fsub(x, y), self.constant(0.0))
        return self._call("usub.sat", x, y)

    def difference(self, larger: Any, smaller: Any) -> Any:
        """Difference of two magnitudes."""
        if self.is_float:
            return self.builder.fsub(larger, smaller)
        return self.builder.sub(larger, smaller)

    def part(self, x: Any, shift: int) -> Any:
        """A magnitude over 2^shift."""
        if self.is_float:
            return self.builder.fmul(x, self.constant(0.5**shift))
        return self.builder.lshr(x, self.int_constant(shift))

    def equal(self, x: Any, y: Any) -> Any:
        """Where two magnitudes are equal."""
        if self.is_float:
            return self.builder.fcmp_ordered("==", x, y)
        return self.builder.icmp_unsigned("==", x, y)

    def choose(self, where: Any, x: Any, y: Any) -> Any:
        """Take x where a condition holds, else y."""
        return self.builder.select(where, x, y)

    def pattern(self, x: Any) -> Any:
        """The bits of x as integers."""
        return self.builder.bitcast(x, self.int_type) if self.is_float else x

    def negative(self, pattern: Any) -> Any:
        """Where a pattern of bits has its sign set."""
        return self.builder.icmp_signed("<", pattern, self.int_constant(0))

    def with_sign(self, magnitude: Any, pattern: Any) -> Any:
        """The magnitude with the sign of a pattern of bits."""
        if self.is_float:
            sign = self.builder.and_(pattern, self.int_constant(1 << 31))
            bits = self.builder.xor(self.pattern(magnitude), sign)
            return self.builder.bitcast(bits, self.type)
        negated = self.builder.sub(self.constant(0), magnitude)
        return self.builder.select(self.negative(pattern), negated, magnitude)
