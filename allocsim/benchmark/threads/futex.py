"""Futexes: a thread sleeps until another thread changes a word (futex(2)).

The kernel compares the 32 bits at the word's address. On the supported processors, which are
little-endian, these are the low bits of the word.
"""

from __future__ import annotations

import platform

from allocsim.benchmark.threads.records import Control
from allocsim.core.atomics import fetch_add, load_acquire
from allocsim.core.jit import kernel
from allocsim.libraries.state import call_c

NUMBER = 202 if platform.machine() == "x86_64" else 98
"""Linux's number of the system call: 98 on arm64 and all newer architectures."""

WAIT, WAKE = 0, 1
ALL = (1 << 31) - 1
"""As the number of threads to wake: all of them."""

PRIVATE = 128
"""Flag: only threads of this process use the word."""

LOW = 0xFFFF_FFFF


@kernel
def wait_above(control: Control, address: int, bound: int) -> None:
    """Sleep until the word at `address` is greater than `bound`.

    A thread never spins here: if threads take turns, spinning 2,000 times before each sleep makes
    an event ten times as slow.
    """
    seen = load_acquire(address)
    while seen <= bound:
        call_c(control.syscall, (NUMBER, address, WAIT | PRIVATE, seen & LOW, 0, 0, 0))
        seen = load_acquire(address)


@kernel
def wait_for(control: Control, address: int, waiting: int, value: int) -> None:
    """Sleep until the word at `address` is `value`.

    The word at `waiting` counts the threads that wait.
    """
    fetch_add(waiting, 1)
    seen = load_acquire(address)
    while seen != value:
        call_c(control.syscall, (NUMBER, address, WAIT | PRIVATE, seen & LOW, 0, 0, 0))
        seen = load_acquire(address)
    fetch_add(waiting, -1)


@kernel
def wake(control: Control, address: int, threads: int) -> None:
    """Wake up to `threads` threads that sleep on the word at `address`."""
    call_c(control.syscall, (NUMBER, address, WAKE | PRIVATE, threads, 0, 0, 0))
