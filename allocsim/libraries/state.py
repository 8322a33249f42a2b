"""A malloc library as the driver sees it: a state type whose kernels call C.

Above `foreign`; below `library`, which finds the addresses. It answers the operations that the
driver calls; what a library keeps to itself (the parts of its heap) is measured as zero. Its one
rule: nothing but the call itself stands between the driver and the library.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from allocsim.core import operations
from allocsim.core.jit import PURE, answers, kernel
from allocsim.core.operations import Status
from allocsim.core.records import Record

FUNCTIONS = ("malloc", "free", "realloc", "calloc", "memalign")
"""What the driver calls, in the order of Library.function."""


class Library(NamedTuple):
    """The state of a heap that is a library: the addresses of its functions."""

    function: np.ndarray  # int64, in the order of FUNCTIONS


@answers(operations.malloc, Library)
@kernel
def malloc(heap: Library, thread: int, request: int) -> int:
    """The library's malloc."""
    return call_with_one(heap.function[0], request)


@answers(operations.free, Library)
@kernel
def free(heap: Library, thread: int, address: int) -> int:
    """The library's free, which says nothing."""
    call_with_one(heap.function[1], address)
    return Status.OK


@answers(operations.realloc, Library)
@kernel
def realloc(heap: Library, thread: int, address: int, request: int) -> int:
    """The library's realloc."""
    return call_with_two(heap.function[2], address, request)


@answers(operations.calloc, Library)
@kernel
def calloc(heap: Library, thread: int, request: int) -> int:
    """The library's calloc of one element."""
    return call_with_two(heap.function[3], 1, request)


@answers(operations.memalign, Library)
@kernel
def memalign(heap: Library, thread: int, alignment: int, request: int) -> int:
    """The library's memalign."""
    return call_with_two(heap.function[4], alignment, request)


@answers(operations.thread_begin, Library)
@kernel
def thread_begin(heap: Library, thread: int) -> int:
    """Nothing: all events are played on one thread of the operating system."""
    return Status.OK


@answers(operations.thread_done, Library)
@kernel
def thread_done(heap: Library, thread: int) -> int:
    """Nothing."""
    return Status.OK


@answers(operations.release, Library)
@kernel
def release(heap: Library, length: int) -> int:
    """Nothing: malloc's family has no such call."""
    return 0


@answers(operations.freeze, Library)
@kernel
def freeze(heap: Library) -> int:
    """Nothing: a library cannot be kept from asking."""
    return Status.OK


@answers(operations.footprint, Library)
@kernel
def footprint(heap: Library) -> int:
    """0: it is measured from outside."""
    return 0


@answers(operations.measure, Library)
@kernel
def measure(heap: Library, live: int, sample: Record) -> int:
    """Only what is live: the rest is the library's own."""
    sample.live = live
    return Status.OK


@answers(operations.settle, Library)
@kernel
def settle(heap: Library) -> int:
    """Nothing: a library puts nothing off that could be told."""
    return Status.OK


_INT = ctypes.c_int64

if PURE:

    def call_with_one(function: int, first: int) -> int:
        """function(first)."""
        return int(ctypes.CFUNCTYPE(_INT, _INT)(int(function))(int(first)))

    def call_with_two(function: int, first: int, second: int) -> int:
        """function(first, second)."""
        call = ctypes.CFUNCTYPE(_INT, _INT, _INT)(int(function))
        return int(call(int(first), int(second)))

    def call_with_four(function: int, first: int, second: int, third: int, fourth: int) -> int:
        """function(first, second, third, fourth)."""
        call = ctypes.CFUNCTYPE(_INT, _INT, _INT, _INT, _INT)(int(function))
        return int(call(int(first), int(second), int(third), int(fourth)))

else:
    _WORD = ir.IntType(64)

    def _caller(count: int) -> Any:
        """The code of a call with `count` arguments."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            """The instructions."""
            function = ir.FunctionType(_WORD, [_WORD] * count)
            pointer = builder.inttoptr(arguments[0], ir.PointerType(function))
            return builder.call(pointer, arguments[1:])

        return generate

    @intrinsic
    def _call_with_one(typing: Any, function: Any, first: Any) -> Any:
        return types.int64(types.int64, types.int64), _caller(1)

    @intrinsic
    def _call_with_two(typing: Any, function: Any, first: Any, second: Any) -> Any:
        return types.int64(types.int64, types.int64, types.int64), _caller(2)

    @intrinsic
    def _call_with_four(
        typing: Any, function: Any, first: Any, second: Any, third: Any, fourth: Any
    ) -> Any:
        return types.int64(*[types.int64] * 5), _caller(4)

    @kernel
    def call_with_one(function: int, first: int) -> int:
        """function(first)."""
        return _call_with_one(function, first)

    @kernel
    def call_with_two(function: int, first: int, second: int) -> int:
        """function(first, second)."""
        return _call_with_two(function, first, second)

    @kernel
    def call_with_four(function: int, first: int, second: int, third: int, fourth: int) -> int:
        """function(first, second, third, fourth)."""
        return _call_with_four(function, first, second, third, fourth)
