"""Kernels that are called through their address: compiled once, never copied into their callers.

Above `jit`. Numba compiles a kernel together with all that it calls, so the time to compile grows
with every level of calls, and what is inlined into a hot path pushes it out of the caches. The
slow half of a stage therefore stands behind `out_of_line`: a heap's state carries the addresses of
such kernels in its record `code`, one field for each by its name, and `link` fills it. Its one
rule: such a kernel takes the heap and then integers, and returns an integer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np
from llvmlite import ir
from numba import typeof
from numba.core import cgutils, types
from numba.core.types.misc import VarArg
from numba.core.typing.templates import AbstractTemplate, Signature, infer_global, signature
from numba.extending import lower_builtin

from allocsim.core.jit import PURE, kernel
from allocsim.core.records import HeapState

P = ParamSpec("P")

_KERNELS: dict[str, tuple[Any, int]] = {}
"""Each such kernel by its name, with the number of integers that it takes behind the heap."""


def out_of_line(function: Callable[P, int]) -> Callable[P, int]:
    """Make `function` a kernel that other kernels call through its address."""
    name = function.__name__
    if name in _KERNELS:
        raise ValueError(f"two kernels out of line are called {name}")
    compiled: Any = kernel(function)
    _KERNELS[name] = (compiled, function.__code__.co_argcount - 1)
    if PURE:
        return function

    def call(*arguments: Any) -> int:
        return int(compiled(*arguments))

    class Typed(AbstractTemplate):
        """The type of a call: whatever integers come are passed as int64."""

        key = call

        def generic(self, args: Any, kws: Any) -> Signature:
            """The signature for arguments of these types."""
            return signature(types.int64, args[0], *[types.int64] * (len(args) - 1))

    def lowered(context: Any, builder: Any, called: Signature, arguments: Any) -> Any:
        address = _load_address(context, builder, called.args[0], arguments[0], name)
        return _call(context, builder, called, address, arguments)

    infer_global(call, types.Function(Typed))
    lower_builtin(call, types.Any, VarArg(types.Any))(lowered)
    call.__name__, call.__doc__ = name, function.__doc__
    return call  # type: ignore[return-value]


def code_record(*kernels: Callable[..., int]) -> np.dtype[Any]:
    """The record of the addresses of `kernels`: the dtype of a state's field `code`."""
    return np.dtype([(function.__name__, np.int64) for function in kernels])


def link(heap: HeapState) -> None:
    """Compile what the record `heap.code` names for this type of heap, and fill it."""
    if PURE:
        return
    for name in heap.code.dtype.names:
        compiled, words = _KERNELS[name]
        taken = (typeof(heap), *[types.int64] * words)
        compiled.compile(taken)
        found = compiled.overloads[taken]
        heap.code[0][name] = found.library.get_pointer_to_function(found.fndesc.llvm_func_name)


def _load_address(context: Any, builder: Any, state: Any, heap: Any, name: str) -> Any:
    """The instructions that load the address of the kernel `name` from the heap's `code`."""
    place = state.fields.index("code")
    record = state.types[place].dtype
    code = context.make_array(state.types[place])(
        context, builder, builder.extract_value(heap, place)
    )
    at = cgutils.pointer_add(builder, code.data, record.offset(name), ir.IntType(64).as_pointer())
    return builder.load(at)


def _call(context: Any, builder: Any, called: Signature, address: Any, arguments: Any) -> Any:
    """The instructions of a call in Numba's own convention; what is called never raises."""
    convention = context.call_conv.get_function_type(called.return_type, called.args)
    pointer = builder.inttoptr(address, convention.as_pointer())
    result = cgutils.alloca_once(builder, convention.args[0].pointee)
    error = cgutils.alloca_once(builder, convention.args[1].pointee)
    packed = context.get_arg_packer(called.args).as_arguments(builder, arguments)
    builder.call(pointer, [result, error, *packed])
    return builder.load(result)
