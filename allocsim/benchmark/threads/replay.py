"""A replay of a plan on OS threads of this process, with a malloc library.

A plan divides the events into epochs, which follow one another. The events of one thread in one
epoch are a turn (see `benchmark.threads`). The supervisor, on the main thread, creates and joins
the threads, and the threads send requests to it. A step is a part of a replay (see `stepping`).

All memory is mapped and touched, and all code is compiled, before the library is loaded.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple

import numpy as np

from allocsim.benchmark.meter import Meter
from allocsim.benchmark.stepping import Step, stop_error
from allocsim.benchmark.threads.plan import Plan
from allocsim.benchmark.threads.records import CODE, SHARED, Control, ReplayThread, Shared, Stage
from allocsim.benchmark.threads.stacks import Stacks
from allocsim.benchmark.threads.supervisor import dismiss, supervise
from allocsim.benchmark.threads.thread import run_thread
from allocsim.core.c_function import c_address
from allocsim.core.heap_pointer import save_arrays
from allocsim.core.jit import PURE
from allocsim.core.memory import table
from allocsim.core.records import Table
from allocsim.driver import DRIVER, OBJECT, Run, Stop, Touch
from allocsim.errors import EnvironmentLacks
from allocsim.libraries.state import FUNCTIONS, libc_address
from allocsim.player import NEVER

NAP = 20_000
"""Nanoseconds that the supervisor sleeps while a thread has not yet written the next request."""

C_FUNCTIONS = ("syscall", "nanosleep", "clock_gettime", "pthread_create", "pthread_join")
"""The C functions whose addresses are fields of Control."""

DRIVER_ROWS = 2
"""Number of rows for each thread in the drivers' table: enough that no two threads write to one
cache line."""


class Options(NamedTuple):
    """Settings of a replay."""

    touch: Touch
    limit: int = NEVER
    """Maximum bytes that are live on one thread."""
    verify: bool = False
    """Fill each object with a pattern, and check it when the object is freed or resized."""
    timed: bool = False
    """Measure the CPU time of all turns."""


class ThreadedReplay:
    """Replays a plan any number of times. All objects must be freed between two replays."""

    def __init__(self, plan: Plan, steps: Table[Step], meter: Meter, options: Options) -> None:
        """Prepare the tables, the stacks and the compiled code.

        Raises EnvironmentLacks if NUMBA_DISABLE_JIT is set, or if the C library does not accept the
        stacks.
        """
        if PURE:
            raise EnvironmentLacks(
                "only compiled code can replay recorded threads: unset NUMBA_DISABLE_JIT"
            )
        self._steps = steps
        self.at_once = int(plan.cursor[0].at_once)
        """Maximum number of threads that are alive at once."""
        # The threads use the memory of these fields by address only. The fields keep it mapped.
        self._stacks = None if options.timed else Stacks(self.at_once)
        self._tables = _Tables(plan, len(steps), meter, options)
        attributes = self._stacks.attributes.address if self._stacks else 0
        self._stages = self._tables.stages(self.at_once, attributes)
        self._stage = self._stages[0]
        address = self._stage.code.ctypes.data
        self._supervise = _callable(c_address(supervise, self._stage), address)
        self._dismiss = _callable(c_address(dismiss, self._stage), address)
        self._stage.control[0].entry = c_address(run_thread, self._stage)
        self.calls = len(plan.stream)
        self.peak_live = int(plan.cursor[0].peak_live)
        self._reset()
        self._has_run = False

    def replay(self, function: np.ndarray) -> None:
        """Replay on the library whose functions have these addresses; set `resident` of each step.

        Raises the error of the event that failed (see `stop_error`), or EnvironmentLacks if a
        thread cannot be created. Threads that do not end in the recording stay until `end_threads`.
        """
        self._stage.function[:] = function
        self._stage.times[: len(self._steps)] = self._steps.time
        # The first replay needs no reset: `__init__` has reset the state. Another reset would
        # create arrays, and these would count as memory of the replay.
        if self._has_run:
            self._reset()
        self._has_run = True
        if self._supervise():
            self._raise_failure()
        self._steps.resident = self._stage.resident[: len(self._steps)]

    def end_threads(self) -> None:
        """End and join all remaining threads, as a program may do at its end.

        If an event failed and epochs have several turns, other threads may wait for the failed
        thread forever. The process must then be ended instead.
        """
        self._dismiss()

    @property
    def processor_time(self) -> int:
        """Nanoseconds of CPU time that all turns of the last replay took, if it was timed."""
        return int(self._stage.threads.cpu.sum())

    @property
    def patterns(self) -> int:
        """Number of patterns that were checked in all replays."""
        return sum(int(stage.driver[0].patterns) for stage in self._stages)

    def hand_over(self, run: Run) -> None:
        """Move the live objects from the plan's slots to their rows in `run.objects`."""
        unshared, shared = self._stage.unshared, self._stage.shared
        slot = self._tables.plan.objects.slot[: len(run.objects)]
        for rows, slots, first in (
            (np.flatnonzero((slot >= 0) & (slot < SHARED)), unshared, 0),
            (np.flatnonzero(slot >= SHARED), shared, SHARED),
        ):
            for name in ("address", "request"):
                run.objects[name][rows] = slots[name][slot[rows] - first]
        run.driver[0].live = int(run.objects.request[np.flatnonzero(slot >= 0)].sum())
        unshared.address, shared.address, shared.version = 0, 0, 0

    def _reset(self) -> None:
        """Set all state back to the first epoch."""
        stage, control = self._stage, self._stage.control[0]
        stage.epochs.remaining[:-1] = np.diff(stage.epochs.first)
        stage.threads.granted, stage.threads.cpu, stage.threads.handle = 0, 0, 0
        stage.requests[:] = 0
        stage.free_stacks[:] = np.arange(len(stage.free_stacks))[::-1]
        control.stacks = len(stage.free_stacks)
        control.made = control.rung = control.step = control.failed = control.error = 0

    def _raise_failure(self) -> None:
        """Raise the error that stopped the replay."""
        control = self._stage.control[0]
        if control.error:
            reason = os.strerror(int(control.error))
            raise EnvironmentLacks(f"a thread cannot be created: {reason}")
        driver = self._stages[int(control.failed) - 1].driver[0]
        raise stop_error(Stop(int(driver.stop)), f"on thread {int(control.failed) - 1}")


