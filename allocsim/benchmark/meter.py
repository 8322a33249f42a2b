"""What is measured while the driver plays: this process's resident memory, and the clock.

Above `foreign`; below the loop that plays in steps. Both are read by calls to C from inside the
compiled loop, into a buffer that was mapped beforehand. Its one rule: reading neither allocates
nor returns to Python, so the malloc that is measured is called by the driver alone.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.memory import OS_PAGE, table
from allocsim.core.raw import fill, load_byte, load_word
from allocsim.errors import PlatformError
from allocsim.libraries.state import call_c

METER = np.dtype(
    [
        ("pread", np.int64),  # address of the C function
        ("clock_gettime", np.int64),  # address of the C function
        ("descriptor", np.int64),  # of STATM or ROLLUP, open
        ("buffer", np.int64),  # address of BUFFER bytes for what is read
        ("memory", np.int64),  # 1: memory is read at each step; 0: only the clock
        ("swift", np.int64),  # 1: from STATM; 0: from ROLLUP
    ]
)

BUFFER = 4096
"""Bytes: smaps_rollup is about a quarter of that."""

STATM = "/proc/self/statm"
"""Read in 2 us. Linux since 6.16 counts here to the page; before, it is off by up to 64 pages for
each processor, more than all that a small workload takes. So it is tried out first."""

ROLLUP = "/proc/self/smaps_rollup"
"""Counted when it is read, which takes 1 to 2 ms here: hundreds of these would give a library that
gives back after a delay a time to do so that the program does not have (mimalloc: 20 % less)."""

ANONYMOUS = int.from_bytes(b"Anonymou", "little")
"""How the line begins, as a word. Files that are mapped, such as a library's code, do not count."""

TRIED = 100
"""Pages with which statm is tried."""

MOSTLY = 0.9
"""The share of them that has to be seen at once: pure Python touches pages of its own meanwhile."""

MONOTONIC = 1
"""The clock's number on Linux."""


class Meter(NamedTuple):
    """What the readings need."""

    means: np.recarray  # one METER


def open_meter(memory: bool = True) -> Meter:
    """A meter for this process; `memory`: it is read at each step. PlatformError without /proc."""
    means, buffer = table(METER, 1), table(np.uint8, BUFFER)
    buffer.fill(0)
    _KEPT.append(buffer)
    library = ctypes.CDLL(None)
    for name in ("pread", "clock_gettime"):
        means[0][name] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    means[0].buffer, means[0].memory = buffer.ctypes.data, memory
    meter = Meter(means)
    for means[0].swift, file in ((1, STATM), (0, ROLLUP)):
        means[0].descriptor = _opened(file)
        if not means[0].swift or _is_exact(meter):
            break
        os.close(means[0].descriptor)
    if resident(meter) < 0:
        raise PlatformError(f"{ROLLUP} does not say how many bytes are anonymous")
    return meter


_KEPT: list[np.ndarray] = []


def status_bytes(field: str) -> int:
    """What /proc/self/status says under `field`, in bytes; 0 if it has no such line."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    return 0


@kernel
def resident(meter: Meter) -> int:
    """Bytes of anonymous memory that the kernel keeps for this process; -1 if it does not say."""
    means = meter.means[0]
    length = call_c(means.pread, (means.descriptor, means.buffer, BUFFER, 0))
    if means.swift:  # "size resident shared ...", in pages
        second = _next_field(means.buffer)
        third = _next_field(second)
        return OS_PAGE * (_number(second) - _number(third))
    for at in range(means.buffer, means.buffer + length - 16):
        if load_word(at) == ANONYMOUS:
            return 1024 * _number(at + 10)  # behind "Anonymous:"
    return -1


@kernel
def now(meter: Meter) -> int:
    """Nanoseconds on a clock that never goes back."""
    means = meter.means[0]
    call_c(means.clock_gettime, (MONOTONIC, means.buffer))
    return 1_000_000_000 * load_word(means.buffer) + load_word(means.buffer + 8)


@kernel
def _next_field(address: int) -> int:
    """Where the next field begins: behind the next space."""
    at = address
    while load_byte(at) > 32:
        at += 1
    return at + 1


@kernel
def _number(address: int) -> int:
    """The decimal number behind some spaces."""
    value, at = 0, address
    while load_byte(at) == 32:
        at += 1
    while 48 <= load_byte(at) <= 57:
        value = 10 * value + load_byte(at) - 48
        at += 1
    return value


def _opened(file: str) -> int:
    """A descriptor of a file of /proc."""
    try:
        return os.open(file, os.O_RDONLY)
    except OSError as refusal:
        raise PlatformError(f"resident memory cannot be measured: {refusal}") from None


def _is_exact(meter: Meter) -> bool:
    """Whether a page more is a page more at once."""
    pages = mmap.mmap(-1, TRIED * OS_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_NOHUGEPAGE)
    readings, view = table(np.int64, TRIED), np.frombuffer(pages, np.uint8)
    readings.fill(0)
    _touch_and_read(meter, view.ctypes.data, readings)  # compiles, and touches what reading needs
    pages.madvise(mmap.MADV_DONTNEED)
    _touch_and_read(meter, view.ctypes.data, readings)
    del view
    pages.close()
    return bool((np.diff(readings) == OS_PAGE).mean() > MOSTLY)


@kernel
def _touch_and_read(meter: Meter, address: int, readings: np.ndarray) -> None:
    """Touch one page after the other, and read after each."""
    for index in range(len(readings)):
        fill(address + index * OS_PAGE, 1, 1)
        readings[index] = resident(meter)
