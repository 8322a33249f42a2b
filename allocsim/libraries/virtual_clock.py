"""A virtual clock: a library under measurement reads the recorded program's time from it.

Some libraries release freed memory after a delay. A replay is faster than the program, and its
speed depends on the machine. With the machine's clock, the footprint therefore differs from replay
to replay: mimalloc's peak on 393 threads varied by 5% between five replays.
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
from allocsim.libraries.state import libc_address

SECOND = 1_000_000_000

_FUNCTION = "clock_gettime"
_NUMBER, _SMALL = ir.IntType(64), ir.IntType(32)


STEADY = (1, 4, 6, 7)
"""Clocks of clock_gettime(2): CLOCK_MONOTONIC, its variants _RAW and _COARSE, CLOCK_BOOTTIME."""

OF_DAY = (0, 5)
"""CLOCK_REALTIME and CLOCK_REALTIME_COARSE. All other clocks, such as those of CPU time, show the
machine's time."""


class VirtualClock:
    """A clock that advances only when it is set."""

    def __init__(self) -> None:
        """Create the clock, set to the machine's time."""
        self.word: np.ndarray = table(np.int64, 1)
        """One int64: the time of the steady clocks in ns."""
        self.word[0] = time.monotonic_ns()
        self._code = _compiled(self.word.ctypes.data, time.time_ns() - int(self.word[0]))

    def replace_clock_of(self, library: LoadedLibrary) -> bool:
        """Make a library read this clock; return False if it does not import clock_gettime."""
        address = int(self._code.get_function_address(_FUNCTION))
        self.word[0] = time.monotonic_ns()
        return replace_import(library, _FUNCTION, address)


@cache
def virtual_clock() -> VirtualClock:
    """Return the clock of this process.

    The clock is never freed. Freeing its code would return memory to the kernel. Python's heap
    could then grow during a measurement, which counts all growth of the process as the library's.
    """
    return VirtualClock()


def _compiled(word: int, epoch: int) -> Any:
    """Compile the module of `_clock_gettime`; return the engine that owns the code."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(str(_clock_gettime(word, epoch)))
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def _clock_gettime(word: int, epoch: int) -> ir.Module:
    """Return a module with a clock_gettime, which returns the time that is stored at `word` in ns.

    For clocks of the time of day, the function adds `epoch`. For clocks that are in neither STEADY
    nor OF_DAY, it calls libc's clock_gettime.
    """
    module = ir.Module()
    kind = ir.FunctionType(_SMALL, [_SMALL, _NUMBER.as_pointer()])
    function = ir.Function(module, kind, _FUNCTION)
    clock, timespec = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    choice = builder.switch(clock, function.append_basic_block())
    builder.position_at_end(choice.default)
    real = builder.inttoptr(_NUMBER(libc_address(_FUNCTION)), kind.as_pointer())
    builder.ret(builder.call(real, [clock, timespec]))
    for clocks, origin in ((STEADY, 0), (OF_DAY, epoch)):
        block = function.append_basic_block()
        for identifier in clocks:
            choice.add_case(_SMALL(identifier), block)
        builder.position_at_end(block)
        now = builder.load_atomic(_NUMBER(word).inttoptr(_NUMBER.as_pointer()), "acquire", 8)
        _return_time(builder, builder.add(now, _NUMBER(origin)), timespec)
    return module


def _return_time(builder: ir.IRBuilder, now: ir.Value, timespec: ir.Value) -> None:
    """Emit code that stores the time `now`, in ns, as a timespec, and returns 0."""
    builder.store(builder.sdiv(now, _NUMBER(SECOND)), timespec)
    builder.store(builder.srem(now, _NUMBER(SECOND)), builder.gep(timespec, [_NUMBER(1)]))
    builder.ret(_SMALL(0))
