"""The supervisor: creates and joins the threads of a replay, on the main thread of the process.

The threads send requests to the supervisor through a table, which `turns` describes. The events are
replayed in epochs, one after another. The events of one thread in one epoch are a turn (see
`benchmark.threads`). A thread that ends in the recording is joined before its last turn counts as
finished. The library's work at the end of a thread, such as emptying its cache, is therefore done
before later epochs.
"""

from __future__ import annotations

from allocsim.benchmark.threads.futex import wait_above
from allocsim.benchmark.threads.records import ReplayThread, Stage
from allocsim.benchmark.threads.stacks import ATTRIBUTE_BYTES
from allocsim.benchmark.threads.turns import (
    CODE_BYTES,
    DONE,
    FAILED,
    FOREVER,
    RUNG,
    THREAD_BYTES,
    finish_turn,
    grant,
    open_epoch,
)
from allocsim.core.atomics import load_acquire
from allocsim.core.c_function import c_function
from allocsim.core.jit import kernel
from allocsim.libraries.state import call_c

HANDLE = ReplayThread.dtype.fields["handle"][1]  # type: ignore[index]


@c_function
def supervise(stage: Stage) -> int:
    """Replay all epochs; return 0, or 1 if an event failed or a thread could not be created."""
    taken = 0
    open_epoch(stage, 0)
    while True:
        request = _next_request(stage, taken)
        taken += 1
        if request == DONE:
            return 0
        if request == FAILED:
            return 1
        if request < 0:
            _join(stage, -request - 1)
        elif not _create(stage, request - 1):
            return 1


@c_function
def dismiss(stage: Stage) -> int:
    """End and join all threads that are left; return 0."""
    control = stage.control[0]
    for number in range(len(stage.threads)):
        if stage.threads[number].handle:
            grant(stage, number, FOREVER)
            call_c(control.pthread_join, (stage.threads[number].handle, 0))
            stage.threads[number].handle = 0
    return 0


@kernel
def _next_request(stage: Stage, taken: int) -> int:
    """Return the next request; sleep until there is one. `taken` requests were taken before it."""
    control = stage.control[0]
    wait_above(control, control.address + RUNG, taken)
    address = control.requests + 8 * taken
    while load_acquire(address) == 0:  # the request is counted, but not yet written
        call_c(control.nanosleep, (control.nap, 0))
    return load_acquire(address)


@kernel
def _create(stage: Stage, number: int) -> bool:
    """Create the OS thread of a planned thread; return False on failure (see `Control.error`).

    If time is measured, the C library maps and unmaps the thread's stack, as in the recorded
    program. With stacks that were mapped beforehand, mimalloc took 10 ns/event more for a workload
    of 393 threads. A replay written in C was slower with such stacks too, so the difference does
    not come from compiled Python.
    """
    control, thread = stage.control[0], stage.threads[number]
    control.stacks -= 1
    thread.stack = stage.free_stacks[control.stacks]
    handle = control.threads + THREAD_BYTES * number + HANDLE
    attributes = 0 if control.timed else control.attributes + ATTRIBUTE_BYTES * thread.stack
    argument = control.codes + CODE_BYTES * number
    control.error = call_c(control.pthread_create, (handle, attributes, control.entry, argument))
    return control.error == 0


@kernel
def _join(stage: Stage, number: int) -> None:
    """Wait until a thread has ended, then finish its last turn."""
    control, thread = stage.control[0], stage.threads[number]
    call_c(control.pthread_join, (thread.handle, 0))
    thread.handle = 0
    stage.free_stacks[control.stacks] = thread.stack
    control.stacks += 1
    finish_turn(stage, thread.last)
