"""Out-of-line kernels: compiled once, and called by their address.

Other kernels are inlined into their callers. The callers of an out-of-line kernel load its address
from the heap's record `code`. `link` compiles the out-of-line kernels of a heap and fills in this
record.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np
from llvmlite import ir
from numba import typeof
from numba.core import cgutils, types
from numba.core.types.misc import VarArg, unliteral
from numba.core.typing.templates import AbstractTemplate, Signature, infer_global, signature
from numba.extending import intrinsic, lower_builtin

from allocsim.core.call_convention import KernelCallConv
from allocsim.core.heap_pointer import ARRAYS, MAX_WORDS, HeapPointer, has_arrays, save_arrays
from allocsim.core.jit import PURE, kernel
from allocsim.core.records import HeapState

P = ParamSpec("P")

_OUT_OF_LINE: dict[str, tuple[Any, int]] = {}
"""Out-of-line kernels by name, with the number of integer arguments after the heap."""


def out_of_line(function: Callable[P, int]) -> Callable[P, int]:
    """Make `function` a kernel that is not inlined: other kernels call it by its address.

    This is for slow paths: they are compiled once, and the fast path stays small.
    """
    # The heap is passed as a pointer (see `heap_pointer`).
    name = function.__name__
    if name in _OUT_OF_LINE:  # two kernels cannot share a field of `heap.code`
        raise ValueError(f"two out-of-line kernels are called {name}")
    compiled: Any = kernel(function)
    _OUT_OF_LINE[name] = (compiled, function.__code__.co_argcount - 1)
    if PURE:
        return function

    def call(heap: Any, *arguments: int) -> int:
        """Call the kernel from Python; if the heap is not linked, the call compiles the kernel."""
        address = int(heap.code[0][name]) if name in heap.code.dtype.names else 0
        if address:
            return _call_from_python(address, heap, arguments)
        return int(compiled(heap, *arguments))

    def lowered(context: Any, builder: Any, called: Signature, arguments: Any) -> Any:
        """Generate the code of the call; the address is in the heap's record of addresses."""
        state, heap = called.args[0], arguments[0]
        if not isinstance(state, HeapPointer):
            state, heap = HeapPointer(state), _code_address(context, builder, state, heap)
        address = _load_address(builder, state, heap, name)
        inner = signature(called.return_type, state, *called.args[1:])
        return _call(context, builder, inner, address, [heap, *arguments[1:]])

    _make_callable(call, lambda args: (args[0], *[types.int64] * (len(args) - 1)), lowered)
    call.__name__, call.__doc__ = name, function.__doc__
    return call  # type: ignore[return-value]


def by_address(compiled: Callable[..., int]) -> Callable[..., int]:
    """Return a function that calls a kernel by its address.

    The address is the function's first argument (see `address_of`). This is for large kernels: the
    caller is compiled without the code of the callee.
    """

    def call(_: int, *arguments: Any) -> int:
        """Call the kernel from Python; `_` is the address, which only compiled callers need."""
        return compiled(*arguments)

    def lowered(context: Any, builder: Any, called: Signature, arguments: Any) -> Any:
        """Generate the code of the call, whose first argument is the address."""
        inner = signature(called.return_type, *called.args[1:])
        return _call(context, builder, inner, arguments[0], arguments[1:])

    if not PURE:
        _make_callable(call, lambda args: tuple(map(unliteral, args)), lowered)
    return call


def address_of(compiled: Any, *arguments: Any) -> int:
    """Return the address of a kernel compiled for arguments of these types, or 0 in pure mode."""
    return 0 if PURE else _address(compiled, tuple(map(typeof, arguments)))


def _address(compiled: Any, argument_types: tuple[Any, ...]) -> int:
    """Return the address of the machine code of a kernel for arguments of these types."""
    compiled.compile(argument_types)
    result = compiled.overloads[argument_types]
    _require_word(compiled.__name__, result.signature.return_type)
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def _require_word(name: str, returned: Any) -> None:
    """Raise TypeError unless a kernel returns 64 bits, which its callers read as an int64."""
    # If `returned` is the type of an IntEnum, its dtype is the integer type of the members.
    number = getattr(returned, "dtype", returned)
    if number not in (types.int64, types.uint64):
        raise TypeError(f"the kernel {name} returns {returned}; expected int64")


