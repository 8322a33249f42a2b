"""A meter reads this process's memory and the clock from inside a kernel (a compiled function).

The kernel calls C functions (pread, clock_gettime), which write into a buffer that was mapped
beforehand. These calls do not allocate, and the kernel does not return to Python for them. The
replay driver therefore remains the only caller of the malloc that is measured.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from allocsim.core.atomics import store_release
from allocsim.core.jit import kernel
from allocsim.core.memory import OS_PAGE, table
from allocsim.core.raw import load_byte, load_word, store_word
from allocsim.core.records import Int64, Struct, Table
from allocsim.errors import PlatformError
from allocsim.libraries.state import call_c, libc_address

BUFFER_SIZE = 4096
"""Size of the buffer in bytes: about four times the length of smaps_rollup."""

STATM = "/proc/self/statm"
"""The faster of two files that report memory: a reading takes 2 us. It is exact to the page since
Linux 6.16. In older versions, it may lag by 64 pages per CPU, which is more than the footprint of a
small workload. It is used only if `_is_exact` finds it exact."""

ROLLUP = "/proc/self/smaps_rollup"
"""The slower file, which is always exact: a reading takes 1 to 2 ms. Hundreds of readings make the
replay much longer. In a longer replay, libraries that release memory after a delay release more of
it before the end (mimalloc's peak is 20% lower)."""

ANONYMOUS = int.from_bytes(b"Anonymou", "little")
"""The first 8 bytes of the line "Anonymous:" in ROLLUP, as an integer. That line does not count
mapped files, such as a library's code."""

TEST_PAGES = 100
"""Number of pages that `_is_exact` touches."""

MIN_EXACT_SHARE = 0.9
"""When a page is touched, STATM must rise by exactly one page. It must do so for at least this
share of the TEST_PAGES, not for all: the interpreter may touch a page between two readings."""

CLOCK_PROCESS_CPUTIME_ID = 2
"""Linux's number for the CPU time of this process, including system time. Unlike wall-clock time,
it does not grow while other processes run. A reading takes about 0.2 us."""

CLOCK_MONOTONIC, TIMER_ABSTIME = 1, 1
"""Arguments of clock_nanosleep in `reach_time`: the clock, and the flag for an absolute time."""


class MeterSettings(Struct):
    """The file that a meter reads, and the C functions that it calls."""

    pread: Int64  # address of the C function
    clock_gettime: Int64  # address of the C function
    descriptor: Int64  # file descriptor of STATM or ROLLUP
    buffer: Int64  # address of BUFFER_SIZE bytes
    memory: Int64  # 1: memory is read at each step (see `stepping`); 0: only the clock
    fast: Int64  # 1: descriptor is STATM; 0: ROLLUP
    clock_nanosleep: Int64  # address of the C function
    origin: Int64  # time when a replay begins, in ns, on the clock that the measured library reads
    clock: Int64  # address of the word of a virtual clock (see `libraries.virtual_clock`), or 0


class Meter(NamedTuple):
    """Reads the memory and the clock of this process."""

    settings: Table[MeterSettings]  # one row


def open_meter(memory: bool = True) -> Meter:
    """Open a meter of this process; raise PlatformError if /proc lacks a file or line it needs.

    With `memory`, a replay reads the memory and the clock at each step (see `stepping`), otherwise
    only the clock.
    """
    buffer = table(np.uint8, BUFFER_SIZE)
    buffer.fill(0)
    _BUFFERS.append(buffer)
    meter = Meter(table(MeterSettings, 1))
    settings = meter.settings[0]
    settings.pread, settings.clock_gettime = libc_address("pread"), libc_address("clock_gettime")
    settings.clock_nanosleep = libc_address("clock_nanosleep")
    settings.buffer, settings.memory = buffer.ctypes.data, int(memory)
    for fast, file in ((1, STATM), (0, ROLLUP)):
        settings.fast, settings.descriptor = fast, _open(file)
        if not fast or _is_exact(meter):
            break
        os.close(int(settings.descriptor))
    if resident(meter) < 0:
        raise PlatformError(f"{ROLLUP} has no line 'Anonymous:'")
    return meter


_BUFFERS: list[np.ndarray] = []
"""Keeps the buffers of meters alive."""


def status_bytes(field: str) -> int:
    """Return a field of /proc/self/status in bytes, or 0 if there is no such line."""
    for line in Path("/proc/self/status").read_bytes().split(b"\n"):
        if line.startswith(f"{field}:".encode()):
            return 1024 * int(line.split()[1])
    return 0


@kernel
def resident(meter: Meter) -> int:
    """Return the anonymous RSS of this process in bytes, or -1 if Linux does not report it."""
    settings = meter.settings[0]
    length = call_c(settings.pread, (settings.descriptor, settings.buffer, BUFFER_SIZE, 0))
    if settings.fast:  # "size resident shared ...", in pages: resident - shared is anonymous
        second = _next_field(settings.buffer)
        third = _next_field(second)
        return OS_PAGE * (_number(second) - _number(third))
    for at in range(settings.buffer, settings.buffer + length - 16):
        if load_word(at) == ANONYMOUS:
            return 1024 * _number(at + 10)  # after "Anonymous:", in KiB
    return -1


@kernel
def now(meter: Meter) -> int:
    """Return the CPU time of this process, all threads together, in nanoseconds."""
    settings = meter.settings[0]
    call_c(settings.clock_gettime, (CLOCK_PROCESS_CPUTIME_ID, settings.buffer))
    return 1_000_000_000 * load_word(settings.buffer) + load_word(settings.buffer + 8)


@kernel
def reach_time(meter: Meter, nanoseconds: int) -> None:
    """Set the virtual clock to `nanoseconds` after the origin; if there is no such clock, sleep."""
    settings = meter.settings[0]
    when = settings.origin + nanoseconds
    if settings.clock:
        store_release(settings.clock, when)
        return
    store_word(settings.buffer, when // 1_000_000_000)
    store_word(settings.buffer + 8, when % 1_000_000_000)
    sleep = (CLOCK_MONOTONIC, TIMER_ABSTIME, settings.buffer, 0)
    call_c(settings.clock_nanosleep, sleep)


@kernel
def _next_field(address: int) -> int:
    """Return the address after the next space or line end."""
    at = address
    while load_byte(at) > 32:
        at += 1
    return at + 1


@kernel
def _number(address: int) -> int:
    """Parse a decimal number, skipping spaces before it."""
    value, at = 0, address
    while load_byte(at) == 32:
        at += 1
    while 48 <= load_byte(at) <= 57:
        value = 10 * value + load_byte(at) - 48
        at += 1
    return value


def _open(file: str) -> int:
    """Open a file of /proc; raise PlatformError on failure."""
    try:
        return os.open(file, os.O_RDONLY)
    except OSError as error:
        raise PlatformError(f"resident memory cannot be measured: {error}") from None


def _is_exact(meter: Meter) -> bool:
    """Return whether the meter counts each page as soon as it is touched."""
    pages = mmap.mmap(-1, TEST_PAGES * OS_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_NOHUGEPAGE)  # so that each touch adds one OS page
    readings, view = table(np.int64, TEST_PAGES), np.frombuffer(pages, np.uint8)
    readings.fill(0)
    # The first call compiles the kernel and touches the pages that reading itself needs.
    _touch_and_read(meter, view, readings)
    pages.madvise(mmap.MADV_DONTNEED)
    _touch_and_read(meter, view, readings)
    del view
    pages.close()
    return bool((np.diff(readings) == OS_PAGE).mean() > MIN_EXACT_SHARE)


def _touch_and_read(meter: Meter, pages: np.ndarray, readings: np.ndarray) -> None:
    """Touch the pages in turn, and take a reading after each."""
    for index in range(len(readings)):
        pages[index * OS_PAGE] = 1
        readings[index] = resident(meter)
