"""Prefetching: requests to the CPU to load a row of a table that will be needed soon.

In a heap of gigabytes, the records of an object are usually in none of the CPU's caches, and a load
from memory takes 100 ns or more. An early request lets the load overlap with other work.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from allocsim.core.jit import PURE, kernel

if PURE:

    def prefetch(table: Any, row: int) -> None:
        """Prefetch a row of `table`. Any `row` is allowed, because a prefetch never faults."""

else:
    _READ, _KEEP, _DATA = (ir.Constant(ir.IntType(32), number) for number in (0, 3, 1))

    @intrinsic
    def _prefetch(typing: Any, table: Any, row: Any) -> Any:
        """Return the Numba type of `prefetch`, and the function that generates its code."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            """Generate the code of the call; return its result."""
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            byte = ir.IntType(8).as_pointer()
            pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
            hint = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [byte, *[ir.IntType(32)] * 3]),
                "llvm.prefetch.p0i8",
            )
            builder.call(hint, [pointer, _READ, _KEEP, _DATA])
            return context.get_dummy_value()

        return types.void(table, types.int64), generate

    @kernel
    def prefetch(table: Any, row: int) -> None:
        """Prefetch a row of `table`. Any `row` is allowed, because a prefetch never faults."""
        _prefetch(table, row)
