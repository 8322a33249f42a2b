"""The records of a replay on threads, and the state that each thread's kernel takes.

The replay is a sequence of epochs. The events of one thread in one epoch are a turn. The main
thread of the process is the supervisor, which creates and joins the threads (see `supervisor`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.benchmark.meter import MeterSettings
from allocsim.core.heap_pointer import ARRAYS
from allocsim.core.records import Int64, Struct, Table
from allocsim.driver_records import Driver, Object
from allocsim.events import Event

SHARED = 1 << 30
"""Bit of an event's field `object`, set if several threads use the object. The other bits are the
slot: the number of the object's row in `Stage.shared` or `Stage.unshared`."""

CODE = np.dtype([(ARRAYS, np.int64, (64,))])
"""The addresses and shapes of the arrays of a Stage, in one record. The thread's kernel takes the
address of this record instead of the Stage (see `core.heap_pointer`)."""

VERSIONS = 0xFFFF
"""Mask of the low 16 bits of a version (see `Shared`). These bits of the version for which an event
waits are in the event's field `thread`."""


class Turn(Struct):
    """The part of an epoch that one thread replays."""

    thread: Int64
    epoch: Int64
    end: Int64  # stream index after the turn's last event; the thread's next turn begins here
    next: Int64  # the thread's next turn, or 0 if this is the last one
    ends: Int64  # 1: the thread ends with this turn


class Epoch(Struct):
    """Turns that may run at the same time, after all turns of the epochs before."""

    first: Int64  # the first turn; the turns of an epoch are consecutive
    remaining: Int64  # number of turns that are not finished


class ReplayThread(Struct):
    """A thread of the plan, and the OS thread that replays it."""

    granted: Int64  # last epoch that the thread may replay; a futex word
    seconds: Int64  # with `nanoseconds`, a timespec for clock_gettime
    nanoseconds: Int64
    handle: Int64  # pthread_t
    number: Int64
    first: Int64  # its first turn
    begin: Int64  # index in the stream where its events begin
    stack: Int64  # number of the stack that it runs on
    cpu: Int64  # CPU time of its turns in nanoseconds, if it is measured
    last: Int64  # the epoch of its last turn


class Shared(Object):
    """The slot of an object that several threads use."""

    version: Int64  # the object's version modulo 65,536 (see `plan`); 0: not live; a futex word
    waiting: Int64  # threads that wait for a version


class Control(Struct):
    """The record that all threads share: C functions, addresses of tables, and counts."""

    syscall: Int64  # address of the C function
    nanosleep: Int64  # address of the C function
    clock_gettime: Int64  # address of the C function
    pthread_create: Int64  # address of the C function
    pthread_join: Int64  # address of the C function
    entry: Int64  # address of the start function of threads
    threads: Int64  # address of the table of ReplayThread
    epochs: Int64  # address of the table of Epoch
    shared: Int64  # address of the table of Shared
    codes: Int64  # address of the table of CODE
    attributes: Int64  # address of the stacks' pthread_attr_t; 0: the C library allocates stacks
    requests: Int64  # address of the table of requests to the supervisor
    nap: Int64  # address of a timespec of NAP nanoseconds
    address: Int64  # address of this record
    made: Int64  # number of requests made to the supervisor
    rung: Int64  # number of requests that the supervisor may take; a futex word
    stacks: Int64  # number of stacks not in use
    step: Int64  # number of finished steps (see `stepping`); RSS is read after each
    timed: Int64  # 1: the CPU time of turns is measured
    error: Int64  # errno of pthread_create, or 0
    failed: Int64  # 1 + the number of the thread whose event failed; 0 if none failed


class Stage(NamedTuple):
    """The state of a thread's kernel. Only `code`, `thread` and `driver` differ between threads."""

    code: np.ndarray  # CODE
    thread: Table[ReplayThread]  # one row, for this thread
    driver: Table[Driver]  # one row, for this thread
    stream: Table[Event]  # events of all threads; `object`: slot; `thread`: version to wait for
    unshared: Table[Object]  # slots of objects that only one thread uses
    shared: Table[Shared]
    turns: Table[Turn]
    epochs: Table[Epoch]
    threads: Table[ReplayThread]
    control: Table[Control]  # one row
    requests: np.ndarray  # int64: requests to the supervisor
    free_stacks: np.ndarray  # int64: numbers of stacks not in use
    due: np.ndarray  # int64, for each step: the epoch after which RSS is read
    resident: np.ndarray  # int64, for each step: anonymous RSS in bytes
    times: np.ndarray  # int64, for each step: see `Step.time`
    settings: Table[MeterSettings]
    function: np.ndarray  # int64: addresses of the library's functions
