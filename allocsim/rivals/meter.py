"""What is measured while the driver plays: this process's resident memory, and the clock.

Above `foreign`; below the loop that plays in steps. Both are read by calls to C from inside the
compiled loop, into a buffer that was mapped beforehand. Its one rule: reading neither allocates
nor returns to Python, so the malloc that is measured is called by the driver alone.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.raw import load_byte, load_word
from allocsim.errors import PlatformError
from allocsim.rivals.foreign import call_with_four, call_with_two

METER = np.dtype(
    [
        ("pread", np.int64),  # address of the C function
        ("clock_gettime", np.int64),  # address of the C function
        ("descriptor", np.int64),  # of /proc/self/smaps_rollup, open
        ("buffer", np.int64),  # address of BUFFER bytes for what is read
        ("memory", np.int64),  # 1: memory is read at each step; 0: only the clock
    ]
)

BUFFER = 4096
"""Bytes: smaps_rollup is about a quarter of that."""

ROLLUP = "/proc/self/smaps_rollup"
"""The kernel counts pages when it is read. statm, which costs less, is off by up to 64 pages for
each processor, more than all that a small workload takes."""

ANONYMOUS = int.from_bytes(b"Anonymou", "little")
"""How the line begins, as a word. Files that are mapped, such as a library's code, do not count."""

MONOTONIC = 1
"""The clock's number on Linux."""


class Meter(NamedTuple):
    """What the readings need."""

    means: np.recarray  # one METER


def open_meter(memory: bool = True) -> Meter:
    """A meter for this process; `memory` may be set later. PlatformError where /proc lacks it."""
    means, buffer = table(METER, 1), table(np.uint8, BUFFER)
    buffer.fill(0)
    library = ctypes.CDLL(None)
    for name in ("pread", "clock_gettime"):
        means[0][name] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    try:
        means[0].descriptor = os.open(ROLLUP, os.O_RDONLY)
    except OSError as refusal:
        raise PlatformError(f"resident memory cannot be measured: {refusal}") from None
    means[0].buffer, means[0].memory = buffer.ctypes.data, memory
    _KEPT.append(buffer)
    meter = Meter(means)
    if resident(meter) < 0:
        raise PlatformError(f"{ROLLUP} does not say how many bytes are anonymous")
    return meter


_KEPT: list[np.ndarray] = []


@kernel
def resident(meter: Meter) -> int:
    """Bytes of anonymous memory that the kernel keeps for this process; -1 if it does not say."""
    means = meter.means[0]
    length = call_with_four(means.pread, means.descriptor, means.buffer, BUFFER, 0)
    for at in range(means.buffer, means.buffer + length - 16):
        if load_word(at) == ANONYMOUS:
            return 1024 * _number(at + 10)  # behind "Anonymous:"
    return -1


@kernel
def now(meter: Meter) -> int:
    """Nanoseconds on a clock that never goes back."""
    means = meter.means[0]
    call_with_two(means.clock_gettime, MONOTONIC, means.buffer)
    return 1_000_000_000 * load_word(means.buffer) + load_word(means.buffer + 8)


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


def status_bytes(field: str) -> int:
    """What /proc/self/status says under `field`, in bytes; 0 if it has no such line."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    return 0
