"""A malloc library as a heap for the replay driver: its state, and kernels that call its functions.

Each kernel (a compiled function) implements one operation of `core.operations`, usually by calling
a C function of the library. The internals of a library are unknown. `measure` therefore sets only
the live bytes of a sample, and `benchmark` measures the memory of the process instead.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from allocsim.core import operations
from allocsim.core.jit import PURE, answers, kernel
from allocsim.core.operations import Status
from allocsim.core.raw import fill
from allocsim.core.records import Sample

FUNCTIONS = ("malloc", "free", "realloc", "calloc", "memalign")
"""The functions of a library, in the order of Library.function."""

REQUIRED = ("malloc", "free", "realloc")
"""The functions that a library must have."""


class Library(NamedTuple):
    """The state of a heap whose memory a malloc library manages."""

    function: np.ndarray  # int64: addresses, in the order of FUNCTIONS; 0: missing


def libc_address(function: str) -> int:
    """Return the address of a function of the C library."""
    return ctypes.cast(getattr(ctypes.CDLL(None), function), ctypes.c_void_p).value or 0


if PURE:

    def call_c(function: int, arguments: tuple[int, ...]) -> int:
        """Call the C function at an address; its arguments and its result are 64-bit integers."""
        words = [ctypes.c_int64] * (1 + len(arguments))
        return int(ctypes.CFUNCTYPE(*words)(int(function))(*map(int, arguments)))

else:

    @intrinsic
    def _call(typing: Any, function: Any, arguments: Any) -> Any:
        """Return the Numba type of `call_c`, and the function that generates its code."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            """Emit the LLVM instructions of the call."""
            word = ir.IntType(64)
            words = [
                context.cast(builder, value, argument_type, types.int64)
                for value, argument_type in zip(
                    cgutils.unpack_tuple(builder, values[1]), arguments, strict=True
                )
            ]
            called = ir.FunctionType(word, [word] * len(words))
            return builder.call(builder.inttoptr(values[0], called.as_pointer()), words)

        return types.int64(types.int64, arguments), generate

    @kernel
    def call_c(function: int, arguments: tuple[int, ...]) -> int:
        """Call the C function at an address; its arguments and its result are 64-bit integers."""
        return _call(function, arguments)


@answers(operations.malloc, Library)
@kernel
def malloc(heap: Library, thread: int, request: int) -> int:
    """Call malloc."""
    return call_c(heap.function[0], (request,))


@answers(operations.free, Library)
@kernel
def free(heap: Library, thread: int, address: int) -> int:
    """Call free, which reports no errors. Returns Status.OK."""
    call_c(heap.function[1], (address,))
    return Status.OK


@answers(operations.realloc, Library)
@kernel
def realloc(heap: Library, thread: int, address: int, request: int) -> int:
    """Call realloc."""
    return call_c(heap.function[2], (address, request))


@answers(operations.calloc, Library)
@kernel
def calloc(heap: Library, thread: int, request: int) -> int:
    """Call calloc for one element of `request` bytes.

    If the library has no calloc, calls malloc and clears the object.
    """
    if heap.function[3]:
        return call_c(heap.function[3], (1, request))
    address = call_c(heap.function[0], (request,))
    if address:
        fill(address, request, 0)
    return address


@answers(operations.memalign, Library)
@kernel
def memalign(heap: Library, thread: int, alignment: int, request: int) -> int:
    """Call memalign. Returns 0 if the library has none."""
    if not heap.function[4]:
        return 0
    return call_c(heap.function[4], (alignment, request))


@answers(operations.thread_begin, Library)
@answers(operations.thread_done, Library)
@kernel
def ignore_thread(heap: Library, thread: int) -> int:
    """Do nothing: `driver.replay` runs all threads on one OS thread. Returns Status.OK."""
    return Status.OK


@answers(operations.freeze, Library)
@answers(operations.flush_deferred_writes, Library)
@kernel
def ignore(heap: Library) -> int:
    """Do nothing: a library cannot be frozen, and defers no writes. Returns Status.OK."""
    return Status.OK


@answers(operations.prefetch, Library)
@kernel
def prefetch(heap: Library, address: int, near: bool) -> int:
    """Do nothing: a library's records are unknown. Returns Status.OK."""
    return Status.OK


@answers(operations.release, Library)
@kernel
def release(heap: Library, length: int) -> int:
    """Return 0, because no standard function releases free memory."""
    return 0


@answers(operations.footprint, Library)
@kernel
def footprint(heap: Library) -> int:
    """Return 0, because the memory of the process is measured instead."""
    return 0


@answers(operations.measure, Library)
@kernel
def measure(heap: Library, live: int, sample: Sample) -> int:
    """Set only the live bytes of the sample. Returns Status.OK."""
    sample.live = live
    return Status.OK
