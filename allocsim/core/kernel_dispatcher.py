"""The two dispatchers of a kernel, and their compile options.

A dispatcher is the Numba object that stands for a function, and compiles the function when a call
needs it. A kernel has one dispatcher for calls from Python, and one for calls from other kernels.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numba
from numba.core import types
from numba.core.registry import CPUDispatcher
from numba.core.types.misc import unliteral

from allocsim.core.inlined_kernels import ColdCompiler, InlinedCompiler

# _nrt: no kernel allocates, so reference counting is off. With reference counting, every call that
# passes a tuple of arrays increments and decrements each array's count atomically (in a prototype,
# 130 ns/event instead of 26).
# error_model: no kernel divides by zero, and the check for it costs a branch.
# no_cfunc_wrapper: kernels are not called from C, and the wrapper would contain a second copy of
# their code.
# forceinline: LLVM's cost model would not inline the steps of malloc and free (33 ns/event instead
# of 10).
OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "_nrt": False,
    "forceinline": True,
    "no_cfunc_wrapper": True,
}

INLINED_OPTIONS = OPTIONS | {"no_cpython_wrapper": True, "pipeline_class": InlinedCompiler}
"""Compile options of a kernel for calls from other kernels."""

COLD_OPTIONS = INLINED_OPTIONS | {"forceinline": False, "pipeline_class": ColdCompiler}
"""Compile options of a kernel that is not inlined, for calls from other kernels."""


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause Python's garbage collector during the block, in all threads.

    Collections take about a tenth of the CPU time of compiling a design. Without them, the process
    needs about 120 MB more memory (measured for the design glibc: 414 MB instead of 295 MB).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Kernel(CPUDispatcher):
    """A kernel for calls from Python. Other kernels call `called`, which is compiled separately."""

    called_options = INLINED_OPTIONS

    def compile(self, sig: Any) -> Any:
        """Compile the kernel, or load it from the cache, for arguments of the types `sig`."""
        with collection_paused():
            return super().compile(sig)

    @cached_property
    def called(self) -> Any:
        """The kernel for calls from other kernels; created when the first caller is compiled."""
        compiled: Any = numba.njit(**self.called_options)(self.py_func)
        compiled.__class__ = _Called
        return compiled

    @property
    def _numba_type_(self) -> Any:
        """The Numba type of this kernel in other kernels. It directs their calls to `called`."""
        return types.Dispatcher(self.called)


class ColdKernel(Kernel):
    """A kernel that is not inlined into other kernels."""

    called_options = COLD_OPTIONS


class _Called(CPUDispatcher):
    """A kernel for calls from other kernels."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return the template for a call, with constant arguments typed like variables.

        Otherwise, Numba would compile the kernel once for each constant. LLVM inlines the kernel
        and inserts the constant, so the machine code is the same.
        """
        plain = {name: unliteral(argument) for name, argument in kws.items()}
        return super().get_call_template(tuple(map(unliteral, args)), plain)
