"""A virtual clock: a library reads the time of the recorded program instead of the machine's.

Some libraries release memory a while after it was freed. A replay is faster than the program, and
its speed depends on the machine, so with the machine's clock the footprint differs from replay to
replay: mimalloc's peak on 393 threads varied by 5% between five replays.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir

from allocsim.core.memory import table
from allocsim.libraries.imports import replace_import
from allocsim.libraries.load import LoadedLibrary

SECOND = 1_000_000_000

_FUNCTION = "clock_gettime"


class VirtualClock:
    """A clock that advances only when it is set. It replaces every clock of clock_gettime(2)."""

    def __init__(self) -> None:
        """Create the clock, set to the machine's time."""
        self.word: np.ndarray = table(np.int64, 1)
        """One int64: nanoseconds."""
        self.word[0] = time.monotonic_ns()
        self._code = _compiled(self.word.ctypes.data)

    def replace_clock_of(self, library: LoadedLibrary) -> bool:
        """Make a library read this clock; return False if it does not import clock_gettime."""
        address = int(self._code.get_function_address(_FUNCTION))
        self.word[0] = time.monotonic_ns()
        return replace_import(library, _FUNCTION, address)


@cache
def virtual_clock() -> VirtualClock:
    """Return the clock of this process.

    Freeing the code of a clock would return memory to the kernel, and the next growth of Python's
    heap would count as that of a library. Therefore a process keeps its clock.
    """
    return VirtualClock()


def _compiled(word: int) -> Any:
    """Return the compiled module of a function like clock_gettime that reads the word."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(str(_clock_gettime(word)))
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def _clock_gettime(word: int) -> ir.Module:
    """Return a module with the function: it stores the nanoseconds at `word` as a timespec."""
    module, number = ir.Module(), ir.IntType(64)
    kind = ir.FunctionType(ir.IntType(32), [ir.IntType(32), number.as_pointer()])
    function = ir.Function(module, kind, _FUNCTION)
    builder = ir.IRBuilder(function.append_basic_block())
    place = ir.Constant(number, word).inttoptr(number.as_pointer())
    now = builder.load_atomic(place, "acquire", 8)
    second, timespec = ir.Constant(number, SECOND), function.args[1]
    builder.store(builder.sdiv(now, second), timespec)
    builder.store(builder.srem(now, second), builder.gep(timespec, [ir.Constant(number, 1)]))
    builder.ret(ir.Constant(ir.IntType(32), 0))
    return module
