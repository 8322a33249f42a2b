"""A malloc library as the driver sees it: a state type whose kernels call C.

Above `foreign`; below the child process that loads it. It answers the operations that the driver
calls; what a library keeps to itself (the parts of its heap) is measured as zero. Its one rule:
load it last in a fresh process, with RTLD_LOCAL, so that nobody else's calls reach it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import NamedTuple

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.operations import Status
from allocsim.core.records import Record
from allocsim.errors import EnvironmentLacks
from allocsim.rivals.foreign import call_with_one, call_with_two

KNOWN = {
    "glibc": ("libc.so.6", ""),
    "jemalloc": ("libjemalloc.so.2", ""),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "tc_"),
    "mimalloc": ("libmimalloc.so.2", "mi_"),
}
"""Libraries by name: the file that the linker finds, and what their functions' names begin with."""

PACKAGES = {
    "glibc": "libc6",
    "jemalloc": "libjemalloc2",
    "tcmalloc": "libtcmalloc-minimal4",
    "mimalloc": "libmimalloc2.0",
}
"""The Debian package of each."""

CHILD_ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}
"""What a process needs to load jemalloc late: room for its thread-local storage."""

FUNCTIONS = ("malloc", "free", "realloc", "calloc", "memalign", "malloc_usable_size")


class Library(NamedTuple):
    """The state of a heap that is a library: the addresses of its functions."""

    function: np.ndarray  # int64, in the order of FUNCTIONS


def load(name: str) -> Library:
    """Load a library of KNOWN; EnvironmentLacks, naming the package, if it is not there."""
    file, prefix = KNOWN[name]
    try:
        library = ctypes.CDLL(file, mode=os.RTLD_LOCAL | os.RTLD_DEEPBIND | os.RTLD_NOW)
    except OSError as refusal:
        raise EnvironmentLacks(f"{name}: {refusal}; Debian's package is {PACKAGES[name]}") from None
    addresses = [_address(library, prefix, function) for function in FUNCTIONS]
    return Library(np.array(addresses, np.int64))


def find_library(name: str) -> str | None:
    """The file of a library of KNOWN, as the linker finds it; None if it does not."""
    file, _ = KNOWN[name]
    stem = file.removeprefix("lib").partition(".so")[0]
    return ctypes.util.find_library(stem)


def _address(library: ctypes.CDLL, prefix: str, function: str) -> int:
    """The address of a function; 0 if the library lacks it."""
    for name in (prefix + function, f"{prefix}{function.removeprefix('malloc_')}"):
        if hasattr(library, name):
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    return 0


@answers(operations.malloc, Library)
@kernel
def malloc(heap: Library, thread: int, request: int) -> int:
    """The library's malloc."""
    return call_with_one(heap.function[0], request)


@answers(operations.free, Library)
@kernel
def free(heap: Library, thread: int, address: int) -> int:
    """The library's free, which says nothing."""
    call_with_one(heap.function[1], address)
    return Status.OK


@answers(operations.realloc, Library)
@kernel
def realloc(heap: Library, thread: int, address: int, request: int) -> int:
    """The library's realloc."""
    return call_with_two(heap.function[2], address, request)


@answers(operations.calloc, Library)
@kernel
def calloc(heap: Library, thread: int, request: int) -> int:
    """The library's calloc of one element."""
    return call_with_two(heap.function[3], 1, request)


@answers(operations.memalign, Library)
@kernel
def memalign(heap: Library, thread: int, alignment: int, request: int) -> int:
    """The library's memalign."""
    return call_with_two(heap.function[4], alignment, request)


@answers(operations.thread_begin, Library)
@kernel
def thread_begin(heap: Library, thread: int) -> int:
    """Nothing: all events are played on one thread of the operating system."""
    return Status.OK


@answers(operations.thread_done, Library)
@kernel
def thread_done(heap: Library, thread: int) -> int:
    """Nothing."""
    return Status.OK


@answers(operations.release, Library)
@kernel
def release(heap: Library, length: int) -> int:
    """Nothing: only a few libraries have such a call."""
    return 0


@answers(operations.freeze, Library)
@kernel
def freeze(heap: Library) -> int:
    """Nothing: a library cannot be kept from asking."""
    return Status.OK


@answers(operations.footprint, Library)
@kernel
def footprint(heap: Library) -> int:
    """0: it is measured from outside."""
    return 0


@answers(operations.measure, Library)
@kernel
def measure(heap: Library, live: int, sample: Record) -> int:
    """Only what is live: the rest is the library's own."""
    sample.live = live
    return Status.OK
