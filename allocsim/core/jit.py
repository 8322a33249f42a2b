"""Kernels and operations, and dispatch by the type of the heap.

A *kernel* is a Python function that Numba compiles when it is first called. With
NUMBA_DISABLE_JIT=1 (pure mode) it stays Python, for the debugger and for coverage. An *operation*
(malloc, free, ...) has one kernel per design, which *answers* the operation for heaps of that
design. The type of the heap selects the kernel when the caller is compiled, so there is no lookup
at run time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
from numba.extending import overload

from allocsim.core.import_closure import ImportClosure
from allocsim.core.inlined_kernels import LinkedCompiler
from allocsim.core.kernel_cache import kernel_cache_directories
from allocsim.core.kernel_dispatcher import INLINED_OPTIONS, OPTIONS, ColdKernel, Kernel
from allocsim.core.kernel_files import kernel_files

P = ParamSpec("P")
R = TypeVar("R")

PURE = bool(numba.config.DISABLE_JIT)
"""True when kernels run as plain Python (NUMBA_DISABLE_JIT=1)."""

CACHE = [] if PURE else kernel_cache_directories()
"""Directories of compiled kernels; new files go to the first. Empty in pure mode."""

_CLOSURE = ImportClosure(CACHE[0] / "sources.json" if CACHE else None)

_KERNELS: dict[Callable[..., Any], tuple[dict[type, Any], inspect.Signature]] = {}
"""For each operation: a dict from types of heap to kernels, and the kernels' common signature."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` a kernel, compiled on its first call and cached on disk."""
    if PURE:
        return function
    compiled: Any = numba.njit(**OPTIONS, pipeline_class=LinkedCompiler)(function)
    compiled.__class__ = Kernel  # njit has no option for another class of dispatcher
    compiled._cache = kernel_files(function, CACHE, _CLOSURE, answering_modules)
    return compiled


def plain(function: Callable[P, R]) -> Callable[P, R]:
    """Return the Python function from which a kernel was made.

    Use it where Python calls a kernel once: compiling the kernel for this call would take 0.1 s.
    Kernels that the function calls are still compiled.
    """
    python: Callable[P, R] = getattr(function, "py_func", function)
    return python


def cold(function: Callable[P, R]) -> Callable[P, R]:
    """Make `function` a kernel that is compiled with its callers, but not inlined.

    Use it for code that seldom runs. Inlined into a loop, it would compete for registers with the
    code that runs often.
    """
    compiled: Any = kernel(function)
    if not PURE:
        compiled.__class__ = ColdKernel
    return compiled


def operation(declaration: Callable[P, R]) -> Callable[P, R]:
    """Make `declaration` an operation; designs register their kernels with `answers`."""
    kernels: dict[type, Callable[..., R]] = {}
    signature = _bare(declaration)

    def call(*arguments: Any) -> R:
        """Call the kernel for the first argument's type, from Python."""
        return kernels[type(arguments[0])](*arguments)

    def bind(*arguments: Any) -> Callable[..., R] | None:
        """Return the kernel for the first argument's type. Numba calls this to compile a call."""
        heap = arguments[0]
        answer = kernels.get(heap.instance_class) if hasattr(heap, "instance_class") else None
        return getattr(answer, "py_func", answer)

    call.__name__, call.__doc__ = declaration.__name__, declaration.__doc__
    bind.__signature__ = signature  # type: ignore[attr-defined]
    overload(call, jit_options=INLINED_OPTIONS)(bind)
    _KERNELS[call] = (kernels, signature)
    return call  # type: ignore[return-value]


def answers(
    called: Callable[..., R], state: type
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return a decorator for the kernel that answers `called` for heaps of type `state`."""
    kernels, signature = _KERNELS[called]

    def register(function: Callable[..., R]) -> Callable[..., R]:
        """Register `function`."""
        plain: Any = getattr(function, "py_func", function)
        if _bare(plain) != signature:
            expected = ", ".join(signature.parameters)
            raise TypeError(f"the kernel of {called.__name__} must take ({expected})")
        plain.__signature__ = signature  # Numba requires equal signatures
        kernels[state] = function
        return function

    return register


def has_answer(called: Callable[..., Any], state: type) -> bool:
    """Return whether a kernel answers the operation `called` for heaps of type `state`."""
    return state in _KERNELS[called][0]


def answering_modules(state: type) -> set[str]:
    """Return the modules whose kernels answer operations for heaps of type `state`."""
    return {kernels[state].__module__ for kernels, _ in _KERNELS.values() if state in kernels}


def _bare(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of `function` without annotations, which Numba would compare."""
    parameters = inspect.signature(function).parameters
    return inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in parameters]
    )