class _Tables:
    """The tables of a replay, in memory that is mapped and touched."""

    def __init__(self, plan: Plan, steps: int, meter: Meter, options: Options) -> None:
        """Make the tables of a replay with `steps` steps."""
        cursor, counts, self.count = plan.cursor[0], plan.slots.counts[0], len(plan.threads)
        self.codes = _zeros(CODE, self.count)
        self.drivers = _zeros(DRIVER, DRIVER_ROWS * self.count)
        self.threads = _zeros(ReplayThread, self.count)
        self.threads.first, self.threads.begin = plan.threads.first, plan.threads.begin
        self.threads.number = np.arange(self.count)
        self.threads.last = plan.turns.epoch[plan.threads.turn]
        self.drivers.touch, self.drivers.verify = options.touch, options.verify
        self.drivers.limit, self.drivers.alignment = options.limit, 1
        self.plan, self.meter = plan, meter
        self.unshared = _zeros(OBJECT, int(counts.own))
        self.shared = _zeros(Shared, int(counts.shared))
        self.resident = _zeros(np.int64, steps + 1)
        self.times = _zeros(np.int64, steps + 1)
        self.epochs = plan.epochs[: int(cursor.epochs) + 1]
        self.turns = plan.turns[: int(cursor.turns)]
        self.requests = _zeros(np.int64, 2 * self.count + 2)
        self.nap = _zeros(np.int64, 2)
        self.nap[1] = NAP
        self.control = self._control(options)

    def _control(self, options: Options) -> Table[Control]:
        """Return the control record."""
        control = _zeros(Control, 1)
        for name in C_FUNCTIONS:
            control[0][name] = libc_address(name)
        for name in ("threads", "epochs", "shared", "codes", "requests", "nap"):
            control[0][name] = getattr(self, name).ctypes.data
        control[0].address, control[0].timed = control.ctypes.data, options.timed
        return control

    def stages(self, at_once: int, attributes: int) -> list[Stage]:
        """Return the Stage (the state of the compiled code) of each thread.

        At most `at_once` threads are alive at once. `attributes` is the address of their attributes
        (see `Stacks`), or 0 if the C library allocates the stacks.
        """
        self.control[0].attributes = attributes
        free_stacks = _zeros(np.int64, at_once)
        function = _zeros(np.int64, len(FUNCTIONS))
        return [self._stage(number, free_stacks, function) for number in range(self.count)]

    def _stage(self, number: int, free_stacks: np.ndarray, function: np.ndarray) -> Stage:
        """Return the Stage of one thread."""
        stage = Stage(
            code=self.codes[number : number + 1],
            thread=self.threads[number : number + 1],
            driver=self.drivers[DRIVER_ROWS * number :][:1],
            stream=self.plan.stream,
            unshared=self.unshared,
            shared=self.shared,
            turns=self.turns,
            epochs=self.epochs,
            threads=self.threads,
            control=self.control,
            requests=self.requests,
            free_stacks=free_stacks,
            due=self.plan.due,
            resident=self.resident,
            times=self.times,
            settings=self.meter.settings,
            function=function,
        )
        save_arrays(stage)
        return stage


def _zeros(record: Any, rows: int) -> Any:
    """Return a table whose pages have been touched, with at least one row."""
    zeros = table(record, max(rows, 1))
    zeros.fill(0)
    return zeros


def _callable(function: int, argument: int) -> Any:
    """Return a function that calls a C function with `argument` and without Python's lock."""
    c_function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(function)
    return lambda: c_function(argument)
