"""Turns: how the threads of a replay wait for each other.

The events are replayed in epochs, one after another. The events of one thread in one epoch are a
turn (see `benchmark.threads`). A thread waits until the epoch of its turn is open. The thread that
finishes the last turn of an epoch opens the next epoch.

The supervisor creates threads and joins them. It takes requests from a table. A request is a
number: n + 1 to create thread n, -(n + 1) to join thread n, DONE, or FAILED.

Invariant: the earliest event that has not been replayed can always be replayed next, because its
thread has a turn in the open epoch. A deadlock is therefore only possible inside the library.
"""

from __future__ import annotations

from allocsim.benchmark.meter import Meter, reach_time, resident
from allocsim.benchmark.threads.futex import wait_above, wake
from allocsim.benchmark.threads.records import CODE, Control, Epoch, ReplayThread, Shared, Stage
from allocsim.core.atomics import fetch_add, store_release
from allocsim.core.jit import kernel

DONE = 1 << 40
"""Request: all epochs are over."""

FAILED = DONE + 1
"""Request: an event failed, and the replay must stop."""

FOREVER = (1 << 31) - 1
"""The number of an epoch that no replay has. A thread without further turns waits for this epoch,
and ends when the supervisor grants it this epoch (see `grant`)."""

THREAD_BYTES = ReplayThread.dtype.itemsize
EPOCH_BYTES = Epoch.dtype.itemsize
SHARED_BYTES = Shared.dtype.itemsize
CODE_BYTES = CODE.itemsize
"""Sizes of records in bytes. Kernels use them to compute the address of a record in a table."""

GRANTED = ReplayThread.dtype.fields["granted"][1]  # type: ignore[index]
REMAINING = Epoch.dtype.fields["remaining"][1]  # type: ignore[index]
MADE = Control.dtype.fields["made"][1]  # type: ignore[index]
RUNG = Control.dtype.fields["rung"][1]  # type: ignore[index]
"""Offsets in bytes of fields that threads share, each from the start of its record."""


@kernel
def wait_turn(stage: Stage, epoch: int) -> None:
    """Sleep until `epoch` is open."""
    control = stage.control[0]
    address = control.threads + THREAD_BYTES * stage.thread[0].number + GRANTED
    wait_above(control, address, epoch - 1)


@kernel
def grant(stage: Stage, number: int, epoch: int) -> None:
    """Let a thread replay its turns up to `epoch`, inclusive; wake it if it sleeps."""
    control = stage.control[0]
    address = control.threads + THREAD_BYTES * number + GRANTED
    store_release(address, epoch)
    wake(control, address, 1)


@kernel
def open_epoch(stage: Stage, epoch: int) -> None:
    """Let the threads of an epoch replay; ask the supervisor to create those that do not exist."""
    turns = stage.turns
    for index in range(stage.epochs[epoch].first, stage.epochs[epoch + 1].first):
        number = turns[index].thread
        if stage.threads[number].first == index:
            stage.threads[number].granted = epoch
            request(stage, number + 1)
        else:
            grant(stage, number, epoch)


@kernel
def finish_turn(stage: Stage, epoch: int) -> None:
    """Finish a turn of `epoch`. The last turn to finish ends the epoch and opens the next one."""
    remaining = stage.control[0].epochs + EPOCH_BYTES * epoch + REMAINING
    if fetch_add(remaining, -1) != 1:
        return
    _read_memory(stage, epoch)
    if epoch + 2 == len(stage.epochs):
        request(stage, DONE)
    else:
        open_epoch(stage, epoch + 1)


@kernel
def _read_memory(stage: Stage, epoch: int) -> None:
    """If a step of the replay (see `stepping`) ends with `epoch`, read the process's anonymous RSS.

    If the next step has to begin at a certain time, then advance the virtual clock to this time or
    sleep until then (see `meter.reach_time`).
    """
    control, meter = stage.control[0], Meter(stage.settings)
    if control.step < len(stage.due) and stage.due[control.step] == epoch:
        stage.resident[control.step] = resident(meter)
        if stage.times[control.step]:
            reach_time(meter, stage.times[control.step])
        control.step += 1


@kernel
def request(stage: Stage, value: int) -> None:
    """Send a request to the supervisor: one of the values that the module's docstring lists."""
    control = stage.control[0]
    at = fetch_add(control.address + MADE, 1)
    store_release(control.requests + 8 * at, value)
    fetch_add(control.address + RUNG, 1)
    wake(control, control.address + RUNG, 1)
