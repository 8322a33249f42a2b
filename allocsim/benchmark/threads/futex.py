"""Futexes: a thread sleeps until another thread changes a word (futex(2)).

Before the kernel puts a thread to sleep, it compares the 32 bits at the word's address with the
value that the thread has read. On the supported processors, which are little-endian, these 32 bits
are the low half of the 64-bit word.
"""

from __future__ import annotations

import platform

from allocsim.benchmark.threads.records import Control
from allocsim.core.atomics import fetch_add, load_acquire
from allocsim.core.jit import kernel
from allocsim.libraries.state import call_c

SYSCALL = 202 if platform.machine() == "x86_64" else 98
"""Linux's number of the system call: 98 on arm64 and all newer architectures."""

WAIT, WAKE = 0, 1
"""Operations of futex(2): FUTEX_WAIT and FUTEX_WAKE."""

ALL = (1 << 31) - 1
"""Number of threads to wake: all of them."""

PRIVATE = 128
"""Flag: only threads of this process use the word."""

LOW = 0xFFFF_FFFF
"""Mask of the bits of a word that the kernel compares."""


@kernel
def wait_above(control: Control, address: int, bound: int) -> None:
    """Sleep until the word at `address` is greater than `bound`.

    A thread sleeps at once instead of spinning first: if threads take turns, 2,000 spins before
    each sleep make an event ten times as slow.
    """
    word = load_acquire(address)
    while word <= bound:
        call_c(control.syscall, (SYSCALL, address, WAIT | PRIVATE, word & LOW, 0, 0, 0))
        word = load_acquire(address)


@kernel
def wait_for(control: Control, address: int, waiting: int, value: int) -> None:
    """Sleep until the word at `address` is `value`.

    The word at address `waiting` counts the threads that wait.
    """
    fetch_add(waiting, 1)
    word = load_acquire(address)
    while word != value:
        call_c(control.syscall, (SYSCALL, address, WAIT | PRIVATE, word & LOW, 0, 0, 0))
        word = load_acquire(address)
    fetch_add(waiting, -1)


@kernel
def wake(control: Control, address: int, threads: int) -> None:
    """Wake at most `threads` of the threads that sleep on the word at `address`."""
    call_c(control.syscall, (SYSCALL, address, WAKE | PRIVATE, threads, 0, 0, 0))