def _make_callable(call: Any, converted: Callable[[Any], tuple[Any, ...]], lowered: Any) -> None:
    """Let kernels call `call`, which returns an int64.

    `converted` takes the types of a call's arguments, and returns the types to which Numba converts
    the arguments. `lowered` generates the code of the call.
    """

    class Typed(AbstractTemplate):
        """Gives Numba the types of a call."""

        key = call

        def generic(self, args: Any, kws: Any) -> Signature:
            """Return the signature for arguments of these types."""
            return signature(types.int64, *converted(args))

    infer_global(call, types.Function(Typed))
    lower_builtin(call, types.Any, VarArg(types.Any))(lowered)


if PURE:

    def pointer_to(heap: Any) -> Any:
        """Return the heap."""
        return heap

else:

    @intrinsic
    def pointer_to(_: Any, heap: Any) -> Any:
        """Return the heap as a pointer, or the heap itself if it has no out-of-line kernels."""
        has_code = has_arrays(heap)
        result = HeapPointer(heap) if has_code else heap

        def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
            """Generate the code of the call."""
            (state,) = arguments
            return _code_address(context, builder, heap, state) if has_code else state

        return signature(result, heap), generate


def code_record(*kernels: Callable[..., int]) -> np.dtype[Any]:
    """Return the dtype of the field `code` of a heap's state: the addresses of `kernels`."""
    addresses = [(function.__name__, np.int64) for function in kernels]
    return np.dtype([*addresses, (ARRAYS, np.int64, (MAX_WORDS,))])


_LINKED: dict[tuple[Any, ...], dict[str, int]] = {}
"""Addresses of the kernels in `heap.code`, for each type of heap."""


def link(heap: HeapState) -> None:
    """Compile the kernels named in `heap.code` for this heap, and fill in their addresses."""
    if PURE:
        return
    save_arrays(heap)
    # The addresses depend only on Numba's type of the heap, which depends only on `key`. Without
    # this table, creating the type and looking up each kernel would take 2 ms.
    key = (type(heap), *((array.ndim, array.dtype) for array in heap))
    if key not in _LINKED:
        _LINKED[key] = _kernel_addresses(heap)
    for name, address in _LINKED[key].items():
        heap.code[0][name] = address


def _kernel_addresses(heap: HeapState) -> dict[str, int]:
    """Compile the kernels named in `heap.code` for this heap, and return their addresses."""
    pointer, addresses = HeapPointer(typeof(heap)), {}
    for name in heap.code.dtype.names[:-1]:
        compiled, words = _OUT_OF_LINE[name]
        addresses[name] = _address(compiled, (pointer, *[types.int64] * words))
    return addresses


def _code_address(context: Any, builder: Any, state: Any, heap: Any) -> Any:
    """Generate code that gives the address of the heap's record `code`."""
    index = state.fields.index("code")
    code = context.make_array(state.types[index])(
        context, builder, builder.extract_value(heap, index)
    )
    return builder.ptrtoint(code.data, ir.IntType(64))


def _load_address(builder: Any, pointer: Any, heap: Any, name: str) -> Any:
    """Generate code that loads the address of the kernel `name` from the heap's `code`."""
    code = pointer.state.types[pointer.state.fields.index("code")].dtype
    word = ir.IntType(64)
    return builder.load(
        builder.inttoptr(builder.add(heap, word(code.offset(name))), word.as_pointer())
    )


def _call_from_python(address: int, heap: HeapState, arguments: tuple[int, ...]) -> int:
    """Call the code of an out-of-line kernel in Numba's calling convention."""
    result, error = ctypes.c_int64(), ctypes.c_void_p()
    words = [ctypes.c_int64] * (1 + len(arguments))
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *words)
    outputs = ctypes.addressof(result), ctypes.addressof(error)
    if prototype(address)(*outputs, heap.code.ctypes.data, *map(int, arguments)):
        raise RuntimeError("an out-of-line kernel raised an exception, which kernels must not do")
    return result.value


def _call(context: Any, builder: Any, called: Signature, address: Any, arguments: Any) -> Any:
    """Generate a call of a kernel; the caller raises what the callee raises."""
    convention = KernelCallConv(context)
    code_type = convention.get_function_type(called.return_type, called.args)
    function = builder.inttoptr(address, code_type.as_pointer())
    status, result = convention.call_function(
        builder, function, called.return_type, called.args, arguments
    )
    with cgutils.if_unlikely(builder, status.is_error):
        convention.return_status_propagate(builder, status)
    return result
