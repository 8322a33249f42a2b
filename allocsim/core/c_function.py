"""Kernels that C code can call, such as the start function of an OS thread.

Such a kernel takes the state of a heap as a pointer (see `heap_pointer`) and returns an int64. It
runs without Python's lock, so it must not call Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import typeof

from allocsim.core.heap_pointer import HeapPointer
from allocsim.core.jit import PURE, kernel
from allocsim.core.records import HeapState


def c_function(function: Callable[[HeapState], int]) -> Any:
    """Make `function` a kernel with an entry point in C's calling convention."""
    compiled: Any = kernel(function)
    if not PURE:  # without `forceinline`, the entry point calls the code instead of copying it
        compiled.targetoptions |= {"no_cfunc_wrapper": False, "forceinline": False}
    return compiled


def c_address(compiled: Any, heap: HeapState) -> int:
    """Return the address of a C function, compiled for a pointer to a state like `heap`."""
    signature = (HeapPointer(typeof(heap)),)
    compiled.compile(signature)
    result = compiled.overloads[signature]
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name))
